"""`/go`: from a bookmark to the filtered list, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from rights.codes import Code
from starter.access import TABLE, Action, Role
from tests.starter.api.conftest import Api

UI = ("http", "127.0.0.1:8233", "/namespaces/default/workflows")


def query(api: Api, path: str) -> str:
    """The query of the list that a bookmark leads to."""
    answer = api("GET", path, by="s-dpo", follow_redirects=False)
    assert answer.status_code == 302, answer.text
    where = urlsplit(answer.headers["location"])
    assert (where.scheme, where.netloc, where.path, where.fragment) == (*UI, "")
    (found,) = parse_qs(where.query)["query"]
    assert found.startswith('ExecutionStatus = "Running" AND HabeasTenant = "main" AND ')
    return str(found.partition('"main" AND ')[2])


def test_each_question_leads_to_its_list(api: Api) -> None:
    assert query(api, "/go/waiting") == "HabeasWaitingOn IS NOT NULL"
    assert query(api, "/go/waiting?on=identity") == 'HabeasWaitingOn = "identity"'
    assert query(api, "/go/held") == 'HabeasWaitingOn IN ("hold", "legal_hold")'
    assert query(api, "/go/regime/us-ca-ccpa") == 'HabeasRegime = "us-ca-ccpa"'
    assert query(api, "/go/overdue").startswith('HabeasLegalDueAt < "')


@pytest.mark.parametrize("days", [0, 1, 7, 366])
def test_days_become_a_date_when_the_bookmark_is_opened(api: Api, days: int) -> None:
    written = query(api, f"/go/due?days={days}").removeprefix('HabeasDueAt < "').removesuffix('"')

    left = datetime.fromisoformat(written) - datetime.now(UTC)
    assert timedelta(days=days) - timedelta(hours=2) < left <= timedelta(days=days + 1, hours=1)


@pytest.mark.parametrize(
    "path",
    [
        "/go/due?days=-1",
        "/go/due?days=367",
        "/go/due?days=seven%22",
        "/go/due?days=",
        "/go/waiting?on=canary%22%20OR%20%22",
        "/go/waiting?on=//canary.example",
        "/go/regime/canary%22",
        "/go/regime/https:canary.example",
        "/go/regime/..%2Fcanary",
        "/go/%2F%2Fcanary.example",
        "/go//canary.example",
    ],
)
def test_what_cannot_be_asked_is_a_problem_and_leads_nowhere(api: Api, path: str) -> None:
    refused = api("GET", path, by="s-dpo", follow_redirects=False)

    assert refused.status_code in {404, 422}
    assert refused.json()["detail"]
    assert "location" not in refused.headers
    assert "canary" not in refused.text
    assert "seven" not in refused.text


def test_no_header_says_where_it_leads(api: Api) -> None:
    forged = {"host": "canary.example", "x-forwarded-host": "canary.example", "referer": "https://canary.example/"}

    answer = api("GET", "/go/overdue", by="s-dpo", headers=forged, follow_redirects=False)

    assert urlsplit(answer.headers["location"])[:3] == UI


@pytest.mark.parametrize("role", Role)
def test_who_may_read_deadlines_is_led_there(api: Api, role: Role) -> None:
    answer = api("GET", "/go/overdue", by=f"s-{role}", follow_redirects=False)

    assert answer.status_code == (302 if role in TABLE[Action.READ_DEADLINES] else 403)


def test_nobody_else_is(api: Api) -> None:
    assert api.client.get("/go/overdue", follow_redirects=False).status_code == 401


def test_every_code_can_be_asked_for(api: Api) -> None:
    assert [code for code in Code if query(api, f"/go/waiting?on={code}") != f'HabeasWaitingOn = "{code}"'] == []
