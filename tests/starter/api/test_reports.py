"""Reports over the API are the command line's, and what must stay secret is counted for counsel alone."""

from __future__ import annotations

import pytest

from tests.starter.api.conftest import Api

REPORTS = ["board", "register", "annual-ccpa", "ropa", "population"]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_that_of_the_command_line_byte_for_byte(api: Api, name: str) -> None:
    asked = {"right": "access", "identities": [{"kind": "email", "value": "anna@example.org"}]}
    assert api("POST", "/v1/requests", json=asked).status_code == 202
    head = api.deployment.rows("SELECT max(seq) FROM entries")[0][0]
    for form in ("json", "csv"):
        answer = api("GET", f"/v1/reports/{name}?period=2026&head={head}&as={form}", by="s-auditor")
        assert answer.status_code == 200
        said = api.deployment("report", name, "--period", "2026", "--head", str(head), f"--{form}")
        assert answer.text == said.out


def test_secret_holds_are_counted_for_counsel_alone(api: Api) -> None:
    path = "/v1/reports/board?period=2026"
    assert api("GET", path, by="s-auditor").json()["secret_holds"] is None
    refused = api("GET", f"{path}&for_counsel=true", by="s-auditor")
    assert (refused.status_code, refused.json()["code"]) == (403, "role_missing")
    assert api("GET", f"{path}&for_counsel=true", by="s-counsel").json()["secret_holds"] is not None


@pytest.mark.parametrize("period", ["2026-13", "2026-00", "last year", "0000", "2026-Q5"])
def test_a_period_that_is_none_is_told_and_not_repeated(api: Api, period: str) -> None:
    answer = api("GET", f"/v1/reports/board?period={period}", by="s-auditor")
    assert answer.status_code == 422
    assert period not in answer.text


def test_an_entry_that_the_journal_does_not_have_is_refused(api: Api) -> None:
    answer = api("GET", "/v1/reports/board?period=2026&head=999999", by="s-auditor")
    assert answer.status_code in {404, 409}


def test_how_far_webhooks_are_is_for_engineers(api: Api) -> None:
    assert api("GET", "/v1/webhooks", by="s-engineer").json() == {"webhooks": []}
    assert api("GET", "/v1/webhooks", by="s-auditor").status_code == 403
