"""A preview tried for real: each system carries the erasure out, tells what happened, and takes it back.

The one rule: nothing stays, and no value of a person is shown: tables, numbers and the statements' own texts.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING

from rights.plan import Operation, Step
from starter.pages import Document
from starter.show import Cell, Page

if TYPE_CHECKING:
    from connectors.trial import Trial
    from ledger.standing import Standing
    from rights.datamap import System
    from starter.desk import Desk


def try_all(at: "Desk", standing: "Standing", now: datetime) -> Iterator[tuple[str, "Trial | str"]]:
    """Each system's trial, or why there is none."""
    if standing.plan is None:
        return
    from rights.exempt import exempt

    request = standing.request
    exempted = request.decided.exempted if request.decided else {}
    present_map = exempt(at.data_map, request.right, exempted, cautious=True)
    for part in standing.plan.systems:
        present = present_map.systems.get(part.system)
        if present is None:
            yield part.system, "the map does not have this system any more"
            continue
        yield part.system, _try(at, standing, present, now)


def _try(at: "Desk", standing: "Standing", system: "System", now: datetime) -> "Trial | str":
    from activities.calls import trial_call
    from connectors.errors import ConnectorError
    from connectors.registry import SetupError, build
    from connectors.trial import Tries

    request = standing.request
    if standing.plan is None or request.map_digest not in {None, at.data_map.digest}:
        return "the request was planned on another map than the present one"
    try:
        connector = build(system)
    except SetupError as error:
        return str(error)
    with ExitStack() as stack:
        stack.callback(getattr(connector, "close", lambda: None))
        if not isinstance(connector, Tries):
            return f"the connector {system.connector} cannot take an erasure back, so none is tried"
        step = Step(request_id=request.id, system=system.system, operation=Operation.ERASE)
        names = (f"anchors/{system.system}", f"rulings/{system.system}")
        known = at.ledger.at_step(step, *names)
        plan, code = standing.plan.of(system.system), at.ledger.calling_code
        call = trial_call(known, system, plan, at.settings.environment, now, calling_code=code)
        try:
            return connector.attempt(call)
        except ConnectorError as error:
            return f"it could not be tried ({error.code}{f', {error.about}' if error.about else ''})"


def trial_document(trial: "Trial | str") -> Document:
    """A trial as JSON."""
    if isinstance(trial, str):
        return {"tried": False, "why_not": trial}
    return {
        "tried": not trial.not_tried,
        "why_not": trial.not_tried or None,
        "refusal": trial.refusal or None,
        "refused_at": trial.refused_at or None,
        "tables": [
            {
                "table": effect.table,
                "collection": effect.collection,
                "inserted": effect.inserted,
                "changed": effect.updated,
                "deleted": effect.deleted,
                "surprise": effect.surprise or None,
            }
            for effect in trial.effects
        ],
        "not_counted": list(trial.not_counted),
        "statements": list(trial.statements),
    }


def surprising(trial: "Trial | str") -> bool:
    """Whether a trial says that an erasure would not go as planned."""
    return not isinstance(trial, str) and bool(trial.refusal or any(effect.surprise for effect in trial.effects))


def add_trial(page: Page, name: str, trial: "Trial | str") -> None:
    """A trial as a person reads it."""
    page.heading(f"{name}: tried, and taken back")
    if isinstance(trial, str) or trial.not_tried:
        why = trial if isinstance(trial, str) else trial.not_tried
        page.line(Cell(f"not tried, counts only: {why}", "warn"), indent=2)
        return
    if trial.refusal:
        where = f" at {trial.refused_at}" if trial.refused_at else ""
        page.line(Cell(f"the system would not let it happen: {trial.refusal}{where}", "bad"), indent=2)
        return
    if not trial.effects:
        page.line(Cell("nothing to do", "quiet"), indent=2)
        return
    for said in trial.not_counted:
        page.line(Cell(f"not counted: {said}", "warn"), indent=2)
    page.grid(
        ("table", "deleted", "changed", "added", "beyond the plan"),
        (
            (e.table, f"{e.deleted:,}", f"{e.updated:,}", f"{e.inserted:,}", Cell(e.surprise, "bad"))
            for e in trial.effects
        ),
        numbers=("deleted", "changed", "added"),
    )
