"""Holds: what one covers, as a door is told it, and how one is shown.

The one rule: whom a hold is about, and why in words, is shown nowhere.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from ledger.holds import Hold
from rights.datamap import DataMap
from rights.exempt import categories as known
from rights.holds import HOUSE, Scope
from starter.exits import Exit, Failure


def hold_document(hold: Hold) -> dict[str, Any]:
    """A hold as JSON; not whom it is about, and not why in words."""
    body = hold.model_dump(mode="json")
    terms = body.pop("terms")
    return {**body, **terms, "in_force": hold.in_force}


def scope_of(
    data_map: DataMap,
    systems: Sequence[str],
    collections: Sequence[str],
    categories: Sequence[str],
    since: date | None,
    until: date | None,
) -> Scope:
    """A scope of names that the data map has, so that a slip holds nothing by mistake.

    Raises:
        Failure: a name that it does not have, or days in the wrong order.
    """
    for name in systems:
        if name not in data_map.systems and name != HOUSE:
            raise Failure(Exit.USAGE, "a system is named that the data map does not have: habeas map show lists them")
    for name in collections:
        system, _, collection = name.partition(".")
        if system not in data_map.systems or collection not in data_map.systems[system].collections:
            raise Failure(Exit.USAGE, "a collection is named SYSTEM.COLLECTION, both as the data map has them")
    if not set(categories) <= known(data_map):
        raise Failure(Exit.USAGE, "a category is named that no field of the data map has")
    if since and until and until < since:
        raise Failure(Exit.USAGE, "until lies before since, so that nothing would be held")
    return Scope(
        systems=tuple(systems),
        collections=tuple(collections),
        categories=tuple(categories),
        since=since,
        until=until,
    )
