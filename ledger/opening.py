"""Opening a request: the one verb that a person waits for at the door.

The one rule: once its commit is done the request is open, whatever becomes of Temporal.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ARRAY, ColumnElement, Connection, LargeBinary, Text, bindparam, func, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.clocks import clock_column, keep_rulesets
from ledger.cooling import Cooling
from ledger.deferrals import CarriedOn, carry_on
from ledger.errors import KeyReused
from ledger.ids import new_id
from ledger.letters import REPLY, Channel, queue_letter
from ledger.minors import MinorReport, keep_report, need_mandate
from ledger.models import case_keys, outbox, request_subjects, requests, vault
from ledger.notes import make_note
from ledger.outbox import CHANNEL
from ledger.people import ASKED, DETAILS, GIVEN, identities_text
from ledger.plans import keep_map
from ledger.proven import keep_first_proof, of_whom
from ledger.remembering import Decided, take_over
from ledger.requests import Opened
from ledger.standstill import hold_incidents, stand_still_too
from ledger.store import Store
from ledger.tasks import put_task
from ledger.vault import OF_REQUEST, Sealed
from rights.codes import Code
from rights.datamap import DataMap
from rights.deadlines import Clock, acting
from rights.identity import Proof
from rights.journal import ASKED_AT, CARRIED_ON
from rights.letterkinds import LetterKind
from rights.request import Phase, Right
from rights.subject import Identity

_COLUMNS: Final = (
    "tenant", "id", "right", "regime", "ruleset", "zone", "holidays", "phase", "received_at", "internal_due",
    "legal_due", "idempotency", "confirmed_at", "clocks", "map_digest",
)  # fmt: skip
_UNTOLD: Final = {"tenant", "phase", "idempotency", "confirmed_at", "map_digest"}
"""Columns the journal does not repeat: the entry implies them, or says them in other words."""


def _texts(name: str) -> ColumnElement[str]:
    return func.unnest(bindparam(name, type_=ARRAY(Text)))


def _blobs(name: str) -> ColumnElement[bytes]:
    return func.unnest(bindparam(name, type_=ARRAY(LargeBinary)))


# All rows in one statement, since a door's caller pays for each round trip. What hangs on the first part is written
# only if that was: the idempotency key may have been used before.
_opened = (
    upsert(requests)
    .values({name: bindparam(f"row_{name}", type_=requests.c[name].type) for name in _COLUMNS})
    .on_conflict_do_nothing(index_elements=[requests.c.tenant, requests.c.idempotency])
    .returning(requests.c.tenant, requests.c.id, requests.c.received_at.label("at"))
    .cte("opened")
)
_OPEN: Final = (
    insert(outbox)
    .from_select(
        ["tenant", "request_id", "at", "kind", "body"],
        select(_opened, literal("start", Text), literal({}, outbox.c.body.type)),
    )
    .returning(func.pg_notify(CHANNEL, outbox.c.tenant))
    .add_cte(
        insert(case_keys)
        .from_select(
            ["tenant", "case_id", "purpose", "kek", "wrapped"],
            select(_opened.c.tenant, _opened.c.id, _texts("purposes"), _texts("keks"), _blobs("wrapped")),
        )
        .cte("keys"),
        insert(vault)
        .from_select(
            ["tenant", "case_id", "at", "purpose", "name", "sealed"],
            select(_opened, _texts("value_purposes"), _texts("value_names"), _blobs("values")),
        )
        .cte("sealed"),
        insert(request_subjects)
        .from_select(
            ["tenant", "request_id", "given", "digest"],
            select(_opened.c.tenant, _opened.c.id, literal(True), _blobs("digests")),
        )
        .cte("subjects"),
    )
)


class Opening(Cooling):
    """The verb that opens."""

    def open_request(
        self,
        right: Right,
        regime: str,
        identities: Sequence[Identity],
        clock: Clock,
        *,
        received_at: datetime,
        idempotency_key: str | None = None,
        asked: bytes | None = None,
        confirmed: bool = False,
        free_text: str | None = None,
        details: bytes | None = None,
        proof: Proof | None = None,
        proves: Sequence[Identity] = (),
        assurance: str = "",
        further: Sequence[Clock] = (),
        second_factor: bool = False,
        reply: Channel | None = None,
        data_map: DataMap | None = None,
        ground: str = "",
        carries_on: CarriedOn | None = None,
        minor: MinorReport | None = None,
        by_parent: bool = False,
        decided: Decided | None = None,
        also: Sequence[Right] = (),
        by: str = "",
    ) -> Opened:
        """Open a request, in one commit: its row, sealed identities and text, journal, and word to Temporal.

        `clock` is the one under `regime`, and `further` those of other laws that it is asked under as well. `details`
        are what the asker says beyond that, sealed among the working identities. `confirmed` is said by a door whose
        caller attests that the asker is the person. `reply` is where the asker is written to: with it a letter
        acknowledges the request. The same `idempotency_key` gives the same request; `asked`, all that the caller said,
        as a keyed digest, is compared then, while the working identities last.
        `proof` is what a system says of the asker, `proves` the identities that it is of, `assurance` a word on why
        nothing more is asked; all are kept.
        `second_factor`: the asker has signed in with one, so an erasure does not wait before it begins.
        `ground` is the word of the ground of an erasure, and whose it is (`rights.erasing.stated_ground`).
        `data_map`: what it is about, where that is not the whole map of the day on which it begins.
        `carries_on`: the answered request whose rest it carries out, under the decision on that one.
        `minor`: an erasure, since somebody has said that it is a child's data (`ledger.minors`).
        `by_parent`: nobody but a parent may ask for it, so nothing is proven without their mandate.
        `decided`: what was decided on the past request that it carries out anew.
        `also`: rights that the text may ask for as well; each is put on a person's desk, and stays there until they say
        what became of it, whatever becomes of this request. `by`: who of the controller's staff opens it.

        Raises:
            KeyReused: the idempotency key was used for another right, other identities or details, or another `asked`.
        """
        mark = None if idempotency_key is None else self._people.idempotency(idempotency_key)
        clocks = (clock, *further)
        if new := [one for one in clocks if one.ruleset not in self._kept_rulesets]:
            with self._begin() as connection:
                keep_rulesets(connection, self.tenant, new)
            self._kept_rulesets.update(one.ruleset for one in new)
        if data_map is not None:
            with self._begin() as connection:
                keep_map(connection, self.tenant, data_map, self._kept_maps)
        due = acting(clocks)
        row = {
            "tenant": self.tenant,
            "right": right.value,
            "regime": regime,
            "ruleset": clock.ruleset,
            "zone": clock.zone,
            "holidays": list(clock.holidays),
            "phase": Phase.RECEIVED.value,
            "received_at": received_at,
            "internal_due": due.internal_due,
            "legal_due": due.legal_due,
            "clocks": clock_column(clocks),
            "idempotency": mark,
            "confirmed_at": received_at if confirmed else None,
            "map_digest": data_map.digest if data_map else None,
        }

        def commit() -> Opened:
            said = {name: word for name, word in (("assurance", assurance), ("ground", ground), ("by", by)) if word}
            if carries_on:
                said[ASKED_AT] = carries_on.asked_at.isoformat()
            made = new_id(received_at)
            its_proof = proof and proof.model_copy(update={"vouches": of_whom(self._people, made, proves)})
            return self._open(
                made,
                row,
                identities,
                free_text,
                details,
                received_at,
                its_proof,
                said,
                second_factor,
                reply,
                carries_on,
                minor,
                by_parent,
                decided,
                asked,
                also,
            )

        return self._with_kek(commit)

    def _open(
        self,
        request_id: str,
        row: Mapping[str, object],
        identities: Sequence[Identity],
        free_text: str | None,
        details: bytes | None,
        at: datetime,
        proof: Proof | None,
        said: Mapping[str, str],
        second_factor: bool,
        reply: Channel | None,
        carries_on: CarriedOn | None,
        minor: MinorReport | None,
        by_parent: bool,
        decided: Decided | None,
        asked: bytes | None,
        also: Sequence[Right],
    ) -> Opened:
        digests, count = self._people.digests(identities), self._people.count(identities)
        keys = {purpose: self._vault.make_key(purpose, at) for purpose in OF_REQUEST}
        note = make_note("request", free_text)
        values = (Sealed("working", GIVEN, identities_text(identities)), *note.values)
        further = ((DETAILS, details), (ASKED, asked), (REPLY, reply.sealed() if reply else None))
        values += tuple(Sealed("working", name, value) for name, value in further if value is not None)
        if carries_on:
            values += tuple(Sealed("working", name, value) for name, value in carries_on.known.items())
        rows = {f"row_{name}": value for name, value in row.items()} | {
            "row_id": request_id,
            "purposes": list(keys),
            "keks": [key.kek for key in keys.values()],
            "wrapped": [key.wrapped for key in keys.values()],
            "value_purposes": [value.purpose for value in values],
            "value_names": [value.name for value in values],
            "values": [self._vault.sealed(request_id, keys[value.purpose].plain, value) for value in values],
            "digests": digests,
        }
        told = {name: value for name, value in row.items() if name not in _UNTOLD}
        body = {**told, "confirmed": row["confirmed_at"] is not None, "identities": count, **note.said, **said}
        engines = said.get("assurance") in CARRIED_ON
        with self._begin() as connection:
            if engines:
                hold_incidents(self, connection)
            if connection.execute(_OPEN, rows).first() is None:
                return self._opened_before(connection, row, digests, details, asked)
            if (second_factor or minor) and row["right"] == Right.ERASURE:
                self.waive_cooling(connection, request_id)
            if carries_on:
                carry_on(self, connection, carries_on.request_id, request_id, at)
            if proof:
                keep_first_proof(connection, self.tenant, request_id, proof)
            self._journal(connection, "opened", body, at, request_id=request_id)
            if row["map_digest"]:
                self._journal(connection, "map_pinned", {"digest": row["map_digest"]}, at, request_id=request_id)
            if engines:
                carried = (carries_on.request_id,) if carries_on else ()
                stand_still_too(self, connection, request_id, at, carried=carried)
            keep_report(self, connection, request_id, minor, at)
            need_mandate(self, connection, request_id, minor is not None or by_parent)
            take_over(self, connection, request_id, decided, at)
            _ask_about(self, connection, request_id, also, at)
            if reply is not None:
                queue_letter(self, connection, request_id, LetterKind.ACKNOWLEDGEMENT, at)
        return Opened(request_id=request_id, new=True, also=tuple(also))

    def _opened_before(
        self,
        connection: Connection,
        row: Mapping[str, object],
        digests: list[bytes],
        details: bytes | None,
        asked: bytes | None,
    ) -> Opened:
        """The request that this idempotency key has opened, if it is the same."""
        found = connection.execute(
            select(requests.c.id, requests.c.right).where(
                requests.c.tenant == self.tenant, requests.c.idempotency == row["idempotency"]
            )
        ).one()
        given = connection.scalars(
            select(request_subjects.c.digest).where(
                request_subjects.c.tenant == self.tenant,
                request_subjects.c.request_id == found.id,
                request_subjects.c.given,
            )
        ).all()
        # Without subjects: their digests went with the identities, and only the right can be compared.
        sealed = self._vault.get_all(connection, found.id, "working", DETAILS, ASKED)
        other = sorted(given) != digests or sealed.get(DETAILS) != details or sealed.get(ASKED) != asked
        if found.right != row["right"] or (given and other):
            raise KeyReused(
                f"this idempotency key has opened request {found.id} for another right, other identities or details: "
                "use a new key for a new request"
            )
        return Opened(request_id=found.id, new=False)


def _ask_about(store: Store, connection: Connection, request_id: str, also: Sequence[Right], at: datetime) -> None:
    """Put the rights that the text may ask for as well on a person's desk."""
    for right in also:
        put_task(store, connection, request_id, f"{request_id}/text/{right}/0", Code.ALSO_ASKED, right, at)
