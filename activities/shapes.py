"""What a collection's rows look like, seen as they pass: the schemas that go along with them.

The one rule: a schema is of these very rows. It says no more than they do: a field is required that stands in each of
them, and has the types that were seen.
"""

import json
from typing import Any, Final

import orjson

from activities.facts import CollectionFacts

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_NAMES: Final = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_CSVW: Final = {"boolean": "boolean", "integer": "integer", "number": "decimal", "string": "string"}
_TABLE: Final = {"boolean": "boolean", "integer": "integer", "number": "number", "string": "string"}


class Shape:
    """Fields, their types, and in how many rows each stands."""

    def __init__(self) -> None:
        self.rows = 0
        self._types: dict[str, set[str]] = {}
        self._count: dict[str, int] = {}
        self._rest = b""

    def see(self, chunk: bytes) -> None:
        """Read the lines that end in one more chunk."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            row = _read(line)
            self.rows += 1
            for name, value in row.items():
                self._types.setdefault(name, set()).add(_NAMES[type(value)])
                self._count[name] = self._count.get(name, 0) + 1

    def columns(self, facts: CollectionFacts) -> tuple[str, ...]:
        """The fields in the order of the rows; without a row those of the map."""
        return tuple(self._types) or facts.fields

    def json_schema(self, name: str, facts: CollectionFacts) -> dict[str, Any]:
        """JSON Schema 2020-12 of one row of the .jsonl file."""
        properties = {}
        for field in self.columns(facts):
            types = sorted(self._types.get(field, ()))
            said: dict[str, Any] = {"type": types[0] if len(types) == 1 else types} if types else {}
            properties[field] = said | _described(field, facts)
        return {
            "$schema": DRAFT,
            "title": name,
            "type": "object",
            "properties": properties,
            "required": [field for field, count in self._count.items() if count == self.rows],
            "additionalProperties": False,
        }

    def table_schema(self, facts: CollectionFacts) -> dict[str, Any]:
        """Frictionless Table Schema of the .csv file."""
        fields = [
            {"name": field, "type": _one(self._types.get(field, set()), _TABLE, "any"), **_described(field, facts)}
            for field in self.columns(facts)
        ]
        return {"fields": fields, "missingValues": [""], **({"primaryKey": list(facts.keys)} if facts.keys else {})}

    def csvw(self, url: str, facts: CollectionFacts) -> dict[str, Any]:
        """CSV on the Web metadata of the .csv file that lies beside it."""
        columns = [
            {
                "titles": field,
                "name": f"c{number}",
                "datatype": _one(self._types.get(field, set()), _CSVW, "string"),
                "required": "null" not in self._types.get(field, {"null"}) and self._count.get(field) == self.rows,
            }
            for number, field in enumerate(self.columns(facts), 1)
        ]
        names = {column["titles"]: column["name"] for column in columns}
        schema: dict[str, Any] = {"columns": columns}
        if facts.keys:
            schema["primaryKey"] = [names[key] for key in facts.keys if key in names]
        return {
            "@context": "http://www.w3.org/ns/csvw",
            "url": url,
            "dialect": {"encoding": "utf-8", "header": True, "lineTerminators": ["\r\n"], "doubleQuote": True},
            "tableSchema": schema,
        }


def _described(field: str, facts: CollectionFacts) -> dict[str, str]:
    words = [facts.origins.get(field, ""), facts.field_categories.get(field, "")]
    text = ", ".join(word for word in words if word)
    return {"description": text} if text else {}


def _one(types: set[str], known: dict[str, str], otherwise: str) -> str:
    """The one type of a column; whole numbers among others are numbers, and nothing is no type."""
    seen = types - {"null"}
    if seen == {"integer", "number"}:
        seen = {"number"}
    return known.get(next(iter(seen)), otherwise) if len(seen) == 1 else otherwise


def _read(line: bytes) -> dict[str, Any]:
    try:
        row: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        row = json.loads(line)
    return row
