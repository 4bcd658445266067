"""Who is owed an answer, for whoever watches from outside: a page, JSON, a line for a monitor, numbers for Prometheus.

The one rule: it reads the ledger and nothing else, so it tells what is late when nothing else runs any more.
"""

import os
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from ledger.due import Owed
from ledger.ledger import Ledger
from rights.board import UNSENT
from starter.endpoint import Handler
from starter.gauges import exposition, past_due
from starter.pages import RISK_TONE
from starter.show import Cell, Page, day, plural

MOST: Final = 50
"""Requests that a page lists; JSON has all."""
PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_TEXT: Final = "text/plain; charset=utf-8"


class Watched(NamedTuple):
    """What was found."""

    now: datetime
    days: int
    owed: Sequence[Owed]
    """Overdue, or due within so many days; a clock that stands still makes nobody late."""
    backlog: int
    """Messages that wait for Temporal: it grows while no worker runs."""

    @property
    def overdue(self) -> list[Owed]:
        return past_due(self.owed, self.now)

    @property
    def soon(self) -> list[Owed]:
        late = {one.request.id for one in self.overdue}
        return [one for one in self.owed if one.request.id not in late and one.request.clock.legal_due >= self.now]


def watched_document(seen: Watched) -> dict[str, Any]:
    """As JSON."""
    return {
        "at": seen.now,
        "days": seen.days,
        "overdue": len(seen.overdue),
        "due": len(seen.soon),
        "backlog": seen.backlog,
        "requests": [
            {
                "id": one.request.id,
                "right": one.request.right,
                "regimes": one.request.regimes,
                "phase": one.request.phase,
                "internal_due": one.request.clock.internal_due,
                "legal_due": one.request.clock.legal_due,
                "risk": one.request.clock.risk(seen.now),
                "unsent": one.unsent,
            }
            for one in (*seen.overdue, *seen.soon)
        ],
    }


def watched_page(seen: Watched, zone: str) -> Page:
    """As a page."""
    late, soon = seen.overdue, seen.soon
    page = Page()
    page.mark(not late, f"{plural(len(late), 'request')} past the legal due date")
    page.mark(not soon, f"{plural(len(soon), 'request')} due within {plural(seen.days, 'day')}")
    if seen.backlog:
        page.line(f"{plural(seen.backlog, 'message')} not delivered to Temporal: if it grows, no worker runs", indent=2)
    ones = [*late, *soon]
    if ones:
        page.grid(
            ("request", "right", "law", "is", "due by law"),
            (
                (
                    one.request.id,
                    str(one.request.right),
                    ", ".join(one.request.regimes),
                    UNSENT.replace("_", " ") if one.unsent else str(one.request.phase),
                    Cell(day(one.request.clock.legal_due, zone), RISK_TONE[one.request.clock.risk(seen.now)]),
                )
                for one in ones[:MOST]
            ),
        )
    if len(ones) > MOST:
        page.line(f"{len(ones) - MOST:,} more: --json has all", indent=2)
    return page


def monitor_line(seen: Watched) -> tuple[int, str]:
    """As a plugin of Nagios says it: exit code and line. Overdue is critical, due soon a warning."""
    late, soon = len(seen.overdue), len(seen.soon)
    code = 2 if late else 1 if soon else 0
    word = ("OK", "WARNING", "CRITICAL")[code]
    said = f"DEADLINES {word} - {late} overdue, {soon} due within {plural(seen.days, 'day')}"
    return code, f"{said} | overdue={late};;0;0 due={soon};0;;0 backlog={seen.backlog};;;0"


def keep_metrics(file: Path, ledger: Ledger) -> None:
    """Put the numbers into a file, whole at every moment, as the textfile collector of the node exporter wants them.

    Raises:
        OSError: it cannot be written.
    """
    text = exposition(ledger)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(text)
        # As other files are: the collector runs as somebody else.
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


class Numbers(Handler):
    """Answers /metrics, and /livez; its server serves the ledger."""

    def do_GET(self) -> None:
        """Tell the numbers, or that the ledger does not answer."""
        match self.path.split("?")[0]:
            case "/livez":
                self.say(200, b"alive\n", _TEXT)
            case "/metrics":
                try:
                    text = exposition(self.server.serves)
                except Exception as error:  # noqa: BLE001 - a scrape that fails is seen by who scrapes
                    self.server.log.warning("metrics_fail", error=type(error).__qualname__)
                    self.say(503, b"the ledger does not answer\n", _TEXT)
                else:
                    self.say(200, text, PROMETHEUS)
            case _:
                self.say(404, b"here are /metrics and /livez\n", _TEXT)

    do_HEAD = do_GET
