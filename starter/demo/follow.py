"""The requests followed to their end, and the vendors' clock moved on when there is nothing left but to wait for them.

The one rule: it only reads, and moves the stand-in's clock; the engine is told nothing of that.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from ledger.ledger import Ledger
from ledger.standing import Standing
from rights.plan import Operation
from rights.receipt import Certainty, Outcome, Receipt, newest
from rights.request import Right
from starter.desk import now
from starter.exits import Exit, Failure
from starter.pages import show_page, waits_for
from starter.show import Cell, Page, out, render, screen
from starter.stack import Vendors
from starter.watch import dated_changes, live_page

LIMIT: Final = 90.0
"""Seconds that the two requests may take; they take a quarter of it."""
POLL: Final = 0.15
SLOW: Final = "analytics"
"""The system that takes days."""

Tell = Callable[[Sequence[Standing], Page | None], None]
"""Shows how the requests stand, and whatever else there is to say."""


def follow(ledger: Ledger, submitted: Mapping[Right, str], vendors: Vendors) -> dict[Right, Standing]:
    """Show how the requests go on until they are closed.

    Raises:
        Failure: one of them waits for a person, or takes too long.
    """
    until = time.monotonic() + LIMIT
    calendar = Calendar(vendors)
    show = _on_terminal if sys.stdout.isatty() else _in_lines
    with show() as tell:
        while True:
            standings = {right: ledger.standing(request) for right, request in submitted.items()}
            # What is shown is what was so before the clock moved.
            tell(list(standings.values()), None)
            if not any(standing.request.phase.open for standing in standings.values()):
                return standings
            if moved := calendar.turn(standings):
                tell(list(standings.values()), moved)
            for standing in standings.values():
                if code := waits_for(standing):
                    out(show_page(standing, {}, now(), standing.request.clock.zone))
                    raise Failure(Exit.WAITING, f"the {standing.request.right} request waits for a person: {code}")
            if time.monotonic() > until:
                raise Failure(Exit.BAD, f"the requests were not closed within {LIMIT:.0f} s")
            time.sleep(POLL)


class Calendar:
    """Moves the vendors' clock by a day, and then by thirty."""

    def __init__(self, vendors: Vendors) -> None:
        self._vendors = vendors
        self._turns = [
            ("P1D", _export_is_awaited, "a day passes at the vendors: Amplitude makes the export of its events"),
            ("P30D", _only_the_vendor_is_awaited, "30 days pass at the vendors: Amplitude runs its deletion job"),
        ]

    def turn(self, standings: Mapping[Right, Standing]) -> Page | None:
        """Move it if its time has come; what to say of that."""
        if not self._turns or not self._turns[0][1](standings):
            return None
        by, _, why = self._turns.pop(0)
        today = self._vendors.advance(by)[:10]
        return Page().line(Cell(f"⏩ {why}. Their stand-in's clock was moved; it says {today}.", "strong"), indent=2)


def _export_is_awaited(standings: Mapping[Right, Standing]) -> bool:
    given = newest(standings[Right.ACCESS].receipts, Operation.EXPORT).get(SLOW)
    return given is not None and given.outcome is Outcome.PENDING


def _only_the_vendor_is_awaited(standings: Mapping[Right, Standing]) -> bool:
    """The export is fetched, which does not last for 30 days, and all but the vendor's job is verified."""
    erased = newest(standings[Right.ERASURE].receipts, Operation.ERASE)
    seen = newest(standings[Right.ERASURE].receipts, Operation.VERIFY)
    waits = SLOW in erased and is_accepted(erased[SLOW])
    return waits and not standings[Right.ACCESS].request.phase.open and erased.keys() - {SLOW} <= seen.keys()


def is_accepted(receipt: Receipt) -> bool:
    """The system has taken the work on, and not yet said that it is done."""
    return receipt.outcome is Outcome.PENDING and receipt.certainty is Certainty.ACCEPTED


@contextmanager
def _on_terminal() -> Iterator[Tell]:
    from rich.console import Group
    from rich.live import Live

    with Live(console=screen(), auto_refresh=False, transient=True) as live:

        def tell(standings: Sequence[Standing], page: Page | None) -> None:
            if page:
                live.console.print(render(page))
            live.update(Group(*(render(live_page(s)) for s in standings)), refresh=True)

        yield tell


@contextmanager
def _in_lines() -> Iterator[Tell]:
    told: set[tuple[str, ...]] = set()

    def tell(standings: Sequence[Standing], page: Page | None) -> None:
        if page:
            out(page)
        for standing in standings:
            right, since = str(standing.request.right), standing.request.clock.received_at
            for at, (about, outcome, numbers) in dated_changes(standing):
                if (right, about, outcome, numbers) not in told:
                    told.add((right, about, outcome, numbers))
                    line = f"{(at - since).total_seconds():5.1f} s  {right:<7}  {about:<19}  {outcome:<18}  {numbers}"
                    out(Page().line(line.rstrip(), indent=2))

    yield tell
