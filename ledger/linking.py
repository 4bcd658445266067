"""Requests of the same person: answered together where they ask the same, and in order where they do not.

The one rule: only proven requests are linked, by keyed digests of what both have given, and only where both ask for
exactly the same; a request that nobody has proven joins, delays and reveals none.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ARRAY, Connection, Text, and_, bindparam, cast, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.chain import Said, append
from ledger.clocks import Clocks, laws_of
from ledger.decisions import Decisions
from ledger.gates import COPIES, follows, laws_in, of_one_person, read_gates, waiting_for
from ledger.models import entries, request_subjects, requests
from ledger.models_deciding import links
from ledger.models_minors import minor_reports
from ledger.outbox import post
from ledger.people import DETAILS, GIVEN, LEARNED, identities_text, sealed_identities
from ledger.requestrow import IS_OPEN
from ledger.store import AnyRow, written
from ledger.vault import Sealed
from ledger.weighing import ask_to_decide
from rights.clockwork import ClockEvent, Turn
from rights.codes import Code
from rights.details import MODELS, details_of
from rights.gate import Gate
from rights.identity import circumstances_of, identity_law
from rights.journal import REPLAYED
from rights.reckoning import local_day
from rights.request import Conclusion, Phase, Right
from rights.subject import Identity
from rights.value import Value

_mine = request_subjects.alias("mine")
_theirs = request_subjects.alias("theirs")
_new = requests.alias("new")
_ours_and_theirs = of_one_person(_mine, _theirs, requests).join(
    _new, (_mine.c.tenant == _new.c.tenant) & (_mine.c.request_id == _new.c.id)
)
_CANDIDATES: Final = (
    select(_new.c.id, _new.c.received_at, func.min(requests.c.id).label("lead"))
    .select_from(_ours_and_theirs)
    .where(
        _new.c.tenant == bindparam("tenant"),
        _new.c.id == func.any(bindparam("ids", type_=ARRAY(Text))),
        _new.c.confirmed_at.is_not(None),
        _new.c.withdrawn_at.is_(None),
        _mine.c.given,
        _theirs.c.given,
        requests.c.id != _new.c.id,
        # An id begins with the time of receipt, so the smaller one came first. One that came later but runs already is
        # not stopped any more: then that one answers for both.
        (requests.c.id < _new.c.id) | (requests.c.id != func.all(bindparam("ids", type_=ARRAY(Text)))),
        requests.c.right == _new.c.right,
        # Under the same laws, in whichever order they were named.
        or_(
            and_(requests.c.regime == _new.c.regime, requests.c.clocks.is_(None), _new.c.clocks.is_(None)),
            and_(
                laws_in(requests.c.clocks).contains(laws_in(_new.c.clocks)),
                laws_in(requests.c.clocks).contained_by(laws_in(_new.c.clocks)),
            ),
        ),
        IS_OPEN,
        requests.c.phase != literal_column("'received'"),
        requests.c.confirmed_at.is_not(None),
        requests.c.withdrawn_at.is_(None),
        ~follows(links, requests),
        # What is said to be a child's waits for no other erasure.
        ~select(minor_reports.c.request_id)
        .where(minor_reports.c.tenant == _new.c.tenant, minor_reports.c.request_id == _new.c.id)
        .exists(),
    )
    .group_by(_new.c.id, _new.c.received_at)
    .order_by(_new.c.id)
)
_BESIDE: Final = select(
    select(requests.c.id)
    .select_from(_ours_and_theirs)
    .where(
        _new.c.tenant == bindparam("tenant"),
        _new.c.id == func.any(bindparam("ids", type_=ARRAY(Text))),
        _new.c.right.in_(COPIES),
        # Else anybody could have all fences wait for requests that nobody has proven.
        _new.c.confirmed_at.is_not(None),
        requests.c.right == literal_column("'erasure'"),
        IS_OPEN,
    )
    .exists()
)
_LEAD: Final = (
    select(requests.c.phase, requests.c.received_at, requests.c.right, requests.c.regime, requests.c.clocks)
    .where(
        requests.c.tenant == bindparam("tenant"),
        requests.c.id == bindparam("lead"),
        IS_OPEN,
        requests.c.withdrawn_at.is_(None),
    )
    .with_for_update(read=True)
)
_REPLAYED: Final = select(entries.c.seq).where(
    entries.c.tenant == bindparam("tenant"),
    entries.c.request_id == func.any(bindparam("ids", type_=ARRAY(Text))),
    entries.c.kind == literal_column("'opened'"),
    cast(entries.c.body, JSONB)["assurance"].astext == REPLAYED,
)
_UNSEEN: Final = {Phase.RECEIVED, Phase.CONFIRMING, Phase.DECIDING, Phase.COOLING}
"""Phases in which nothing was looked for yet."""


class Linked(Value):
    """A request that is answered with another."""

    request_id: str
    received_at: datetime


class Joined(NamedTuple):
    """What came of linking several requests."""

    said: list[Said]
    earlier: dict[str, datetime]
    """Of requests that run already and answer for one that came in before them: when that was."""


class Linking(Decisions, Clocks):
    """Verbs on requests of the same person."""

    def join(self, request_id: str, shared_kinds: Collection[str], *, at: datetime) -> Gate:
        """Link a request that was proven just now to an earlier one that asks the same; how its gate stands.

        `shared_kinds` are kinds of identity that several people may have, by the data map: they tell nobody from
        another.
        """
        with self._begin() as connection:
            self._take_turns(connection, [request_id])
            joined = self._join_all(connection, [request_id], shared_kinds, at)
            for said in joined.said:
                append(connection, self.tenant, said.kind, said.body, at, request_id=said.request_id)
            self._govern(connection, joined, at)
            return read_gates(connection, self.tenant, [request_id]).get(request_id, Gate())

    def unlink(self, request_id: str, *, at: datetime) -> Gate:
        """Let a request go its own way again, since the earlier one has ended without an answer for both.

        Where that one was refused, nothing is inherited: a person has to decide on this one first, and is asked to.
        """
        with self._begin() as connection:
            gate = read_gates(connection, self.tenant, [request_id]).get(request_id, Gate())
            if gate.lead_over is Conclusion.REFUSED and not gate.decision:
                ask_to_decide(self, connection, request_id, Code.DECISION, at)
                return gate
            ended = connection.execute(
                update(links)
                .where(links.c.tenant == self.tenant, links.c.request_id == request_id, links.c.ended_at.is_(None))
                .values(ended_at=at)
            ).rowcount
            if ended:
                self._journal(connection, "unlinked", {}, at, request_id=request_id)
            return read_gates(connection, self.tenant, [request_id]).get(request_id, Gate())

    def answered_with(self, request_id: str) -> tuple[Linked, ...]:
        """The requests that the answer to this one answers too, the oldest first."""
        query = (
            select(requests.c.id, requests.c.received_at)
            .join(links, (links.c.tenant == requests.c.tenant) & (links.c.request_id == requests.c.id))
            .where(links.c.tenant == self.tenant, links.c.lead_id == request_id, links.c.ended_at.is_(None))
            .order_by(requests.c.id)
        )
        with self._look() as connection:
            return tuple(Linked(request_id=row.id, received_at=row.received_at) for row in connection.execute(query))

    def lead_of(self, request_id: str) -> str | None:
        """The earlier request that this one is answered with; None if it goes its own way."""
        query = select(links.c.lead_id).where(
            links.c.tenant == self.tenant, links.c.request_id == request_id, links.c.ended_at.is_(None)
        )
        with self._look() as connection:
            found: str | None = connection.scalar(query)
        return found

    def how_many_people(self, request_ids: Sequence[str]) -> int:
        """How many people requests are about at least, as far as their identities tell: those that share one count
        once, and those whose identities are destroyed may be about any of them."""
        its = (request_subjects.c.tenant == self.tenant, request_subjects.c.request_id.in_(request_ids))
        known: dict[str, set[bytes]] = {}
        with self._look() as connection:
            for row in connection.execute(select(request_subjects.c.request_id, request_subjects.c.digest).where(*its)):
                known.setdefault(row.request_id, set()).add(bytes(row.digest))
        people: list[set[bytes]] = []
        for mine in known.values():
            theirs = [one for one in people if one & mine]
            people = [*(one for one in people if one not in theirs), mine.union(*theirs)]
        return len(people) or min(len(request_ids), 1)

    def _join_all(
        self, connection: Connection, request_ids: Sequence[str], shared_kinds: Collection[str], at: datetime
    ) -> Joined:
        """Link those of these requests that ask what an earlier one asks, on a connection of the caller's; what the
        journal is to say of it, since that is the last thing a transaction does."""
        its = {"tenant": self.tenant, "ids": list(request_ids)}
        joined = Joined([], {})
        followers: set[str] = set()
        for row in connection.execute(_CANDIDATES, its).all():
            if row.lead not in followers and (linked := self._join(connection, row.id, row.lead, shared_kinds, at)):
                followers.add(row.id)
                joined.said.extend(linked)
                if row.id < row.lead:
                    joined.earlier[row.lead] = row.received_at
        return joined

    def _govern(self, connection: Connection, joined: Joined, at: datetime) -> None:
        """The earliest receipt governs: where what joins came in before the one that runs already, the clock of that
        one counts from there."""
        for lead, received_at in joined.earlier.items():
            of = select(requests.c.zone).where(requests.c.tenant == self.tenant, requests.c.id == lead)
            day = local_day(received_at, connection.execute(of).scalar_one())
            event = ClockEvent(turn=Turn.RECEIPT_CORRECTED, day=day, received_at=received_at)
            self.turn_clock_in(connection, lead, event, at=at, by={"linked": "earlier receipt"})

    def _take_turns(self, connection: Connection, request_ids: Sequence[str]) -> None:
        """Where somebody asks for a copy whose data is being erased, wait until no call is between its permission and
        its intent: from then on none passes before the copy is made."""
        if connection.scalar(_BESIDE, {"tenant": self.tenant, "ids": list(request_ids)}):
            self._people.lock_holds(connection, self.tenant)

    def _wake_waiting(self, connection: Connection, request_id: str, at: datetime) -> None:
        """Have those look again that may have waited for this request."""
        for waiting in waiting_for(connection, self.tenant, request_id):
            post(connection, self.tenant, "wake", waiting, at)

    def _join(
        self, connection: Connection, request_id: str, lead: str, shared_kinds: Collection[str], at: datetime
    ) -> list[Said]:
        vault, people = self._vault, self._people
        found = connection.execute(_LEAD, {"tenant": self.tenant, "lead": lead}).first()
        if found is None:
            return []
        asked = vault.get_all(connection, request_id, "working", GIVEN, DETAILS)
        sealed = vault.get_all(connection, lead, "working", GIVEN, LEARNED, DETAILS)
        if connection.execute(_REPLAYED, {"tenant": self.tenant, "ids": [request_id, lead]}).first():
            # Either carries a past one out anew, in one system: nobody's new wish is answered by that.
            return []
        if asked.get(DETAILS) != sealed.get(DETAILS):
            # The same right, and not the same wish: another field to correct, something else to stop.
            return []
        ours = sealed_identities(asked.get(GIVEN))
        given, learned = (sealed_identities(sealed.get(name)) for name in (GIVEN, LEARNED))

        def marks(identities: Sequence[Identity]) -> set[bytes]:
            return {people.digest(one) for one in identities}

        alone = [one for one in ours if one.kind not in shared_kinds]
        if marks(alone).isdisjoint(marks(given)):
            # What several people may have has brought them together: that proves nothing.
            return []
        if _needs_no_proof(found, asked.get(DETAILS)) and marks(ours) != marks(given):
            # Nobody has proven anything for either: who gives one thing of somebody's hears of no request of theirs.
            return []
        more = [one for one in ours if people.digest(one) not in marks((*given, *learned))]
        if more and found.phase not in _UNSEEN:
            # It has looked without these, so its answer would not be whole: this one goes its own way.
            return []
        said = []
        if more:
            digests = people.digests(more)
            rows = [{"tenant": self.tenant, "request_id": lead, "given": False, "digest": one} for one in digests]
            connection.execute(upsert(request_subjects).on_conflict_do_nothing(), rows)
            key = vault.key(connection, lead, "working")
            vault.put(connection, lead, key, Sealed("working", LEARNED, identities_text((*learned, *more))), at)
            said.append(Said("learned", written({"identities": len(more)}), at, lead))
        made = connection.execute(
            upsert(links).on_conflict_do_nothing(),
            {"tenant": self.tenant, "request_id": request_id, "lead_id": lead, "at": at},
        ).rowcount
        return [*said, Said("linked", written({"lead": lead}), at, request_id)] if made else []


def _needs_no_proof(row: AnyRow, details: bytes | None) -> bool:
    """Whether a request is carried out for whoever asks, such as an opt-out."""
    right = Right(row.right)
    if right not in {free.right for free in identity_law().without_proof}:
        return False
    try:
        said = details_of(right, details) if details is not None and right in MODELS else None
    except ValueError:
        # Of an earlier version, that said them otherwise.
        said = None
    return identity_law().needed_under(right, laws_of(row), circumstances_of(said)) == 0
