"""`habeas incident`, as a controller and their data protection officer type it."""

from datetime import timedelta
from pathlib import Path

import pytest

from rights.request import Phase
from starter.desk import desk, now
from tests.starter.conftest import PERSON, Deployment, one_sentence

CANARY = "canary: it went to a Mr Example"


@pytest.fixture
def note(deployment: Deployment) -> str:
    """A file with what only the vault may have."""
    file = deployment.home / "note.txt"
    file.write_text(CANARY)
    return str(file)


def with_an_officer(deployment: Deployment) -> None:
    file = deployment.home / "habeas.toml"
    file.write_text(f'{file.read_text()}\n[approvers]\ndpo = {{holder = "s-9"}}\n')


def test_a_breach_is_opened_advised_on_notified_and_closed(deployment: Deployment, note: str) -> None:
    with_an_officer(deployment)
    request = deployment.open()
    who = ("--by", "s-17")

    made = deployment("incident", "open", "access", "--request", request, *who, "--note-file", note, "--json").json

    incident = made["id"]
    assert (made["hours"], made["hours_of"], made["stopped"], made["in_flight"]) == (72, ["eu-gdpr"], [request], 0)
    assert made["waits_for"] == [{"what": "notify", "who": "controller"}, {"what": "advice", "who": "dpo"}]
    tasks = deployment("task", "list", "--json").json
    assert [task["code"] for task in tasks["tasks"]] == ["incident"]
    assert [one["id"] for one in tasks["incidents"]] == [incident]
    assert f"habeas incident show {incident}" in deployment("request", "show", request).out
    facts = deployment("incident", "facts", incident, "--json").json
    assert (facts["people"], facts["requests"], facts["records"]) == (1, {"erasure": 1}, None)
    assert set(facts["asks"]) == {"nature", "people", "consequences", "measures"}

    advice = ("incident", "advise", incident, "risk", "--reason-file", note)
    assert deployment(*advice, *who).code == 5, "it takes the officer"
    assert deployment(*advice, "--by", "s-9").code == 0
    assert deployment("incident", "close", incident, *who, "--note-file", note).code == 5
    assert deployment("incident", "notify", incident, *who, "--text-file", note).code == 0
    assert deployment("incident", "close", incident, *who, "--note-file", note).code == 0
    assert deployment("task", "list", "--json").json == {"tasks": [], "incidents": []}
    assert deployment("incident", "list", "--all", "--json").json["incidents"][0]["closed_at"]
    assert "canary" not in deployment.everything()
    assert PERSON not in deployment("incident", "facts", incident).out


def test_a_late_notice_says_why_and_an_awareness_is_never_to_come(deployment: Deployment, note: str) -> None:
    request, early = deployment.open(), (now() - timedelta(days=4)).isoformat()
    opening = ("incident", "open", "loss", "--request", request, "--by", "s-17")

    for when, code in (("2999-01-01T00:00", 2), ("2026-11-20", 2), ("soon", 2)):
        refused = deployment(*opening, "--aware", when)
        assert refused.code in {code, 5}
        assert one_sentence(refused.err)
    assert deployment("incident", "list", "--json").json["incidents"] == []

    incident = deployment(*opening, "--aware", early, "--json").json
    assert (incident["risk"], incident["overdue"]) == ("overdue", True)
    notice = ("incident", "notify", incident["id"], "--by", "s-17", "--json")
    refused = deployment(*notice)
    assert refused.code != 0
    assert "--reason-file" in refused.err
    late = deployment(*notice, "--reason-file", note).json["late_by_seconds"]
    assert timedelta(hours=24) <= timedelta(seconds=late) < timedelta(hours=25)


def test_a_disputed_parcel_is_opened_by_nobody(deployment: Deployment, note: str, tmp_path: Path) -> None:
    request = deployment.open(right="access")
    report = ("parcel", "report", request, "--by", "s-17", "--note-file", note)
    assert "no parcel" in deployment(*report).err
    with desk() as at:
        for phase in (Phase.CONFIRMING, Phase.LOCATING, Phase.FULFILLING, Phase.PACKAGING):
            at.ledger.move(request, phase, at=now())
        at.ledger.keep_parcel(request, "d" * 64, 10, 41, at=now())

    made = deployment(*report, "--json").json

    assert (made["kind"], made["origin"], made["parcels"]) == ("wrong_recipient", "parcel", [request])
    refused = deployment("parcel", "open", request, "--out", str(tmp_path / "copy.zip"))
    assert refused.code == 5
    assert made["id"] in refused.err
    assert deployment("incident", "facts", made["id"], "--json").json["records"] == 41
    assert "canary" not in deployment.everything()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("open", "access", "--by", "s-17"), "--request"),
        (("open", "fire", "--by", "s-17", "--system", "shop"), "KIND"),
        (("open", "access", "--by", "s-17", "--system", "nowhere"), "data map"),
        (("open", "access", "--by", "s-17", "--request", "x"), "no request"),
        (("show", "01kap2v7q4m8w3x9yd5tgh6jzr"), "no incident"),
        (("lift", "01kap2v7q4m8w3x9yd5tgh6jzr", "--by", "s-17"), "no incident"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(deployment: Deployment, words: tuple[str, ...], said: str) -> None:
    refused = deployment("incident", *words)

    assert refused.code != 0
    assert said in refused.err
    assert one_sentence(refused.err)
