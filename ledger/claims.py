"""A call that is carried out once: its claim, as the transactions of the verbs that carry it out see it.

The one rule: whoever has lost a claim commits nothing more, and what must not be made twice is noted in the transaction
that makes it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, bindparam, select, update

from ledger.errors import InProgress
from ledger.models_answers import kept_answers

MADE: Final = "made "
"""What an answer begins with that is none yet: behind it stands what was made. An answer is JSON, and never does."""


@dataclass(frozen=True)
class Claim:
    """A call's own: nobody else has claimed it at this moment."""

    key: bytes
    at: datetime


_HELD: Final[ContextVar[Claim | None]] = ContextVar("held", default=None)
_mine = (
    kept_answers.c.tenant == bindparam("of"),
    kept_answers.c.key == bindparam("mark"),
    kept_answers.c.at == bindparam("claimed"),
)
_LOCK: Final = select(kept_answers.c.key).where(*_mine).with_for_update()
_NOTE: Final = update(kept_answers).where(*_mine).values(answer=bindparam("said"))


@contextmanager
def held(claim: Claim) -> Iterator[None]:
    """Within it, every transaction of this thread is undone once somebody else has the claim.

    Raises (from the verbs):
        InProgress: they have.
    """
    token = _HELD.set(claim)
    try:
        yield
    finally:
        _HELD.reset(token)


def refuse_lost(connection: Connection, tenant: str) -> None:
    """Raise `InProgress` where a call is carried out of which another has taken the claim; until this transaction ends,
    nobody takes it."""
    if (claim := _HELD.get()) is None:
        return
    its = {"of": tenant, "mark": claim.key, "claimed": claim.at}
    if connection.execute(_LOCK, its).first() is None:
        raise InProgress("the same call was sent again and is being carried out: send it again in a moment")


def made(connection: Connection, tenant: str, what: Mapping[str, Any]) -> None:
    """Note what a call has made, if this is one that is carried out once: its repeat finds that."""
    if (claim := _HELD.get()) is not None:
        said = MADE + orjson.dumps(what).decode()
        connection.execute(_NOTE, {"of": tenant, "mark": claim.key, "claimed": claim.at, "said": said})
