"""Legal holds: placed, confirmed by a second person, reviewed, released by two.

The one rule: whom a hold is about and why in words never comes back; and one that must stay secret is there for nobody
but counsel.
"""

from datetime import UTC, date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from ledger.holds import Hold
from rights.holds import Authority, Disclosure, Reason, Terms
from rights.subject import MAX_IDENTITIES, parse_identities
from starter.access import Action, Caller, may
from starter.changing import Change, changes, said
from starter.cursors import DEFAULT, Cursor, Limit, behind, page
from starter.desk import Desk, now
from starter.doorkeeper import At, needs
from starter.holding import hold_document, scope_of
from starter.inputs import ledger_id
from starter.problems import CHANGING, Problem, ProblemCode, answers
from starter.routes.bodies import Body, Given, Noted, Text

router = APIRouter(prefix="/v1/holds", tags=["holds"])

Reader = Annotated[Caller, Depends(needs(Action.READ_HOLD))]
Placing = Annotated[Change, Depends(changes(Action.PLACE_HOLD))]
Confirming = Annotated[Change, Depends(changes(Action.CONFIRM_HOLD))]
Releasing = Annotated[Change, Depends(changes(Action.RELEASE_HOLD))]
HoldId = Annotated[str, Path(description="The hold's id.")]
_OF_HOLD = answers(ProblemCode.NOT_FOUND, *CHANGING)
_NONE = "there is no hold of this id"


class NewHold(Body):
    """What is to be held, and why."""

    identities: list[Given] = Field(min_length=1, max_length=MAX_IDENTITIES)
    text: Text = Field(description="Why, in words; kept sealed.")
    reason: Reason = Reason.LITIGATION
    authority: Authority = Authority.COUNSEL
    systems: list[str] = Field(default=[], max_length=100)
    collections: list[str] = Field(default=[], max_length=100, description="SYSTEM.COLLECTION")
    categories: list[str] = Field(default=[], max_length=100)
    since: date | None = None
    until: date | None = None
    disclosure: Disclosure = Disclosure.TELL
    tell_from: date | None = Field(default=None, description="after: the day from which it may be told.")
    review_on: date | None = None

    @model_validator(mode="after")
    def _fits(self) -> "NewHold":
        if (self.disclosure is Disclosure.AFTER) != (self.tell_from is not None):
            raise ValueError("tell_from goes with disclosure after, and that with tell_from")
        return self


class Reviewed(Body):
    """Somebody has looked, and it is still needed."""

    until: date = Field(description="When it is to be reviewed next.")


class HoldStanding(BaseModel):
    """A hold as it stands."""

    model_config = ConfigDict(extra="allow")

    id: str
    in_force: bool
    in_flight: int
    reason: Reason
    authority: Authority
    disclosure: Disclosure


class HoldPage(BaseModel):
    """Holds, the newest first."""

    holds: list[HoldStanding]
    next: str | None


@router.post("", operation_id="place_hold", status_code=201, response_model=HoldStanding, responses=answers(*CHANGING))
def place(body: NewHold, change: Placing) -> Response:
    """Let nothing be destroyed of what a hold covers, at once. A second person confirms it within three days."""
    people = parse_identities((one.kind, one.value) for one in body.identities)
    at = change.at
    terms = Terms(
        scope=scope_of(at.data_map, body.systems, body.collections, body.categories, body.since, body.until),
        reason=body.reason,
        authority=body.authority,
        disclosure=body.disclosure,
        tell_from=body.tell_from,
        review_on=body.review_on,
    )

    def do() -> dict[str, Any]:
        return hold_document(at.ledger.place_hold(people, body.text, at=now(), by=change.caller.staff, terms=terms))

    return change(do, 201, see="/v1/holds", again=lambda made: hold_document(at.ledger.hold_standing(made["hold"])))


@router.get("", operation_id="list_holds", response_model=HoldPage, responses=answers(ProblemCode.UNUSABLE))
def list_(
    at: At,
    caller: Reader,
    all: Annotated[bool, Query(description="Those that were released too.")] = False,
    limit: Limit = DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """List holds, the newest first; of those that must stay secret, none but to counsel."""
    place = behind("holds", cursor, 1)
    every = sorted(at.ledger.holds(in_force_only=not all), key=lambda hold: hold.id, reverse=True)
    shown = [hold for hold in every if _may_see(caller, hold) and (place is None or hold.id < place[0])]
    found = [at.ledger.hold_standing(hold.id) for hold in shown[: limit + 1]]
    return said(page("holds", found, limit, lambda hold: (hold.id,), hold_document))


@router.get(
    "/{hold_id}", operation_id="show_hold", response_model=HoldStanding, responses=answers(ProblemCode.NOT_FOUND)
)
def show(hold_id: HoldId, at: At, caller: Reader) -> Response:
    """A hold: what it covers, on whose word, who has confirmed it, and when it is to be reviewed."""
    return said(hold_document(_seen(at, caller, hold_id)))


@router.post("/{hold_id}/confirm", operation_id="confirm_hold", response_model=HoldStanding, responses=_OF_HOLD)
def confirm(hold_id: HoldId, body: Noted, change: Confirming) -> Response:
    """Say, as a second person, that a hold is right."""
    wanted = _seen(change.at, change.caller, hold_id).id
    return change(
        lambda: hold_document(change.at.ledger.confirm_hold(wanted, by=change.caller.staff, at=now())),
        see=f"/v1/holds/{wanted}",
    )


@router.post("/{hold_id}/review", operation_id="review_hold", response_model=HoldStanding, responses=_OF_HOLD)
def review(hold_id: HoldId, body: Reviewed, change: Confirming) -> Response:
    """Note that somebody has looked, and that a hold is still needed."""
    wanted = _seen(change.at, change.caller, hold_id).id
    return change(
        lambda: hold_document(
            change.at.ledger.review_hold(wanted, by=change.caller.staff, review_on=body.until, at=now())
        ),
        see=f"/v1/holds/{wanted}",
    )


@router.post("/{hold_id}/release", operation_id="release_hold", response_model=HoldStanding, responses=_OF_HOLD)
def release(hold_id: HoldId, body: Noted, change: Releasing) -> Response:
    """Let go of a hold: it takes two people, one after the other. What it stopped of open requests goes on by itself,
    unless another hold covers it."""
    at = change.at
    wanted = _seen(at, change.caller, hold_id).id

    def do() -> dict[str, Any]:
        moment = now()
        until = moment + timedelta(days=at.settings.file_days)
        at.ledger.release_hold(wanted, by=change.caller.staff, at=moment, file_until=until, note=body.note)
        return hold_document(at.ledger.hold_standing(wanted))

    return change(do, see=f"/v1/holds/{wanted}")


def _seen(at: Desk, caller: Caller, hold_id: str) -> Hold:
    """A hold, to whom it may be known.

    Raises:
        Problem: it is not there, or not for them; which, is not said.
    """
    hold = at.ledger.hold_standing(ledger_id(hold_id, "hold"))
    if not _may_see(caller, hold):
        raise Problem(ProblemCode.NOT_FOUND, _NONE)
    return hold


def _may_see(caller: Caller, hold: Hold) -> bool:
    return not hold.terms.secret(now().astimezone(UTC).date()) or may(caller, Action.READ_SECRET_HOLD)
