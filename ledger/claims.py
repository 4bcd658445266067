"""A call that is carried out once: its claim, as the transactions of the verbs that carry it out see it.

The one rule: whoever has lost a claim commits nothing more, and that a call was carried out is noted in the transaction
that carries it out. A claim without a note means that nothing was done.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, bindparam, case, func, update

from ledger.errors import InProgress
from ledger.models_answers import kept_answers

MADE: Final = "made "
"""What an answer begins with that is none yet: behind it stands what was made, or nothing but that something was done.
An answer is JSON, and never does."""


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
_wrote = kept_answers.c.answer.is_(None) & func.pg_current_xact_id_if_assigned().isnot(None)
_SEE_TO: Final = (
    # A transaction that has written nothing has no id yet when this is worked out.
    update(kept_answers).where(*_mine).values(answer=case((_wrote, f"{MADE}{{}}"), else_=kept_answers.c.answer))
)
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
    nobody takes it. If it has written something, it is noted with it that the call was carried out."""
    if (claim := _HELD.get()) is None:
        return
    its = {"of": tenant, "mark": claim.key, "claimed": claim.at}
    if connection.execute(_SEE_TO, its).rowcount == 0:
        raise InProgress("the same call was sent again and is being carried out: send it again in a moment")


def made(connection: Connection, tenant: str, what: Mapping[str, Any]) -> None:
    """Note what a call has made, if this is one that is carried out once: its repeat is answered by that."""
    if (claim := _HELD.get()) is not None:
        said = MADE + orjson.dumps(what).decode()
        connection.execute(_NOTE, {"of": tenant, "mark": claim.key, "claimed": claim.at, "said": said})
