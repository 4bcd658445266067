"""What a correction may ask for, whatever kind of system it is for; and what it makes of rows that are held in Python.

The one rule: what tells rows apart, joins them, or is worked out from something else is never written to, and a row is
found after its correction by what the engine knows of the person then.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.errors import NeedsHuman
from connectors.fates import Place, Row, key_of
from connectors.links import Links
from connectors.protocol import Call, Correction, Key, OldValues
from connectors.strategies import text
from rights.codes import Code
from rights.datamap import System
from rights.receipt import Count, Tally
from rights.subject import Identity


def require(system: System, corrections: Sequence[Correction]) -> None:
    """Refuse what no system could do, and what two corrections say differently.

    Raises:
        NeedsHuman: NOT_RECTIFIABLE, with the field and why; NO_ROW: a key that no row of the collection can have.
    """
    said: dict[tuple[str, str], list[Key | None]] = defaultdict(list)
    for correction in corrections:
        name = correction.collection
        if name not in system.collections:
            raise NeedsHuman(Code.NOT_RECTIFIABLE, f"{name} (not in the map)")
        if correction.key is not None and len(correction.key) != len(system.collections[name].key):
            raise NeedsHuman(Code.NO_ROW, name)
        for one in correction.values:
            if why := _why_not(system, name, one):
                raise NeedsHuman(Code.NOT_RECTIFIABLE, f"{name}.{one} ({why})")
            before = said[name, one]
            if None in before or correction.key in before or (before and correction.key is None):
                raise NeedsHuman(Code.NOT_RECTIFIABLE, f"{name}.{one} (said twice)")
            before.append(correction.key)


def _why_not(system: System, name: str, one: str) -> str:
    """Why a field cannot be written to; empty if it can."""
    collection = system.collections[name]
    if one in collection.derived:
        return "derived"
    if one not in collection.fields:
        return "not in the map"
    if one in collection.key:
        return "key"
    joining = [link.field for link in collection.links]
    joining += [
        field for c in system.collections.values() for target, field in (li.target for li in c.links) if target == name
    ]
    for used in joining:
        about = collection.derived.get(used)
        if one in collection.bases(used) or (about and one in about.when):
            return "a link"
    return ""


def names(correction: Correction) -> str:
    """The fields of a correction, as an error names them."""
    return f"{correction.collection}.{','.join(correction.values)}"


def told(call: Call) -> tuple[Identity, ...]:
    """What the person is found by once the corrections are made, and that is not known yet. What a field yields for
    other systems is told by the next look: it may be a list, and here it is a text."""
    links = Links(call)
    for correction in call.corrections:
        fields = call.system.collections[correction.collection].fields
        for one, value in correction.values.items():
            links.add(fields[one].model_copy(update={"yields": None}), value)
    return links.found


def foreseen(call: Call) -> Call:
    """The call with what will be known of the person: a row that bears its new identity already, because an attempt was
    cut, is found by it; and whoever else bears it is a question before anything is changed."""
    return replace(call, identities=(*call.identities, *told(call)))


def identifies(system: System, correction: Correction) -> bool:
    """Whether a correction changes by what a row is found."""
    collection = system.collections[correction.collection]
    read = {
        base
        for used, about in collection.identities.items()
        if about.sharing != "hint"
        for base in (*collection.bases(used), *(collection.derived[used].when if used in collection.derived else ()))
    }
    return not read.isdisjoint(correction.values)


@dataclass(frozen=True, slots=True)
class Mend:
    """What corrections make of one row."""

    place: Place = field(repr=False)
    old: Mapping[str, str | None] = field(repr=False)
    new: Row = field(repr=False)


def mends(system: System, corrections: Iterable[Correction], rows: Mapping[str, Sequence[Row]]) -> Iterator[Mend]:
    """The rows of a person that do not say yet what they are to say.

    Raises:
        NeedsHuman: NO_ROW: a row that is named is not among them.
    """
    wanted: dict[Place, dict[str, str | None]] = defaultdict(dict)
    there: dict[Place, Row] = {}
    for correction in corrections:
        for place, row in meant(system, correction, rows):
            there[place] = row
            wanted[place].update(correction.values)
    for place, values in wanted.items():
        old = {one: _said(there[place].get(one)) for one in values}
        if differing := {one: value for one, value in values.items() if old[one] != value}:
            yield Mend(place, {one: old[one] for one in differing}, differing)


def meant(system: System, correction: Correction, rows: Mapping[str, Sequence[Row]]) -> list[tuple[Place, Row]]:
    """The rows that a correction is about.

    Raises:
        NeedsHuman: NO_ROW.
    """
    name, columns = correction.collection, system.collections[correction.collection].key
    places = [((name, key_of(columns, row)), row) for row in rows[name]]
    if correction.key is None:
        return places
    mine = [(place, row) for place, row in places if place[1] == correction.key]
    if not mine:
        raise NeedsHuman(Code.NO_ROW, name)
    return mine


def found_of(system: System, corrections: Iterable[Correction], rows: Mapping[str, Sequence[Row]]) -> Tally:
    """Count the rows that corrections are about.

    Raises:
        NeedsHuman: NO_ROW.
    """
    found: dict[str, set[Place]] = {name: set() for name in system.collections}
    for correction in corrections:
        found[correction.collection].update(place for place, _ in meant(system, correction, rows))
    return Tally(counts=tuple(Count(collection=name, found=len(places)) for name, places in found.items()))


def corrected(system: System, some: Iterable[Mend]) -> Tally:
    """Count the rows that were changed."""
    rows = Counter(mend.place[0] for mend in some)
    return Tally(counts=tuple(Count(collection=name, rectified=rows[name]) for name in system.collections))


def old_values(some: Iterable[Mend]) -> OldValues:
    """What is about to be written over, as it is kept."""
    old: dict[str, dict[Key, Mapping[str, str | None]]] = defaultdict(dict)
    for mend in some:
        name, key = mend.place
        old[name][key] = mend.old
    return old


def _said(value: object) -> str | None:
    return None if value is None else text(value)
