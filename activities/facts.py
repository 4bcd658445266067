"""What a parcel says beside the rows: purposes, recipients, terms and dates, from the data map and the clock.

The one rule: it names systems, collections and fields, never a value of the person.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from functools import reduce
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import Field

from activities.pagewords import PageWords, page_words
from rights.datamap import Collection, DataMap, Retention, System
from rights.deadlines import Clock
from rights.letters import Language
from rights.plan import Operation, applies, kept_from_copies
from rights.portable import NotPorted, looked_into, origin, ported
from rights.receipt import Outcome, Receipt
from rights.recipients import Mechanism, Recipient, Register
from rights.rectification import Noted
from rights.regimes import regime, titles
from rights.request import Right
from rights.value import Value
from rights.withheld import Withheld


class Part(StrEnum):
    """What a parcel has of a system."""

    GIVEN = "given"
    NOTHING_HELD = "nothing_held"
    """We looked, and nobody of these identities was there."""
    OUTSTANDING = "outstanding"
    """Not in this parcel, for whatever reason (what a person hands over by hand, too); the parcel says so."""
    BY_HAND = "by_hand"
    """Portability: not looked into, since what is kept by hand never goes along."""


class Contested(Value):
    """What the person disputes in a collection and was not corrected."""

    fields: tuple[str, ...]
    statement: str = ""
    """In their own words, if they have given any."""


class CollectionFacts(Value):
    """What GDPR Art. 15(1)(a) to (d), (g) and (2) ask of one collection; empty where the map says nothing."""

    collection: str
    fields: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Fields that the map keeps out of parcels."""
    withheld: tuple[Withheld, ...] = ()
    """Fields that are held and not sent, each with what it is and the rule."""
    not_ported: tuple[NotPorted, ...] = ()
    """Portability: fields that the person cannot take along, each with the reason."""
    origins: dict[str, str] = Field(default_factory=dict)
    """Portability: where each field that is delivered comes from, as far as the map says."""
    keys: tuple[str, ...] = ()
    """The fields that tell one row from every other, as far as they are delivered."""
    field_categories: dict[str, str] = Field(default_factory=dict)
    """The category of each field that is delivered and has one."""
    disputed: tuple[Contested, ...] = ()
    """What the person disputes here and was not corrected, each refusal with their statement."""
    categories: tuple[str, ...] = ()
    purpose: str = ""
    lawful_basis: str = ""
    recipients: tuple[str, ...] = ()
    storage: tuple[str, ...] = ()
    source: str = ""
    transfers: str = ""
    automated_decisions: str = ""


class SystemFacts(Value):
    """One system, and what the parcel has of it."""

    system: str
    description: str = ""
    part: Part
    collections: tuple[CollectionFacts, ...] = ()

    def of(self, collection: str) -> CollectionFacts:
        """One collection's facts; all empty if the map does not have it."""
        for facts in self.collections:
            if facts.collection == collection:
                return facts
        return CollectionFacts(collection=collection)


class ParcelFacts(Value):
    """Everything a parcel says that is not in a row."""

    request_id: str
    regime: str
    law: str
    """The titles of all the laws it is asked under."""
    right: Right = Right.ACCESS
    received: date
    due: date
    zone: str
    """The time zone that dates are given in."""
    map_digest: str
    systems: tuple[SystemFacts, ...]
    controller: str = ""
    """Who answers for the data; empty where the deployment has not said."""
    contact: str = ""
    authority: str = ""
    """The supervisory authority to complain to."""
    automated_decisions: str = ""
    """Art. 15(1)(h), in words."""
    language: Language = "en"
    """Of the page. What the map says is in the map's own words."""

    @classmethod
    def of(
        cls,
        request_id: str,
        data_map: DataMap,
        clock: Clock,
        receipts: Mapping[str, Receipt],
        *,
        right: Right = Right.ACCESS,
        regimes: Sequence[str] = (),
        disputes: Sequence[Noted] = (),
        register: Register | None = None,
        controller: str = "",
        contact: str = "",
        authority: str = "",
        automated_decisions: str = "",
        language: Language = "en",
    ) -> Self:
        """Gather the facts of a request.

        `receipts` holds, per system, the newest receipt of its export, or of its locate where nothing was exported. A
        system of the map without one counts as outstanding. `regimes` are the laws it is asked under; else the clock's.
        `register` has the recipients by name, `disputes` what the person disputes and was not corrected.
        """
        asked, words = tuple(regimes) or (clock.regime,), page_words(language)
        zone = ZoneInfo(clock.zone)
        return cls(
            request_id=request_id,
            regime=asked[0],
            law=titles(map(regime, asked)),
            right=right,
            received=clock.received_at.astimezone(zone).date(),
            due=clock.legal_due.astimezone(zone).date(),
            zone=clock.zone,
            map_digest=data_map.digest,
            systems=tuple(
                _beside(_system(system, receipts.get(name), asked, right, register or Register(), words), disputes)
                for name, system in sorted(data_map.systems.items())
            ),
            controller=controller,
            contact=contact,
            authority=authority,
            automated_decisions=automated_decisions,
            language=language,
        )

    def system(self, name: str) -> SystemFacts:
        """One system's facts; one that the map does not have has no statements."""
        for facts in self.systems:
            if facts.system == name:
                return facts
        return SystemFacts(system=name, part=Part.GIVEN)

    @property
    def goes_elsewhere(self) -> bool:
        """Whether it is what the person takes along, for other programs to read (Art. 20)."""
        return self.right is Right.PORTABILITY

    @property
    def unstated(self) -> tuple[str, ...]:
        """What Art. 15 asks and the map leaves open, as ``shop.orders: purpose``, for the agent who answers."""
        asked = ("purpose", "categories", "lawful_basis", "recipients", "storage")
        return tuple(
            f"{system.system}.{facts.collection}: {name}"
            for system in self.systems
            for facts in system.collections
            for name in asked
            if not getattr(facts, name)
        )


def _beside(system: SystemFacts, disputes: Sequence[Noted]) -> SystemFacts:
    """The facts with what the person disputes of each collection."""

    def told(facts: CollectionFacts) -> CollectionFacts:
        found = []
        for noted in disputes:
            here = (one for one in noted.fields if (one.system, one.collection) == (system.system, facts.collection))
            if fields := tuple(one.field for one in here):
                found.append(Contested(fields=fields, statement=noted.statement))
        return facts.model_copy(update={"disputed": tuple(found)}) if found else facts

    return system.model_copy(update={"collections": tuple(map(told, system.collections))})


def _system(
    system: System, receipt: Receipt | None, asked: Sequence[str], right: Right, register: Register, words: PageWords
) -> SystemFacts:
    def named(name: str, facts: CollectionFacts) -> CollectionFacts:
        """The facts with those recipients that the register knows to have the collection (Art. 15(1)(c), (2))."""
        known = tuple(described(one, words) for one in register.recipients.values() if one.has(system.system, name))
        return facts.model_copy(update={"recipients": (*facts.recipients, *known)})

    return SystemFacts(
        system=system.system,
        description=system.description,
        part=_part(receipt) if looked_into(right, system) else Part.BY_HAND,
        collections=tuple(
            named(
                name,
                _taken_along(system, name, asked, words)
                if right is Right.PORTABILITY
                else _collection(name, collection, asked, words),
            )
            for name, collection in system.collections.items()
        ),
    )


def _part(receipt: Receipt | None) -> Part:
    if receipt is not None and receipt.outcome is Outcome.NOTHING_HELD:
        return Part.NOTHING_HELD
    if receipt is not None and receipt.step.operation is Operation.EXPORT and receipt.exported:
        return Part.GIVEN
    return Part.OUTSTANDING


def _collection(name: str, collection: Collection, asked: Sequence[str], words: PageWords) -> CollectionFacts:
    fields = collection.fields
    withheld = kept_from_copies(collection, *asked)
    held = {one.field for one in withheld}
    given = tuple(n for n, field in fields.items() if field.export and n not in held)
    return CollectionFacts(
        collection=name,
        fields=given,
        left_out=tuple(n for n, field in fields.items() if not field.export and n not in held),
        withheld=withheld,
        keys=tuple(n for n in collection.key if n in given),
        field_categories={n: fields[n].category or "" for n in given if fields[n].category},
        categories=tuple(sorted({f.category for f in fields.values() if f.category})),
        purpose=collection.purpose,
        lawful_basis=collection.lawful_basis,
        recipients=collection.recipients,
        storage=_storage(collection, asked, words),
        source=collection.source,
        transfers=collection.transfers,
        automated_decisions=collection.automated_decisions,
    )


def _taken_along(system: System, name: str, asked: Sequence[str], words: PageWords) -> CollectionFacts:
    """The facts of what a person takes elsewhere: less is delivered, and of the rest it is said why it is not."""
    collection, taken = system.collections[name], ported(system, name)
    facts = _collection(name, collection, asked, words)
    held = {one.field for one in facts.withheld}
    given = tuple(n for n in facts.fields if n in taken.fields)
    return facts.model_copy(
        update={
            "fields": given,
            "not_ported": tuple(one for one in taken.left if one.field not in held),
            "keys": tuple(n for n in facts.keys if n in given),
            "field_categories": {n: said for n, said in facts.field_categories.items() if n in given},
            "origins": {n: str(said) for n in given if (said := origin(collection, n))},
        }
    )


def _storage(collection: Collection, asked: Sequence[str], words: PageWords) -> tuple[str, ...]:
    """How long it is kept: what the map says in words, and each duty to keep that applies."""
    duties = (r for r in collection.retention if any(applies(r.regimes, law) for law in asked))
    return tuple(filter(None, (collection.storage, *(_duty(words, rule) for rule in duties))))


def _duty(words: PageWords, rule: Retention) -> str:
    parts = ((rule.months // 12, "year"), (rule.months % 12, "month"), (rule.days, "day"))
    terms = [words.count(n, unit) for n, unit in parts if n]
    term = reduce(lambda one, other: words.say("and", one=one, other=other), terms) if terms else ""
    start = words.say("end_of_year", day=rule.after) if rule.from_ else rule.after
    return words.say("duty", term=term, start=start, ground=rule.ground)


def described(one: Recipient, words: PageWords) -> str:
    """Who it is, where, and by what the data may go there."""
    way = one.transfer.mechanism
    own = ", ".join(f"{its.name} ({its.country})" for its in one.processors)
    return words.say(
        "recipient",
        name=one.name,
        country=one.country,
        role=words.of("roles", one.role),
        way="" if way is Mechanism.NONE else words.of("ways", way, ground=one.transfer.ground or ""),
        own=words.say("own_processors", names=own) if own else "",
    )
