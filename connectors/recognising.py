"""By what a row is recognised as a person's, for connectors that hold rows in Python.

The one rule: nothing at all and the empty text are nobody, and a hint is never followed.
"""

from collections.abc import Callable, Mapping, Sequence

from connectors.derived import texts
from connectors.fates import Row
from connectors.protocol import Call
from connectors.strategies import text
from rights.datamap import Collection, Telling
from rights.subject import Sharing, comparable


def follower(call: Call, certain: Mapping[str, Sequence[Row]], collection: Collection) -> Callable[[Row], bool]:
    """A test whether a row hangs, by a unique link, on a row of the person that is there or, by its anchor, was."""
    reached: list[tuple[str, set[str]]] = []
    for link in collection.links:
        if link.kind == "unique":
            parent, column = link.target
            values = {text(row.get(column)) for row in certain[parent]}
            values.update(call.anchors.get(parent, {}).get(column, ()))
            reached.append((link.field, values - {""}))
    return lambda row: any(not values.isdisjoint(texts(row.get(column))) for column, values in reached)


def recogniser(call: Call, collection: Collection) -> Callable[[Row], Sharing | None]:
    """A test how surely a row is the person's by its identity fields; None: not at all. Hints are never followed."""
    wanted: list[tuple[str, Telling, dict[str, Sharing]]] = []
    for column, about in collection.identities.items():
        values: dict[str, Sharing] = {}
        for identity in call.identities:
            kinds = {Sharing(about.sharing), identity.sharing}
            if identity.kind == about.identity and identity.value and Sharing.HINT not in kinds:
                value = comparable(identity.value, casefold=about.casefold)
                if values.get(value) is not Sharing.UNIQUE:
                    values[value] = Sharing.SHARED if Sharing.SHARED in kinds else Sharing.UNIQUE
        wanted.append((column, about, values))

    def recognise(row: Row) -> Sharing | None:
        matches = {
            values.get(comparable(value, casefold=about.casefold))
            for column, about, values in wanted
            for value in texts(row.get(column))
        }
        return next((sharing for sharing in (Sharing.UNIQUE, Sharing.SHARED) if sharing in matches), None)

    return recognise
