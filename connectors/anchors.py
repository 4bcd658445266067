"""Anchors of several looks, put together; and the name that a collection's keys have among them.

The one rule: a later look forgets nothing of an earlier one, which may have had a path that is cut since.
"""

import json

from connectors.protocol import Anchors
from rights.datamap import Collection


def key_name(collection: Collection) -> str:
    """Under which name a collection's keys stand among its anchors; several columns make one name."""
    return ",".join(collection.key)


def read_anchors(sealed: bytes | None) -> Anchors:
    """Anchors as they were written as JSON; none where nothing was."""
    return {
        collection: {name: tuple(values) for name, values in fields.items()}
        for collection, fields in json.loads(sealed or b"{}").items()
    }


def merged(old: Anchors, new: Anchors) -> Anchors:
    """The anchors of two looks, each value once."""
    return {
        name: {
            field: tuple(dict.fromkeys((*old.get(name, {}).get(field, ()), *new.get(name, {}).get(field, ()))))
            for field in dict.fromkeys((*old.get(name, {}), *new.get(name, {})))
        }
        for name in dict.fromkeys((*old, *new))
    }
