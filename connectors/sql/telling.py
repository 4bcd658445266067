"""What rows tell as they are picked to be changed, on servers that are asked step by step (`connectors.sql.taken`).

The one rule: it is read with the key, from the row as it is locked; what a list holds is taken apart here as a look
does it in SQL.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import FromClause, Text, cast

from connectors.sharing import anchor_name
from connectors.sql.fates import LINK, telling
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.sharing import MINE
from connectors.sql.stepping import Row
from connectors.sql.taken import cuts


def telling_columns(scope: Scope, name: str, rows: FromClause) -> list[Sql]:
    """What links compare with, and what other systems know the person by, as the last columns of a picked row."""
    columns: list[Sql] = [cast(rows.c[field], Text).label(f"=to:{field}") for field in scope.targets[name]]
    columns += [rows.c[f"{LINK}{field}"] for field in telling(scope, name)]
    return columns + [rows.c[f"{MINE}{number}"] for number, _ in cuts(scope, name)]


class Told:
    """What the rows told that one call changes."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.seen: dict[str, dict[str, list[Any]]] = {}
        """By collection, as a look has it."""

    def add(self, name: str, seen: Mapping[str, Sequence[Any]]) -> None:
        for label, values in seen.items():
            self.seen.setdefault(name, {}).setdefault(label, []).extend(values)

    def add_rows(self, name: str, rows: Sequence[Row]) -> None:
        """Take picked rows: whether it is kept, the key, and, last, the columns that tell."""
        targets, links = self._scope.targets[name], telling(self._scope, name)
        owners, size = cuts(self._scope, name), len(self._scope.system.collections[name].key)
        keys: list[Any] = [row[1] if size == 1 else list(row[1 : size + 1]) for row in rows]
        if targets:
            self.add(name, {"keys": keys})
        first = len(rows[0]) - len(targets) - len(links) - len(owners)
        for place, field in enumerate(targets, start=first):
            values = dict.fromkeys(row[place] for row in rows if row[place] is not None)
            self.add(name, {f"to:{field}": list(values)})
        for place, field in enumerate(links, start=first + len(targets)):
            several = self._scope.column(name, field).several
            texts = (str(row[place]) for row in rows if row[place] is not None)
            each = (one for text in texts for one in (_listed(text) if several else (text,)))
            self.add(name, {f"link:{field}": [one for one in dict.fromkeys(each) if one]})
        for place, (_, link) in enumerate(owners, start=len(rows[0]) - len(owners)):
            self.add(name, {anchor_name(link): [key for key, row in zip(keys, rows, strict=True) if row[place]]})


def _listed(text: str) -> Iterator[str]:
    """The values of a list, also of lists in it; of anything else the one. Objects say nothing."""
    try:
        value = json.loads(text, parse_int=str, parse_float=str)
    except ValueError:
        yield text
        return
    waiting = [value]
    for one in waiting:
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, bool):
            yield "true" if one else "false"
        elif isinstance(one, str):
            yield one
