"""Things the ledger's tests are made of, with good defaults."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.ledger import Ledger
from ledger.requests import Opened
from rights.datamap import DataMap, System
from rights.deadlines import Clock, start_clock
from rights.plan import Operation, Step
from rights.receipt import Certainty, Count, Outcome, Receipt, Tally
from rights.regimes import regime
from rights.request import Conclusion, Phase, Right
from rights.subject import Identity

AT = datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)
"""Now, for the tests."""
BACKUPS = timedelta(days=35)
"""How long backups of the ledger are kept."""
ANNA = (Identity("email", "Anna.Berg@example.org"), Identity("customer_id", "4711"))
OTTO = (Identity("email", "otto@example.org"),)


def later(**by: float) -> datetime:
    """A moment after `AT`."""
    return AT + timedelta(**by)


def a_clock(received_at: datetime = AT) -> Clock:
    """What a door computes."""
    return start_clock(regime("eu-gdpr"), received_at, "Europe/Berlin")


def open_one(
    ledger: Ledger,
    identities: tuple[Identity, ...] = ANNA,
    *,
    right: Right = Right.ERASURE,
    at: datetime = AT,
    **more: Any,
) -> Opened:
    """Open a request."""
    return ledger.open_request(right, "eu-gdpr", identities, a_clock(at), received_at=at, **more)


def opened_id(ledger: Ledger, *phases: Phase, **more: Any) -> str:
    """Open a request and take it along some phases; its id."""
    request_id = open_one(ledger, **more).request_id
    for phase in phases:
        ledger.move(request_id, phase, at=AT)
    return request_id


def close_one(
    ledger: Ledger,
    request_id: str,
    conclusion: Conclusion = Conclusion.ANSWERED,
    *,
    at: datetime = AT,
    working_days: float = 30,
    days: float | None = None,
    **more: Any,
) -> None:
    """Close a request. `days`: all that it knows is kept so long, and no longer."""
    kept = {"working": working_days, "file": 1000, "parcel": 14, "disputed": 180}
    until: dict[str, Any] = {
        f"{name}_until": at + timedelta(days=of if days is None else days) for name, of in kept.items()
    }
    ledger.close(request_id, conclusion, books={}, at=at, **until, **more)


def a_step(request_id: str, operation: Operation = Operation.ERASE, *, system: str = "shop", round: int = 0) -> Step:
    """One step."""
    return Step(request_id=request_id, system=system, operation=operation, round=round)


def a_tally(**found: int) -> Tally:
    """Rows found per collection."""
    return Tally(counts=tuple(Count(collection=name, found=rows) for name, rows in found.items()))


def erased(**rows: int) -> Tally:
    """Rows erased per collection."""
    return Tally(counts=tuple(Count(collection=name, erased=n) for name, n in rows.items()))


def a_receipt(step: Step, outcome: Outcome = Outcome.DONE, *, at: datetime = AT, **found: int) -> Receipt:
    """What happened to a step."""
    certainty = Certainty.COMPLETED if outcome.settled else None
    return Receipt(step=step, outcome=outcome, certainty=certainty, tally=a_tally(**found), at=at)


def enter(ledger: Ledger, request_id: str, *, system: str = "shop", **changes: Any) -> str:
    """Pass the fence."""
    given: dict[str, Any] = {
        "planned": {"customers": 1},
        "look": a_tally(customers=1),
        "at": AT,
        "limit": timedelta(minutes=5),
        "max_people_per_hour": 100,
    }
    return ledger.enter_fence(request_id, system, f"{request_id}/{system}/erase/0", **(given | changes))


def release(ledger: Ledger, hold_id: str, *, at: datetime = AT, file_until: datetime = AT) -> None:
    """Let go of a hold, as two people do."""
    for by in ("s-1", "s-2"):
        ledger.release_hold(hold_id, by=by, at=at, file_until=file_until)


def a_map(owner: str = "shop team") -> DataMap:
    """A small data map."""
    system: Mapping[str, Any] = {
        "system": "shop",
        "owner": owner,
        "connector": "memory",
        "collections": {
            "customers": {
                "key": ["id"],
                "fields": {"id": {}, "email": {"category": "contact", "identity": "email"}},
            }
        },
    }
    return DataMap.of({"shop": System.model_validate(system)})
