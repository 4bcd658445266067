"""What people dispute and was not corrected: a note that stays with the data as long as they say so.

The one rule: the note is found by whom the data is about and not by a request, so that every later copy has it; it ends
with the person's own word, or with their data (APP 13.4; 11 CCR 7023(f); GDPR Art. 16, second sentence).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import ARRAY, Connection, LargeBinary, Text, bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.models import case_keys, entries, requests
from ledger.models_disputes import dispute_tokens, disputes
from ledger.notes import by_whom
from ledger.requests import Requests
from ledger.vault import Sealed
from rights.rectification import Disputed, Noted
from rights.request import Right
from rights.subject import Identity, Sharing

STATEMENT: Final = "statement"
"""Under which name the person's own statement is sealed."""

_ANY: Final = select(disputes.c.request_id).where(disputes.c.tenant == bindparam("of")).limit(1)
_WHOSE: Final = (
    select(dispute_tokens.c.request_id)
    .where(
        dispute_tokens.c.tenant == bindparam("of"),
        dispute_tokens.c.token == func.any(bindparam("tokens", type_=ARRAY(LargeBinary))),
    )
    .distinct()
)
_OF: Final = (
    select(disputes)
    .where(disputes.c.tenant == bindparam("of"), disputes.c.request_id == func.any(bindparam("ids", type_=ARRAY(Text))))
    .order_by(disputes.c.request_id, disputes.c.system, disputes.c.collection, disputes.c.field)
)
_OVER: Final = (
    update(case_keys)
    .where(
        case_keys.c.tenant == bindparam("of"),
        case_keys.c.case_id == bindparam("id"),
        case_keys.c.purpose == literal_column("'dispute'"),
    )
    .values(keep_until=bindparam("at"))
)
_ENDED: Final = (
    select(entries.c.seq)
    .where(
        entries.c.tenant == bindparam("of"),
        entries.c.request_id == bindparam("id"),
        entries.c.kind == literal_column("'dispute_ended'"),
    )
    .limit(1)
)
_RIGHT: Final = (
    select(requests.c.right)
    .where(requests.c.tenant == bindparam("of"), requests.c.id == bindparam("id"))
    .with_for_update(key_share=True)
)


class Disputes(Requests):
    """Verbs on them."""

    def note_dispute(
        self,
        request_id: str,
        fields: Iterable[Disputed],
        identities: Iterable[Identity],
        *,
        statement: str = "",
        at: datetime,
    ) -> int:
        """Note that these fields are disputed and stay as they are; how many were not noted before. None once all that
        this request had noted has ended: what the person has taken back stays so, and its key is gone.

        `identities` are those that tell the person from all others: a note that several people could be meant by would
        show somebody else's word. `statement` is the person's own, sealed.
        """
        keys = self._token_keys()
        tokens = self._newest_tokens(_alone(identities), keys)
        its = {"tenant": self.tenant, "request_id": request_id}
        rows = [{**its, **one.model_dump(include=_PLACE), "since": at} for one in fields]
        if not rows:
            return 0
        with self._begin() as connection:
            if self._is_over(connection, request_id):
                return 0
            new = sum(connection.execute(upsert(disputes).on_conflict_do_nothing(), row).rowcount for row in rows)
            if not new:
                return 0
            for token, version in tokens.items():
                mark = {**its, "token": token, "version": version, "key_version": len(keys)}
                connection.execute(upsert(dispute_tokens).on_conflict_do_nothing(), mark)
            if statement:
                self._put_statement(connection, request_id, statement, at)
            body = {
                "fields": [f"{row['system']}.{row['collection']}.{row['field']}" for row in rows],
                "statement": bool(statement),
                "identities": len(tokens),
            }
            self._journal(connection, "dispute_noted", body, at, request_id=request_id)
        return new

    def dispute(self, request_id: str) -> Noted | None:
        """What is noted of one refused correction; None: nothing (any more).

        Raises:
            VaultError: the statement was changed or moved.
        """
        with self._look() as connection:
            return next(iter(self._noted_disputes(connection, [request_id])), None)

    def disputes_of(self, request_id: str, shared_kinds: Collection[str]) -> tuple[Noted, ...]:
        """What the person of a request disputes, by whatever they are known by alone. `shared_kinds` are kinds of
        identity that several people may have.

        Raises:
            VaultError: a statement was changed or moved.
        """
        with self._look() as connection:
            if connection.scalar(_ANY, {"of": self.tenant}) is None:
                return ()
        people = [one for one in self.identities(request_id) if one.kind not in shared_kinds]
        tokens = self._tokens(_alone(people))
        with self._look() as connection:
            ids = connection.scalars(_WHOSE, {"of": self.tenant, "tokens": tokens}).all()
            return self._noted_disputes(connection, sorted(ids)) if ids else ()

    def say_of_dispute(self, request_id: str, statement: str, *, by: str, at: datetime) -> None:
        """Put the person's own statement, or another one, with what they dispute.

        Raises:
            LedgerRefusal: nothing of this request is noted as disputed.
        """
        with self._begin() as connection:
            self._known_dispute(connection, request_id)
            self._put_statement(connection, request_id, statement, at)
            self._journal(connection, "dispute_stated", {"by": by}, at, request_id=request_id)

    def withdraw_dispute(self, request_id: str, *, by: str, at: datetime) -> None:
        """The person takes it back: the note goes, and their statement is destroyed within the hour.

        Raises:
            LedgerRefusal: nothing of this request is noted as disputed.
        """
        with self._begin() as connection:
            self._known_dispute(connection, request_id)
            self._end_dispute(connection, request_id, "withdrawn", at, by=by)

    def end_disputes(
        self, request_id: str, shared_kinds: Collection[str], systems: Collection[str], *, at: datetime
    ) -> int:
        """Take away what the person of a request disputes in systems in which it has left nothing; how many notes have
        ended by that. One that is about another system too stays for what is there."""
        found = self.disputes_of(request_id, shared_kinds)
        of = {noted.request_id: {one.system for one in noted.fields} for noted in found}
        ended = [noted for noted, theirs in of.items() if theirs <= set(systems)]
        if all(theirs.isdisjoint(systems) for theirs in of.values()):
            return 0
        with self._begin() as connection:
            for noted, theirs in of.items():
                if noted in ended:
                    self._end_dispute(connection, noted, "erased", at)
                elif gone := theirs.intersection(systems):
                    self._end_in(connection, noted, gone, at)
        return len(ended)

    def _end_in(self, connection: Connection, request_id: str, systems: Collection[str], at: datetime) -> None:
        connection.execute(
            delete(disputes).where(
                disputes.c.tenant == self.tenant, disputes.c.request_id == request_id, disputes.c.system.in_(systems)
            )
        )
        body = {"why": "erased", "systems": sorted(systems)}
        self._journal(connection, "dispute_ended", body, at, request_id=request_id)

    def _end_dispute(self, connection: Connection, request_id: str, why: str, at: datetime, *, by: str = "") -> None:
        for table in (dispute_tokens, disputes):
            connection.execute(delete(table).where(table.c.tenant == self.tenant, table.c.request_id == request_id))
        # The statement is destroyed by upkeep, which leaves alone what a hold covers.
        connection.execute(_OVER, {"of": self.tenant, "id": request_id, "at": at})
        body = {"why": why, **by_whom(by)}
        self._journal(connection, "dispute_ended", body, at, request_id=request_id)

    def _put_statement(self, connection: Connection, request_id: str, statement: str, at: datetime) -> None:
        key = self._vault.key(connection, request_id, "dispute")
        self._vault.put(connection, request_id, key, Sealed("dispute", STATEMENT, statement.encode()), at)

    def _is_over(self, connection: Connection, request_id: str) -> bool:
        ended = connection.scalar(_ENDED, {"of": self.tenant, "id": request_id}) is not None
        return ended and not self._disputed_fields(connection, [request_id])

    def _known_dispute(self, connection: Connection, request_id: str) -> None:
        its = {"of": self.tenant, "id": request_id}
        if connection.scalar(_RIGHT, its) != Right.RECTIFICATION or not self._disputed_fields(connection, [request_id]):
            raise LedgerRefusal("nothing of this request is noted as disputed (any more)")

    def _disputed_fields(self, connection: Connection, ids: list[str]) -> dict[str, list[Disputed]]:
        found: defaultdict[str, list[Disputed]] = defaultdict(list)
        for row in connection.execute(_OF, {"of": self.tenant, "ids": ids}):
            place = {name: getattr(row, name) for name in _PLACE}
            found[row.request_id].append(Disputed(number=len(found[row.request_id]) + 1, at=0, **place))
        return found

    def _noted_disputes(self, connection: Connection, ids: list[str]) -> tuple[Noted, ...]:
        return tuple(
            Noted(
                request_id=one,
                fields=tuple(fields),
                statement=(self._vault.get(connection, one, "dispute", STATEMENT) or b"").decode(),
            )
            for one, fields in self._disputed_fields(connection, ids).items()
        )


_PLACE: Final = {"system", "collection", "field"}


def _alone(identities: Iterable[Identity]) -> list[Identity]:
    return [one for one in identities if one.sharing is Sharing.UNIQUE]
