"""What is derived from a row's fields, for connectors that hold rows in Python: keys of several columns, values inside
JSON documents, columns that mean something only in some rows.

The one rule: where a part is missing there is nothing, and nothing links to nobody.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from connectors.strategies import text
from rights.datamap import Collection, Derived

Row = Mapping[str, object]


def complete(collection: Collection, row: Row) -> Row:
    """A row with what is derived from it beside its fields: a text, or a list of texts where there may be several."""
    if not collection.derived:
        return row
    told = {name: derive(about, row) for name, about in collection.derived.items()}
    return {
        **row,
        **{n: values if collection.derived[n].several else next(iter(values), None) for n, values in told.items()},
    }


def derive(about: Derived, row: Row) -> tuple[str, ...]:
    """The values that a row holds, as text, each once."""
    if any(said(row.get(field)) != said(value) for field, value in about.when.items()):
        return ()
    if about.path:
        return inside(row.get(about.of[0]), about.steps)
    parts = [said(row.get(field)) for field in about.of]
    if not all(parts):
        return ()
    return (parts[0] if len(parts) == 1 else json.dumps(parts),)


def inside(document: object, steps: Sequence[str]) -> tuple[str, ...]:
    """The values on a path inside a JSON document, or inside its text, each once."""
    found = (said(value) for value in _walk(_document(document), steps))
    return tuple(dict.fromkeys(filter(None, found)))


def texts(value: object) -> Sequence[str]:
    """The texts of a field or of what is derived, without the empty one."""
    values = value if isinstance(value, list | tuple) else (value,)
    return [said for said in map(text, values) if said]


def said(value: object) -> str:
    """A value as a database says it in text; a list or an object says nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if isinstance(value, dict | list) else text(value)


def _document(value: object) -> object:
    if isinstance(value, str | bytes):
        try:
            return json.loads(value, parse_float=str)  # as it is written: 1.10 is not 1.1
        except ValueError:
            return None
    return value


def _walk(value: object, steps: Sequence[str]) -> Iterator[object]:
    """Follow a path as databases do (SQL/JSON, lax mode): a list is looked into, and one value is a list of one."""
    if not steps:
        yield value
    elif steps[0] == "*":
        for each in value if isinstance(value, list) else [value]:
            yield from _walk(each, steps[1:])
    else:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and steps[0] in each:
                yield from _walk(each[steps[0]], steps[1:])
