"""The directory: the one system that may be asked how to reach a person before they have proven who they are.

The one rule: of its map only the contact points are left, and what leads to them; whoever reads by such a map cannot
read more.
"""

from rights.collection import Collection, Erase
from rights.datamap import System
from rights.plan import Work

READ_ONLY = "contact points are read, and nothing is changed"


def contact_map(system: System) -> System:
    """A directory's map with nothing in it but contact points and the fields that lead to them."""
    wanted = {name for name, c in system.collections.items() if any(field.channel for field in c.fields.values())}
    waiting = list(wanted)
    while waiting:
        for link in system.collections[waiting.pop()].links:
            if link.followed and link.target[0] not in wanted:
                wanted.add(link.target[0])
                waiting.append(link.target[0])
    targets: dict[str, set[str]] = {name: set() for name in wanted}
    for name in wanted:
        for link in system.collections[name].links:
            if link.followed:
                targets[link.target[0]].add(link.target[1])
    collections = {
        name: _part(system.collections[name], targets[name]) for name in system.collections if name in wanted
    }
    return System.model_validate(
        {
            **system.model_dump(by_alias=True, exclude={"collections", "feeds", "backups", "options"}),
            "collections": collections,
        }
    )


def contact_works(system: System) -> tuple[Work, ...]:
    """What to read by such a map, in each of its collections."""
    return tuple(
        Work(collection=name, export=_read(collection), erase=Erase.RETAIN, ground=READ_ONLY)
        for name, collection in system.collections.items()
    )


def _read(collection: Collection) -> tuple[str, ...]:
    told = [name for name, field in collection.fields.items() if field.channel]
    changed = (f.changed for f in collection.fields.values() if f.changed)
    return tuple(dict.fromkeys([*told, *changed, *(name for name, _ in own_identities(collection))]))


def own_identities(collection: Collection) -> list[tuple[str, str]]:
    """Fields, each with its kind of identity, whose value in a row belongs to the person of that row alone."""
    return [
        (name, field.identity)
        for name, field in collection.fields.items()
        if field.identity and field.sharing == "unique"
    ]


def _part(collection: Collection, targets: set[str]) -> dict[str, object]:
    links = [link for link in collection.links if link.followed]
    names = {*collection.identities, *targets, *(link.field for link in links)}
    names |= {field for link in links for field in link.fields}
    derived = {name: about for name, about in collection.derived.items() if name in names}
    fields = {*collection.key, *_read(collection), *(names - derived.keys())}
    fields |= {base for about in derived.values() for base in (*about.of, *about.when)}
    plain = {"strategy": "delete", "value": None, "to": None, "ground": "", "search": False, "yields": None}
    return {
        **collection.model_dump(by_alias=True, include={"name", "key", "options"}),
        "fields": {n: f.model_dump() | plain for n, f in collection.fields.items() if n in fields},
        "derived": {name: about.model_dump() for name, about in derived.items()},
        "links": [link.model_dump() for link in links],
        "erase": Erase.RETAIN,
        "ground": READ_ONLY,
    }
