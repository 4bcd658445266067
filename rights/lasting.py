"""What of a request's details may be kept when the person is forgotten: enough to have it done once more after a
restore, by whoever is recognised by token.

The one rule: codes and names of the data map, as the map writes them; no word that anybody typed.
"""

from collections.abc import Sequence

from rights.datamap import DataMap
from rights.detail import Details
from rights.objections import ConsentWithdrawalDetails, ObjectionDetails, OptOutDetails
from rights.rectification import RectificationDetails
from rights.restriction import RestrictionDetails


def lasting(details: Details, data_map: DataMap) -> str | None:
    """The details without the person, as JSON; None where nothing is left that could be done by them.

    Of a correction nothing is: the new values are the person's data. That there was one is kept.
    """
    match details:
        case OptOutDetails():
            return details.model_dump_json()
        case ObjectionDetails():
            purposes = _of_map(details.purposes, data_map)
            if details.purposes and not purposes:
                # Without any it would be about all of the scope, which nobody has asked for.
                return None
            return details.model_copy(update={"purposes": purposes, "reasons": ""}).model_dump_json()
        case ConsentWithdrawalDetails():
            purposes, categories = _of_map(details.purposes, data_map), _of_map(details.categories, data_map)
            if not (purposes or categories):
                return None
            return details.model_copy(update={"purposes": purposes, "categories": categories}).model_dump_json()
        case RestrictionDetails():
            return details.model_copy(update={"note": ""}).model_dump_json()
        case RectificationDetails():
            return "{}"
    return None


def _of_map(names: Sequence[str], data_map: DataMap) -> tuple[str, ...]:
    """Those of some purposes and categories that the map has, in its own words."""
    words = {
        word.casefold(): word
        for system in data_map.systems.values()
        for collection in system.collections.values()
        for word in (collection.purpose, *collection.categories)
        if word
    }
    return tuple(dict.fromkeys(words[name.casefold()] for name in names if name.casefold() in words))
