"""Letters about authorities' demands: queued when they are due, and posted by people where mail cannot carry them.

The one rule: a letter is queued in the transaction that has seen that no gag is in force.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, insert, literal, select, update

from ledger.authorities import Authorities
from ledger.errors import LedgerRefusal
from ledger.letters import (
    POST_WITHIN,
    REPLY,
    Channel,
    Letter,
    LetterState,
    call_for_letters,
    columns,
    letter_id,
    message_id,
    read_letter,
)
from ledger.models import vault
from ledger.models_letters import letters
from ledger.notes import note_text
from ledger.vault import Sealed
from rights.authorities import BY_HAND
from rights.demandletters import KINDS, Whom, letter_due

_OF_CASE: Final = (
    select(*columns)
    .where(
        letters.c.tenant == bindparam("of"), letters.c.case_id == bindparam("case"), letters.c.kind == bindparam("k")
    )
    .order_by(letters.c.number)
)
_EXPORTER: Final = "channel/exporter"


class DemandLetters(Authorities):
    """Verbs on these letters."""

    def queue_demand_letter(
        self, demand_id: str, whom: Whom, *, at: datetime, channel: Channel | None = None
    ) -> str | None:
        """Queue a letter if it is due; its id, None if it is not. Where nobody knows an address, a person posts it.

        `channel`: where the exporter is written to; where the person is, was said with the demand.
        """
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            kind = KINDS[whom].value
            its = {"of": self.tenant, "case": demand_id, "k": kind}
            before = [read_letter(row) for row in connection.execute(_OF_CASE, its)]
            stand = [one for one in before if one.state is not LetterState.LEFT]
            if not letter_due(demand, whom, stand[-1].queued_at if stand else None, at):
                return None
            name = _EXPORTER if whom is Whom.EXPORTER else REPLY
            if channel is not None:
                key = self._vault.key(connection, demand_id, "working")
                self._vault.put(connection, demand_id, key, Sealed("working", name, channel.sealed()), at)
            there = select(literal(1)).where(
                vault.c.tenant == self.tenant,
                vault.c.case_id == demand_id,
                vault.c.purpose == "working",
                vault.c.name == name,
            )
            known = connection.execute(there).first() is not None
            state = LetterState.QUEUED if known else LetterState.TO_POST
            letter = letter_id(demand_id, kind, len(before))
            row = {
                "tenant": self.tenant,
                "id": letter,
                "case_id": demand_id,
                "request_id": None,
                "kind": kind,
                "number": len(before),
                "language": demand.language,
                "channel": name if known else None,
                "state": state.value,
                "message_id": message_id(self, letter, 0),
                "queued_at": at,
                "post_by": None if known else (at + POST_WITHIN).date(),
            }
            connection.execute(insert(letters), row)
            self._change_demand(connection, demand_id, letters={**demand.letters, whom.value: state.value})
            if known:
                call_for_letters(self, connection, at)
            body = {"demand": demand_id, "letter": letter, "state": state}
            self._journal(connection, "demand_letter", body, at, key=demand_id)
        return letter

    def posted_demand_letter(self, demand_id: str, whom: Whom, *, by: str, at: datetime) -> None:
        """Note that a person has posted the newest letter, or handed it over.

        Raises:
            LedgerRefusal: none waits for that, or a gag is in force.
        """
        with self._begin() as connection:
            demand = self._lock_demand(connection, demand_id)
            if not demand.may_tell(at):
                raise LedgerRefusal("nobody may be told yet: a gag is in force (habeas authority gag)")
            done = connection.scalars(
                update(letters)
                .where(
                    letters.c.tenant == self.tenant,
                    letters.c.case_id == demand_id,
                    letters.c.kind == KINDS[whom].value,
                    letters.c.state.in_(sorted(BY_HAND)),
                )
                .values(state=LetterState.POSTED.value, settled_at=at)
                .returning(letters.c.id)
            ).all()
            if not done:
                raise LedgerRefusal("no letter waits to be posted: habeas authority show says how it stands")
            values: dict[str, object] = {"letters": {**demand.letters, whom.value: LetterState.POSTED.value}}
            if whom is Whom.PERSON:
                values |= {"told_at": at, "told_by": by}
            self._change_demand(connection, demand_id, **values)
            self._call_demand(connection, demand_id, at)
            body = {"demand": demand_id, "letter": max(done), "state": LetterState.POSTED, "by": by}
            self._journal(connection, "demand_letter", body, at, key=demand_id)

    def demand_letters_out(self, demand_id: str, life: timedelta, *, at: datetime) -> datetime | None:
        """Until when a letter about a demand that was sent by mail may still come back; None: none may any more."""
        sent = [one.settled_at for one in self._letters_of(demand_id) if one.state is LetterState.SENT]
        last = max((one for one in sent if one is not None), default=None)
        return last + life if last is not None and last + life > at else None

    def newest_demand_letter(self, demand_id: str, whom: Whom) -> Letter | None:
        """The newest letter to somebody that was not taken back."""
        kind = KINDS[whom].value
        found = [one for one in self._letters_of(demand_id) if one.kind == kind and one.state is not LetterState.LEFT]
        return found[-1] if found else None

    def demand_channel(self, demand_id: str, whom: Whom) -> Channel | None:
        """Where somebody is written to about a demand; None where nobody knows, or that is shredded."""
        name = _EXPORTER if whom is Whom.EXPORTER else REPLY
        with self._look() as connection:
            sealed = self._vault.get(connection, demand_id, "working", name)
        return Channel.unsealed(sealed) if sealed else None

    def demand_text(self, demand_id: str, name: str) -> str | None:
        """What the authority wrote: basis, reference or gag_basis; None where nothing, or where it is shredded."""
        with self._look() as connection:
            sealed = self._vault.get(connection, demand_id, "file", name)
        return note_text(sealed) if sealed else None

    def _letters_of(self, demand_id: str) -> Sequence[Letter]:
        query = select(*columns).where(letters.c.tenant == self.tenant, letters.c.case_id == demand_id)
        with self._look() as connection:
            return [read_letter(row) for row in connection.execute(query.order_by(letters.c.queued_at, letters.c.id))]
