"""Contact points, read by a connector that can export: through a map in which there is nothing else.

The one rule: what is read here reaches the vault, and never whoever asks.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from connectors.errors import NeedsHuman
from connectors.protocol import Call, ContactPoint, Export, Pending, Rulings
from connectors.strategies import text
from rights.codes import Code
from rights.collection import Collection
from rights.datamap import System
from rights.directory import contact_map, contact_works, own_identities

MOST: Final = 20
"""Contact points of one person. Whoever seems to have more is not one person."""

Exporting = Callable[[Call], Iterator[Export] | Pending]


class Directory:
    """The part of a system by which people are reached."""

    def __init__(self, system: System, exporting: Callable[[System], Exporting]) -> None:
        """`exporting` gives the export of a connector to the same system by another map."""
        self._system, self._exporting = system, exporting
        self._export: Exporting | None = None
        self._part = contact_map(system) if system.directory else None

    def points(self, call: Call) -> tuple[ContactPoint, ...]:
        """The contact points of who is meant.

        Raises:
            NeedsHuman: SEVERAL_PEOPLE: it is open who that is; UNSUPPORTED: the system is no directory.
        """
        if self._part is None:
            raise NeedsHuman(Code.UNSUPPORTED, self._system.system)
        call.quota("channels", 1, call.system.lookups_per_minute, timedelta(minutes=1))
        if self._export is None:
            self._export = self._exporting(self._part)
        works = contact_works(self._part)
        files = self._export(replace(call, system=self._part, work=works, anchors={}, rulings=Rulings()))
        found: list[ContactPoint] = []
        for file in () if isinstance(files, Pending) else files:
            # Every file is read to its end, as an export asks.
            data = b"".join(file.pages)
            if file.media_type == "application/x-ndjson" and not file.name:
                for line in data.splitlines():
                    found += _points(file.collection, self._part.collections[file.collection], json.loads(line))
        found = list(dict.fromkeys(found))
        if len(found) > MOST:
            raise NeedsHuman(Code.SEVERAL_PEOPLE, self._system.system)
        return tuple(found)


def _points(name: str, collection: Collection, row: dict[str, Any]) -> list[ContactPoint]:
    found: list[ContactPoint] = []
    beside = tuple(
        (kind, text(row[name]).strip()) for name, kind in own_identities(collection) if row.get(name) is not None
    )
    lines: list[str] = []
    street = ""
    when: datetime | None = None
    for column, about in collection.fields.items():
        value = text(row.get(column)).strip() if about.channel and row.get(column) is not None else ""
        if not value or not about.channel:
            continue
        changed = _moment(row.get(about.changed)) if about.changed else None
        if about.channel == "post":
            lines, street = [*lines, value], street or f"{name}.{column}"
            when = max(filter(None, (when, changed)), default=None)
        else:
            found.append(ContactPoint(about.channel, value, f"{name}.{column}", changed, beside))
    return [*found, ContactPoint("post", "\n".join(lines), street, when, beside)] if lines else found


def _moment(value: object) -> datetime | None:
    """When a contact was changed. What cannot be read counts as changed just now: one step more is asked for."""
    if value in (None, ""):
        return None
    try:
        moment = datetime.fromisoformat(text(value))
    except ValueError:
        try:
            moment = datetime.combine(date.fromisoformat(text(value)[:10]), time.max)
        except ValueError:
            return datetime.max.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
