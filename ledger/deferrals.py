"""What an answered erasure has left behind, and comes back to by itself when nothing keeps it any more.

The one rule: it is noted in the commit that closes the request, with its own entry in the vault (`deferred`): the
request's identities go on their day, and what is left is still found, and still held.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, literal, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.letters import REPLY, REPRESENTATIVE
from ledger.models import case_keys, hold_subjects, holds, request_subjects, requests, vault
from ledger.models_deciding import decisions
from ledger.models_deferred import deferral_subjects, deferrals
from ledger.models_holds import hold_terms
from ledger.models_rests import rest_words
from ledger.outbox import post
from ledger.people import GIVEN, LEARNED, identities_text, sealed_identities
from ledger.rests import carry_rests
from ledger.store import AnyRow, Store
from ledger.vault import DataKey, Sealed
from rights.deferred import REVIEW_EVERY, Deferral
from rights.restwords import RestWord
from rights.subject import Identity
from rights.value import Value

_CARRIED: Final = ("anchors", "rulings", "restricted")
"""What the vault has of a request in each system by which its rows are found again."""
_PLAIN: Final = (
    "request_id", "not_before", "deferred_at", "next_at", "over_at", "by_request", "ask_at", "asked_only", "word",
)  # fmt: skip
_CALL_AGAIN: Final = timedelta(hours=6)
"""How long after its day a look that was not made is asked for by upkeep: its run was lost."""
_MOST: Final = 200
"""Asked for in one round of upkeep, a minute apart."""

_here: Final = (deferrals.c.tenant == bindparam("of"), deferrals.c.request_id == bindparam("id"))
_about: Final = (deferral_subjects.c.tenant == bindparam("of"), deferral_subjects.c.request_id == bindparam("id"))
_key: Final = (
    case_keys.c.tenant == bindparam("of"),
    case_keys.c.case_id == bindparam("id"),
    case_keys.c.purpose == literal_column("'deferred'"),
)
_sealed: Final = (
    vault.c.tenant == bindparam("of"),
    vault.c.case_id == bindparam("id"),
    vault.c.purpose == literal_column("'deferred'"),
)
_put_key = upsert(case_keys)
_ADD_KEY: Final = _put_key.on_conflict_do_update(
    index_elements=[case_keys.c.tenant, case_keys.c.case_id, case_keys.c.purpose],
    # One that was shredded when an earlier rest was carried out; a living one is kept.
    where=case_keys.c.wrapped.is_(None),
    set_={
        "kek": _put_key.excluded.kek,
        "wrapped": _put_key.excluded.wrapped,
        "keep_until": None,
        "shredded_kek": None,
        "shredded_at": None,
    },
)
_KEEPING: Final = (
    # Whatever can touch the system: whether a hold on one table of it keeps another one is for the plan to say.
    select(holds.c.id)
    .join(hold_subjects, (hold_subjects.c.tenant == holds.c.tenant) & (hold_subjects.c.hold_id == holds.c.id))
    .join(hold_terms, (hold_terms.c.tenant == holds.c.tenant) & (hold_terms.c.hold_id == holds.c.id))
    .join(
        deferral_subjects,
        (deferral_subjects.c.tenant == hold_subjects.c.tenant) & (deferral_subjects.c.digest == hold_subjects.c.digest),
    )
    .where(
        deferral_subjects.c.tenant == deferrals.c.tenant,
        deferral_subjects.c.request_id == deferrals.c.request_id,
        holds.c.released_at.is_(None),
        (func.cardinality(hold_terms.c.systems) == 0) | hold_terms.c.systems.op("&&")(deferrals.c.systems),
    )
    .correlate(deferrals)
    .exists()
)
_SAID: Final = (
    select(rest_words.c.word)
    .where(
        rest_words.c.tenant == deferrals.c.tenant,
        rest_words.c.request_id == deferrals.c.request_id,
        rest_words.c.agreed_at.is_not(None),
        rest_words.c.begun_at.is_(None),
    )
    # Where it is opened and goes: it goes.
    .order_by(rest_words.c.word)
    .limit(1)
    .correlate(deferrals)
    .scalar_subquery()
)
_STANDING: Final = (
    select(deferrals, _KEEPING.label("held"), requests.c.phase, _SAID.label("word"))
    .join(requests, (requests.c.tenant == deferrals.c.tenant) & (requests.c.id == deferrals.c.request_id))
    .where(deferrals.c.tenant == bindparam("of"))
)
_chain = (
    select(requests.c.id, requests.c.received_at)
    .where(requests.c.tenant == bindparam("of"), requests.c.id == bindparam("id"))
    .cte("chain", recursive=True)
)
_whole_chain = _chain.union(
    select(requests.c.id, requests.c.received_at)
    .join(deferrals, (deferrals.c.tenant == requests.c.tenant) & (deferrals.c.request_id == requests.c.id))
    .join(_chain, deferrals.c.by_request == _chain.c.id)
    .where(requests.c.tenant == bindparam("of"))
)
_ASKED: Final = select(func.min(_whole_chain.c.received_at))
"""When the first of requests, each of which carries out the rest of the one before, was received."""
OF_HOLD: Final = (
    select(deferral_subjects.c.request_id)
    .join(
        hold_subjects,
        (hold_subjects.c.tenant == deferral_subjects.c.tenant) & (hold_subjects.c.digest == deferral_subjects.c.digest),
    )
    .where(deferral_subjects.c.tenant == bindparam("of"), hold_subjects.c.hold_id == bindparam("id"))
    .distinct()
)
"""The requests that have left something of whom a hold names."""


class Deferred(Value):
    """What one closed request has left, as it stands."""

    request_id: str
    systems: tuple[str, ...]
    left: Mapping[str, Mapping[str, int]]
    not_before: datetime | None
    deferred_at: datetime
    next_at: datetime
    over_at: datetime | None = None
    by_request: str | None = None
    """The request that carries the rest out."""
    held: bool = False
    """A hold that is in force can touch it."""
    reopened: bool = False
    """The request itself is open again, and sees to it."""
    ask_at: datetime | None = None
    """When somebody is asked whether what is kept without an end must still be; None: nothing is."""
    asked_only: bool = False
    """Nothing of it comes back by itself."""
    word: RestWord | None = None
    """What two people have said of it, and nothing has been done about yet."""

    def due(self, at: datetime) -> bool:
        """Whether it is carried out: since nothing keeps it any more, or two people have said so. What a hold keeps
        goes on nobody's word; it is opened all the same, since the case may be what it has to be read for."""
        if self.reopened or self.over_at is not None:
            return False
        if self.word is RestWord.OPEN:
            return True
        if self.held:
            return False
        if self.word is RestWord.ERASE:
            return True
        return not self.asked_only and (self.not_before is None or self.not_before <= at)

    def asks(self, at: datetime) -> bool:
        """Whether somebody is to be asked whether it must still be kept."""
        waits = self.over_at is None and not self.reopened and self.word is None
        return waits and self.ask_at is not None and self.ask_at <= at


class CarriedOn(NamedTuple):
    """What a request knows of the one whose rest it carries out. Personal: never printed."""

    request_id: str
    known: Mapping[str, bytes]
    """Working values by name: what finds the rows again, and where the person is written to."""
    asked_at: datetime
    """When the person asked, for letters."""

    def __repr__(self) -> str:
        return f"<what is left of {self.request_id}>"


class Deferrals(Store):
    """Verbs on what comes back later."""

    def deferral(self, request_id: str) -> Deferred | None:
        """What a closed request has left; None: nothing that comes back."""
        with self._look() as connection:
            row = connection.execute(
                _STANDING.where(deferrals.c.request_id == bindparam("id")), _its(self, request_id)
            ).first()
        return _deferred(row) if row else None

    def deferrals(self) -> list[Deferred]:
        """All that wait, the oldest request first."""
        query = _STANDING.where(deferrals.c.over_at.is_(None)).order_by(deferrals.c.request_id)
        with self._look() as connection:
            return [_deferred(row) for row in connection.execute(query, {"of": self.tenant})]

    def carries_out(self, request_id: str) -> Deferred | None:
        """What a request was opened to carry out; None of one that somebody has asked for."""
        with self._look() as connection:
            row = connection.execute(
                _STANDING.where(deferrals.c.by_request == bindparam("id")), _its(self, request_id)
            ).first()
        return _deferred(row) if row else None

    def deferred_people(self, request_id: str) -> tuple[Identity, ...]:
        """Whom it is about. From the vault; empty once it is shredded."""
        with self._look() as connection:
            return sealed_identities(self._vault.get(connection, request_id, "deferred", GIVEN))

    def deferred_rest(self, request_id: str) -> CarriedOn:
        """What else a request that carries it out has to know."""
        with self._look() as connection:
            found = self._vault.get_under(connection, request_id, "deferred", "")
            asked_at = connection.execute(_ASKED, _its(self, request_id)).scalar_one()
        known = {name: value for name, value in found.items() if name != GIVEN}
        return CarriedOn(request_id, known, asked_at)

    def note_review(self, request_id: str, next_at: datetime) -> None:
        """Note when it is looked next whether anything keeps what a request has left."""
        with self._begin() as connection:
            connection.execute(update(deferrals).where(*_here).values(next_at=next_at), _its(self, request_id))

    def call_deferrals(self, *, at: datetime) -> int:
        """Ask for the looks that nobody has made on their day; how many."""
        late = (
            select(deferrals.c.request_id)
            .where(
                deferrals.c.tenant == bindparam("of"),
                deferrals.c.over_at.is_(None),
                deferrals.c.next_at <= bindparam("before"),
            )
            .order_by(deferrals.c.next_at)
            .limit(_MOST)
            .with_for_update(skip_locked=True)
        )
        with self._begin() as connection:
            due = list(connection.scalars(late, {"of": self.tenant, "before": at - _CALL_AGAIN}))
            if due:
                called = update(deferrals).where(deferrals.c.tenant == self.tenant, deferrals.c.request_id.in_(due))
                connection.execute(called.values(next_at=at))
            for request_id in due:
                post(connection, self.tenant, "deferred", request_id, at)
        return len(due)

    def _make_deferred_key(self, at: datetime) -> DataKey:
        return self._vault.make_key("deferred", at)

    def _defer(self, connection: Connection, request_id: str, what: Deferral, key: DataKey, at: datetime) -> None:
        """Note what is left, in the transaction that closes a request."""
        its = _its(self, request_id)
        names = [f"{kind}/{system}" for kind in _CARRIED for system in what.left]
        known = self._vault.get_all(
            connection, request_id, "working", GIVEN, LEARNED, *names, *((REPLY, REPRESENTATIVE) if what.told else ())
        )
        people = dict.fromkeys(
            (*sealed_identities(known.pop(GIVEN, None)), *sealed_identities(known.pop(LEARNED, None)))
        )
        plain = self._begin_anew(connection, request_id, key)
        for name, value in {GIVEN: identities_text(people), **known}.items():
            self._vault.put(connection, request_id, plain, Sealed("deferred", name, value), at)
        connection.execute(
            insert(deferral_subjects).from_select(
                ["tenant", "request_id", "digest"],
                select(request_subjects.c.tenant, request_subjects.c.request_id, request_subjects.c.digest)
                .where(request_subjects.c.tenant == bindparam("of"), request_subjects.c.request_id == bindparam("id"))
                .distinct(),
            ),
            its,
        )
        row = {
            "tenant": self.tenant,
            "request_id": request_id,
            "systems": sorted(what.left),
            "remains": {system: dict(rows) for system, rows in what.left.items()},
            "not_before": what.not_before,
            "deferred_at": at,
            "next_at": at,
            "ask_at": what.ask_at,
            "asked_only": what.asked_only,
        }
        put = upsert(deferrals)
        again = {name: put.excluded[name] for name in row if name not in {"tenant", "request_id"}}
        connection.execute(
            put.on_conflict_do_update(
                index_elements=[deferrals.c.tenant, deferrals.c.request_id],
                set_={**again, "over_at": None, "by_request": None},
            ),
            row,
        )
        self._wait_where_nothing_holds(connection, request_id, at)
        post(connection, self.tenant, "deferred", request_id, at)

    def _journal_deferral(self, connection: Connection, request_id: str, what: Deferral, at: datetime) -> None:
        """Not among the request's own entries, which its agents read: a hold that must stay secret may be why."""
        body = {"request": request_id, "systems": sorted(what.left), "not_before": what.not_before}
        self._journal(connection, "deferred", body, at, key=request_id)

    def _wait_where_nothing_holds(self, connection: Connection, request_id: str, at: datetime) -> None:
        """What was carried out anew, and is kept once more without a hold of ours or a date, is kept by somebody else:
        it is tried again in a month, and not at once for ever."""
        earlier = deferrals.alias("earlier")
        mine = (
            select(earlier.c.request_id)
            .where(earlier.c.tenant == deferrals.c.tenant, earlier.c.by_request == deferrals.c.request_id)
            .exists()
        )
        connection.execute(
            update(deferrals)
            .where(*_here, deferrals.c.not_before.is_(None), ~deferrals.c.asked_only, ~_KEEPING, mine)
            .values(not_before=at + REVIEW_EVERY),
            _its(self, request_id),
        )

    def _begin_anew(self, connection: Connection, request_id: str, key: DataKey) -> bytes:
        """The data key, and nothing sealed under it: a request that was open again may have left something before."""
        its = _its(self, request_id)
        connection.execute(delete(vault).where(*_sealed), its)
        connection.execute(delete(deferral_subjects).where(*_about), its)
        row = {
            "tenant": self.tenant,
            "case_id": request_id,
            "purpose": "deferred",
            "kek": key.kek,
            "wrapped": key.wrapped,
        }
        if connection.execute(_ADD_KEY, row).rowcount:
            return key.plain
        connection.execute(update(case_keys).where(*_key).values(keep_until=None), its)
        return self._vault.key(connection, request_id, "deferred")


def carry_on(store: Store, connection: Connection, earlier: str, request_id: str, at: datetime) -> None:
    """Note, in the transaction that opens it, which request carries out what an earlier one has left. The decision on
    that one holds for it as well: its exceptions, on their grounds; but not where two people have said that it goes.

    Raises:
        LedgerRefusal: nothing of that is left any more; nothing is opened.
    """
    if not end_deferral(store, connection, earlier, request_id, at):
        raise LedgerRefusal("what this request had left was seen to meanwhile")
    goes = carry_rests(store, connection, earlier, request_id, at)
    body = {"request": earlier, "by": request_id}
    store._journal(connection, "deferred_carried_out", body, at, key=earlier)
    if goes:
        return
    same = [c for c in decisions.c if c.name not in {"id", "request_id"}]
    found = select(literal(new_id(at)).label("id"), literal(request_id).label("request_id"), *same).where(
        decisions.c.tenant == store.tenant, decisions.c.request_id == earlier, decisions.c.state == "in_force"
    )
    connection.execute(insert(decisions).from_select(["id", "request_id", *(c.name for c in same)], found))


def end_deferral(store: Store, connection: Connection, request_id: str, by_request: str | None, at: datetime) -> bool:
    """Note that there is nothing to wait for any more; the entry in the vault is shredded with the next round."""
    its = _its(store, request_id)
    ended = connection.execute(
        update(deferrals).where(*_here, deferrals.c.over_at.is_(None)).values(over_at=at, by_request=by_request), its
    ).rowcount
    if ended:
        connection.execute(update(case_keys).where(*_key).values(keep_until=at), its)
        connection.execute(delete(deferral_subjects).where(*_about), its)
    return bool(ended)


def wake_deferred(store: Store, connection: Connection, request_ids: Sequence[str], at: datetime) -> None:
    """Have it looked at once whether anything keeps what these requests have left."""
    for request_id in request_ids:
        post(connection, store.tenant, "deferred", request_id, at)


def _its(store: Store, request_id: str) -> dict[str, Any]:
    return {"of": store.tenant, "id": request_id}


def _deferred(row: AnyRow) -> Deferred:
    found = dict(row._mapping)
    return Deferred(
        **{name: found[name] for name in _PLAIN},
        systems=tuple(found["systems"]),
        left=found["remains"],
        held=found["held"],
        reopened=found["phase"] != "closed",
    )
