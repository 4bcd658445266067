"""Categories that a decision leaves out: the data map as it is for one request.

The one rule: what is exempted is said in the map's own words (retain, with a ground), so that plan, connectors, books
and answers treat it as they treat every duty to keep.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rights.collection import Collection, Erase
from rights.datamap import DataMap, System
from rights.decision import DecisionError, article
from rights.fields import Strategy
from rights.request import Right


def categories(data_map: DataMap) -> frozenset[str]:
    """All categories that the fields of a map have."""
    collections = (c for system in data_map.systems.values() for c in system.collections.values())
    return frozenset().union(*(collection.categories for collection in collections))


def exempt(data_map: DataMap, right: Right, exempted: Mapping[str, str], *, cautious: bool = False) -> DataMap:
    """The map under a decision. `exempted` has the code of the ground of each category that is left out.

    An erasure keeps the fields of such a category, and with them the rows: what else stands in these rows goes by its
    strategy, and what stays is put out of use, since none of these grounds has an end (11 CCR 7022: it is used for
    nothing else). Any other right leaves the fields out of what is handed over. The digest stays: it names
    the map that the request is pinned to. What the map cannot say is refused, or, `cautious`, keeps the whole system:
    what was kept can still be erased.

    Raises:
        DecisionError: a category is nowhere in the map, or the map does not say what the rest of a row becomes.
    """
    if not exempted:
        return data_map
    if not cautious and (unknown := sorted(exempted.keys() - categories(data_map))):
        raise DecisionError(
            f"no field of the data map is of the category '{unknown[0][:60]}': habeas map show lists them"
        )
    grounds = {category: article(code) for category, code in exempted.items()}
    systems = {}
    for name, system in data_map.systems.items():
        body = _written(system)
        for place, collection in system.collections.items():
            _leave_out(body["collections"][place], collection, right, grounds)
        try:
            systems[name] = System.model_validate(body)
        except ValidationError as error:
            if cautious:
                systems[name] = _kept(system, grounds)
                continue
            said = str(error.errors()[0].get("ctx", {}).get("error", "its map does not allow it"))
            raise DecisionError(
                f"{name}: the rest of the rows in which such data stands cannot go by itself: {said}"
            ) from None
    return data_map.model_copy(update={"systems": systems})


def _written(system: System) -> dict[str, Any]:
    """A system as its file says it: what was not said is left out, since a given null is a strategy."""
    return system.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _kept(system: System, grounds: Mapping[str, str]) -> System:
    """A system of which nothing goes."""
    body = _written(system)
    for name, collection in body["collections"].items():
        if system.collections[name].erase is not Erase.RETAIN:
            collection |= {"erase": Erase.RETAIN.value, "ground": min(grounds.values()), "out_of_use": True}
    return System.model_validate(body)


def _leave_out(body: dict[str, Any], collection: Collection, right: Right, grounds: Mapping[str, str]) -> None:
    mine = {name: grounds[f.category] for name, f in collection.fields.items() if f.category and f.category in grounds}
    if not mine:
        return
    if right is not Right.ERASURE:
        for name in mine:
            body["fields"][name]["export"] = False
        return
    if collection.erase is Erase.RETAIN:
        return
    for name, ground in mine.items():
        field = body["fields"][name]
        field |= {"strategy": Strategy.RETAIN.value, "ground": ground}
        for other in ("to", "value"):
            field.pop(other, None)
    for rule in body.get("retention", ()):
        rule["minimise"] = [name for name in rule.get("minimise", ()) if name not in mine]
    body["out_of_use"] = True
    personal = {name for name, field in collection.fields.items() if field.category}
    if personal <= mine.keys():
        body |= {"erase": Erase.RETAIN.value, "ground": min(mine.values())}
    else:
        body["erase"] = Erase.REDACT.value
