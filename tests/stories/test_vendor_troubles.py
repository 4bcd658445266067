"""A vendor refuses the key, answers in another shape, or leaves the map: a person is asked, and nothing is lost."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.http.vendorfile import find_vendor
from rights.receipt import Outcome
from starter.stack import Vendors
from tests.stories.vendors import accepted, analytics, members, newsletter, wake
from tests.world import World, shop_map

pytestmark = pytest.mark.soak  # most of them wait for a cut call's own limit, or for a job


def habeas(world: World, *arguments: str) -> str:
    """What the command line prints, run as a person does."""
    environment = {**os.environ, **world.environment}
    command = [sys.executable, "-m", "starter.cli", *arguments]
    done = subprocess.run(command, cwd=world.home, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def open_task(world: World, request: str) -> dict[str, Any]:
    """The one task of a request."""
    (task,) = json.loads(habeas(world, "task", "list", "--request", request, "--json"))["tasks"]
    return dict(task)


def retry(world: World, request: str) -> None:
    """An agent has seen to it."""
    habeas(world, "request", "rule", request, "retry", "--task", open_task(world, request)["id"])


def stop_worker(world: World) -> None:
    """Stop the worker that runs, as for an upgrade."""
    process = world.workers[-1]
    process.send_signal(signal.SIGTERM)
    assert process.wait(180) == 0, world.log


def verified(world: World, request: str, system: str) -> bool:
    """The system was looked into again, and nothing was left."""
    last = [r for r in world.ledger.receipts(request) if r.step.system == system and r.step.operation == "verify"]
    return bool(last) and last[-1].outcome is Outcome.DONE


def asked_for(vendors: Vendors) -> list[int]:
    """Users whose deletion the analytics vendor has agreed to, once for each time that it was asked."""
    calls = [call for call in vendors.traffic("amplitude", "deletion.create") if call["worked"]]
    return [ident for call in calls for ident in json.loads(call["body"])["amplitude_ids"]]


def test_an_expired_key_is_named_and_a_new_one_finishes_the_request(people: World, vendors: Vendors) -> None:
    people.write_maps({"shop": shop_map(), "newsletter": newsletter(vendors)})
    people.start_worker(TEST_MAILCHIMP="expired-key-us1")
    request = people.open("erasure", [("email", "c7@shop.example")])
    people.wait_task(request, "credentials")

    task = open_task(people, request)
    assert (task["about"], task["step"].split("/")[1]) == ("key", "newsletter")
    assert "newsletter: key" in habeas(people, "task", "list")
    assert "expired-key" not in people.log
    assert len(members(vendors)) == 20

    stop_worker(people)
    people.start_worker(TEST_MAILCHIMP="mailchimp-key-us1")
    retry(people, request)
    people.wait_closed(request)

    assert people.conclusion(request) == "answered"
    assert "c7@shop.example" not in members(vendors)


def test_a_key_that_expires_while_the_vendor_is_at_work_asks_for_nothing_twice(people: World, vendors: Vendors) -> None:
    people.start_worker()
    request = people.open("erasure", [("email", "c7@shop.example")])
    people.wait(lambda: accepted(people, request), 60, "the vendor to take the work on")
    vendors.fault("amplitude", "unauthorised", "deletion.list", times=1_000)
    wake(people, request)
    people.wait_task(request, "credentials")

    assert "analytics: key, secret" in habeas(people, "task", "list")
    people.wait(lambda: verified(people, request, "shop") and verified(people, request, "newsletter"), 60, "the others")

    vendors.clear_faults()
    retry(people, request)
    vendors.advance("P35D")
    people.wait(lambda: not people.ledger.tasks(request_id=request), 30, "the ruling to be carried out")
    wake(people, request)
    people.wait_closed(request, 90)

    assert people.conclusion(request) == "answered"
    assert len(asked_for(vendors)) == 1


def test_an_answer_of_another_shape_is_a_task_with_the_place_and_nothing_is_guessed(
    people: World, vendors: Vendors
) -> None:
    people.write_maps({"shop": shop_map(), "newsletter": newsletter(vendors)})
    vendors.fault("mailchimp", "wrong_shape", "lists", times=1_000)
    people.start_worker()
    request = people.open("erasure", [("email", "c7@shop.example")])
    people.wait_task(request, "shape")

    assert open_task(people, request)["about"] == "collections.members.find[0].steps[0].save.lists"
    assert len(members(vendors)) == 20
    assert people.phase(request) != "closed", (
        "the shop goes on, and is looked into again with what the newsletter tells"
    )

    vendors.clear_faults()
    retry(people, request)
    people.wait_closed(request)

    assert people.conclusion(request) == "answered"
    assert "c7@shop.example" not in members(vendors)


def test_an_answer_of_another_shape_to_a_deletion_is_no_deletion_and_is_looked_up(
    people: World, vendors: Vendors, tmp_path: Path
) -> None:
    # A call that is left uncounted is waited for as long as it can take: 5 seconds for each request, not 60.
    file = tmp_path / "amplitude.yaml"
    file.write_text(find_vendor("amplitude").read_text().replace("\nlimits:", "\ntimeout: 5s\nlimits:"))
    people.write_maps({"shop": shop_map(), "analytics": analytics(vendors, str(file))})
    vendors.fault("amplitude", "wrong_shape", "deletion.create")
    people.start_worker()
    request = people.open("erasure", [("email", "c7@shop.example")])
    people.wait_task(request, "shape")

    assert open_task(people, request)["about"].startswith("collections.users.erase.steps[0]")
    assert not accepted(people, request)
    assert len(asked_for(vendors)) == 1, "the vendor has agreed, in words that nobody understood"

    retry(people, request)
    people.wait(lambda: accepted(people, request), 240, "the vendor's answer")
    assert len(asked_for(vendors)) == 1

    vendors.advance("P35D")
    wake(people, request)
    people.wait_closed(request, 90)
    assert people.conclusion(request) == "answered"


@pytest.mark.parametrize(
    ("how", "code"), [("removed", "map_changed"), pytest.param("switched off", "observe", marks=pytest.mark.soak)]
)
def test_a_system_that_leaves_while_its_vendor_is_at_work_is_not_forgotten(
    people: World, vendors: Vendors, how: str, code: str
) -> None:
    maps = {"shop": shop_map(), "newsletter": newsletter(vendors), "analytics": analytics(vendors)}
    people.start_worker()
    request = people.open("erasure", [("email", "c7@shop.example")])
    people.wait(lambda: accepted(people, request), 60, "the vendor to take the work on")
    stop_worker(people)

    fewer = {name: text for name, text in maps.items() if name != "analytics"}
    off = maps["analytics"].replace("mode: auto", "mode: observe")
    people.write_maps(fewer if how == "removed" else {**fewer, "analytics": off})
    people.start_worker()
    wake(people, request)
    first = people.wait_task(request, code)

    assert open_task(people, request)["about"] == "analytics"
    people.wait(lambda: verified(people, request, "shop") and verified(people, request, "newsletter"), 60, "the others")
    if how == "removed":
        other = people.open("erasure", [("email", "c9@shop.example")])
        people.wait_closed(other)
        assert people.conclusion(other) == "answered"

    # Whoever rules without having put it back is asked again.
    retry(people, request)
    people.wait(lambda: any(t.id != first for t in people.ledger.tasks(request_id=request)), 60, "another task")
    people.wait(lambda: open_task(people, request)["code"] == code, 60, "the same question")
    assert people.phase(request) != "closed"

    stop_worker(people)
    people.write_maps(maps)
    people.start_worker()
    vendors.advance("P35D")
    retry(people, request)
    people.wait(lambda: verified(people, request, "analytics") or people.phase(request) == "closed", 90, "the end")
    people.wait_closed(request, 60)

    assert people.conclusion(request) == "answered"
    assert len(asked_for(vendors)) == 1
    assert "300000000007" not in vendors.dump("amplitude")["users"]


def test_a_system_removed_before_its_turn_is_no_answer(people: World, vendors: Vendors) -> None:
    """What was found there is there still, whatever is ruled elsewhere."""
    maps = {"shop": shop_map("observe"), "analytics": analytics(vendors).replace("mode: auto", "mode: observe")}
    people.write_maps(maps)
    people.start_worker()
    request = people.open("erasure", [("email", "c7@shop.example")])
    task = people.wait_task(request, "observe", about="analytics")
    stop_worker(people)
    people.write_maps({"shop": shop_map()})
    people.start_worker()
    people.rule(request, people.wait_task(request, "observe", about="shop"), "retry")

    left = people.wait_task(request, "map_changed")
    assert left != task
    people.rule(request, left, "give_up")
    people.wait_closed(request)

    assert people.conclusion(request) == "in_part"
    assert "300000000007" in vendors.dump("amplitude")["users"]
