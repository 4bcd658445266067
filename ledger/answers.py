"""What the HTTP API remembers: its answers, so that a call that is sent twice is carried out once; and the hand-offs
that were used.

The one rule: it is written down that a call is being carried out before it is, and that it was in the transaction that
did it (`ledger.claims`). Whoever asks the same meanwhile is told to come back; what was cut off before that transaction
can be asked for again after a while, and what was cut off behind it is never done a second time.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, delete, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.claims import MADE, Claim, held
from ledger.errors import CarriedOut, InProgress, KeyReused
from ledger.models_answers import kept_answers, used_handoffs
from ledger.store import Store

KEPT: Final = timedelta(days=1)
"""How long an answer is kept."""
CUT_OFF: Final = timedelta(minutes=5)
"""A call that has no answer after this time is held to be cut off: a connection is waited for half a minute, and so is
each of a verb's statements. One that was only slow commits nothing after that (`ledger.claims`)."""
ANSWERING: Final = timedelta(seconds=2)
"""For so long a call that was carried out is thought to be on its way to its answer."""
_COME_BACK: Final = "the same call is being carried out just now: send it again in a moment"

_new = upsert(kept_answers)
_CLAIM: Final = _new.on_conflict_do_update(
    index_elements=[kept_answers.c.tenant, kept_answers.c.key],
    set_={"at": _new.excluded.at, "asked": _new.excluded.asked, "answer": literal_column("NULL")},
    where=or_(
        kept_answers.c.at < bindparam("forgotten"),
        kept_answers.c.answer.is_(None)
        & (kept_answers.c.at < bindparam("cut_off"))
        & (kept_answers.c.asked == _new.excluded.asked),
    ),
).returning(kept_answers.c.key)
_mine = (kept_answers.c.tenant == bindparam("of"), kept_answers.c.key == bindparam("mark"))
_claimed = (*_mine, kept_answers.c.at == bindparam("claimed"))
_FIND: Final = select(kept_answers.c.asked, kept_answers.c.answer, kept_answers.c.at).where(*_mine)
_KEEP: Final = update(kept_answers).where(*_claimed).values(answer=bindparam("said"))
_GIVE_UP: Final = delete(kept_answers).where(*_claimed, kept_answers.c.answer.is_(None))
_PURGE: Final = delete(kept_answers).where(
    kept_answers.c.tenant == bindparam("of"), kept_answers.c.at < bindparam("forgotten")
)
_USE: Final = upsert(used_handoffs).on_conflict_do_nothing()
_PURGE_USED: Final = delete(used_handoffs).where(
    used_handoffs.c.tenant == bindparam("of"), used_handoffs.c.expires_at < bindparam("now")
)


class Answers(Store):
    """Verbs of what is remembered for a while; nothing of it is journaled."""

    def asked_mark(self, body: bytes) -> bytes:
        """The digest by which two bodies are compared. Keyed: a body names people."""
        return self._people.mark(f"ASKED\0{body.hex()}")

    def once(
        self,
        caller: str,
        key: str,
        body: bytes,
        do: Callable[[], str],
        *,
        at: datetime,
        again: Callable[[Mapping[str, Any]], str] | None = None,
    ) -> tuple[str, bool]:
        """Carry something out once for a caller's idempotency key: its answer, and whether it was given before.

        `body` is all that was asked; `do` carries it out, and its answer holds nothing personal. Nothing is kept of
        what it refuses, so that it can be asked for again. `again` gives the answer of what was made (`claims.made`)
        where the call was cut off between that and its answer. `do` is one transaction: of several, the first would
        be told as all of it.

        Raises:
            KeyReused: the key belongs to another body.
            InProgress: the same is being carried out just now.
            CarriedOut: it was carried out and cut off behind that, and no `again` tells the answer.
        """
        mark, asked = self._people.mark(f"ANSWER\0{caller}\0{key}"), self.asked_mark(body)
        its = {"of": self.tenant, "mark": mark}
        days = {"forgotten": at - KEPT, "cut_off": at - CUT_OFF}
        with self._begin() as connection:
            connection.execute(_PURGE, {**its, **days})
            row = {"tenant": self.tenant, "key": mark, "asked": asked, "at": at}
            claimed = connection.execute(_CLAIM, {**row, **days}).first()
            found = None if claimed else connection.execute(_FIND, its).one()
        if found is not None:
            if bytes(found.asked) != asked:
                raise KeyReused("this idempotency key was sent with another body: use a new key for something else")
            if found.answer is None:
                raise InProgress(_COME_BACK)
            if not found.answer.startswith(MADE):
                return found.answer, True
            made = orjson.loads(found.answer.removeprefix(MADE))
            if again is None or not made:
                if at - found.at < ANSWERING:
                    raise InProgress(_COME_BACK)
                raise CarriedOut(
                    "this call was carried out, and cut off before it was answered: do not send it under another key; "
                    "look at what there is now"
                )
            said = again(made)
            self._keep(Claim(mark, found.at), said)
            return said, True
        claim = Claim(mark, at)
        try:
            with held(claim):
                said = do()
        except BaseException:
            with self._begin() as connection:
                connection.execute(_GIVE_UP, {**its, "claimed": at})
            raise
        self._keep(claim, said)
        return said, False

    def _keep(self, claim: Claim, said: str) -> None:
        with self._begin() as connection:
            connection.execute(_KEEP, {"of": self.tenant, "mark": claim.key, "claimed": claim.at, "said": said})

    def use_handoff(self, token_id: str, *, expires_at: datetime, at: datetime) -> bool:
        """Use up a hand-off; False if it was used before."""
        row = {"tenant": self.tenant, "mark": self._people.mark(f"HANDOFF\0{token_id}"), "expires_at": expires_at}
        with self._begin() as connection:
            connection.execute(_PURGE_USED, {"of": self.tenant, "now": at})
            return connection.execute(_USE, row).rowcount == 1
