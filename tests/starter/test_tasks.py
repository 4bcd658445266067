"""What a page advises to do about a task: nothing that the ledger refuses."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.decisions import ELSEWHERE, words_for
from ledger.standing import Task
from rights.codes import ADVICE, Code
from starter.show import Page, plain
from starter.tasks import add_task

REQUEST, ABOUT = "01kap2v7q4m8w3x9yd5tgh6jzr", "01kap30c2m6n8r1v5t9w4x7yzb"


RUNNING = (Path(__file__).parents[2] / "docs" / "running.md").read_text()
LETTERS = {Code.POST_OUT, Code.POST_IN, Code.BOUNCED, Code.MAIL_REFUSED, Code.MAIL_UNSURE}
"""They are ruled on by other rules, with a day."""


def advised(code: Code, step: str = "shop/erase") -> str:
    task = Task(
        id="01kap4x0000000000000000000",
        request_id=REQUEST,
        step_key=f"{REQUEST}/{step}/0",
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


def test_a_notice_that_could_not_be_sent_leads_to_its_recipients_answer() -> None:
    assert advised(Code.EGRESS, "recipient/partner") == f"habeas recipient list --request {REQUEST}"
    assert advised(Code.EGRESS).endswith("retry | give_up")


@pytest.mark.parametrize("code", [code for code in Code if code not in LETTERS])
def test_no_word_is_advised_that_the_ledger_refuses(code: Code) -> None:
    """On the page of the task, in its advice, and in docs/running.md."""
    taken = {*words_for(code), "choose"}
    row = re.search(rf"^\| `{code}` \| (.*) \|$", RUNNING, re.MULTILINE)
    assert row
    for text, quote in ((ADVICE[code], "'"), (row[1], "`")):
        assert set(re.findall(rf"{quote}(retry|give_up|done){quote}", text)) <= taken
    line = advised(code)
    if "request rule" in line:
        assert set(line.split(f"{'0' * 19} ")[1].split(" | ")) == set(words_for(code))
