"""Tasks: what waits for a person, with the advice, and the masked candidates to choose from.

The one rule: candidates come out of the vault masked, as they were sealed, and their keys are not shown.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ledger.decisions import settled_as, words_for
from ledger.heldback import Covers, destroys_by_hand
from ledger.ledger import Ledger
from ledger.standing import Task
from rights.codes import ADVICE, Code
from rights.holds import Scope
from starter.desk import Desk
from starter.exits import Exit, Failure
from starter.inputs import numbers
from starter.show import Cell, Page, minute

Document = dict[str, Any]

_WORDS = {
    Code.POST_OUT: "done --on DATE | give_up",
    Code.POST_IN: "done --on DATE | give_up",
    Code.BOUNCED: "retry | done --on DATE | give_up",
    Code.MAIL_REFUSED: "retry | done --on DATE | give_up",
    Code.MAIL_UNSURE: "done | retry | give_up",
}
"""What may be ruled on letters (ledger/letterdesk.py)."""

_COMMANDS = {
    Code.REVIEW: "review show {request}",
    Code.WEIGH: "objection show {request}",
    Code.CONTESTED: "automated show {request}",
    Code.ACCURACY: "rectification show {request}",
    Code.RESTRICTION_REVIEW: "restriction show {request}",
    Code.REST_REVIEW: "rest list --request {request}",
    Code.USE_TOLD: "restriction use-told {about}",
    **dict.fromkeys((Code.DECISION, Code.CONSULTATION, Code.FEE), "decision show {request}"),
    Code.STOPPED: "request review {request} release | withdraw",
    Code.UNTIED: "identity status {request}",
    Code.MINOR: "minor rule {request} child | not_child",
    Code.MINOR_IN_USE: "explain {about}",
    Code.MINOR_NOT_GONE: "explain {request}",
    Code.APPEAL: "appeal show {about}",
    Code.RECIPIENT: "recipient list --request {request}",
    Code.PUBLISHED: "recipient published {request}",
    Code.WORKED_OUT: "rectification remade {request}",
    Code.APPROVAL: "request approve {request}",
    Code.INCIDENT: "incident show {about}",
}
"""Tasks that no ruling settles, and the command to begin with."""


def open_tasks(tasks: Iterable[Task]) -> list[Task]:
    """Tasks nobody has ruled on."""
    return [task for task in tasks if task.settled_at is None and task.ruling is None]


def covered_by(at: Desk) -> Covers:
    """What a hold's scope covers in a system of the map, which is read when that is first asked; in one that the map
    does not have, whatever it can touch."""

    def covers(scope: Scope, system: str) -> bool:
        about = at.data_map.systems.get(system)
        return bool(scope.held(about)) if about else scope.touches(system)

    return covers


def on_desk(at: Desk, tasks: Iterable[Task], moment: datetime) -> list[Task]:
    """Tasks as they are to be shown: one by which something would be destroyed by hand, and that a hold stands in the
    way of, says so, in the word of the fence."""
    covers = covered_by(at)
    return [_as_held(at.ledger, task, moment, covers) for task in tasks]


def _as_held(ledger: Ledger, task: Task, at: datetime, covers: Covers) -> Task:
    if not destroys_by_hand(task.code, task.step_key):
        return task
    code = ledger.held_back(task.request_id, _system(task), at=at, covers=covers)
    return task.model_copy(update={"code": code}) if code else task


def task_document(task: Task, candidates: Sequence[Mapping[str, Any]] = ()) -> Document:
    """One task as JSON; the traits of candidates are masked."""
    return {
        "id": task.id,
        "request_id": task.request_id,
        "step": task.step_key,
        "code": task.code,
        "about": task.about,
        "advice": ADVICE[task.code],
        "opened_at": task.opened_at,
        "ruling": task.ruling,
        "settled_at": task.settled_at,
        "due_on": task.due_on,
        "candidates": [
            {"number": c["number"], "collection": c["collection"], "traits": c["traits"]} for c in candidates
        ],
    }


def tasks_page(tasks: Sequence[Task], zone: str) -> Page:
    """The desk: what people have to do, the oldest first."""
    if not tasks:
        return Page().line(Cell("nothing waits for a person", "good"))
    return Page().grid(
        ("task", "request", "about", "why", "since", "by"),
        (
            (
                Cell(task.id, "strong"),
                task.request_id,
                _matter(task),
                Cell(str(task.code), "warn"),
                minute(task.opened_at, zone),
                str(task.due_on or ""),
            )
            for task in tasks
        ),
    )


def add_task(page: Page, task: Task, candidates: Sequence[Mapping[str, Any]]) -> None:
    """One task with its advice, and the masked candidates to choose from."""
    operation = task.step_key.split("/")[2] if task.step_key.count("/") == 3 else task.step_key
    what = _matter(task) if _system(task) == "letter" else f"{operation} {_matter(task)}"
    by = f", by {task.due_on}" if task.due_on else ""
    page.line(Cell(f"{what}: {task.code}{by}", "warn"), indent=2)
    page.line(ADVICE[task.code], indent=4)
    if candidates:
        traits = list(dict.fromkeys(name for c in candidates for name in c["traits"]))
        page.grid(
            ("number", "in", *traits),
            (
                (str(c["number"]), c["collection"], *(str(c["traits"].get(name, "")) for name in traits))
                for c in candidates
            ),
            numbers=("number",),
        )
        words = "choose --person NUMBERS"
    else:
        words = _WORDS.get(task.code, " | ".join(words_for(task.code)))
    if command := _COMMANDS.get(settled_as(task.code, task.step_key)):
        said = command.format(request=task.request_id, about=task.about)
        page.line(Cell(f"habeas {said}", "quiet"), indent=4)
        return
    page.line(Cell(f"habeas request rule {task.request_id} --task {task.id} {words}", "quiet"), indent=4)


def candidates_of(ledger: Ledger, task: Task) -> list[dict[str, Any]]:
    """The masked candidates of a task; none for other tasks, or once they are destroyed."""
    if task.code not in {Code.SEVERAL_PEOPLE, Code.THIRD_PARTIES, Code.MENTIONS, Code.RESIDUE}:
        return []
    sealed = ledger.unseal(task.request_id, "working", f"candidates/{_system(task)}")
    found: list[dict[str, Any]] = json.loads(sealed) if sealed else []
    return found


def chosen(ledger: Ledger, request_id: str, task_id: str, person: str) -> bytes:
    """The ruling as connectors read it: all candidates, and all that was ruled before, as mine or others'.

    `person` has the numbers of the candidates that are this person.

    Raises:
        Failure: there is no such task or candidate, or the task is about something else.
    """
    task = next((t for t in ledger.tasks(request_id=request_id) if t.id == task_id), None)
    if task is None:
        raise Failure(Exit.NOT_FOUND, "the request has no open task of this id")
    candidates = candidates_of(ledger, task)
    if not candidates:
        raise Failure(Exit.REFUSED, "there is nothing to choose in this task: rule retry, give_up or done")
    picked = numbers(person)
    if unknown := picked - {candidate["number"] for candidate in candidates}:
        known = f"habeas request show lists 1 to {len(candidates)}"
        raise Failure(Exit.USAGE, f"there is no candidate {min(unknown)}: {known}")
    earlier = ledger.unseal(request_id, "working", f"rulings/{_system(task)}")
    ruled: dict[str, dict[str, list[list[str]]]] = json.loads(earlier) if earlier else {"mine": {}, "others": {}}
    for candidate in candidates:
        collection, key = candidate["collection"], list(candidate["key"])
        side, other = ("mine", "others") if candidate["number"] in picked else ("others", "mine")
        ruled[other][collection] = [k for k in ruled[other].get(collection, []) if k != key]
        if key not in ruled[side].setdefault(collection, []):
            ruled[side][collection].append(key)
    return json.dumps(ruled, separators=(",", ":")).encode()


def _system(task: Task) -> str:
    return task.step_key.split("/")[1]


def _matter(task: Task) -> str:
    """The system, and what in it: a table, a secret, a place in a vendor's file."""
    system = _system(task) if task.step_key.count("/") == 3 else ""
    if system == "letter":
        return f"letter {task.about}"
    return f"{system}: {task.about}" if system and not task.about.startswith(system) else task.about
