"""What an erasure would do with a table and with each of its columns: what the database will take.

The one rule: a strategy is proposed only if the connector's own rules allow it on the column, and NOT NULL, UNIQUE,
length, CHECKs and domains take what it writes. Where nothing fits, the draft says so, and asks.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from sqlalchemy import column as sql_column

from connectors.errors import NeedsHuman
from connectors.sql.catalogue import Column
from connectors.sql.discovery.schema import TableFacts
from connectors.sql.rewriting import ADDRESS, dirty
from rights.datamap import Strategy
from rights.plan import Write

OPEN_GROUND: Final = "not decided yet"
"""The ground of a field for which no strategy was found: a question, not an answer."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What becomes of one field."""

    strategy: Strategy
    value: str | int | bool | None = None
    to: str | None = None
    doubt: str = ""
    """What a person has to look at."""


class Trial(Protocol):
    """Asks the database whether it takes a value, without writing it."""

    def takes(self, table: TableFacts, column: str, value: object, checks: tuple[str, ...]) -> bool | None:
        """Whether the column's type and these CHECKs take a value; the other columns are NULL. None: the database
        cannot tell without writing it."""


_ANONYMISED: Final = frozenset({"user.contact.email", "user.account.username"})
_SAMPLE: Final = "anonymous-0123456789abcdef0123456789abcdef"


def treat(
    table: TableFacts, column: Column, category: str, trial: Trial, *, fixed: str = "", referring: bool = False
) -> Treatment:
    """The first strategy that the column takes.

    Args:
        table: the column's table.
        column: the column, as the connector sees it.
        category: what it holds.
        trial: asks the database.
        fixed: why it must not change, if it must not.
        referring: whether it is part of a foreign key, so that only nothing can stand there instead.
    """
    if fixed:
        return Treatment(Strategy.RETAIN, doubt=fixed)
    checks = tuple(check for check in table.checks if mentions(check, column.name))
    several = [check for check in checks if sum(mentions(check, other) for other in table.columns) > 1]
    untold: Treatment | None = None
    for candidate in _candidates(table, column, category):
        if referring and candidate.strategy is not Strategy.NULL:
            continue
        fits = _fits(table, column, candidate, checks, trial)
        if fits:
            doubt = "a CHECK over several columns may refuse this" if several else ""
            return replace(candidate, doubt=doubt)
        if fits is None and untold is None:
            untold = replace(candidate, doubt="its CHECK cannot be tried here: see that it takes this")
    return untold or Treatment(Strategy.RETAIN, doubt="no strategy fits its type and constraints")


def mentions(check: str, column: str) -> bool:
    """Whether the text of a CHECK speaks of a column."""
    return re.search(rf'(?<![\w"]){re.escape(column)}(?![\w"])|"{re.escape(column)}"', check) is not None


_CONSTANTS: Final[Mapping[str, tuple[str | int | bool, ...]]] = {
    "text": ("erased", "", "0000000000"),
    "bool": (False,),
    "integer": (0, 1),
    "numeric": (0, 1),
    "json": ("{}", "[]"),
    "bytes": ("",),
}
"""By kind of column, what may stand there instead, the plainest first."""
_NOTHING_SAID: Final = frozenset(
    {"unknown", "none", "other", "undisclosed", "not_specified", "unspecified", "unbekannt"}
)
"""Labels of an enum that say nothing about anybody."""


def _candidates(table: TableFacts, column: Column, category: str) -> Iterator[Treatment]:
    facts = table.columns[column.name]
    if category in _ANONYMISED:
        yield Treatment(Strategy.ANONYMISE)
    if column.nullable and column.name not in table.one_null:
        yield Treatment(Strategy.NULL)
    if not table.in_unique(column.name):
        if facts.kind in {"date", "timestamp", "inet"}:
            yield Treatment(Strategy.GENERALISE, to="network" if facts.kind == "inet" else "decade")
        values: Iterable[str | int | bool] = _CONSTANTS.get(facts.kind, ())
        if category == "user.contact.email" and facts.kind == "text":
            values = (*values, "erased@example.invalid")
        elif facts.kind == "enum":
            values = sorted(label for label in facts.labels if label.lower() in _NOTHING_SAID)
        elif facts.written.endswith("[]"):
            values = ("{}",)
        elif facts.written == "tsvector":
            values = ("",)
        yield from (Treatment(Strategy.CONSTANT, value) for value in values)
    yield Treatment(Strategy.ANONYMISE)


def _fits(
    table: TableFacts, column: Column, candidate: Treatment, checks: tuple[str, ...], trial: Trial
) -> bool | None:
    write = Write(field=column.name, strategy=candidate.strategy, value=candidate.to or candidate.value)
    try:
        dirty(column, write, sql_column(column.name, column.type))
    except NeedsHuman:
        return False
    written = list(_written(column, candidate))
    if column.limit is not None and any(isinstance(v, str) and len(v) > column.limit for v in written):
        return False
    if not checks and not table.columns[column.name].domain and table.columns[column.name].written != "tsvector":
        return True
    said = {trial.takes(table, column.name, value, checks) for value in written}
    return False if False in said else None if None in said else True


def _written(column: Column, candidate: Treatment) -> Iterator[Any]:
    """What the strategy will write, as far as it is known beforehand."""
    match candidate.strategy:
        case Strategy.NULL:
            yield None
        case Strategy.CONSTANT:
            yield candidate.value
        case Strategy.ANONYMISE if column.family.value == "uuid":
            yield "616e6f6e-0000-4000-8000-000000000000"
        case Strategy.ANONYMISE:
            room = len(_SAMPLE) if column.limit is None else column.limit - len(ADDRESS)
            yield _SAMPLE[:room]
            yield _SAMPLE[:room] + ADDRESS
        case Strategy.GENERALISE if candidate.to in {"year", "month", "decade"}:
            yield "1980-01-01"
