"""Tasks: what waits for a person, with the advice, and the masked candidates to choose from.

The one rule: candidates come out of the vault masked, as they were sealed, and their keys are not shown.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ledger.ledger import Ledger
from ledger.standing import Task
from rights.codes import ADVICE, Code
from starter.exits import Exit, Failure
from starter.inputs import numbers
from starter.show import Cell, Page, minute

Document = dict[str, Any]


def open_tasks(tasks: Iterable[Task]) -> list[Task]:
    """Tasks nobody has ruled on."""
    return [task for task in tasks if task.settled_at is None and task.ruling is None]


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
        "candidates": [
            {"number": c["number"], "collection": c["collection"], "traits": c["traits"]} for c in candidates
        ],
    }


def tasks_page(tasks: Sequence[Task], zone: str) -> Page:
    """The desk: what people have to do, the oldest first."""
    if not tasks:
        return Page().line(Cell("nothing waits for a person", "good"))
    return Page().grid(
        ("task", "request", "about", "why", "since"),
        (
            (
                Cell(task.id, "strong"),
                task.request_id,
                task.about,
                Cell(str(task.code), "warn"),
                minute(task.opened_at, zone),
            )
            for task in tasks
        ),
    )


def add_task(page: Page, task: Task, candidates: Sequence[Mapping[str, Any]]) -> None:
    """One task with its advice, and the masked candidates to choose from."""
    operation = task.step_key.split("/")[2] if task.step_key.count("/") == 3 else task.step_key
    page.line(Cell(f"{operation} {task.about}: {task.code}", "warn"), indent=2)
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
        words = "retry | give_up | done"
    page.line(Cell(f"habeas request rule {task.request_id} --task {task.id} {words}", "quiet"), indent=4)


def read_candidates(sealed: bytes | None) -> list[dict[str, Any]]:
    """The candidates of one system, as the look sealed them."""
    found: list[dict[str, Any]] = json.loads(sealed) if sealed else []
    return found
