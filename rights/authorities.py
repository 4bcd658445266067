"""Demands of authorities for people's data: what is asked first, who decides on which ground, when the person hears.

The one rule: nothing goes to an authority before every question that applies is answered with yes and two people have
said so, on a ground of the law; and then no more than they said (GDPR Art. 48; SCC clause 15). In an emergency one
person's word is enough, and a second looks at it afterwards.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import Field

from rights.authoritylaw import Check, Circumstance, Ground, Word, authority_law
from rights.datamap import DataMap, System
from rights.decision import Role
from rights.demanddays import Days, dated_by
from rights.demandfile import Gag, Kind
from rights.recipients import families
from rights.reckoning import local_day
from rights.value import Value

SEATS: Final = (Role.COUNSEL, Role.DELEGATE)
"""The two who decide; each is needed once."""


class Waits(StrEnum):
    """What a demand waits for."""

    CHECK = "check"
    DECIDE = "decide"
    APPROVE = "approve"
    RESOLVE = "resolve"
    """A challenge is under way; its outcome is a new decision."""
    SEAL = "seal"
    """The engine puts the parcel together; where it could not, `trouble` says why."""
    HAND_OVER = "hand_over"
    REVIEW = "review"
    """An emergency was decided by one person: a second looks at it."""
    TELL = "tell"
    """The person is to be told, and may be."""
    POST = "post"
    """A letter of ours cannot go by mail: a person posts it."""
    LETTER = "letter"
    """A letter is on its way."""
    GAG = "gag"
    """The person is to be told, once that is not forbidden any more."""


UNDER_WAY: Final = frozenset({"queued", "sending"})
BY_HAND: Final = frozenset({"to_post", "bounced", "refused", "unsure"})
"""States of a letter that a person has to see to."""


class AuthorityError(ValueError):
    """What was said of a demand cannot stand; one sentence that says what to do."""


class Scope(Value):
    """What is handed over: names of the data map."""

    collections: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Categories whose fields stay here."""
    days: Days | None = None
    """Rows of other days stay here."""
    undated: bool = False
    """Rows of which nobody knows the day go as well."""

    def fields(self, data_map: DataMap, place: str) -> tuple[str, ...]:
        """The fields of a collection that are handed over."""
        system, _, name = place.partition(".")
        return self.given(data_map.systems[system], name)

    def given(self, system: System, name: str) -> tuple[str, ...]:
        """The same, in a system."""
        collection = system.collections[name]
        return tuple(n for n, one in collection.fields.items() if one.export and one.category not in self.without)

    def undatable(self, data_map: DataMap) -> tuple[str, ...]:
        """Collections whose rows cannot be cut to the days: nothing that goes with one says its day, or it has left the
        map. Rows without a day may go as well, but not those whose day is known and stays here."""
        return tuple(place for place in self.collections if self.days and not self._cuts(data_map, place))

    def _cuts(self, data_map: DataMap, place: str) -> bool:
        system, _, name = place.partition(".")
        known = data_map.systems.get(system)
        collection = known.collections.get(name) if known else None
        if known is None or collection is None:
            return False
        if self.undated and dated_by(collection, collection.fields) is None:
            return True
        return dated_by(collection, self.given(known, name)) is not None

    def of(self, system: str) -> tuple[str, ...]:
        """The collections of a system."""
        places = (place.partition(".") for place in self.collections)
        return tuple(name for of, _, name in places if of == system)

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems that are looked into, each once."""
        return tuple(dict.fromkeys(place.partition(".")[0] for place in self.collections))


class Demand(Value):
    """A demand as it stands: codes, names of the map and of the register, days."""

    id: str
    authority: str
    country: str
    regime: str
    zone: str
    kind: Kind
    demanded: tuple[str, ...]
    dates: Days | None = None
    received_at: datetime
    received_by: str
    due_on: date
    gag: Gag = Gag.NONE
    gag_until: date | None = None
    gagged: bool = False
    """Whether it was ever forbidden to tell the person."""
    clauses: bool = False
    exporter: str = ""
    emergency: bool = False
    language: str = ""
    answers: Mapping[str, bool] = Field(default_factory=dict)
    """Question by question; None of those that nobody has answered."""
    word: Word | None = None
    ground: str = ""
    scope: Scope = Scope()
    decided_by: str = ""
    decided_as: Role | None = None
    decided_at: datetime | None = None
    objected_by: str = ""
    objected_at: datetime | None = None
    """When the second found an emergency's decision unsound."""
    approved_by: str = ""
    approved_at: datetime | None = None
    sealed_at: datetime | None = None
    digest: str = ""
    """SHA-256 of the ZIP that was sealed, hex."""
    size: int = 0
    rows: Mapping[str, int] = Field(default_factory=dict)
    """Rows by SYSTEM.COLLECTION."""
    trouble: str = ""
    """Why it could not be sealed: a code."""
    trouble_at: str = ""
    """In which system."""
    handed_at: datetime | None = None
    handed_by: str = ""
    told_at: datetime | None = None
    told_by: str = ""
    letters: Mapping[str, str] = Field(default_factory=dict)
    """How the newest letter stands that was not taken back, by whom it goes to."""
    closed_at: datetime | None = None

    @property
    def circumstances(self) -> frozenset[Circumstance]:
        """What its questions and grounds depend on."""
        found = {
            Circumstance.ABROAD: any(self.country not in family.home for family in families([self.regime])),
            Circumstance.CLAUSES: self.clauses,
            Circumstance.GAG: self.gag is not Gag.NONE,
            Circumstance.EMERGENCY: self.emergency,
        }
        return frozenset(one for one, so in found.items() if so)

    @property
    def asked(self) -> dict[str, Check]:
        """The questions that apply, by code."""
        return {n: c for n, c in authority_law().checks.items() if self.circumstances.issuperset(c.when)}

    @property
    def grounds(self) -> dict[str, Ground]:
        """The grounds that there are for or against it, by code."""
        return {n: g for n, g in authority_law().grounds.items() if self.circumstances.issuperset(g.when)}

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Questions that nobody has answered."""
        return tuple(name for name in self.asked if name not in self.answers)

    @property
    def in_force(self) -> bool:
        """Whether the decision binds: two have spoken, or one in an emergency that gives something."""
        if self.word is None:
            return False
        # What has gone out under one word has gone out under a decision, whatever was found of it afterwards.
        early = self.urgent or (self.emergency and self.handed_at is not None)
        return self.approved_at is not None or (early and self.word.gives)

    @property
    def urgent(self) -> bool:
        """Whether one person's word is enough: it is an emergency, and nobody has found that word unsound."""
        return self.emergency and self.objected_at is None

    @property
    def gives(self) -> bool:
        """Whether a decision in force hands something over."""
        return self.in_force and self.word is not None and self.word.gives

    @property
    def owes_notice(self) -> bool:
        """Whether the person is to hear of it: under the clauses of every demand (15.1(a)), else of what is handed
        over; and once more of what is handed over after they were told of something else."""
        untold = self.told_at is None or (self.handed_at is not None and self.told_at < self.handed_at)
        return untold and (self.clauses or self.gives)

    @property
    def responded_at(self) -> datetime | None:
        """Since when the authority has its answer; None: it has none yet."""
        if self.gives:
            return self.handed_at
        return self.approved_at if self.in_force else None

    @property
    def told_from(self) -> datetime | None:
        """From when the person may be told; None: from no day that anybody knows."""
        if self.gag is Gag.OPEN:
            return None
        if self.gag is Gag.NONE or self.gag_until is None:
            return self.received_at
        return datetime.combine(self.gag_until + timedelta(days=1), time(0), ZoneInfo(self.zone))

    def may_tell(self, at: datetime) -> bool:
        """Whether nothing forbids to tell the person."""
        return self.told_from is not None and self.told_from <= at

    def overdue(self, at: datetime) -> bool:
        """Whether its day is past and the authority has no answer."""
        answered = self.handed_at or (self.in_force and not self.gives)
        return self.closed_at is None and not answered and local_day(at, self.zone) > self.due_on

    def waits_for(self, at: datetime) -> tuple[Waits, ...]:
        """What is to be done now, the next first; GAG, SEAL and LETTER are no person's."""
        if self.closed_at:
            return ()
        found = [self._next()]
        if self.urgent and self.gives and self.approved_at is None:
            found.append(Waits.REVIEW)
        if self.gives and self.approved_at and self.unanswered:
            # A gag that came later has a question of its own.
            found.append(Waits.CHECK)
        states = dict(self.letters)
        person = states.pop("person", "")
        if self.owes_notice and person not in UNDER_WAY | BY_HAND:
            found.append(Waits.TELL if self.may_tell(at) else Waits.GAG)
        elif self.owes_notice:
            states["person"] = person
        if BY_HAND.intersection(states.values()):
            found.append(Waits.POST)
        if UNDER_WAY.intersection(states.values()):
            found.append(Waits.LETTER)
        return tuple(one for one in found if one)

    def _next(self) -> Waits | None:
        if self.word is None:
            early = self.urgent and not set(self.must_first) & set(self.unanswered)
            return Waits.CHECK if self.unanswered and not early else Waits.DECIDE
        if not self.in_force:
            return Waits.APPROVE
        if self.word is Word.CHALLENGE:
            return Waits.RESOLVE
        if not self.gives or self.handed_at:
            return None
        return Waits.HAND_OVER if self.sealed_at else Waits.SEAL

    @property
    def must_first(self) -> tuple[str, ...]:
        """Questions that are answered before anything is handed over."""
        return tuple(name for name, check in self.asked.items() if check.emergency or not self.urgent)

    def next_change(self, at: datetime) -> datetime | None:
        """When something becomes due by itself: the end of a gag, or the day after the one that the authority set."""
        over = datetime.combine(self.due_on + timedelta(days=1), time(0), ZoneInfo(self.zone))
        ends = self.told_from if self.gag is Gag.UNTIL else None
        return min((one for one in (over, ends) if one and one > at), default=None)


def require(data_map: DataMap, places: Iterable[str]) -> None:
    """See that the data map has these collections.

    Raises:
        AuthorityError: it lacks one.
    """
    for place in places:
        system, _, name = place.partition(".")
        if system not in data_map.systems or name not in data_map.systems[system].collections:
            raise AuthorityError("a collection is SYSTEM.COLLECTION, both as the data map has them: habeas map show")


def check_answer(demand: Demand, question: str, *, known_contact: bool, met: bool) -> None:
    """Whether a question can be answered so.

    Raises:
        AuthorityError: it is not asked of this demand; or an authority that the register does not know is said to be
            authenticated.
    """
    if question not in demand.asked:
        raise AuthorityError("that is not asked of this demand: habeas authority show lists the questions")
    if question == "authenticated" and met and not known_contact:
        raise AuthorityError(
            "an authority is asked back by a contact that is known beforehand: enter it into the register of "
            "recipients, role authority, with the country of the demand, and then ask there"
        )


def check_word(demand: Demand, word: Word, code: str, scope: Scope) -> None:
    """Whether a decision can stand.

    Raises:
        AuthorityError: it cannot; nothing was decided.
    """
    fit = {name: ground for name, ground in demand.grounds.items() if word in ground.effects}
    ground = fit.get(code)
    if ground is None:
        raise AuthorityError(f"that is no ground to {word} this demand: take one of {', '.join(fit)}")
    if not word.gives:
        if scope != Scope():
            raise AuthorityError("whoever gives nothing names no collections")
        if demand.answers.get(ground.fails or "") is not False:
            raise AuthorityError(f"this ground says that '{ground.fails}' is answered with no: enter that first")
        return
    if missing := [name for name in demand.must_first if demand.answers.get(name) is not True]:
        raise AuthorityError(
            f"nothing is handed over before every question is answered with yes: '{missing[0]}' is not"
        )
    if demand.urgent and code != "vital_interests":
        raise AuthorityError("what is handed over in an emergency stands on vital_interests")
    if not scope.collections or not set(scope.collections) <= set(demand.demanded):
        raise AuthorityError("name collections that are demanded, and no others")
    _check_days(demand, scope)
    whole = set(scope.collections) == set(demand.demanded) and not scope.without and scope.days == demand.dates
    if whole != (word is Word.DISCLOSE):
        raise AuthorityError(
            "disclose is all that is demanded; in_part names fewer collections or days, or leaves categories out"
        )


def _check_days(demand: Demand, scope: Scope) -> None:
    if demand.dates and not (scope.days and scope.days.inside(demand.dates)):
        raise AuthorityError("name days that are demanded, and no others: --from and --until")
    if scope.undated and not scope.days:
        raise AuthorityError("rows without a day go with all the others where no days are named: leave --undated out")


def categories_known(data_map: DataMap, named: Collection[str]) -> bool:
    """Whether the data map has these categories."""
    known = {f.category for s in data_map.systems.values() for c in s.collections.values() for f in c.fields.values()}
    return set(named) <= known
