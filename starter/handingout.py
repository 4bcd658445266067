"""Taking a sealed parcel out of our hands, for somebody other than the person: an authority, or whom a use is for.

The one rule: on record first, so that nothing lies anywhere that nobody knows of; before that it is looked whether the
file can be written and the parcel is whole.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from activities.parcels import open_parcel, verify_parcel
from activities.store import FileStore
from starter.desk import Desk
from starter.exits import Exit, Failure

_NOWHERE: Final = "the file of --out cannot be written: name one in a directory of yours"
T = TypeVar("T")


def take_out(
    at: Desk, parcel: str, digest: str | None, out: Path, record: Callable[[], T], *, replace: bool, what: str
) -> T:
    """Write a parcel as an ordinary ZIP, once `record` has put that on record; what `record` gives. `what`: its name in
    sentences.

    Raises:
        Failure: its key is gone, or the file is there already or cannot be written. Nothing is on record then, unless
            the directory has gone meanwhile.
    """
    key = at.ledger.case_key(parcel, "parcel")
    if key is None:
        raise Failure(Exit.NOT_FOUND, f"the {what}'s key was destroyed on its day, so nothing can open it any more")
    if out.exists() and not replace:
        raise Failure(Exit.USAGE, "there is a file of that name already: name another with --out, or say --replace")
    if out.is_dir() or not os.access(out.absolute().parent, os.W_OK):
        raise Failure(Exit.USAGE, _NOWHERE)
    store = FileStore(at.settings.parcels)
    verify_parcel(store, parcel, key, digest=digest)
    after = record()
    try:
        open_parcel(store, parcel, key, out, digest=digest, replace=replace)
    except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
        raise Failure(Exit.USAGE, _NOWHERE) from None
    return after
