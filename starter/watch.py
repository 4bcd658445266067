"""Following a request as the ledger has it: a live table on a terminal, a line per change elsewhere.

The one rule: it only reads; whoever stops watching stops nothing.
"""

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from ledger.ledger import Ledger
from ledger.standing import Standing
from rights.course import COURSES
from rights.plan import Operation
from rights.receipt import Certainty, Outcome, Receipt
from rights.request import Right
from starter.pages import concluded, ending, waits_for
from starter.show import MARK, Cell, Page, Text, Tone, render, screen
from starter.systems import OUTCOME_TONE

Change = tuple[str, str, str]
"""What changed, as words: about, outcome, numbers."""

SETTLES: Final = 3.0
"""Seconds that a request must wait for a person before watching ends: a decision just taken is still on its way."""
ON_ITS_WAY: Final = 60.0
"""Seconds for which it does not count as waiting while the ledger has a message that its run has not got: a worker that
is busy delivers it late, and one that does not run never does."""


def follow(
    ledger: Ledger, request_id: str, zone: str, *, as_json: bool, every: float, settles: float = SETTLES
) -> bool:
    """Follow a request to its end; True if it waits for a person instead."""
    if as_json or not sys.stdout.isatty():
        return _follow_plainly(_states(ledger, request_id, every, settles), as_json)
    return _follow_live(_states(ledger, request_id, every, settles))


def _states(ledger: Ledger, request_id: str, every: float, settles: float) -> Iterator[tuple[Standing, bool]]:
    """The standing again and again, and whether that is the end of watching."""
    seen = waiting_since = None
    while True:
        standing = ledger.standing(request_id)
        if not standing.request.phase.open:
            yield standing, True
            return
        if waits_for(standing):
            now = time.monotonic()
            seen, waiting_since = seen or now, waiting_since or now
            if now - seen < ON_ITS_WAY and ledger.backlog(request_id):
                waiting_since = None
            elif now - waiting_since >= settles:
                yield standing, True
                return
        else:
            seen = waiting_since = None
        yield standing, False
        time.sleep(every)


def _follow_plainly(states: Iterator[tuple[Standing, bool]], as_json: bool) -> bool:
    told: set[Change] = set()
    waits = ""
    for standing, over in states:
        for change in changes(standing):
            if change not in told:
                told.add(change)
                _tell(change, as_json)
        if over:
            waits = waits_for(standing)
            conclusion = standing.request.conclusion
            last = ("waits for a person", waits, "") if waits else ("closed", str(conclusion), "")
            _tell(last, as_json)
    return bool(waits)


def _tell(change: Change, as_json: bool) -> None:
    about, outcome, numbers = change
    if as_json:
        line = json.dumps({"about": about, "outcome": outcome, "numbers": numbers})
    else:
        line = "  ".join(filter(None, (f"{about:<24}", outcome, numbers)))
    sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


def changes(standing: Standing) -> list[Change]:
    """What has happened so far, in order, as words."""
    return [change for _, change in dated_changes(standing)]


def dated_changes(standing: Standing) -> list[tuple[datetime, Change]]:
    """The same, each with its time."""
    row = standing.request
    found: list[tuple[datetime, Change]] = []
    for moment, change in (
        (row.confirmed_at, ("identity", "confirmed", "")),
        (row.approved_at, ("preview", "approved", "")),
        (row.withdrawn_at, ("request", ending(standing), "")),
    ):
        if moment:
            found.append((moment, change))
    for receipt in standing.receipts:
        about = f"{receipt.step.operation} {receipt.step.system}"
        found.append((receipt.at, (about, _outcome(receipt), numbers(receipt))))
    for event in standing.events:
        if event.kind == "parcel":
            found.append((event.at, ("parcel", "packed", f"{event.body.get('rows', 0):,} rows")))
    found.sort(key=lambda one: one[0])
    return [(row.clock.received_at, ("received", str(row.right), "")), *found]


def _outcome(receipt: Receipt) -> str:
    if receipt.outcome is Outcome.PENDING and receipt.certainty is Certainty.ACCEPTED:
        return "accepted"  # the system goes on with it
    words = str(receipt.outcome).replace("_", " ")
    if receipt.step.operation is Operation.VERIFY and receipt.outcome.settled and receipt.certainty:
        words += f", {receipt.certainty}"
    return f"{words} ({receipt.code})" if receipt.code else words


def numbers(receipt: Receipt) -> str:
    """What a receipt counts, in a few words."""
    tally, operation = receipt.tally, receipt.step.operation
    if operation is Operation.ERASE:
        anonymised = sum(count.anonymised for count in tally.counts)
        parts = [f"{sum(count.erased for count in tally.counts):,} rows erased"]
        keyed = sum(count.pseudonymised for count in tally.counts)
        parts += [f"{anonymised:,} anonymised"] if anonymised else []
        parts += [f"{keyed:,} pseudonymised"] if keyed else []
        parts += [f"{tally.kept_rows:,} kept"] if tally.kept_rows else []
        return ", ".join(parts)
    if operation is Operation.VERIFY:
        kept = f", {tally.kept_rows:,} kept" if tally.kept_rows else ""
        return f"{tally.left:,} rows left{kept}"
    return f"{tally.found:,} rows"


# On a terminal.


def _steps(right: Right) -> tuple[Operation, ...]:
    """The operations of a right, in their order."""
    course = COURSES[right]
    looked = (Operation.LOCATE,) if course.locates else ()
    again = (Operation.VERIFY,) if course.act is Operation.ERASE else ()
    return (*looked, *((course.act,) if course.act else ()), *again)


def _follow_live(states: Iterator[tuple[Standing, bool]]) -> bool:
    from rich.live import Live

    waits = ""
    with Live(console=screen(), auto_refresh=False) as live:
        for standing, over in states:
            waits = waits_for(standing)
            live.update(render(live_page(standing)), refresh=True)
            if over:
                break
    return bool(waits)


def live_page(standing: Standing) -> Page:
    """A request at this moment, step by step."""
    row = standing.request
    page = Page()
    waits = waits_for(standing)
    stands: Tone = "warn" if waits else ("strong" if row.phase.open else "good")
    words = f"waits for a person: {waits}" if waits else str(row.phase)
    page.heading(Cell(f"{row.right} {row.id}  {words}", stands))
    last = {(r.step.system, r.step.operation): r for r in standing.receipts}
    systems = sorted({system for system, _ in last})
    rows: list[tuple[Text, ...]] = []
    for system in systems:
        for operation in _steps(row.right):
            receipt = last.get((system, operation))
            if receipt is None:
                rows.append((Cell("·", "quiet"), Cell(f"{operation} {system}", "quiet"), "", ""))
                continue
            tone = OUTCOME_TONE[receipt.outcome]
            mark = MARK.get(tone, "✓" if receipt.outcome is Outcome.NOTHING_HELD else "·")
            rows.append((Cell(mark, tone), f"{operation} {system}", Cell(_outcome(receipt), tone), numbers(receipt)))
    if rows:
        page.grid(("", "step", "outcome", ""), rows)
    if row.conclusion:
        page.line(Cell(concluded(row) or "", "good"), indent=2)
    return page
