"""What is handed to somebody else than the person: spools in one sealed bag, with a list of what it is and no more.

The one rule: it holds the collections that were decided on, and tells nothing else of the person, of systems or of why.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from activities.bag import Bag
from activities.calls import Beat
from activities.delivery import Delivered, deliver
from activities.facts import CollectionFacts, Part, SystemFacts
from activities.parcel_names import parcel_name, spool_name
from activities.parcels import Packed
from activities.sealing import sealed, unseal
from activities.spool import CSV
from activities.store import Store
from connectors.errors import NeedsHuman
from connectors.protocol import Export
from rights.authorities import Demand, Scope
from rights.codes import Code
from rights.datamap import DataMap


@dataclass(frozen=True, slots=True)
class Handing:
    """What is handed over."""

    id: str
    """Whose key seals it."""
    zone: str
    scope: Scope
    told: Mapping[str, object]
    """What it says of itself: codes and names of the register."""

    @classmethod
    def of(cls, demand: Demand) -> "Handing":
        return cls(demand.id, demand.zone, demand.scope, {"demand": demand.id, "to": demand.authority})


def seal_disclosure(
    store: Store, handing: Handing, data_map: DataMap, *, key: bytes, controller: str, as_of: datetime, beat: Beat
) -> tuple[Packed, dict[str, int]]:
    """Put the spools of the systems into one sealed parcel, and count its rows by SYSTEM.COLLECTION; doing it
    again replaces it.

    Raises:
        NeedsHuman: a system gave a field that is to stay here, or was not asked for any of a collection.
        NotStored: a system has no spool.
        SealBroken: a spool is not what was written.
        BadExport: a spool holds lines that are not JSON objects.
        StoreFull: there is no room left.
    """
    delivered: list[Delivered] = []
    with sealed(store, parcel_name(handing.id), key) as out, Bag(out, f"habeas-{handing.id}", as_of, beat) as bag:
        for system in sorted(handing.scope.systems):
            name = spool_name(handing.id, system)
            with store.read(name) as source:
                read = partial(unseal, source, key, name)
                delivered += deliver(bag, _facts(handing, data_map, system), read)
        _see_that_no_more_goes(handing, data_map, delivered)
        _see_that_it_was_asked_for(handing, data_map, delivered)
        about = _about(handing, delivered, controller)
        bag.add("data/about.json", [about], len(about))
        source_of = {"Source-Organization": controller} if controller else {}
        info = source_of | {"External-Identifier": handing.id, "Bag-Software-Agent": "Habeas"}
        bag.finish(info, as_of.astimezone(ZoneInfo(handing.zone)).date())
    packed = Packed(
        digest=bag.digest,
        size=bag.size,
        files=len(bag.payload),
        rows=sum(one.sheet.rows for one in delivered),
        exports={},
        manifest=(*bag.payload, *bag.tags),
    )
    return packed, _rows(handing, delivered)


def as_rows(exports: Iterator[Export]) -> Iterator[Export]:
    """What a connector gives, but for tables that it makes itself: which columns these have nobody would see. One is
    made of its rows instead, and for that every row is read."""
    for export in exports:
        if export.media_type == CSV and not export.name:
            for _ in export.pages:
                pass
        else:
            yield export


def _facts(handing: Handing, data_map: DataMap, system: str) -> SystemFacts:
    collections = tuple(
        CollectionFacts(collection=name, fields=handing.scope.fields(data_map, f"{system}.{name}"))
        for name in handing.scope.of(system)
    )
    return SystemFacts(system=system, part=Part.GIVEN, collections=collections)


def _see_that_no_more_goes(handing: Handing, data_map: DataMap, delivered: Sequence[Delivered]) -> None:
    """A document may bring keys of its own, and one that is downloaded comes whole."""
    for one in delivered:
        place = f"{one.system}.{one.collection}"
        more = one.sheet.columns - set(handing.scope.fields(data_map, place))
        cut = handing.scope.without or handing.scope.days
        if place not in handing.scope.collections or (handing.scope.without and more) or (cut and one.named):
            raise NeedsHuman(Code.UNSUPPORTED, one.system)


def _see_that_it_was_asked_for(handing: Handing, data_map: DataMap, delivered: Sequence[Delivered]) -> None:
    """A collection of which no field is given is not looked into: that it has no rows is not for us to say."""
    given = {f"{one.system}.{one.collection}" for one in delivered}
    for place in handing.scope.collections:
        if place not in given and not handing.scope.fields(data_map, place):
            raise NeedsHuman(Code.UNSUPPORTED, place.partition(".")[0])


def _rows(handing: Handing, delivered: Sequence[Delivered]) -> dict[str, int]:
    found = {f"{one.system}.{one.collection}": one.sheet.rows for one in delivered}
    return {place: found.get(place, 0) for place in handing.scope.collections}


def _about(handing: Handing, delivered: Sequence[Delivered], controller: str) -> bytes:
    """What is in it: names of the map and numbers."""
    told = {
        **handing.told,
        "from": controller,
        "collections": _rows(handing, delivered),
        "left_out": list(handing.scope.without),
        "days": handing.scope.days.model_dump(mode="json") if handing.scope.days else None,
        "rows_without_a_day": handing.scope.undated or handing.scope.days is None,
    }
    return json.dumps(told, ensure_ascii=False, indent=2).encode() + b"\n"
