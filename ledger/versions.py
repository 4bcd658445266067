"""Versions of a request: a verb that is carried out only if nothing has happened to it since its caller looked.

The one rule: it is asked inside of the verb's own transaction, once that holds its locks, so that nothing comes
between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, func, literal_column, select

from ledger.errors import Changed
from ledger.models import entries


@dataclass
class _Seen:
    request_id: str
    version: int


_SEEN: Final[ContextVar[_Seen | None]] = ContextVar("seen", default=None)

_of_request = (entries.c.tenant == bindparam("tenant"), entries.c.request_id == bindparam("request_id"))
VERSION: Final = select(func.max(entries.c.seq)).where(*_of_request)
"""The number of the newest entry of a request: whatever happens to it is journaled."""
_OTHERS: Final = VERSION.where(
    # Not what this transaction has written. A row's xmin is its writer's id.
    literal_column("entries.xmin") != literal_column("coalesce(pg_current_xact_id_if_assigned()::xid, '0'::xid)")
)


@contextmanager
def only_if(request_id: str, version: int) -> Iterator[None]:
    """Within it, every transaction of this thread is undone if the request is no longer at this version.

    Raises (from the verbs):
        Changed: it is not.
    """
    token = _SEEN.set(_Seen(request_id, version))
    try:
        yield
    finally:
        _SEEN.reset(token)


def refuse_changed(connection: Connection, tenant: str) -> None:
    """Raise `Changed` where the caller has named a version, and others have written since."""
    if (seen := _SEEN.get()) is None:
        return
    its = {"tenant": tenant, "request_id": seen.request_id}
    if connection.scalar(_OTHERS, its) != seen.version:
        raise Changed(
            "something has happened to the request since you looked: look again, and decide on what it is now"
        )
    # What was written here is the caller's own: a second verb goes on from it.
    seen.version = connection.scalar(VERSION, its) or seen.version
