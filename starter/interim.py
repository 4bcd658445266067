"""An interim answer: what a person sends to the asker when the whole answer will be late.

The one rule: it says what is so and no more. Nothing here sends it, and nothing says that it was sent but a person.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ledger.requestrow import RequestRow
from rights.audience import State, Told
from rights.receipt import Certainty
from rights.request import Right
from starter.show import Page, day, plural

SURE: Final[Mapping[Right, Mapping[Certainty, str]]] = {
    Right.ERASURE: {
        Certainty.VERIFIED: "erased; we have looked again and found nothing left",
        Certainty.COMPLETED: "the system reports the erasure as done; we have not been able to look again yet",
        Certainty.ATTESTED: "reported as done; there is no way for us to look again",
    },
    Right.RESTRICTION: {
        Certainty.VERIFIED: "restricted; we have looked again, and nobody but us gets at it",
        Certainty.ATTESTED: "locked away by hand",
    },
    Right.RECTIFICATION: {
        Certainty.VERIFIED: "corrected; we have looked again, and it says so",
        Certainty.COMPLETED: "corrected",
        Certainty.ATTESTED: "corrected by hand",
    },
    Right.ACCESS: {
        Certainty.COMPLETED: "your data was collected and comes with the whole answer",
        Certainty.ATTESTED: "your data was collected by hand and comes with the whole answer",
    },
}


def interim_document(row: RequestRow, told: tuple[Told, ...], asked: bool) -> dict[str, Any]:
    """The answer as JSON. `asked`: its day has come."""
    return {
        "request_id": row.id,
        "right": row.right,
        "received_at": row.clock.received_at,
        "interim_due": row.clock.interim_due,
        "legal_due": row.clock.legal_due,
        "asked": asked,
        "systems": [one.model_dump(mode="json") for one in told],
        "text": list(_lines(row, told)),
    }


def interim_page(row: RequestRow, told: tuple[Told, ...]) -> Page:
    """The text to send."""
    page = Page()
    for line in _lines(row, told):
        page.line(line)
    return page


def _lines(row: RequestRow, told: tuple[Told, ...]) -> Iterator[str]:
    zone = row.clock.zone
    yield f"Your {row.right} request, received {day(row.clock.received_at, zone)}: how it stands."
    yield "This is not the whole answer. We go on, and you will be told of the rest."
    for one in told:
        yield f"- {one.system}: {_standing(one, row.right)}"
        yield from kept_lines(one)
    if not row.confirmed:
        yield "We have not been able to confirm yet that it is you who asks."
    left = [one.system for one in told if one.state in {State.ACCEPTED, State.OUTSTANDING}]
    if left:
        yield f"Outstanding: {', '.join(left)}."
    yield f"By law an answer is due {day(row.clock.legal_due, zone)}."


def kept_lines(one: Told) -> Iterator[str]:
    """What stays in a system, on which ground and until when."""
    for kept in one.kept:
        until = f"until {kept.until}" if kept.until else "until a day that is not known yet"
        yield f"  {plural(kept.rows, 'record')} kept, {until}: {kept.ground}"
    if one.kept and one.locked:
        yield "  Until then it is locked away: it is used for nothing but what it is kept for."


def _standing(one: Told, right: Right) -> str:
    found = f" ({plural(one.found, 'record')} found)" if one.found else ""
    match one.state:
        case State.NOTHING_FOUND:
            return "we have looked and found nothing on you"
        case State.DONE:
            said = SURE.get(right, {}).get(one.certainty, "done") if one.certainty else "done"
            return said + (", but for what is kept" if one.kept and one.certainty is Certainty.VERIFIED else "") + found
        case State.ACCEPTED:
            return f"the system has taken the work on; it is not done. We ask again on {one.ask_again}{found}"
        case State.OUTSTANDING:
            return f"not done yet{found}"
