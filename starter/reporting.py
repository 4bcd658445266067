"""The reports, made from a ledger, a data map and a register: what the command line and the API both call.

The one rule: one function a report, with the same arguments; whatever a report is made from is named in its stamp, and
the same stamp is the same report.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson

from ledger.head import Head
from ledger.ledger import Ledger
from rights.board import Board, board
from rights.datamap import DataMap
from rights.metrics import Line
from rights.population import Population, population
from rights.recipients import Register
from rights.reports import Period, Stamp
from rights.ropa import Controller, Ropa, ropa
from rights.value import Value
from rights.yearly import Annual, annual
from starter.desk import Desk


class Recorded(Value):
    """The register of requests: a line for each request that came in in the period and each law it is asked under."""

    stamp: Stamp
    lines: tuple[Line, ...]


Report = Board | Recorded | Annual | Ropa | Population


class Sources(NamedTuple):
    """What reports are made from."""

    ledger: Ledger
    data_map: DataMap
    register: Register
    zone: str
    controller: Controller


def sources(at: Desk) -> Sources:
    """What the reports of a deployment are made from."""
    office = at.settings.letters
    who = Controller(name=office.controller, address=office.address, dpo=office.dpo) if office else Controller()
    return Sources(at.ledger, at.data_map, at.register, at.zone, who)


def board_report(of: Sources, period: Period, head: int | None = None, *, for_counsel: bool = False) -> Board:
    """Volume, pace, what is overdue and why, extensions, refusals, holds by age, what is not known.

    `for_counsel` adds holds that must stay secret: only for whom `holds:read-secret` is open (starter/access.py).

    Raises:
        LedgerRefusal: the journal has no such entry.
    """
    at, facts = of.ledger.board_facts(period, head)
    return board(_stamp(of, "board", period, at), facts, of.register, for_counsel=for_counsel)


def register_lines(of: Sources, period: Period, head: int | None = None) -> tuple[Stamp, Iterator[Line]]:
    """A line for each request, by its id, read as they are taken. Raises as `board_report` does."""
    at, lines = of.ledger.lines_at(period.first, period.last, head)
    return _stamp(of, "register", period, at), lines


def register_report(of: Sources, period: Period, head: int | None = None, *, for_counsel: bool = False) -> Recorded:
    """The same, held in memory. Nothing in it is only for counsel."""
    stamp, lines = register_lines(of, period, head)
    return Recorded(stamp=stamp, lines=tuple(lines))


def annual_report(of: Sources, period: Period, head: int | None = None, *, for_counsel: bool = False) -> Annual:
    """California's numbers. Raises as `board_report` does; nothing in it is only for counsel."""
    at, lines = of.ledger.lines_at(period.first, period.last, head)
    return annual(_stamp(of, "annual-ccpa", period, at), lines)


def ropa_report(of: Sources, period: Period, head: int | None = None, *, for_counsel: bool = False) -> Ropa:
    """The record of processing activities. Raises as `board_report` does; nothing in it is only for counsel."""
    at, maps = of.ledger.maps_in(period, of.zone, head)
    return ropa(_stamp(of, "ropa", period, at), of.data_map, of.register, of.controller, maps)


def population_report(of: Sources, period: Period, head: int | None = None, *, for_counsel: bool = False) -> Population:
    """Statistics to be published. Raises as `board_report` does; nothing in it is only for counsel."""
    at, cases = of.ledger.cases(head)
    return population(_stamp(of, "population", period, at), cases)


REPORTS: Final[Mapping[str, Callable[..., Report]]] = MappingProxyType(
    {
        "board": board_report,
        "register": register_report,
        "annual-ccpa": annual_report,
        "ropa": ropa_report,
        "population": population_report,
    }
)
"""By name. Each takes (sources, period, head=None, *, for_counsel=False)."""


def document_of(report: Report) -> str:
    """A report as JSON: the same report gives the same bytes."""
    written = orjson.dumps(report.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return written.decode()


def document_pieces(stamp: Stamp, lines: Iterable[Line]) -> Iterator[str]:
    """The register as JSON, byte for byte as `document_of` has it, piece by piece."""
    opened, closed = document_of(Recorded(stamp=stamp, lines=())).rsplit("[]", 1)
    yield f"{opened}["
    between = ""
    for line in lines:
        written = orjson.dumps(line.model_dump(mode="json"), option=orjson.OPT_INDENT_2).decode()
        # No text of JSON has a line break in it.
        yield f"{between}\n{written}".replace("\n", "\n    ")
        between = ","
    yield f"\n  ]{closed}" if between else f"]{closed}"


def _stamp(of: Sources, report: str, period: Period, at: Head) -> Stamp:
    return Stamp(
        report=report,
        period=period,
        head=at.seq,
        digest=at.digest,
        as_of=at.at,
        data_map=of.data_map.digest,
        register_digest=_digest(of.register.model_dump(mode="json", exclude_defaults=True)),
        settings_digest=_digest({"controller": of.controller.model_dump(mode="json"), "zone": of.zone}),
        program=_version(),
    )


@cache
def _version() -> str:
    return version("habeas")


def _digest(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
