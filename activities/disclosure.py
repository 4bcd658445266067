"""What is handed to an authority: the spools of a demand in one sealed bag, with a list of what it is and no more.

The one rule: it holds the collections of the decision, and tells nothing else of the person, of systems or of why.
"""

import json
from collections.abc import Sequence
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
from activities.store import Store
from connectors.errors import NeedsHuman
from rights.authorities import Demand
from rights.codes import Code
from rights.datamap import DataMap


def seal_disclosure(
    store: Store, demand: Demand, data_map: DataMap, *, key: bytes, controller: str, as_of: datetime, beat: Beat
) -> tuple[Packed, dict[str, int]]:
    """Put the spools of a demand's systems into one sealed parcel, and count its rows by SYSTEM.COLLECTION; doing it
    again replaces it.

    Raises:
        NeedsHuman: a system gave a field that is to stay here, or was not asked for any of a collection.
        NotStored: a system has no spool.
        SealBroken: a spool is not what was written.
        BadExport: a spool holds lines that are not JSON objects.
        StoreFull: there is no room left.
    """
    delivered: list[Delivered] = []
    with sealed(store, parcel_name(demand.id), key) as out, Bag(out, f"habeas-{demand.id}", as_of, beat) as bag:
        for system in sorted(demand.scope.systems):
            name = spool_name(demand.id, system)
            with store.read(name) as source:
                read = partial(unseal, source, key, name)
                delivered += deliver(bag, _facts(demand, data_map, system), read)
        _see_that_no_more_goes(demand, data_map, delivered)
        _see_that_it_was_asked_for(demand, data_map, delivered)
        about = _about(demand, delivered, controller)
        bag.add("data/about.json", [about], len(about))
        source_of = {"Source-Organization": controller} if controller else {}
        info = source_of | {"External-Identifier": demand.id, "Bag-Software-Agent": "Habeas"}
        bag.finish(info, as_of.astimezone(ZoneInfo(demand.zone)).date())
    packed = Packed(
        digest=bag.digest,
        size=bag.size,
        files=len(bag.payload),
        rows=sum(one.sheet.rows for one in delivered),
        exports={},
        manifest=(*bag.payload, *bag.tags),
    )
    return packed, _rows(demand, delivered)


def _facts(demand: Demand, data_map: DataMap, system: str) -> SystemFacts:
    collections = tuple(
        CollectionFacts(collection=name, fields=demand.scope.fields(data_map, f"{system}.{name}"))
        for name in demand.scope.of(system)
    )
    return SystemFacts(system=system, part=Part.GIVEN, collections=collections)


def _see_that_no_more_goes(demand: Demand, data_map: DataMap, delivered: Sequence[Delivered]) -> None:
    """A document may bring keys of its own, and one that is downloaded comes whole."""
    for one in delivered:
        place = f"{one.system}.{one.collection}"
        more = one.sheet.columns - set(demand.scope.fields(data_map, place))
        cut = demand.scope.without or demand.scope.days
        if place not in demand.scope.collections or (demand.scope.without and more) or (cut and one.named):
            raise NeedsHuman(Code.UNSUPPORTED, one.system)


def _see_that_it_was_asked_for(demand: Demand, data_map: DataMap, delivered: Sequence[Delivered]) -> None:
    """A collection of which no field is given is not looked into: that it has no rows is not for us to say."""
    given = {f"{one.system}.{one.collection}" for one in delivered}
    for place in demand.scope.collections:
        if place not in given and not demand.scope.fields(data_map, place):
            raise NeedsHuman(Code.UNSUPPORTED, place.partition(".")[0])


def _rows(demand: Demand, delivered: Sequence[Delivered]) -> dict[str, int]:
    found = {f"{one.system}.{one.collection}": one.sheet.rows for one in delivered}
    return {place: found.get(place, 0) for place in demand.scope.collections}


def _about(demand: Demand, delivered: Sequence[Delivered], controller: str) -> bytes:
    """What is in it: names of the map and numbers."""
    told = {
        "demand": demand.id,
        "to": demand.authority,
        "from": controller,
        "collections": _rows(demand, delivered),
        "left_out": list(demand.scope.without),
        "days": demand.scope.days.model_dump(mode="json") if demand.scope.days else None,
        "rows_without_a_day": demand.scope.undated or demand.scope.days is None,
    }
    return json.dumps(told, ensure_ascii=False, indent=2).encode() + b"\n"
