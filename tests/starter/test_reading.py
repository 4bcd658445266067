"""What the reading commands print: documented shapes, masked values, honest words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from ledger.ledger import Ledger
from rights.codes import Code
from rights.plan import Operation, Step
from rights.receipt import Count, Outcome, Receipt, Tally
from settings import Settings
from starter.desk import load_map, open_ledger
from tests.starter.conftest import PERSON, Deployment, one_sentence

REQUEST_KEYS = [
    "id", "right", "regime", "regimes", "phase", "received_at", "internal_due", "legal_due", "risk", "confirmed_at",
    "approved_at", "withdrawn_at", "closed_at", "conclusion",
]  # fmt: skip
NOBODY = "0" * 26


@contextmanager
def ledger_here() -> Iterator[Ledger]:
    """The deployment's ledger, to do what only a worker would."""
    ledger = open_ledger(Settings.load())
    try:
        yield ledger
    finally:
        ledger.close_connections()


def rulings(request_id: str) -> Any:
    """Whose rows are whose, as connectors will read it."""
    with ledger_here() as ledger:
        sealed = ledger.unseal(request_id, "working", "rulings/shop")
    assert sealed is not None
    return json.loads(sealed)


def open_question(request_id: str) -> str:
    """Two rows match, as a look would have found: a task with candidates. Returns the task's id."""
    at = datetime.now(UTC)
    shown = [
        {"number": 1, "collection": "customers", "key": ["17"], "traits": {"full_name": "A··· B···"}},
        {"number": 2, "collection": "customers", "key": ["18"], "traits": {"full_name": "C··· D···"}},
    ]
    with ledger_here() as ledger:
        ledger.pin_map(request_id, load_map(Settings.load()), at=at)
        ledger.seal(request_id, "working", "candidates/shop", json.dumps(shown).encode(), at=at)
        return ledger.open_task(request_id, f"{request_id}/shop/locate/0", Code.SEVERAL_PEOPLE, "shop", at=at)


def test_list_shows_the_newest_first_and_pages(deployment: Deployment) -> None:
    ids = [deployment.open(email=f"p{n}@example.org") for n in range(3)]

    first = deployment("request", "list", "--limit", "2", "--json").json["requests"]
    rest = deployment("request", "list", "--before", first[-1]["id"], "--json").json["requests"]

    assert [r["id"] for r in (*first, *rest)] == ids[::-1]
    assert list(first[0]) == REQUEST_KEYS
    assert first[0]["risk"] == "on_track"


def test_list_narrows_down(deployment: Deployment) -> None:
    access, erasure = deployment.open(right="access"), deployment.open(right="erasure")

    def ids(*arguments: str) -> list[str]:
        return [r["id"] for r in deployment("request", "list", *arguments, "--json").json["requests"]]

    assert ids("--right", "access") == [access]
    assert ids("--right", "erasure", "--open") == [erasure]
    assert ids("--phase", "closed") == []
    assert "no request" in deployment("request", "list", "--phase", "closed").out


def test_show_has_the_documented_shape(deployment: Deployment) -> None:
    shown = deployment("request", "show", deployment.open(), "--json").json

    assert list(shown) == ["request", "waits_for", "held", "in_flight", "systems", "tasks", "kept_until"]
    assert list(shown["request"]) == REQUEST_KEYS
    assert {key["purpose"] for key in shown["kept_until"]} == {"working", "history", "file"}
    assert shown["held"] is False


@pytest.mark.parametrize("command", ["show", "preview", "watch", "confirm-identity", "approve", "withdraw"])
@pytest.mark.parametrize("wrong", [NOBODY, "canary", "'; DROP TABLE requests; --", "a\0b", PERSON])
def test_an_unknown_request_is_not_found(deployment: Deployment, command: str, wrong: str) -> None:
    answer = deployment("request", command, wrong)

    assert answer.code == 4
    assert one_sentence(answer.err)
    assert wrong not in answer.err


@pytest.mark.parametrize("arguments", [("explain", NOBODY), ("parcel", "open", NOBODY), ("hold", "show", NOBODY)])
def test_what_is_not_there_is_not_found(deployment: Deployment, arguments: tuple[str, ...]) -> None:
    answer = deployment(*arguments)

    assert answer.code == 4
    assert one_sentence(answer.err)


def test_there_is_no_preview_before_a_look(deployment: Deployment) -> None:
    answer = deployment("request", "preview", deployment.open())

    assert answer.code == 5
    assert one_sentence(answer.err)


def test_a_task_shows_masked_candidates_and_what_to_do(deployment: Deployment) -> None:
    request = deployment.open("--confirmed-by", "desk")
    task = open_question(request)

    listed = deployment("task", "list", "--json").json["tasks"]
    page = deployment("request", "show", request).out

    assert [t["id"] for t in listed] == [task]
    assert listed[0]["candidates"] == [
        {"number": 1, "collection": "customers", "traits": {"full_name": "A··· B···"}},
        {"number": 2, "collection": "customers", "traits": {"full_name": "C··· D···"}},
    ]
    assert "A··· B···" in page
    assert f"habeas request rule {request} --task {task} choose --person NUMBERS" in page
    assert "17" not in [word for line in page.splitlines() for word in line.split()]


def test_choosing_seals_whose_rows_are_whose(deployment: Deployment) -> None:
    request = deployment.open("--confirmed-by", "desk")
    task = open_question(request)

    answer = deployment("request", "rule", request, "choose", "--task", task, "--person", "2", "--json")

    assert answer.json == {"said": "ruled choose", "new": True}
    assert rulings(request) == {"mine": {"customers": [["18"]]}, "others": {"customers": [["17"]]}}
    assert deployment("task", "list", "--json").json == {"tasks": [], "incidents": []}


def test_choosing_nobody_makes_all_of_them_others(deployment: Deployment) -> None:
    request = deployment.open("--confirmed-by", "desk")
    task = open_question(request)

    deployment("request", "rule", request, "choose", "--task", task, "--person", "none")

    ruled = rulings(request)
    assert ruled["others"] == {"customers": [["17"], ["18"]]}
    assert not any(ruled["mine"].values())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["choose"], 2),
        (["retry", "--person", "1"], 2),
        (["choose", "--person", "3"], 2),
        (["choose", "--person", "canary@example.org"], 2),
        (["canary@example.org"], 2),
        (["done"], 5),
        (["retry"], 5),
    ],
)
def test_a_ruling_that_makes_no_sense_is_refused(deployment: Deployment, arguments: list[str], code: int) -> None:
    request = deployment.open("--confirmed-by", "desk")
    task = open_question(request)

    answer = deployment("request", "rule", request, *arguments, "--task", task)

    assert answer.code == code
    assert one_sentence(answer.err)
    assert "canary" not in answer.err
    assert deployment.rows("SELECT ruling FROM tasks") == [(None,)]


def test_withdrawing_is_said_and_done_once(deployment: Deployment) -> None:
    request = deployment.open()

    assert deployment("request", "withdraw", request, "--json").json == {"withdrawn": True, "in_flight": 0}
    assert deployment("request", "confirm-identity", request, "--by", "desk").code == 5


def test_explain_does_the_arithmetic_of_the_dates(deployment: Deployment) -> None:
    request = deployment.open()

    explained = deployment("explain", request, "--json").json
    lines = {line["about"]: line for line in explained["lines"]}
    opened = deployment("request", "show", request, "--json").json["request"]

    assert explained["request_id"] == request
    due = datetime.fromisoformat(opened["legal_due"]).date()
    assert lines["Legal due date"]["result"].endswith(f"due {due} at the end of the day")
    assert "1 month after" in lines["Legal due date"]["result"]
    assert "Destruction of the identities and anchors" in lines
    assert PERSON not in json.dumps(explained)


def test_an_empty_journal_is_sound(deployment: Deployment) -> None:
    assert deployment("ledger", "verify", "--json").json == {
        "entries": 0, "checkpoints": 0, "findings": [], "sound": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("UPDATE entries SET body = replace(body, 'erasure', 'access') WHERE seq = 1", "edited"),
        ("DELETE FROM entries WHERE seq = 2", "removed"),
        ("UPDATE requests SET legal_due = legal_due + interval '30 days'", "request"),
        ("UPDATE requests SET clocks = jsonb_set(clocks, '{0,extended}', 'true')", "request"),
    ],
)
def test_damage_to_the_ledger_is_named_and_fails(deployment: Deployment, damage: str, what: str) -> None:
    for number in range(3):
        deployment.open(email=f"p{number}@example.org")
    deployment.rows("ALTER TABLE entries DISABLE TRIGGER ALL")
    deployment.rows(damage)

    answer = deployment("ledger", "verify", "--json")

    assert answer.code == 1
    assert what in {finding["what"] for finding in answer.json["findings"]}
    assert answer.json["sound"] is False


def test_an_interim_answer_says_what_is_so_and_is_sent_by_a_person(deployment: Deployment) -> None:
    request_id = deployment.open("--confirmed-by", "desk")
    step = Step(request_id=request_id, system="shop", operation=Operation.LOCATE)
    held = Step(request_id=request_id, system="shop", operation=Operation.ERASE)
    at = datetime.now(UTC)
    found = Tally(counts=(Count(collection="customers", found=18),))
    with ledger_here() as ledger:
        ledger.pin_map(request_id, load_map(Settings.load()), at=at)
        ledger.keep_receipt(Receipt(step=step, outcome=Outcome.DONE, tally=found, at=at))
        ledger.keep_receipt(Receipt(step=held, outcome=Outcome.HELD, code="hold", about="shop", tally=found, at=at))
        ledger.ask_for_interim(request_id, at=at)

    text = deployment("request", "interim", request_id)
    shown = deployment("request", "interim", request_id, "--json").json
    (task,) = deployment("task", "list", "--request", request_id, "--json").json["tasks"]

    assert "- shop: not done yet (18 records found)" in text.out
    assert "hold" not in text.out + json.dumps(shown), "what must stay secret changes nothing"
    assert "sent" not in text.out
    assert PERSON not in text.out
    assert (shown["asked"], shown["systems"][0]["state"], shown["text"]) == (True, "outstanding", text.out.splitlines())
    assert (task["code"], task["step"]) == ("interim", f"{request_id}/answer/interim/0")

    assert deployment("request", "rule", request_id, "retry", "--task", task["id"]).code == 5
    assert deployment("request", "rule", request_id, "done", "--task", task["id"]).code == 0
    explained = deployment("explain", request_id).out
    assert "Interim answer sent" in explained
    assert "An interim answer is due" in explained


def test_while_nobody_knows_who_asks_an_interim_answer_says_so(deployment: Deployment) -> None:
    request_id = deployment.open()

    assert "not been able to confirm" in deployment("request", "interim", request_id).out
