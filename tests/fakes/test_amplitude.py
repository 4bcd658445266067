"""The fake of Amplitude keeps the vendor's time: jobs of days, results that expire, limits that bite."""

from __future__ import annotations

import gzip
import json
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest

from starter.stack import Vendors

JOBS = "/api/2/deletions/users"
REQUESTS = "/api/2/dsar/requests"


def ask(vendors: Vendors, client: httpx2.Client, *ids: str, **more: object) -> httpx2.Response:
    """Ask for deletion, a second after whatever was asked before."""
    vendors.advance("PT2S")
    return client.post(JOBS, json={"user_ids": list(ids), **more})


def jobs(vendors: Vendors, client: httpx2.Client) -> list[dict[str, Any]]:
    today = date.fromisoformat(vendors.advance("PT2S")[:10])
    window = {"start_day": str(today - timedelta(days=60)), "end_day": str(today + timedelta(days=30))}
    return list(client.get(JOBS, params=window).raise_for_status().json())


def known(vendors: Vendors) -> set[str]:
    return {user["user_id"] for user in vendors.dump("amplitude")["users"].values()}


def test_a_job_is_done_only_after_its_days(vendors: Vendors, amplitude: httpx2.Client) -> None:
    first = ask(vendors, amplitude, "2", "3").raise_for_status().json()
    assert first["status"] == "staging"
    assert 10 <= (date.fromisoformat(first["day"]) - date.fromisoformat(vendors.advance("PT0S")[:10])).days <= 13
    seen = []
    for _ in range(16):
        [job] = jobs(vendors, amplitude)
        seen.append(job["status"])
        assert ("2" in known(vendors)) is (job["status"] == "staging" or vendors.advance("PT0S")[:10] < job["day"])
        vendors.advance("P1D")
    assert sorted(set(seen), key=seen.index) == ["staging", "submitted", "done"]
    assert seen == sorted(seen, key=["staging", "submitted", "done"].index)
    assert known(vendors) & {"2", "3"} == set()
    assert {"1", "4"} <= known(vendors)


def test_a_staging_job_can_be_revoked_and_a_submitted_one_cannot(vendors: Vendors, amplitude: httpx2.Client) -> None:
    job = ask(vendors, amplitude, "2", "3").json()
    ident = {one["user_id"]: one["amplitude_id"] for one in job["amplitude_ids"]}
    vendors.advance("PT2S")
    assert amplitude.delete(f"{JOBS}/{ident['2']}/{job['day']}").status_code == 200
    vendors.advance("PT2S")
    assert amplitude.delete(f"{JOBS}/{ident['2']}/{job['day']}").status_code == 404
    vendors.advance("P11D")
    assert amplitude.delete(f"{JOBS}/{ident['3']}/{job['day']}").status_code == 400
    vendors.advance("P4D")
    assert "2" in known(vendors)
    assert "3" not in known(vendors)


def test_a_submitted_batch_takes_nobody_on(vendors: Vendors, amplitude: httpx2.Client) -> None:
    first = ask(vendors, amplitude, "2").json()
    vendors.advance("P1D")
    assert ask(vendors, amplitude, "3").json()["day"] == first["day"]
    while jobs(vendors, amplitude)[0]["status"] == "staging":
        vendors.advance("P1D")
    assert ask(vendors, amplitude, "4").json()["day"] > first["day"]


def test_a_deleted_user_who_comes_back_is_a_new_one(vendors: Vendors, amplitude: httpx2.Client) -> None:
    job = ask(vendors, amplitude, "2").json()
    vendors.advance("P15D")
    vendors.seed([{"id": "2", "email": "clara.adler@example.org"}], ["amplitude"])
    [match] = amplitude.get("/api/2/usersearch", params={"user": "2"}).json()["matches"][:1]
    assert match["user_id"] == "2"
    assert match["amplitude_id"] != job["amplitude_ids"][0]["amplitude_id"]


def test_unknown_ids_are_refused_unless_they_are_to_be_ignored(vendors: Vendors, amplitude: httpx2.Client) -> None:
    assert ask(vendors, amplitude, "2", "nobody").status_code == 400
    assert jobs(vendors, amplitude) == []
    answer = ask(vendors, amplitude, "2", "nobody", ignore_invalid_id="true")
    assert [one["user_id"] for one in answer.json()["amplitude_ids"]] == ["2"]


def test_the_whole_organisation_is_asked_by_user_id(vendors: Vendors, amplitude: httpx2.Client) -> None:
    [job] = ask(vendors, amplitude, "2", "nobody", delete_from_org="true").raise_for_status().json()
    assert ([one["user_id"] for one in job["amplitude_ids"]], bool(job["app"])) == (["2"], True)
    answer = ask(vendors, amplitude, delete_from_org="true", amplitude_ids=[300_000_000_002])
    assert answer.status_code == 400


def test_the_same_id_twice_is_one_entry(vendors: Vendors, amplitude: httpx2.Client) -> None:
    ask(vendors, amplitude, "2")
    assert len(ask(vendors, amplitude, "2").json()["amplitude_ids"]) == 1


def test_a_call_takes_a_hundred_ids(vendors: Vendors, amplitude: httpx2.Client) -> None:
    vendors.seed([{"id": str(n)} for n in range(1000, 1250)], ["amplitude"])
    many = [str(n) for n in range(1000, 1101)]
    assert ask(vendors, amplitude, *many).status_code == 400
    assert ask(vendors, amplitude, *many[:100]).status_code == 200


def test_one_call_a_second(vendors: Vendors, amplitude: httpx2.Client) -> None:
    vendors.freeze()
    vendors.advance("PT2S")
    answers = [amplitude.post(JOBS, json={"user_ids": ["2"]}).status_code for _ in range(2)]
    assert answers == [200, 429]
    vendors.advance("PT1S")
    assert amplitude.post(JOBS, json={"user_ids": ["3"]}).status_code == 200


def test_the_window_of_jobs_is_at_most_six_months(vendors: Vendors, amplitude: httpx2.Client) -> None:
    window = {"start_day": "2026-01-01", "end_day": "2026-09-01"}
    assert amplitude.get(JOBS, params=window).status_code == 400


def test_a_search_finds_those_whose_id_begins_alike(vendors: Vendors, amplitude: httpx2.Client) -> None:
    vendors.seed([{"id": "ab1"}, {"id": "ab12"}], ["amplitude"])

    def found(wanted: str) -> set[str]:
        return {one["user_id"] for one in amplitude.get("/api/2/usersearch", params={"user": wanted}).json()["matches"]}

    assert found("ab1") == {"ab1"}
    assert found("ab") == {"ab1", "ab12"}
    assert found("nobody") == set()


def test_lookups_are_limited_by_the_hour(vendors: Vendors, amplitude: httpx2.Client) -> None:
    vendors.freeze()
    codes = [amplitude.get("/api/2/usersearch", params={"user": "2"}).status_code for _ in range(361)]
    assert codes[:360] == [200] * 360
    assert codes[360] == 429
    vendors.advance("PT1H")
    assert amplitude.get("/api/2/usersearch", params={"user": "2"}).status_code == 200


def test_access_is_answered_after_a_day_for_two(vendors: Vendors, organisation: httpx2.Client) -> None:
    body = {"userId": "2", "startDate": "2020-01-01", "endDate": "2030-01-01"}
    made = organisation.post(REQUESTS, json=body)
    assert made.status_code == 202
    number = made.json()["requestId"]

    def status() -> dict[str, Any]:
        return dict(organisation.get(f"{REQUESTS}/{number}").json())

    assert (status()["status"], status()["urls"]) == ("staging", [])
    vendors.advance("PT1H")
    assert status()["status"] == "submitted"
    vendors.advance("P1D")
    done = status()
    assert done["status"] == "done"
    assert len(done["urls"]) > 1  # one a month
    first = organisation.get(done["urls"][0])
    assert first.status_code == 302
    assert httpx2.URL(first.headers["location"]).host != httpx2.URL(done["urls"][0]).host
    lines: list[dict[str, Any]] = []
    for url in done["urls"]:
        stored = httpx2.get(organisation.get(url).headers["location"]).raise_for_status()
        lines += map(json.loads, gzip.decompress(stored.content).splitlines())
    assert len(lines) == len(vendors.dump("amplitude")["users"]["300000000002"]["events"])
    assert {line["user_id"] for line in lines} == {"2"}
    vendors.advance("P2D")
    assert organisation.get(done["urls"][0]).status_code == 404
    assert httpx2.get(first.headers["location"]).status_code == 403


def test_results_due_before_a_deletion_have_what_it_takes_away(
    vendors: Vendors, amplitude: httpx2.Client, organisation: httpx2.Client
) -> None:
    body = {"userId": "2", "startDate": "2020-01-01", "endDate": "2030-01-01"}
    number = organisation.post(REQUESTS, json=body).json()["requestId"]
    ask(vendors, amplitude, "2")
    vendors.advance("P30D")
    assert "2" not in known(vendors)
    assert organisation.get(f"{REQUESTS}/{number}").json()["urls"]


def test_the_object_store_refuses_a_credential(vendors: Vendors, organisation: httpx2.Client) -> None:
    body = {"userId": "2", "startDate": "2020-01-01", "endDate": "2030-01-01"}
    number = organisation.post(REQUESTS, json=body).json()["requestId"]
    vendors.advance("P1DT1H")
    url = organisation.get(f"{REQUESTS}/{number}").json()["urls"][0]
    place = organisation.get(url).headers["location"]
    assert organisation.get(place).status_code == 400
    assert httpx2.get(place).status_code == 200


def test_access_has_a_budget_by_the_hour(vendors: Vendors, organisation: httpx2.Client) -> None:
    vendors.freeze()
    body = {"userId": "2", "startDate": "2020-01-01", "endDate": "2030-01-01"}
    codes = [organisation.post(REQUESTS, json=body).status_code for _ in range(14_400 // 8)]
    assert set(codes) == {202}
    assert organisation.get(f"{REQUESTS}/1").status_code == 429
    vendors.advance("PT1H")
    assert organisation.get(f"{REQUESTS}/1").status_code == 404


@pytest.mark.parametrize("path", [JOBS, "/api/2/usersearch?user=2", f"{REQUESTS}/1"])
def test_wrong_keys_are_refused(vendors: Vendors, path: str) -> None:
    assert httpx2.get(vendors.url("amplitude") + path, auth=("a", "b")).status_code == 401


def test_the_projects_key_does_not_open_access_requests(amplitude: httpx2.Client) -> None:
    assert amplitude.get(f"{REQUESTS}/1").status_code == 401


def test_access_to_nobody_is_done_and_empty(vendors: Vendors, organisation: httpx2.Client) -> None:
    body = {"userId": "nobody", "startDate": "2020-01-01", "endDate": "2030-01-01"}
    number = organisation.post(REQUESTS, json=body).json()["requestId"]
    vendors.advance("P1DT1H")
    answer = organisation.get(f"{REQUESTS}/{number}").json()
    assert (answer["status"], answer["urls"]) == ("done", [])
