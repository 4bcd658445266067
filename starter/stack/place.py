"""Where the servers' files lie, and who can reach them.

The rule kept: only directories made here are given other modes; of the rest it is only said that
they stand in the way.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import Final

from starter.stack.child import StackError

# A fresh cluster takes 40 MB and each test database 8; large tests have room to spare in this.
MEMORY_ROOM_BYTES: Final = 2 * 1024**3


def state_dir() -> Path:
    """The directory where `habeas dev` keeps what survives a restart; it need not exist yet.

    HABEAS_STATE wins. Root's default is outside any home, as PostgreSQL's account must reach it.
    """
    if chosen := os.environ.get("HABEAS_STATE"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/habeas-dev")
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "habeas"


def temporary(prefix: str, *, in_memory: bool = False) -> Path:
    """A new directory, 0700; in memory if so wished and there is room enough for it."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp below makes the name, and makes it safely
    roomy = in_memory and memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_ROOM_BYTES
    return Path(tempfile.mkdtemp(prefix=prefix, dir=memory if roomy else None))


def make_reachable(directory: Path, account: pwd.struct_passwd | None) -> None:
    """Make the directory, and see that the account can pass through it and all above it."""
    for place in reversed([directory, *directory.parents]):
        made = not place.exists()
        if made:
            place.mkdir()
        if account and (made or place == directory):
            place.chmod(0o711)
        if account and not place.stat().st_mode & 0o001:
            raise StackError(
                f"PostgreSQL runs as {account.pw_name} here, which cannot pass {place}. "
                "Set HABEAS_STATE to a directory outside it."
            )
