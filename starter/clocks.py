"""The clocks of a request, as JSON and as a page.

The one rule: every date is said with the law it follows from, and the earliest of all stands first.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ledger.requestrow import RequestRow
from rights.clockwork import ClockEvent
from rights.deadlines import Clock
from starter.show import Cell, Page, day


def clocks_document(row: RequestRow, events: Sequence[ClockEvent], now: datetime) -> dict[str, Any]:
    """All clocks and what has moved them, as JSON."""
    return {
        "request_id": row.id,
        "received_at": row.clock.received_at,
        "internal_due": row.clock.internal_due,
        "legal_due": row.clock.legal_due,
        "risk": row.clock.risk(now) if row.phase.open else None,
        "clocks": [_document(clock) for clock in row.clocks],
        "events": [event.model_dump(mode="json", exclude_defaults=True) for event in events],
    }


def _document(clock: Clock) -> dict[str, Any]:
    names = ("regime", "ruleset", "internal_due", "legal_due", "acknowledge_by", "notice_by", "extended", "still_since")
    return {name: getattr(clock, name) for name in names}


def clocks_page(row: RequestRow, events: Sequence[ClockEvent], now: datetime) -> Page:
    """The same to be read."""
    zone = row.clock.zone
    page = Page().heading(f"The clock of {row.right} request {row.id}")
    page.pairs(
        (
            ("received", day(row.clock.received_at, zone)),
            ("due", Cell(day(row.clock.internal_due, zone), "strong")),
            ("due by law", day(row.clock.legal_due, zone)),
            ("now", str(row.clock.risk(now)) if row.phase.open else str(row.phase)),
        )
    )
    columns = ("law", "due", "due by law", "extension notice by", "acknowledge by", "")
    page.grid(columns, [_line(clock) for clock in row.clocks])
    if events:
        page.heading("What has moved it")
        page.pairs((str(event.day), _happened(event)) for event in events)
    return page


def _line(clock: Clock) -> tuple[str | Cell, ...]:
    dates = (clock.internal_due, clock.legal_due, clock.notice_by, clock.acknowledge_by)
    stands = Cell(f"stands still since {clock.still_since}", "warn") if clock.still_since else ""
    return (
        clock.regime,
        *(day(moment, clock.zone) if moment else "-" for moment in dates),
        stands or ("extended" if clock.extended else ""),
    )


def _happened(event: ClockEvent) -> str:
    ground = f": {event.ground}" if event.ground else ""
    until = f", until {event.until}" if event.until else ""
    return f"{str(event.turn).replace('_', ' ')}{ground}{until}"
