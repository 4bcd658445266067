"""What the command line shows of a person, put on record before it is shown.

The one rule: the journal says what kind of thing was shown, of which request, to whom and why; where nobody gave a name
or a reason it says that, and is not silent. What is written to a file is read by its owner alone.
"""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rights.reveals import Revealed, Why
from starter.exits import Exit, Failure
from starter.inputs import maybe_role

if TYPE_CHECKING:
    from starter.desk import Desk

NOBODY: Final = "command line"
"""Stands for whoever has used the command line and has not said who they are."""


def on_record(at: "Desk", request_id: str, what: Revealed, reason: str, by: str | None) -> None:
    """Put on record that something of a request's person is about to be shown.

    Raises:
        Failure: the reason is none of the list; nothing is shown then.
    """
    from starter.desk import now

    if reason not in list(Why):
        raise Failure(Exit.USAGE, f"--reason takes one of {', '.join(Why)}")
    at.ledger.reveal(request_id, what, Why(reason), by=maybe_role(by, "--by") or NOBODY, at=now())


def own_file(path: Path) -> int:
    """A file that is written anew and that only its owner reads, open for writing. One that was there keeps the mode
    that it had, unless it is changed; what is no file (a pipe, a terminal) is left as it is.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
