"""Who did it is on record, whatever was typed: in the journal, and in the timeline that people read."""

from __future__ import annotations

import json

import pytest

from rights.journal import JournalEntry
from starter.timeline import sentence
from tests.commandline import COMMANDS, options
from tests.ledger.builders import AT
from tests.starter.conftest import Deployment, one_sentence

NAMED_OTHERWISE = {"habeas request open"}
"""By --taken-by and --confirmed-by."""
BY_THE_PERSON = {"habeas request stop", "habeas optout gpc"}
"""By the token of their letter, and by their own browser."""
OF_WHO_RUNS_IT = {
    *("init", "migrate", "promote", "demo", "dev", "worker", "api", "receive", "stop-page", "due serve"),
    *("temporal setup", "map discover", "connector lint", "connector test", "optout probe", "suppress rotate-key"),
    *("webhook secret", "webhook test", "webhook again", "evidence export", "audit-pack", "campaign feed"),
}
"""They set the engine up, run it, or write a file; of what was asked of it they change nothing."""
ASKS_A_PERSON = {"habeas letter expect"}
"""It puts a task on the desk, and whoever rules on it says so."""
READS = {
    *("list", "show", "check", "status", "verify", "count", "keys", "links", "preview", "outbox", "rights", "watch"),
    *(
        "grounds",
        "check-grounds",
        "call",
        "ask-points",
        "key",
        "receipt",
        "tasks",
        "deferred",
        "uses",
        "letter",
        "facts",
    ),
    *("recognise", "gpc-json", "screen", "table", "diff", "doctor", "deadline", "explain", "board", "register", "ropa"),
    *("annual-ccpa", "population"),
}
"""Last words of commands that look."""


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_that_changes_what_becomes_of_somebody_takes_who_says_so(path: str) -> None:
    excused = NAMED_OTHERWISE | BY_THE_PERSON | ASKS_A_PERSON | {f"habeas {name}" for name in OF_WHO_RUNS_IT}

    assert "--by" in dict(options(COMMANDS[path])) or path in excused or path.split()[-1] in READS


def test_who_asked_for_a_code_ruled_and_withdrew_is_in_the_journal_and_in_the_timeline(deployment: Deployment) -> None:
    request = deployment.open()
    by = ("--by", "s-17")
    assert deployment("identity", "send-code", request, "--to", "given", *by).code == 0
    assert deployment("identity", "check-code", request, *by, given="000000").code == 6
    assert deployment("letter", "expect", request, "--what", "mandate", "--until", "2030-01-01").code == 0
    (task,) = deployment("task", "list", "--request", request, "--json").json["tasks"]
    assert deployment("request", "rule", request, "done", "--task", task["id"], *by).code == 0
    assert deployment("request", "withdraw", request, *by).code == 0

    said = deployment.rows("SELECT kind, body FROM entries WHERE request_id = %s ORDER BY seq", [request])
    named = [(kind, json.loads(body)) for kind, body in said if json.loads(body).get("by") == "s-17"]
    assert [kind for kind, _ in named] == ["code_asked", "code_checked", "letter_ruled", "withdraw"]
    told = [sentence(JournalEntry(seq=1, kind=kind, key=None, at=AT, body=body)) for kind, body in named]
    assert all(one.endswith("By s-17.") for one in told), told


def test_who_says_nothing_of_themselves_is_not_refused_and_what_is_no_role_is(deployment: Deployment) -> None:
    request = deployment.open()
    assert deployment("identity", "send-code", request, "--to", "given").code == 0
    refused = deployment("request", "withdraw", request, "--by", "anna\nberg")

    assert refused.code == 2
    assert one_sentence(refused.err)
    assert "anna" not in refused.err
    assert deployment("request", "withdraw", request).code == 0
    said = deployment.rows("SELECT body FROM entries WHERE kind IN ('withdraw', 'code_asked')")
    assert not any("by" in json.loads(body) for (body,) in said)


TELLING = ("zq.anna@example.org", "front desk +49 30 1234567", "0151/2345678")


@pytest.mark.parametrize("who", TELLING)
def test_an_address_or_a_telephone_number_says_nothing_in_the_journal(deployment: Deployment, who: str) -> None:
    request = deployment.open()
    head = deployment.rows("SELECT count(*) FROM entries")
    commands = (
        ("request", "withdraw", request, "--by", who),
        ("decision", "paid", request, "--by", who),
        ("request", "open", "access", "--identity", "customer_id=7", "--taken-by", who),
        ("request", "open", "access", "--identity", "customer_id=7", "--confirmed-by", who),
    )
    for command in commands:
        refused = deployment(*command)
        assert (refused.code, one_sentence(refused.err)) == (2, True), refused.err
        assert "staff number or a role" in refused.err or "a staff id is opaque" in refused.err
        assert who not in refused.err
    assert deployment.rows("SELECT count(*) FROM entries") == head
