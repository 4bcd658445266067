"""What a connector gives, cut to the days of a decision before it lies anywhere.

The one rule: a row that is not known to be of these days is not in the spool, but where counsel has said that rows
without a day go as well. A line that stays is kept byte for byte.
"""

from collections.abc import Iterator
from dataclasses import replace
from zoneinfo import ZoneInfo

import orjson

from activities.spool import BadExport
from connectors.protocol import Export
from rights.authorities import Demand
from rights.datamap import System
from rights.demanddays import Days, dated_by, falls_in


def only_days(exports: Iterator[Export], demand: Demand, system: System) -> Iterator[Export]:
    """Exports of JSON lines without the rows of other days. Files have no day, and stay."""
    days, zone = demand.scope.days, ZoneInfo(demand.zone)
    for export in exports:
        if days is None:
            yield export
        elif export.name:
            for _ in export.pages:
                pass
        else:
            fields = demand.scope.given(system, export.collection)
            field = dated_by(system.collections[export.collection], fields)
            pages = _cut(export, days, field, zone, undated=demand.scope.undated)
            yield replace(export, pages=pages)


def _cut(export: Export, days: Days, field: str | None, zone: ZoneInfo, *, undated: bool) -> Iterator[bytes]:
    for line in _lines(export.pages):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise BadExport(f"{export.collection}: a line is no JSON") from None
        if not isinstance(row, dict):
            raise BadExport(f"{export.collection}: a line is no JSON object")
        inside = falls_in(days, row.get(field), zone) if field else None
        if inside or (inside is None and undated):
            yield line + b"\n"


def _lines(pages: Iterator[bytes]) -> Iterator[bytes]:
    """Lines, wherever pages are cut."""
    rest = b""
    for page in pages:
        *whole, rest = (rest + page).split(b"\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest
