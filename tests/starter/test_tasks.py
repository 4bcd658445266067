"""What a page advises to do about a task: nothing that the ledger refuses."""

from datetime import UTC, datetime

import pytest

from ledger.decisions import ELSEWHERE
from ledger.standing import Task
from rights.codes import Code
from starter.show import Page, plain
from starter.tasks import add_task

REQUEST, ABOUT = "01kap2v7q4m8w3x9yd5tgh6jzr", "01kap30c2m6n8r1v5t9w4x7yzb"


def advised(code: Code) -> str:
    task = Task(
        id="01kap4x0000000000000000000",
        request_id=REQUEST,
        step_key=f"{REQUEST}/shop/erase/0",
        code=code,
        about=ABOUT,
        opened_at=datetime(2026, 11, 26, tzinfo=UTC),
        ruling=None,
        settled_at=None,
    )
    page = Page()
    add_task(page, task, ())
    return plain(page)[-1].strip()


@pytest.mark.parametrize("code", [*ELSEWHERE, Code.APPEAL, Code.RECIPIENT])
def test_of_a_task_with_a_verb_of_its_own_no_ruling_is_advised(code: Code) -> None:
    said = advised(code)
    assert said.startswith("habeas ")
    assert "request rule" not in said
    assert REQUEST in said or ABOUT in said


def test_of_any_other_task_a_ruling_is_advised() -> None:
    assert advised(Code.UNREACHABLE).startswith(f"habeas request rule {REQUEST} --task ")
