"""An operator's own grounds of law, as a person checks and uses them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rights.ownlaw import adopt
from tests.rights.ownlaw import CODE, LAW
from tests.starter.conftest import Deployment

SETTINGS = """
[approvers.counsel]
holder = "s-17"

[letters]
controller = "Shop Ltd"
language = "%s"
"""


@pytest.fixture(autouse=True)
def _as_shipped() -> Iterator[None]:
    yield
    adopt(None)


def with_law(deployment: Deployment, text: str = LAW, language: str = "fr") -> Path:
    file = deployment.home / "law.yaml"
    file.write_text(text)
    deployment.setting("law", "law.yaml")
    settings = deployment.home / "habeas.toml"
    settings.write_text(settings.read_text() + SETTINGS % language)
    return file


def test_a_file_of_own_law_is_checked_before_anybody_decides_by_it(deployment: Deployment) -> None:
    file = deployment.home / "law.yaml"
    file.write_text(LAW)
    assert "2 grounds of your own" in deployment("decision", "check-grounds", "law.yaml").out

    file.write_text(LAW.replace("until: 2027-12-31", "until: 2026-11-21"))
    over = deployment("decision", "check-grounds", "law.yaml", "--json")
    assert over.code == 0
    assert [one["code"] for one in over.json["checks"] if one["code"]] == ["over"]

    file.write_text(LAW.replace("day: 2026-11-20", "day: 2096-11-20").replace("2027-12-31", "2097-12-31"))
    ahead = deployment("decision", "check-grounds", "law.yaml", "--json")
    assert ahead.code == 1

    file.write_text(LAW.replace("approver: counsel", "approver: dpo"))
    slip = deployment("decision", "check-grounds", "law.yaml")
    assert slip.code == 1
    assert f"law.yaml:13: grounds.{CODE}.approver" in slip.out
    assert "write counsel or delegate" in slip.out
    assert deployment("decision", "check-grounds", "nowhere.yaml").code == 2


def test_a_broken_file_of_own_law_stops_every_command_that_would_decide_by_it(deployment: Deployment) -> None:
    with_law(deployment, LAW.replace("approver: counsel", "approver: dpo"))

    listed = deployment("request", "list")
    assert listed.code == 1
    assert "law.yaml:13:" in listed.err
    checked = deployment("config", "check")
    assert "law.yaml:13:" in checked.out
    (deployment.home / "law.yaml").unlink()
    assert "name one that is there" in deployment("request", "list").err


def test_COM_11_a_limit_of_own_law_is_listed_proposed_and_kept_with_its_text(deployment: Deployment) -> None:
    with_law(deployment)
    request = deployment.open(right="access")
    (deployment.home / "why.txt").write_text("zqwhy")
    propose = ("decision", "propose", request, "in_part", "--leave-out", f"contact={CODE}", "--by", "s-31",
               "--evidence", "reason=why.txt")  # fmt: skip

    assert CODE in deployment("decision", "grounds").out
    assert list(deployment("decision", "grounds", "--request", request, "--json").json["grounds"][CODE]["words"]) == [
        "en",
        "fr",
    ]
    made = deployment(*propose, "--json")
    assert made.code == 0, made.err
    assert made.json["approvers"] == ["counsel"]
    assert deployment.rows("SELECT body FROM rulesets WHERE position('own_pt' in body) > 0") == [(LAW,)]
    assert "own law: 2 grounds" in deployment("config", "check").out.replace("  ", " ")


def test_a_ground_that_no_letter_could_say_is_not_proposed(deployment: Deployment) -> None:
    with_law(deployment, language="es")
    request = deployment.open(right="access")
    (deployment.home / "why.txt").write_text("zqwhy")

    refused = deployment("decision", "propose", request, "in_part", "--leave-out", f"contact={CODE}",
                         "--by", "s-31", "--evidence", "reason=why.txt")  # fmt: skip
    assert refused.code == 2
    assert f"{CODE} has no words in 'es'" in refused.err
    assert deployment.rows("SELECT count(*) FROM decisions") == [(0,)]
