"""What the authority is to be told of an incident, as far as the ledger knows it (GDPR Art. 33(3)).

The one rule: numbers are of what the engine has seen and say so, and what only a person can know stays a question. No
personal data: names of the data map, codes, counts and times.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from rights.datamap import DataMap
from rights.incidentlaw import Breaks, Kind, incident_law
from rights.incidents import Incident, Threat
from rights.plan import Operation
from rights.receipt import Receipt
from rights.request import Right
from rights.value import Value


class Part(Value):
    """What the ledger has of one request that an incident names."""

    right: Right
    receipts: tuple[Receipt, ...]
    parcel_rows: int | None = None
    """Rows in its newest parcel; None: it has none."""
    about_parcel: bool = False


class Facts(Value):
    """A draft of what Art. 33(3) asks for. (a) nature, people and records; (b) contact; (c) and (d) are questions."""

    incident: str
    kind: Kind
    says: str
    breaks: tuple[Breaks, ...]
    """Which side of security; empty: a person says."""
    source: str
    aware_at: datetime
    due_at: datetime
    hours: int
    hours_of: tuple[str, ...]
    """The laws that set the hours; none: our default."""
    systems: tuple[str, ...]
    collections: tuple[str, ...]
    data: tuple[str, ...]
    """Categories of data of the fields there, by the data map."""
    requests: Mapping[str, int]
    """How many requests of each right it names."""
    people: int | None
    """People that these are about, at least; None: it names none, so a person has to say."""
    records: int | None
    """Records that the engine has seen of them, about; None: it has seen none."""
    threat: Threat | None
    stopped: bool
    """What it names stands still: a measure that was taken."""
    lifted_at: datetime | None
    dpo: str
    asks: Mapping[str, str]
    """Questions to a person, by what they are about."""


def draft(incident: Incident, parts: Sequence[Part], people: int, data_map: DataMap, *, dpo: str) -> Facts:
    """What can be said of an incident; `people` is how many its requests are about."""
    law = incident_law()
    kind, asks = law.kinds[incident.kind], law.asks
    seen = [look for part in parts for look in _looks(incident, part)]
    places = dict.fromkeys(
        (look.step.system, count.collection) for look in seen for count in look.tally.counts if count.found
    )
    systems = tuple(dict.fromkeys((*incident.systems, *(system for system, _ in places))))
    questions = {"nature": asks.nature, "people": asks.people}
    questions |= {"consequences": asks.consequences, "measures": asks.measures}
    return Facts(
        incident=incident.id,
        kind=incident.kind,
        says=kind.says,
        breaks=kind.breaks,
        source=kind.source,
        aware_at=incident.aware_at,
        due_at=incident.due_at,
        hours=incident.hours,
        hours_of=law.within(incident.regimes).regimes,
        systems=systems,
        collections=tuple(f"{system}.{name}" for system, name in places),
        data=_categories(data_map, places or dict.fromkeys(_everything(data_map, incident.systems))),
        requests=dict(Counter(str(part.right) for part in parts)),
        people=people if parts else None,
        records=_records(parts, seen),
        threat=incident.threat,
        stopped=bool(incident.stopped),
        lifted_at=incident.lifted_at,
        dpo=dpo,
        asks=questions,
    )


def _looks(incident: Incident, part: Part) -> list[Receipt]:
    """The newest look in each system that says what of a person was there; of what came back, the one that found it."""
    wanted = Operation.VERIFY if incident.kind is Kind.RESIDUE else Operation.LOCATE
    newest = {r.step.system: r for r in part.receipts if r.step.operation is wanted and r.tally.found}
    return [look for system, look in newest.items() if not incident.systems or system in incident.systems]


def _records(parts: Sequence[Part], seen: Sequence[Receipt]) -> int | None:
    handed = [part.parcel_rows for part in parts if part.about_parcel and part.parcel_rows is not None]
    if handed:
        return sum(handed)
    return sum(look.tally.found for look in seen) if seen else None


def _everything(data_map: DataMap, systems: Sequence[str]) -> list[tuple[str, str]]:
    known = ((name, data_map.systems[name]) for name in systems if name in data_map.systems)
    return [(name, collection) for name, system in known for collection in system.collections]


def _categories(data_map: DataMap, places: Mapping[tuple[str, str], None]) -> tuple[str, ...]:
    """The categories of the fields there; of what has left the map nothing can be said."""
    found: dict[str, None] = {}
    for name, collection in places:
        system = data_map.systems.get(name)
        there = system.collections.get(collection) if system else None
        if there:
            found |= {field.category: None for field in there.fields.values() if field.category}
    return tuple(sorted(found))
