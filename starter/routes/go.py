"""From a question to the list of the Temporal Web UI that answers it: addresses that can be kept as bookmarks.

The one rule: it leads to the Web UI of the settings and nowhere else; of what was typed only a number or a word from a
closed list goes along.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import RedirectResponse

from starter.access import Action
from starter.desk import now
from starter.doorkeeper import At, needs
from starter.lists import LONGEST, ListError, Lists, lists_of
from starter.problems import Problem, ProblemCode, answers

_ANSWERS: Final = {
    302: {"description": "The list, in the Temporal Web UI"},
    **answers(ProblemCode.UNUSABLE, ProblemCode.REFUSED),
}

router = APIRouter(
    prefix="/go",
    tags=["lists"],
    dependencies=[Depends(needs(Action.READ_DEADLINES))],
    responses=_ANSWERS,
    default_response_class=RedirectResponse,
)


def _lists(at: At) -> Lists:
    found = lists_of(at.settings)
    if found is None:
        raise Problem(ProblemCode.REFUSED, "this deployment names no Temporal Web UI: have temporal_ui set")
    return found


Of = Annotated[Lists, Depends(_lists)]


def _to(lists: Lists, query: str) -> RedirectResponse:
    return RedirectResponse(lists.link(query), 302)


@router.get("/due", operation_id="go_due", status_code=302)
def due(
    lists: Of,
    days: Annotated[int, Query(ge=0, le=LONGEST, description="Within so many days; 0: today.", examples=[7])] = 7,
) -> RedirectResponse:
    """Requests that are due within so many days, or past that."""
    return _to(lists, lists.due(days, now()))


@router.get("/overdue", operation_id="go_overdue", status_code=302)
def overdue(lists: Of) -> RedirectResponse:
    """Requests past their date by law."""
    return _to(lists, lists.overdue(now()))


@router.get("/waiting", operation_id="go_waiting", status_code=302)
def waiting(
    lists: Of,
    on: Annotated[
        str, Query(max_length=40, description="A code of docs/running.md; whatever it is unless given.")
    ] = "",
) -> RedirectResponse:
    """Requests that wait on a person, or on the one thing that a code names."""
    try:
        return _to(lists, lists.waiting(on))
    except ListError as error:
        raise Problem(ProblemCode.UNUSABLE, str(error)) from None


@router.get("/held", operation_id="go_held", status_code=302)
def held(lists: Of) -> RedirectResponse:
    """Requests that a hold has stopped."""
    return _to(lists, lists.held())


@router.get("/regime/{regime}", operation_id="go_regime", status_code=302)
def regime(
    lists: Of, regime: Annotated[str, Path(max_length=40, description="A law.", examples=["eu-gdpr"])]
) -> RedirectResponse:
    """Requests under one law."""
    try:
        return _to(lists, lists.regime(regime))
    except ListError as error:
        raise Problem(ProblemCode.UNUSABLE, str(error)) from None
