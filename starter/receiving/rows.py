"""Rows of JSON compared with the schema that came with them: a small part of JSON Schema, and nothing beyond it.

The one rule: a schema that says more than is understood here is refused. A sender's schema is read like everything else
a stranger sends: it can neither load anything nor make the reader work for long.
"""

from collections.abc import Iterable
from typing import Any, Final

import orjson

ROW_MOST: Final = 16 << 20
"""Bytes of one row."""
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}
_KNOWN: Final = {"$schema", "title", "type", "properties", "required", "additionalProperties"}


class RowsError(ValueError):
    """Rows and schema do not fit. Never says what stands in them."""


class Schema:
    """A schema of rows.

    Raises:
        RowsError: it is none that is understood here.
    """

    def __init__(self, text: bytes) -> None:
        try:
            body = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise RowsError("a schema is not JSON") from None
        if not isinstance(body, dict) or not body.keys() <= _KNOWN or body.get("type") != "object":
            raise RowsError("a schema says more than is understood here")
        if body.get("additionalProperties") is not False:
            raise RowsError("a schema leaves open what else may stand in a row")
        self._types = {name: _types(said) for name, said in _mapping(body.get("properties", {})).items()}
        required = body.get("required", [])
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            raise RowsError("a schema says more than is understood here")
        self._required = set(required)

    def check(self, row: Any) -> None:
        """Compare one row.

        Raises:
            RowsError: it does not fit.
        """
        if not isinstance(row, dict) or not self._required <= row.keys() <= self._types.keys():
            raise RowsError("a row has other fields than its schema says")
        for name, value in row.items():
            types = self._types[name]
            # A flag is no number, though Python counts it among the whole ones.
            if types is not None and (type(value) not in types):
                raise RowsError("a row has a value of another type than its schema says")


class Reader:
    """Reads rows as their bytes come."""

    def __init__(self, schema: Schema) -> None:
        self._schema, self._rest, self.rows = schema, b"", 0

    def take(self, chunk: bytes) -> None:
        """Check the rows that end in one more chunk.

        Raises:
            RowsError: one does not fit, or is longer than any should be.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > ROW_MOST:
            raise RowsError("a row is longer than any should be")
        self._check(lines)

    def end(self) -> None:
        """Nothing more comes.

        Raises:
            RowsError: the last row does not end.
        """
        if self._rest:
            raise RowsError("the last row does not end")

    def _check(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                raise RowsError("a row is not JSON") from None
            self._schema.check(row)
            self.rows += 1


def _types(said: Any) -> tuple[type, ...] | None:
    """The types that a property may have; None: any."""
    body = _mapping(said)
    if not body.keys() <= {"type", "description"}:
        raise RowsError("a schema says more than is understood here")
    if "type" not in body:
        return None
    names = body["type"] if isinstance(body["type"], list) else [body["type"]]
    if not all(isinstance(name, str) and name in _TYPES for name in names):
        raise RowsError("a schema says more than is understood here")
    return tuple(one for name in names for one in _TYPES[name])


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RowsError("a schema says more than is understood here")
    return value
