"""`habeas identity` and what `request open` is told of the asker, as a person types it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.starter.conftest import PERSON, Deployment, one_sentence


def proven(deployment: Deployment, request: str) -> bool:
    return bool(deployment.rows("SELECT confirmed_at FROM requests WHERE id = %s", [request])[0][0])


@pytest.mark.parametrize(
    ("said", "enough"),
    [
        (["--signed-in", "second_factor"], True),
        (["--signed-in", "password"], False),
        (["--assurance", "3"], True),
        (["--assurance", "2"], False),
        (["--confirmed-by", "desk"], True),
        ([], False),
    ],
)
def test_a_request_is_proven_from_the_start_if_what_a_system_says_is_enough(
    deployment: Deployment, said: list[str], enough: bool
) -> None:
    request = deployment.open(*said)

    assert proven(deployment, request) is enough
    status = deployment("identity", "status", request, "--json").json
    assert (status["proven"], status["needed"]) == (enough, 3)
    ((body,),) = deployment.rows("SELECT body FROM entries WHERE kind = 'opened'")
    word = {"--confirmed-by": "attested", "--signed-in": "proven", "--assurance": "proven"}.get((said or [""])[0])
    assert json.loads(body).get("assurance") == (word if enough else None)
    kept = deployment.rows("SELECT count(*) FROM identity_proofs WHERE request_id = %s", [request])
    assert kept == [(1 if said and said[0] != "--confirmed-by" else 0,)]


@pytest.mark.soak
def test_what_a_system_says_is_added_to_by_a_second_step(deployment: Deployment) -> None:
    request = deployment.open("--signed-in", "password", right="access")
    assert deployment("identity", "attest", request, "--rung", "attested", "--assurance", "2", "--by", "bank").code == 6
    done = deployment("identity", "attest", request, "--rung", "second_factor", "--by", "portal", "--json")
    assert (done.code, done.json) == (0, {"proven": True})
    assert proven(deployment, request)


def test_a_letter_is_entered_with_the_day_on_which_it_came(deployment: Deployment) -> None:
    day = (datetime.now(UTC) - timedelta(days=5)).date()
    request = deployment.open("--channel", "letter", "--taken-by", "mail room", "--received-at", str(day))

    ((received,),) = deployment.rows("SELECT received_at FROM requests WHERE id = %s", [request])
    assert received.astimezone(UTC) <= datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    ((body,),) = deployment.rows("SELECT body FROM entries WHERE kind = 'arrived'")
    assert json.loads(body)["channel"] == "letter"
    assert "mail room" not in deployment.everything()


def test_a_document_is_seen_by_two_and_gone_with_the_ruling(deployment: Deployment, tmp_path: Path) -> None:
    request = deployment.open()
    scan, copy = tmp_path / "scan.pdf", tmp_path / "copy.pdf"
    scan.write_bytes(b"canary of a scan")
    first = ("identity", "attest", request, "--rung", "document", "--by", "front desk", "--paper", str(scan))
    unsaid = deployment(*first)
    assert (unsaid.code, "--proves email" in unsaid.err, one_sentence(unsaid.err)) == (5, True, True)
    assert deployment(*first, "--proves", "email").code == 6
    assert deployment("identity", "status", request, "--json").json["second_look"] is True

    assert deployment("identity", "document", request, "--out", str(copy)).code == 0
    assert copy.read_bytes() == b"canary of a scan"
    assert copy.stat().st_mode & 0o077 == 0
    again = deployment("identity", "attest", request, "--rung", "document", "--by", "FRONT desk")
    assert (again.code, one_sentence(again.err)) == (5, True)

    assert deployment("identity", "attest", request, "--rung", "document", "--by", "team lead").code == 0
    assert deployment("identity", "document", request, "--out", str(tmp_path / "no.pdf")).code == 4
    assert deployment.rows("SELECT count(*) FROM vault WHERE purpose = 'identity'") == [(0,)]


@pytest.mark.soak
def test_what_was_shown_can_be_refused(deployment: Deployment, tmp_path: Path) -> None:
    request = deployment.open()
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"forged")
    seen = ("--rung", "document", "--proves", "email", "--by", "desk", "--paper", str(scan))
    assert deployment("identity", "attest", request, *seen).code == 6
    assert deployment("identity", "refuse", request, "--by", "team lead").code == 6
    assert deployment.rows("SELECT count(*) FROM identity_proofs") == [(0,)]
    assert deployment("identity", "refuse", request, "--by", "team lead").code == 5


MANDATE = """
kind: agent
scope: [erasure]
signed: 2026-01-02
answer_to: representative
representative: Quill Agents Ltd
"""


@pytest.mark.soak
def test_an_agents_mandate_is_kept_sealed_and_waits_for_the_person(deployment: Deployment, tmp_path: Path) -> None:
    request = deployment.open("--signed-in", "password")
    assert deployment("identity", "mandate", request, "--by", "desk").code == 6
    assert deployment("identity", "attest", request, "--rung", "second_factor", "--by", "portal").code == 6
    file = tmp_path / "mandate.yaml"
    file.write_text(MANDATE)
    assert deployment("identity", "mandate", request, "--by", "desk", "--details", str(file)).code == 6

    status = deployment("identity", "status", request, "--json").json
    assert (status["mandate_needed"], status["mandate"]) == (True, "agent")
    assert "Quill Agents" not in deployment.everything()


def test_TRF_02_a_parcel_for_a_firm_abroad_is_not_opened(deployment: Deployment, tmp_path: Path) -> None:
    request, home = deployment.open(), deployment.open()
    file = tmp_path / "mandate.yaml"
    for one, country in ((request, "US"), (home, "DE")):
        file.write_text(f"{MANDATE}firm: {{country: {country}, recipient: quill}}\n")
        deployment("identity", "mandate", one, "--by", "desk", "--details", str(file))
    out = tmp_path / "copy.zip"

    refused = deployment("parcel", "open", request, "--out", str(out))

    assert (refused.code, one_sentence(refused.err)) == (5, True)
    assert "the register does not name it" in refused.err
    assert not out.exists()
    assert deployment("parcel", "open", home, "--out", str(out)).code == 4, "there is none yet"


def test_a_slip_in_a_mandate_is_told_with_its_line_and_changes_nothing(deployment: Deployment, tmp_path: Path) -> None:
    request = deployment.open()
    file = tmp_path / "mandate.yaml"
    file.write_text(MANDATE.replace("scope: [erasure]", "scope: []"))
    before = deployment.rows("SELECT count(*) FROM entries")
    done = deployment("identity", "mandate", request, "--by", "desk", "--details", str(file))

    assert done.code == 1
    assert "scope is empty" in done.err
    assert deployment.rows("SELECT count(*) FROM entries") == before


@pytest.mark.soak
def test_the_dead_are_asked_for_by_whom_their_country_lets(deployment: Deployment) -> None:
    heir = ("--relation", "heir", "--died", "2025-03-01", "--by", "desk")
    request = deployment.open("--signed-in", "second_factor", right="access")
    late = deployment("identity", "deceased", request, "--country", "FR", *heir)
    assert late.code == 5, "who is proven already does not ask for somebody else"

    request = deployment.open(right="access")
    off = deployment("identity", "deceased", request, "--country", "US", *heir)
    assert (off.code, one_sentence(off.err)) == (5, True)
    assert "not sure" in off.err
    assert deployment("identity", "deceased", request, "--country", "FR", *heir, "--name", "Canary Heir").code == 6
    shown = ("--rung", "in_person", "--proves", "all")
    assert deployment("identity", "attest", request, *shown, "--by", "desk").code == 6
    assert deployment("identity", "attest", request, *shown, "--by", "notary").code == 0
    assert "Canary Heir" not in deployment.everything()


@pytest.mark.soak
def test_teenagers_ask_in_their_own_name_and_children_do_not(deployment: Deployment) -> None:
    teenager, child = deployment.open(), deployment.open()
    assert deployment("identity", "minor", teenager, "--age", "14", "--by", "desk", "--json").json == {
        "guardian": False
    }
    assert deployment("identity", "minor", child, "--age", "12", "--by", "desk", "--json").json == {"guardian": True}
    for request, code in ((teenager, 0), (child, 6)):
        done = deployment("identity", "attest", request, "--rung", "second_factor", "--by", "portal")
        assert done.code == code
    assert deployment("identity", "minor", teenager, "--age", "18", "--by", "desk").code == 2


def test_nothing_that_is_typed_is_repeated(deployment: Deployment) -> None:
    request = deployment.open()
    assert deployment("identity", "send-code", request).code == 0
    for words, given in (
        (("check-code", request), PERSON),
        (("check-points", request), f"email={PERSON}"),
        (("attest", request, "--rung", PERSON, "--by", "x"), None),
        (("send-code", request, "--to", PERSON), None),
    ):
        done = deployment("identity", *words, given=given)
        assert done.code in {2, 5, 6}
        assert PERSON not in done.out + done.err


@pytest.mark.soak
def test_explain_and_show_know_what_was_asked(deployment: Deployment) -> None:
    request = deployment.open("--channel", "phone")
    deployment("identity", "send-code", request, "--to", "file")
    deployment("identity", "check-code", request, given="123")
    for words in (("explain", request), ("request", "show", request)):
        assert deployment(*words).code == 0


def test_COM_01_whatever_way_a_request_came_in_it_is_the_same_request(deployment: Deployment) -> None:
    ways = ("web", "mail", "phone", "chat", "letter", "walk_in")
    for way in ways:
        deployment.open("--channel", way, "--taken-by", "front desk", right="access")

    bodies = deployment.rows("SELECT body FROM entries WHERE kind = 'arrived' ORDER BY seq")
    assert [json.loads(body)["channel"] for (body,) in bodies] == list(ways)
    kinds = deployment.rows('SELECT DISTINCT "right", regime, phase FROM requests')
    assert len(kinds) == 1
    assert deployment.rows("SELECT count(*) FROM requests") == [(len(ways),)]
