"""`habeas authority`, as counsel types it."""

import json
from pathlib import Path
from typing import Any

import pytest

from activities import parcels
from rights.authorities import Scope
from rights.authoritylaw import Word
from rights.decision import Role
from starter.desk import desk, now
from tests.starter.conftest import PERSON, Deployment, one_sentence

DEMAND = """
authority: police-berlin
country: DE
kind: production_order
basis: canary section 95 StPO
demanded: [shop.customers]
due_on: 2026-01-15
gag: open
gag_basis: canary section 95a StPO
"""


def receive(deployment: Deployment, text: str = DEMAND, email: str = PERSON) -> Any:
    file = deployment.home / "demand.yaml"
    file.write_text(text)
    words = ("authority", "receive", "--by", "s-17", "--details", str(file), "--identities", "-", "--json")
    return deployment(*words, given=f"email={email}")


def known(deployment: Deployment) -> None:
    """The register has the authority."""
    (deployment.home / "recipients.yaml").write_text(
        "recipients:\n  police-berlin: {name: Police, country: DE, role: authority, told_by: {post: [Police]}, "
        "basis: {kind: law, document: section 95 StPO, since: 2024-01-01}}\n"
    )
    file = deployment.home / "habeas.toml"
    file.write_text(f"recipients = {json.dumps(str(Path('recipients.yaml')))}\n{file.read_text()}")


def test_a_demand_is_seen_by_nobody_who_works_on_requests(deployment: Deployment) -> None:
    request = deployment.open()
    pages = [("request", "show", request, "--json"), ("request", "list"), ("task", "list"), ("hold", "tasks")]
    before = [deployment(*page).out for page in pages]

    demand = receive(deployment).json["id"]

    assert [deployment(*page).out for page in pages] == before
    shown = deployment("authority", "show", demand)
    assert "2026-01-15" in shown.out
    assert PERSON not in shown.out
    assert "canary" not in deployment.everything()


def test_a_late_demand_says_so_and_what_it_waits_for(deployment: Deployment) -> None:
    demand = receive(deployment).json["id"]

    (listed,) = deployment("authority", "list", "--json").json["demands"]

    assert (listed["id"], listed["overdue"], listed["waits_for"]) == (demand, True, ["check"])
    assert deployment("authority", "count", "--year", str(listed["received_at"])[:4], "--json").json["demands"] == [
        {
            "country": "DE",
            "kind": "production_order",
            "received": 1,
            "authorities": 1,
            "gagged": 1,
            "emergencies": 0,
            "unsound": 0,
            "fates": {"open": 1},
        }
    ]


def test_an_authority_that_the_register_does_not_know_is_not_authenticated(deployment: Deployment) -> None:
    demand = receive(deployment).json["id"]
    words = ("authority", "check", demand, "authenticated", "yes", "--by", "s-17")

    assert (refused := deployment(*words)).code == 5
    assert one_sentence(refused.err)
    known(deployment)
    assert deployment(*words, "--json").json["questions"]["authenticated"] is True


def test_what_cannot_be_written_is_not_on_record_as_handed_over(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(deployment)
    demand = receive(deployment, DEMAND.replace("gag: open\ngag_basis: canary section 95a StPO\n", "")).json["id"]
    scope, at = Scope(collections=("shop.customers",)), now()
    with desk() as here:
        ledger = here.ledger
        for question in ledger.demand(demand).asked:
            ledger.answer_question(demand, question, met=True, known_contact=True, by="s-17", note=None, at=at)
        ground = "legal_obligation"
        ledger.decide_demand(demand, Word.DISCLOSE, ground, scope, reason="why", by="s-17", seat=Role.COUNSEL, at=at)
        ledger.approve_demand(demand, by="s-21", seat=Role.DELEGATE, note=None, at=at)
        ledger.case_key(demand, "parcel", create=True)
        ledger.keep_disclosure(demand, "d" * 64, 1, {}, decided_at=at, at=at)
    monkeypatch.setattr(parcels, "verify_parcel", lambda *_args, **_more: None)

    refused = deployment("authority", "disclose", demand, "--by", "s-17", "--replace", "--out", str(deployment.home))

    assert (refused.code, one_sentence(refused.err)) == (2, True)
    assert deployment.rows("SELECT handed_at FROM demands") == [(None,)]
    assert deployment.rows("SELECT count(*) FROM entries WHERE kind = 'demand_disclosed'") == [(0,)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (DEMAND.replace("shop.customers", "shop.customerz"), 5),
        (DEMAND.replace("gag_basis: canary section 95a StPO", ""), 1),
        (f"{DEMAND}whom: {PERSON}\n", 1),
    ],
)
def test_a_slip_takes_nothing_in(deployment: Deployment, text: str, code: int) -> None:
    answer = receive(deployment, text)

    assert answer.code == code
    assert PERSON not in answer.err
    assert deployment.rows("SELECT count(*) FROM demands") == [(0,)]


def test_trf_04_counsel_hears_at_once_that_no_row_of_a_range_would_go(deployment: Deployment) -> None:
    seats = deployment.home / "habeas.toml"
    seats.write_text(
        f'{seats.read_text()}\n[approvers]\ncounsel = {{holder = "s-17"}}\ndelegate = {{holder = "s-21"}}\n'
    )
    demand = receive(deployment, f"{DEMAND}dates: {{from: 2026-03-01, until: 2026-03-31}}\n").json["id"]
    assert "from 2026-03-01 until 2026-03-31" in deployment("authority", "show", demand).out
    words = (
        "authority",
        "decide",
        demand,
        "disclose",
        "--ground",
        "legal_obligation",
        "--by",
        "s-17",
        "--reason-file",
        "-",
    )

    answer = deployment(*words, given="why")

    assert (answer.code, one_sentence(answer.err)) == (2, True)
    assert "--undated" in answer.err
    again = deployment(*words, "--until", "2026-02-01", "--from", "2026-03-01", given="why")
    assert (again.code, "--until is before --from" in again.err) == (2, True)
    objection = deployment("authority", "object", demand, "--by", "s-21", "--reason-file", "-", given="why")
    assert (objection.code, "no emergency waits" in objection.err) == (5, True)
