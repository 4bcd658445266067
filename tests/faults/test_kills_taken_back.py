"""kill -9 of a worker behind its fence, and the erasure is taken back or given up before another one comes: what was
gone by then is told."""

import json

import psycopg
import pytest
from typer.testing import CliRunner

from rights.codes import Code
from rights.request import Phase
from tests.stories.test_answer import habeas as habeas
from tests.stories.test_answer import typed
from tests.world import ROWS, World, dump, shop_map

# What was let through is taken to be running for 2 * idle_timeout + statement_timeout.
BRIEF = "options: {idle_timeout: 4, statement_timeout: 8}"
# Whether the shop had committed when the worker died.
PLACES = {"fence:inside": False, "fence:done": True, "fence:left": True, "after:erase": True}


@pytest.mark.soak
@pytest.mark.parametrize("place", PLACES)
def test_taken_back_after_a_kill_the_answer_says_what_was_gone(world: World, habeas: CliRunner, place: str) -> None:
    world.write_maps({"shop": shop_map(extra=BRIEF)})
    before = dump(world.shop)
    doomed = world.start_worker(trip=place)
    request = world.open("erasure", [("email", "c7@shop.example")])
    assert doomed.wait(180) == -9, world.log
    world.ledger.withdraw(request, at=world.now())
    world.start_worker()
    world.wait_closed(request, 120)

    after = dump(world.shop)
    gone = sum(map(len, before.values())) - sum(map(len, after.values()))
    assert gone == (ROWS if PLACES[place] else 0)
    assert world.conclusion(request) == "withdrawn"
    assert sum(book.erased for book in world.books(request).get("shop", ())) == gone
    (said,) = json.loads(typed(habeas, "answer", request, "--json").stdout)["systems"]
    assert said["erased"] == gone


@pytest.mark.soak
def test_given_up_after_a_kill_the_answer_says_what_was_gone(world: World, habeas: CliRunner) -> None:
    world.write_maps({"shop": shop_map(extra=BRIEF)})
    doomed = world.start_worker(trip="fence:done")
    request = world.open("erasure", [("email", "c7@shop.example")])
    assert doomed.wait(180) == -9, world.log
    # Meanwhile the operator has turned the system to observe, and nobody wants to wait for the word that it may go on.
    world.write_maps({"shop": shop_map("observe", extra=BRIEF)})
    world.start_worker()
    world.rule(request, world.wait_task(request, "observe"), "give_up")
    world.wait_closed(request, 120)

    assert world.conclusion(request) == "in_part"
    (said,) = json.loads(typed(habeas, "answer", request, "--json").stdout)["systems"]
    assert said["erased"] == ROWS


@pytest.mark.soak
def test_taken_back_after_a_restore_nothing_that_is_there_again_is_called_gone(world: World, habeas: CliRunner) -> None:
    request = world.open("erasure", [("email", "c7@shop.example")])
    first = world.start_worker()
    world.wait_closed(request)
    first.kill()
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute("INSERT INTO customers (id, email) VALUES (7, 'c7@shop.example')")
    world.write_maps({"shop": shop_map("observe")})
    world.ledger.reopen(request, {"shop": Code.RESTORED}, at=world.now())
    world.ledger.withdraw(request, at=world.now())
    world.ledger.announce("reconcile", at=world.now())
    world.start_worker()
    world.wait_closed(request, 90)

    assert world.conclusion(request) == "withdrawn"
    (said,) = json.loads(typed(habeas, "answer", request, "--json").stdout)["systems"]
    assert said["state"] == "outstanding"


@pytest.mark.soak
def test_what_nobody_can_look_at_is_ruled_on_though_it_was_taken_back(world: World) -> None:
    """From a phase that no look leads on from: an earlier ruling had everything looked at anew."""
    world.write_maps({"shop": shop_map(extra=BRIEF)})
    doomed = world.start_worker(trip="fence:done")
    request = world.open("erasure", [("email", "c7@shop.example")])
    assert doomed.wait(180) == -9, world.log
    world.ledger.move(request, Phase.LOCATING, at=world.now())
    world.ledger.withdraw(request, at=world.now())
    # Meanwhile the system has left the map.
    world.write_maps({"branch": shop_map(system="branch", extra=BRIEF)})
    world.start_worker()
    asked = "SELECT id FROM tasks WHERE step_key LIKE %s AND settled_at IS NULL"
    world.wait(lambda: world.query(asked, f"{request}/shop/verify/%"), 120, "somebody to be asked")
    ((task,),) = world.query(asked, f"{request}/shop/verify/%")
    world.rule(request, task, "give_up")
    world.wait_closed(request, 60)

    assert world.conclusion(request) == "withdrawn"
