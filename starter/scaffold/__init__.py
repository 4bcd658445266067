"""What `habeas init` writes: settings, a first data map, an example of `.env`, keys.

The one rule: nothing that is there is ever written over.
"""

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from ledger.checkpoints import new_signing_key

_IGNORE: Final = ".env\n.env.*\n!.env.example\nkeys/\ncheckpoint.pem\ncheckpoints.jsonl\nparcels/\n"
"""What must never reach version control."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file or directory of a new deployment, and whether it was there already."""

    path: Path
    about: str
    new: bool


def scaffold(directory: Path) -> list[Written]:
    """Write a new deployment's files; those that are there stay as they are.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    return [
        _file(directory / "habeas.toml", _template("habeas.toml"), "the settings"),
        _file(directory / "maps" / "example.yaml", _template("example.yaml"), "a data map to start from"),
        _file(directory / ".env.example", _template("env.example"), "which secrets are needed; copy it to .env"),
        _file(directory / ".gitignore", _IGNORE, "keeps secrets out of version control"),
        *private_parts(directory),
    ]


def private_parts(directory: Path) -> list[Written]:
    """Make what only the user who runs the engine may read."""
    return [
        _directory(directory / "keys", "key-encryption keys, one a month"),
        _directory(directory / "parcels", "sealed parcels"),
        _file(directory / "checkpoint.pem", new_signing_key(), "signs the journal's checkpoints", mode=0o600),
    ]


def _template(name: str) -> str:
    return (resources.files("starter.scaffold") / name).read_text()


def _file(path: Path, text: str, about: str, *, mode: int = 0o644) -> Written:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return Written(path, about, new=False)
    with open(handle, "w") as file:
        file.write(text)
    return Written(path, about, new=True)


def _directory(path: Path, about: str) -> Written:
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return Written(path, about, new=False)
    return Written(path, about, new=True)
