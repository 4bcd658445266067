"""Appeals: deciding on one, and carrying the request out anew where it was reversed.

The one rule: safe to do twice. What was decided before is carried on from where it stopped.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ledger.appeals import Appeal
from ledger.errors import KeyGoneError, LedgerRefusal
from ledger.ledger import Ledger
from ledger.people import DETAILS
from rights.appeals import AppealOutcome
from rights.deadlines import start_clock
from rights.erasing import stated_ground
from rights.regimes import regime
from rights.request import Right
from starter.show import Cell, Page, day


def decide(
    ledger: Ledger,
    appeal_id: str,
    outcome: AppealOutcome,
    *,
    reasons: str,
    by: str,
    at: datetime,
    seats: Sequence[str] = (),
) -> tuple[Appeal, bool]:
    """Decide on an appeal; where the answer is reversed, receive the request anew, by the person who has proven who
    they are. The appeal after it, and whether this call has decided it. `seats` are those of whoever decides.

    Raises:
        LedgerRefusal: it cannot be decided so, or what is needed to carry it out anew was destroyed.
    """
    fresh = ledger.decide_appeal(appeal_id, outcome, at=at, reasons=reasons, by=by, seats=seats)
    appeal = ledger.appeal(appeal_id)
    if outcome is not AppealOutcome.UPHELD and appeal.redone_by is None:
        _redo(ledger, appeal, at)
    return ledger.appeal(appeal_id), fresh


def _redo(ledger: Ledger, appeal: Appeal, at: datetime) -> None:
    row = ledger.request(appeal.request_id)
    try:
        people = ledger.identities(appeal.request_id)
        details = ledger.unseal(appeal.request_id, "working", DETAILS)
        # One that carries another out has a mark of the engine's where an asker's details are.
        asked = row.right is Right.ERASURE and not ledger.limited(row.id)
        said = ledger.details(row.id, row.right) if asked else None
    except (KeyGoneError, LedgerRefusal):
        raise LedgerRefusal(
            "the decision is recorded, but the identities of the request were destroyed by now: open it anew by hand "
            "(habeas request open)"
        ) from None
    clock, *further = (
        start_clock(regime(law), at, row.clock.zone, row.clock.holidays, row.right) for law in row.regimes
    )
    opened = ledger.open_request(
        row.right,
        clock.regime,
        people,
        clock,
        further=further,
        received_at=at,
        idempotency_key=f"appeal/{appeal.id}",
        confirmed=row.confirmed,
        details=details,
        ground=stated_ground(row.right, said),
    )
    ledger.note_redone(appeal.id, opened.request_id, at=at)


def appeal_document(appeal: Appeal, now: datetime) -> dict[str, Any]:
    """An appeal as JSON."""
    clock = appeal.clock
    return {
        "id": appeal.id,
        "request_id": appeal.request_id,
        "received_at": appeal.received_at,
        "regime": clock.regime,
        "internal_due": clock.internal_due,
        "legal_due": clock.legal_due,
        "notice_by": clock.notice_by,
        "extended": clock.extended,
        "risk": clock.risk(now) if appeal.open else None,
        "closed_at": appeal.closed_at,
        "outcome": appeal.outcome,
        "redone_by": appeal.redone_by,
    }


def appeal_page(appeal: Appeal, now: datetime) -> Page:
    """An appeal to be read."""
    clock = appeal.clock
    page = Page().heading(f"Appeal {appeal.id} against the answer to request {appeal.request_id}")
    pairs: list[tuple[str, str | Cell]] = [
        ("received", day(appeal.received_at, clock.zone)),
        ("due", Cell(day(clock.internal_due, clock.zone), "strong")),
        ("due by law", f"{day(clock.legal_due, clock.zone)} ({clock.regime}{', extended' if clock.extended else ''})"),
        ("stands", str(appeal.outcome or clock.risk(now)).replace("_", " ")),
    ]
    if appeal.redone_by:
        pairs.append(("carried out anew", f"habeas request show {appeal.redone_by}"))
    return page.pairs(pairs)
