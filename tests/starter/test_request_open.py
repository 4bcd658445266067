"""Opening a request from the command line: what is taken, what is refused, and that nothing typed comes back."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from settings import Settings
from starter.desk import load_map, open_ledger, rules
from starter.submit import submit
from tests.starter.conftest import PERSON, Deployment, one_sentence

GOOD = ("--identity", f"email={PERSON}")
DROP = "'; DROP TABLE requests; --"


@pytest.mark.parametrize(
    ("arguments", "given", "typed"),
    [
        pytest.param(["forget", *GOOD], None, "forget", id="unknown-right"),
        pytest.param([DROP, *GOOD], None, "DROP", id="injection-as-right"),
        pytest.param(["restriction", *GOOD], None, PERSON, id="right-not-offered-yet"),
        pytest.param(["erasure"], None, PERSON, id="no-identity"),
        pytest.param(["erasure", "--identities", "-"], "", PERSON, id="empty-standard-input"),
        pytest.param(["erasure", "--identity", PERSON], None, PERSON, id="identity-without-kind"),
        pytest.param(["erasure", "--identity", "email=canary.quill"], None, "quill", id="malformed-email"),
        pytest.param(["erasure", "--identity", f"email=x{DROP}@example.org"], None, "DROP", id="injection-in-email"),
        pytest.param(["erasure", "--identity", f"{DROP}=canary"], None, "DROP", id="injection-as-kind"),
        pytest.param(["erasure", "--identity", "shoe_size=canary44"], None, "canary44", id="kind-no-system-knows"),
        pytest.param(["erasure", "--identity", "email=", *GOOD], None, PERSON, id="empty-value"),
        pytest.param(["erasure", "--identity", f"email={'q' * 1_000_000}"], None, "qqq", id="1-MB-identity"),
        pytest.param(["erasure", "--identities", "-"], f"email=a\0{PERSON}", PERSON, id="NUL-in-identity"),
        pytest.param(["erasure", "--identities", "-"], b"email=canary\xff\xfe@example.org", "canary", id="not-UTF-8"),
        pytest.param(["erasure", "--identities", "-"], f'{{"email": "{PERSON}"', PERSON, id="broken-JSON"),
        pytest.param(["erasure", "--identities", "-"], f'["{PERSON}"]', PERSON, id="JSON-list"),
        pytest.param(["erasure", "--identities", "-"], f'{{"email": {{"a": "{PERSON}"}}}}', PERSON, id="nested-JSON"),
        pytest.param(["erasure", "--identities", "-"], "email=a@example.org\n" * 200_000, "a@example", id="4-MB-input"),
        pytest.param(["erasure", "--identities", "canary/quill"], None, "quill", id="file-not-there"),
        pytest.param(["erasure", *GOOD, "--text-file", "-"], "x" * 1_000_000, "xxx", id="1-MB-text"),
        pytest.param(["erasure", *GOOD, "--text-file", "-"], "x" * 1_000_001, "xxx", id="more-than-1-MB-text"),
        pytest.param(["erasure", *GOOD, "--text-file", "-"], "canary\0text", "canary", id="NUL-in-text"),
        pytest.param(["erasure", "--identities", "-", "--text-file", "-"], "", PERSON, id="standard-input-twice"),
        pytest.param(["erasure", *GOOD, "--received-at", "canary-day"], None, "canary", id="malformed-date"),
        pytest.param(["erasure", *GOOD, "--received-at", "2026-02-30"], None, "02-30", id="impossible-date"),
        pytest.param(["erasure", *GOOD, "--received-at", "2999-01-01"], None, "2999", id="future-date"),
        pytest.param(["erasure", *GOOD, "--received-at", "2006-11-20"], None, "2006-11-20", id="slip-in-the-year"),
        pytest.param(["erasure", *GOOD, "--confirmed-by", ""], None, PERSON, id="empty-role"),
        pytest.param(["erasure", *GOOD, "--confirmed-by", "a\x1b[2Jcanary"], None, "canary", id="escape-in-role"),
        pytest.param(["erasure", *GOOD, "--idempotency-key", "k" * 201], None, "kkk", id="long-key"),
        pytest.param(["erasure", PERSON], None, PERSON, id="identity-as-argument"),
        pytest.param(["erasure", f"--emial={PERSON}"], None, PERSON, id="unknown-option"),
        pytest.param([], None, PERSON, id="nothing-at-all"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence_and_starts_nothing(
    deployment: Deployment, arguments: list[str], given: str | bytes | None, typed: str
) -> None:
    answer = deployment("request", "open", *arguments, given=given)

    assert answer.code == 2
    assert one_sentence(answer.err), answer.err
    assert typed not in answer.err
    assert answer.out == ""
    assert deployment.everything().count("\n") == 0  # the schema's version, and nothing else


def test_a_request_is_received_while_temporal_is_away(deployment: Deployment) -> None:
    answer = deployment("request", "open", "access", *GOOD)

    assert answer.code == 0
    assert "access request" in answer.out
    assert PERSON not in answer.out + answer.err
    assert deployment.rows('SELECT "right", phase FROM requests') == [("access", "received")]
    assert deployment.rows("SELECT kind FROM outbox") == [("start",)]


def test_identities_are_read_from_standard_input_and_files(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "who.json"
    file.write_text(json.dumps({"email": [PERSON, "second@example.org"]}))

    for answer in (
        deployment("request", "open", "erasure", "--identities", "-", given=f"# agent 7\nemail={PERSON}\n\n"),
        deployment("request", "open", "erasure", "--identities", str(file)),
    ):
        assert answer.code == 0, answer.err
    counts = deployment.rows("SELECT count(*) FROM request_subjects GROUP BY request_id ORDER BY request_id")
    assert counts == [(1,), (2,)]


def test_nothing_typed_lies_in_clear_in_the_ledger(deployment: Deployment) -> None:
    text = "Dear shop, please erase canary-letter"

    answer = deployment(
        "request", "open", "erasure", *GOOD, "--text-file", "-", "--confirmed-by", "canary desk", given=text
    )

    assert answer.code == 0
    there = deployment.everything().lower()
    assert "canary" not in there
    assert "quill" not in there


def test_json_has_the_documented_shape(deployment: Deployment) -> None:
    opened = deployment("request", "open", "erasure", *GOOD, "--json").json

    assert list(opened) == ["id", "right", "new", "received_at", "internal_due", "legal_due", "zone", "also_asked"]
    assert opened["right"] == "erasure"
    assert opened["new"] is True
    assert datetime.fromisoformat(opened["legal_due"]) > datetime.now(UTC) + timedelta(days=27)


def test_the_same_idempotency_key_finds_the_same_request(deployment: Deployment) -> None:
    first = deployment("request", "open", "erasure", *GOOD, "--idempotency-key", "ticket-4711", "--json").json
    again = deployment("request", "open", "erasure", *GOOD, "--idempotency-key", "ticket-4711", "--json").json

    assert again["id"] == first["id"]
    assert (first["new"], again["new"]) == (True, False)
    assert deployment.rows("SELECT count(*) FROM requests") == [(1,)]


def test_an_idempotency_key_is_for_one_request_only(deployment: Deployment) -> None:
    deployment("request", "open", "erasure", *GOOD, "--idempotency-key", "ticket-4711")

    other = deployment(
        "request", "open", "erasure", "--identity", "email=other@example.org", "--idempotency-key", "ticket-4711"
    )

    assert other.code == 5
    assert one_sentence(other.err)
    assert deployment.rows("SELECT count(*) FROM requests") == [(1,)]


def test_the_day_of_receipt_sets_the_dates(deployment: Deployment) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=3)).date()

    opened = deployment("request", "open", "access", *GOOD, "--received-at", str(yesterday), "--json").json

    received = datetime.fromisoformat(opened["received_at"])
    assert received < datetime.now(UTC) - timedelta(days=2)
    assert datetime.fromisoformat(opened["internal_due"]) <= datetime.fromisoformat(opened["legal_due"])


def test_an_attested_identity_needs_no_second_word(deployment: Deployment) -> None:
    attested, bare = deployment.open("--confirmed-by", "support desk"), deployment.open()

    unsigned = deployment("request", "confirm-identity", bare)
    assert (unsigned.code, one_sentence(unsigned.err)) == (2, True), "somebody says so"
    assert deployment("request", "confirm-identity", attested, "--by", "desk", "--json").json == {
        "said": "identity confirmed",
        "new": False,
    }
    assert deployment("request", "confirm-identity", bare, "--by", "support desk", "--json").json["new"] is True
    assert deployment.rows("SELECT count(*) FROM requests WHERE confirmed_at IS NULL") == [(0,)]


def test_a_ledger_that_is_away_is_said_so(deployment: Deployment) -> None:
    (deployment.home / "ledger-url").write_text("postgresql://nobody:canary-secret@127.0.0.1:1/ledger")

    answer = deployment("request", "open", "erasure", *GOOD)

    assert answer.code == 3
    assert one_sentence(answer.err)
    assert "canary" not in answer.err


def test_an_address_that_cannot_be_read_is_not_repeated(deployment: Deployment) -> None:
    (deployment.home / "ledger-url").write_text("canary-secret at the wrong place")

    answer = deployment("request", "open", "erasure", *GOOD)

    assert answer.code == 2
    assert one_sentence(answer.err)
    assert "canary" not in answer.err


def test_first_requests_at_the_same_moment_are_all_received(deployment: Deployment) -> None:
    """A ledger's journal begins with its first entry, and six doors may want to write it."""
    settings, ledgers = Settings.load(), [open_ledger(Settings.load()) for _ in range(6)]
    ready = threading.Barrier(len(ledgers))

    def receive(number: int) -> str:
        ready.wait()
        who = [("email", f"p{number}@example.org")]
        opened = submit(
            ledgers[number], load_map(settings), rules(settings), "access", who, received_at=datetime.now(UTC)
        )
        return opened.request_id

    with ThreadPoolExecutor(len(ledgers)) as doors:
        ids = list(doors.map(receive, range(len(ledgers))))
    for ledger in ledgers:
        ledger.close_connections()

    assert len(set(ids)) == 6
    assert deployment("ledger", "verify", "--json").json["sound"] is True


def test_a_right_that_no_named_law_gives_is_refused_with_the_rights_that_they_give(deployment: Deployment) -> None:
    answer = deployment("request", "open", "portability", *GOOD, "--regime", "nz")

    assert answer.code == 2
    assert "no law that was named gives a right of 'portability': nz gives access, rectification." in answer.err
    assert deployment.rows("SELECT count(*) FROM requests") == [(0,)]

    # One that gives it is enough; and where none is named, everything is received.
    both = ("--regime", "nz", "--regime", "eu-gdpr")
    for named in (both, ()):
        taken = deployment("request", "open", "portability", *GOOD, *named)
        assert taken.code == 0, taken.err


def test_ERA_01_the_ground_of_an_erasure_is_on_record_as_stated_or_as_not_stated(deployment: Deployment) -> None:
    (deployment.home / "why.yaml").write_text("ground: consent_withdrawn\nnote: I said no in May\n")

    stated = deployment("request", "open", "erasure", *GOOD, "--details", "why.yaml")
    silent = deployment("request", "open", "erasure", *GOOD)

    assert (stated.code, silent.code) == (0, 0), stated.err
    opened = "SELECT body::json->>'ground', body FROM entries WHERE kind = 'opened' ORDER BY seq"
    rows = deployment.rows(opened)
    assert [ground for ground, _ in rows] == ["consent_withdrawn", "none_stated"]
    assert "in May" not in str(rows), "what they say in their own words is sealed"
