"""`habeas metrics`, as compliance types it, compared with the ledger's own tables."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO

from rights.request import Conclusion, Phase
from starter.desk import load_settings, open_ledger
from tests.ledger.builders import close_one
from tests.starter.conftest import PERSON, Deployment, one_sentence


def test_MET_02_the_numbers_of_a_year_and_the_record_say_what_the_ledger_has(deployment: Deployment) -> None:
    now = datetime.now(UTC)
    took = [2, 4, 9]
    asked = str((now - timedelta(days=1)).date())
    ids = [deployment.open("--regime", "us-ca-ccpa", "--channel", "web") for _ in took]
    deployment.open("--regime", "us-ca-ccpa", right="access")
    deployment.open(right="access")
    ledger = open_ledger(load_settings())
    for request, days in zip(ids, took, strict=True):
        ledger.move(request, Phase.LOCATING, at=now)
        end = Conclusion.NOT_DONE if days == 9 else Conclusion.ANSWERED
        close_one(ledger, request, end, at=now + timedelta(days=days))
    ledger.close_connections()

    ((year,),) = deployment.rows("SELECT DISTINCT extract(year FROM received_at AT TIME ZONE zone)::int FROM requests")
    done = deployment("metrics", "count", "--year", str(year), "--json")
    assert done.code == 0, done.err
    assert (done.json["year"], done.json["requests"]) == (year, 5)
    assert [(one["regime"], one["right"], one["received"]) for one in done.json["counts"]] == deployment.rows(
        'SELECT regime, "right", count(*) FROM requests GROUP BY 1, 2 ORDER BY 1, 2'
    )
    erasure = done.json["counts"][-1]
    assert (erasure["complied"], erasure["denied"], erasure["grounds"]) == (2, 1, {"not_done": 1})
    assert (erasure["responses"], erasure["days"], erasure["days_mean"], erasure["days_median"]) == (3, 15, 5, 4)

    table = deployment("metrics", "list", "--regime", "us-ca-ccpa", "--csv", "--since", asked)
    rows = list(csv.DictReader(StringIO(table.out)))
    assert [(row["came_in"], row["fate"], row["days"]) for row in rows] == [
        ("web", "complied", "2"),
        ("web", "complied", "4"),
        ("web", "denied", "9"),
        ("", "open", ""),
    ]
    assert {row["request"] for row in rows[:3]} == set(ids)
    for words in (
        ("count", "--year", str(year)),
        ("count", "--year", str(year), "--csv"),
        ("list",),
        ("list", "--json"),
    ):
        shown = deployment("metrics", *words)
        assert (shown.code, PERSON in shown.out) == (0, False)
    both = deployment("metrics", "list", "--csv", "--json")
    assert (both.code, one_sentence(both.err)) == (2, True)


def test_MET_01_a_file_kept_for_less_than_a_law_of_the_deployment_asks_is_warned_of(deployment: Deployment) -> None:
    def warned() -> list[str]:
        checks = deployment("config", "check", "--json").json["checks"]
        return [check["about"] for check in checks if check["code"] == "file_days"]

    deployment.setting("file_days", 365)
    assert warned() == []
    deployment.open("--regime", "us-ca-ccpa")
    assert [about.partition(" asks")[0] for about in warned()] == [
        "365 days are less than the 24 months that us-ca-ccpa"
    ]
    deployment.setting("file_days", 731)
    assert warned() == []


def test_a_ledger_that_cannot_be_asked_under_which_laws_there_are_requests_is_no_silence(
    deployment: Deployment,
) -> None:
    def found() -> dict[str, tuple[bool, str]]:
        checks = deployment("config", "check", "--json").json["checks"]
        return {check["name"]: (check["ok"], check["about"]) for check in checks}

    assert "records" not in found(), "it has nothing to say where all is well"
    file = deployment.home / "habeas.toml"
    whole = file.read_text()
    file.write_text(f'{whole}\n[evidence]\nretired_keys = ["canary.pem"]\n')
    assert found()["records"] == (False, "evidence.retired_keys")
    file.write_text(whole)
    deployment.rows("ALTER TABLE requests RENAME TO elsewhere")
    assert found()["records"] == (False, "it does not work")
    (deployment.home / "ledger-url").write_text("postgresql://a:canary@127.0.0.1:1/none")
    assert (found()["ledger"], "records" in found()) == ((False, "no answer"), False), "that is said once"
