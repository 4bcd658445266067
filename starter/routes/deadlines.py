"""Deadlines: what is due, and each law's own arithmetic.

The one rule: a date is computed by the law's own terms from what is given, and from nothing else.
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from ledger.requestrow import RequestRow
from rights.reckoning import Events, Question, reckon
from rights.regimes import SHIPPED, regime
from rights.request import Right
from starter.access import Action, Caller
from starter.changing import said
from starter.cursors import DEFAULT, Cursor, Limit, behind, no_cursor, page
from starter.deadlines import dates_document, laws_document, public_holidays
from starter.desk import now
from starter.doorkeeper import At, needs
from starter.exits import Failure
from starter.pages import request_document
from starter.problems import Problem, ProblemCode, answers
from starter.routes.requests import RequestLine

router = APIRouter(prefix="/v1", tags=["deadlines"])

Reader = Annotated[Caller, Depends(needs(Action.READ_DEADLINES))]
Day = Annotated[date | None, Query()]


class Due(BaseModel):
    """What is due, the most pressing first; what is overdue among it."""

    requests: list[RequestLine]
    next: str | None


class Dates(BaseModel):
    """All dates of a law for what was given; null where the law has none, or while the clock stands still."""

    model_config = ConfigDict(extra="allow")

    regime: str
    due: date | None
    legal_due: date | None
    internal_due: date | None


class Laws(BaseModel):
    """The laws that the engine knows."""

    regimes: list[dict[str, Any]]


@router.get("/deadlines/due", operation_id="list_due", response_model=Due, responses=answers(ProblemCode.UNUSABLE))
def due(
    at: At,
    caller: Reader,
    days: Annotated[int, Query(ge=0, le=3650, description="Due by law within so many days.")] = 7,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """Open requests that are due by law within some days, the most pressing first; what is overdue among them."""
    moment, place = now(), behind("requests-due", cursor, 2)
    rows = at.ledger.due(moment + timedelta(days=days), after=_after(place), limit=limit + 1)
    found = page("requests-due", rows, limit, _where, lambda row: request_document(row, moment))
    return said({"requests": found["requests-due"], "next": found["next"]})


@router.get("/regimes", operation_id="list_regimes", response_model=Laws, responses=answers())
def regimes(caller: Reader) -> Response:
    """The laws that the engine knows, each with its terms and how sure we are of them."""
    return said(laws_document([regime(name) for name in sorted(SHIPPED)]))


@router.get(
    "/regimes/{name}/deadlines",
    operation_id="compute_deadlines",
    response_model=Dates,
    responses=answers(ProblemCode.NOT_FOUND, ProblemCode.UNUSABLE),
)
def compute(
    name: Annotated[str, Path(description="A law, such as eu-gdpr.")],
    caller: Reader,
    received: Annotated[date, Query(description="The day of receipt, in the controller's zone.")],
    right: Right | None = None,
    holiday: Annotated[list[date] | None, Query(max_length=200)] = None,
    calendar: Annotated[str | None, Query(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$", examples=["DE-BY"])] = None,
    extended: Annotated[bool, Query(description="A notice of extension was sent in time.")] = False,
    identity_asked: Day = None,
    identity_received: Day = None,
    clarification_asked: Day = None,
    clarification_received: Day = None,
    appealed: Day = None,
) -> Response:
    """Compute when an answer is due under a law, with the arithmetic."""
    if name not in SHIPPED:
        raise Problem(ProblemCode.NOT_FOUND, "there is no law of that name: GET /v1/regimes lists them")
    law = regime(name)
    events = Events(
        received=received,
        identity=_question(identity_asked, identity_received),
        clarification=_question(clarification_asked, clarification_received),
        appealed=appealed,
    )
    try:
        dates = reckon(law, events, set(holiday or ()) | public_holidays(calendar, received.year), right)
    except Failure:
        raise Problem(ProblemCode.UNUSABLE, "calendar: name a country, or a part of one, such as DE-BY") from None
    except ValueError as error:
        raise Problem(ProblemCode.UNUSABLE, str(error)) from None
    except OverflowError:
        raise Problem(ProblemCode.UNUSABLE, "a day lies too far ahead: give the day on which it happened") from None
    return said(dates_document(law, dates, extended=extended, explained=True))


def _question(asked: date | None, received: date | None) -> Question | None:
    if asked is None:
        if received is not None:
            raise Problem(ProblemCode.UNUSABLE, "say when it was asked for, where you say when it was received")
        return None
    return Question(asked, received)


def _where(row: RequestRow) -> tuple[str, str]:
    return row.clock.legal_due.isoformat(), row.id


def _after(place: list[str] | None) -> tuple[datetime, str] | None:
    if place is None:
        return None
    try:
        return datetime.fromisoformat(place[0]), place[1]
    except ValueError:
        raise no_cursor() from None
