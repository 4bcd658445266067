"""A slip in a file of law is known when a process starts, not when somebody waits for an answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rights
from tests.starter.conftest import PERSON, Deployment

OPEN = ("request", "open", "erasure", "--identity", f"email={PERSON}")


def broken_copy(folder: Path) -> dict[str, int]:
    """The engine's rules as they ship, copied, with a slip at the end of every file of law; file and line of each."""
    package = folder / "rights"
    shutil.copytree(Path(rights.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    slips = {}
    for file in (*(package / "law").glob("*.yaml"), package / "regimes" / "nz.yaml"):
        text = file.read_text().rstrip("\n")
        file.write_text(f"{text}\nslip: 1\n")
        slips[file.name] = text.count("\n") + 2
    return slips


@pytest.mark.soak
@pytest.mark.parametrize("command", [("worker",), OPEN, ("config", "check")], ids=["worker", "open", "check"])
def test_a_process_that_would_answer_by_a_broken_law_refuses_to_start_and_names_each_line(
    deployment: Deployment, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "copy").mkdir()
    slips = broken_copy(tmp_path / "copy")

    # The copy stands in the working directory, where Python looks first.
    ended = subprocess.run(
        [sys.executable, "-m", "starter.cli", "-C", str(deployment.home), *command],
        cwd=tmp_path / "copy",
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    assert len(slips) > 9
    missing = [f"{file}:{line}" for file, line in slips.items() if f"{file}:{line}:" not in said]
    assert not missing, said
    assert said.count("'slip' is not a key here") == len(slips)
    assert deployment.rows("SELECT count(*) FROM requests") == [(0,)]
