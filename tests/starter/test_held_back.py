"""Whoever works by hand, or brings a new map, is told of the holds that stand in the way."""

import re
from collections.abc import Iterator

import pytest

from ledger.ledger import Ledger
from rights.codes import Code
from rights.plan import Operation, Step
from settings import Settings
from starter.desk import open_ledger
from tests.starter.conftest import PERSON, Deployment


@pytest.fixture
def ledger(deployment: Deployment) -> Iterator[Ledger]:
    ledger = open_ledger(Settings.load())
    yield ledger
    ledger.close_connections()


def held(deployment: Deployment, *words: str) -> str:
    reason = deployment.home / "reason.txt"
    reason.write_text("a case")
    given = ("hold", "place", "--by", "s-17", "--identities", "-", "--reason-file", str(reason), "--json", *words)
    placed = deployment(*given, given=f"email={PERSON}")
    assert placed.code == 0, placed.err
    return str(placed.json["id"])


def test_a_task_by_hand_shows_the_hold_and_is_not_called_done(deployment: Deployment, ledger: Ledger) -> None:
    request = deployment.open("--confirmed-by", "desk")
    step = Step(request_id=request, system="shop", operation=Operation.ERASE)
    at = ledger.request(request).clock.received_at
    task = ledger.open_task(request, step.key, Code.MANUAL, "shop", at=at)
    assert [one["code"] for one in deployment("task", "list", "--json").json["tasks"]] == ["manual"]
    held(deployment, "--collection", "shop.orders")

    (shown,) = deployment("task", "list", "--json").json["tasks"]
    refused = deployment("request", "rule", request, "done", "--task", task)

    assert (shown["code"], shown["id"]) == ("hold", task)
    assert "hold" in deployment("request", "show", request).out
    assert (refused.code, deployment.rows("SELECT ruling FROM tasks")) == (5, [(None,)])
    assert "a hold covers this person there" in refused.err


def test_a_map_that_lacks_what_a_hold_names_is_told_of_before_any_worker_runs(deployment: Deployment) -> None:
    held(deployment, "--system", "shop")

    def said() -> list[dict[str, str]]:
        checks = deployment("config", "check", "--json").json["checks"]
        return [one for one in checks if one["name"] == "holds"]

    assert said() == []
    file = deployment.home / "maps" / "shop.yaml"
    file.write_text(re.sub(r"^system: shop$", "system: store", file.read_text(), flags=re.MULTILINE))

    (lost,) = said()
    assert not lost["ok"]
    assert "shop" in lost["about"]
    assert "old name" in lost["advice"]
    live = deployment("map", "check", "--live", str(deployment.home / "maps"), "--json").json["checks"]
    assert [one["about"] for one in live if one["name"] == "holds"] == [lost["about"]]
