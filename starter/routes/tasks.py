"""What waits for a person, and their word on it.

The one rule: candidates are shown masked, and a word that does not fit its task changes nothing.
"""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field, model_validator
from starlette.responses import Response

from starter.access import Action, Caller
from starter.changing import Change, IfMatch, changes, said
from starter.cursors import DEFAULT, Cursor, Limit, behind, page
from starter.desk import now
from starter.doorkeeper import At, needs
from starter.inputs import ledger_id
from starter.problems import OF_REQUEST, ProblemCode, answers
from starter.routes.bodies import Body, Note, RequestId
from starter.tasks import candidates_of, chosen, covered_by, on_desk, open_tasks, task_document

router = APIRouter(prefix="/v1", tags=["tasks"])


class Ruling(Body):
    """What somebody says of a task."""

    word: Literal["retry", "give_up", "done", "choose"]
    persons: list[Annotated[int, Field(ge=1, le=9999)]] | None = Field(
        default=None,
        max_length=1000,
        description="choose: the numbers of the candidates that are this person.",
    )
    on: date | None = Field(default=None, description="done, of post: the day it went out or came.")
    note: Note = None

    @model_validator(mode="after")
    def _fits(self) -> "Ruling":
        if (self.word == "choose") != (self.persons is not None):
            raise ValueError("choose and persons belong together")
        if self.on is not None and self.word != "done":
            raise ValueError("on goes with done")
        return self


class Ruled(BaseModel):
    """It is ruled."""

    ruled: str
    new: bool = Field(description="It was not so before.")


class TaskPage(BaseModel):
    """What waits for people, the oldest first."""

    tasks: list[dict[str, Any]]
    next: str | None


@router.get(
    "/tasks",
    operation_id="list_tasks",
    response_model=TaskPage,
    responses=answers(ProblemCode.NOT_FOUND, ProblemCode.UNUSABLE),
)
def list_(
    at: At,
    caller: Annotated[Caller, Depends(needs(Action.READ_REQUEST))],
    request: Annotated[str | None, Query(description="Only of this request.", max_length=40)] = None,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """What waits for a person, with the advice and the masked candidates to choose from; the oldest first."""
    place = behind("tasks", cursor, 1)
    every = at.ledger.tasks(request_id=ledger_id(request, "request") if request else None)
    later = [task for task in open_tasks(every) if place is None or task.id > place[0]][: limit + 1]
    found = on_desk(at, later, now())
    return said(
        page(
            "tasks",
            found,
            limit,
            lambda task: (task.id,),
            lambda task: task_document(task, candidates_of(at.ledger, task)),
        )
    )


@router.post(
    "/requests/{request_id}/tasks/{task_id}/rule",
    operation_id="rule_on_task",
    response_model=Ruled,
    responses=answers(*OF_REQUEST),
)
def rule(
    request_id: RequestId,
    task_id: Annotated[str, Path(description="The task's id.")],
    body: Ruling,
    change: Annotated[Change, Depends(changes(Action.RULE))],
    if_match: IfMatch = None,
) -> Response:
    """Rule on a task: `retry` the step on the map of today; `give_up`, so that the answer says so; `done` by hand; or
    `choose` the candidates that are this person."""
    wanted, task = ledger_id(request_id, "request"), ledger_id(task_id, "task")
    at = change.at

    def do() -> dict[str, Any]:
        rows = None
        if body.persons is not None:
            numbers = ",".join(map(str, body.persons)) or "none"
            rows = chosen(at.ledger, wanted, task, numbers)
        new = at.ledger.rule(
            wanted,
            task,
            body.word,
            at=now(),
            note=body.note,
            by=change.caller.staff,
            chosen=rows,
            on=body.on,
            covers=covered_by(at),
        )
        return {"ruled": body.word, "new": new}

    return change(do, see=f"/v1/tasks?request={wanted}", of=wanted, if_match=if_match)
