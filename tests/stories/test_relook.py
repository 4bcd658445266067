"""Days after the answer everything is looked at once more: what has come back opens the request again."""

from datetime import timedelta

import psycopg
import pytest

from ledger.standing import Standing
from rights.request import Conclusion, Phase
from tests.world import ROWS, World, dump, shop_map

pytestmark = [pytest.mark.soak, pytest.mark.timeout(180)]

WEEK = timedelta(days=7, minutes=1)


def erased(world: World) -> tuple[str, dict[str, set[str]]]:
    """An erasure that was answered; and what there was before."""
    before = dump(world.shop)
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait_closed(request)
    assert world.ledger.request(request).conclusion is Conclusion.ANSWERED
    return request, before


def upkeep_comes_round(world: World, request: str) -> None:
    """A week later."""
    assert world.ledger.call_relooks(at=world.now() + timedelta(days=6, hours=23)) == 0
    assert world.ledger.call_relooks(at=world.now() + WEEK) == 1


def found(world: World, request: str) -> str | None:
    planned = world.ledger.relook(request)
    return planned.found if planned else "not planned"


def standing(world: World, request: str) -> Standing:
    return world.ledger.standing(request)


def seventh_is_back(world: World) -> None:
    """A nightly import writes the customer anew, by another key."""
    with psycopg.connect(world.shop, autocommit=True) as connection:
        connection.execute("INSERT INTO customers VALUES (7007, 'c7@shop.example', 'Seven', NULL)")
        connection.execute("INSERT INTO messages VALUES (70070, 7007, 'again')")


def of_seven(world: World) -> int:
    with psycopg.connect(world.shop, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM customers WHERE email = 'c7@shop.example'").fetchone()
    assert row
    return int(row[0])


def test_what_has_come_back_waits_for_a_person_and_is_erased_again(world: World) -> None:
    request, before = erased(world)
    seventh_is_back(world)
    upkeep_comes_round(world, request)

    task = world.wait_task(request, "returned")
    assert world.phase(request) != Phase.CLOSED, "nobody is told that it is done"
    assert found(world, request) == "residue"
    assert world.ledger.verify().sound
    assert of_seven(world) == 1, "somebody may have come back of their own accord"

    world.rule(request, task, "retry")
    world.wait_closed(request)
    assert of_seven(world) == 0
    after = dump(world.shop)
    assert sum(map(len, before.values())) - sum(map(len, after.values())) == ROWS
    assert all(after[table] <= before[table] for table in before)
    assert world.ledger.request(request).conclusion is Conclusion.ANSWERED
    assert found(world, request) is None, "the next look is planned"
    assert world.ledger.verify().sound


def test_whoever_has_come_back_by_themselves_is_left_alone(world: World) -> None:
    request, _ = erased(world)
    seventh_is_back(world)
    upkeep_comes_round(world, request)

    world.rule(request, world.wait_task(request, "returned"), "done")

    world.wait_closed(request)
    assert of_seven(world) == 1
    assert world.ledger.call_relooks(at=world.now() + 3 * WEEK) == 0, "nobody is asked every week"


def test_a_clean_look_is_noted_and_nothing_else_happens(world: World) -> None:
    request, _ = erased(world)
    upkeep_comes_round(world, request)

    world.wait(lambda: found(world, request) == "clean", 30, "the look")

    assert world.phase(request) == Phase.CLOSED
    assert world.ledger.tasks(request_id=request) == []
    looks = [r for r in standing(world, request).receipts if r.step.operation == "verify"]
    assert len(looks) == 2


def test_nothing_is_shredded_before_the_look_however_short_the_term(world: World) -> None:
    world.environment["HABEAS_WORKING_DAYS"] = "0"
    request, _ = erased(world)
    late = world.now() + timedelta(days=30)

    assert not any(one.purpose == "working" for one in world.ledger.shred_due(late))
    upkeep_comes_round(world, request)
    world.wait(lambda: found(world, request) == "clean", 30, "the look")

    assert {one.purpose for one in world.ledger.shred_due(late)} >= {"working"}


def test_a_system_that_cannot_tell_opens_the_request_again(world: World) -> None:
    request, _ = erased(world)
    with psycopg.connect(world.shop, autocommit=True) as connection:
        connection.execute("ALTER TABLE messages RENAME TO letters")
    upkeep_comes_round(world, request)

    world.wait(lambda: world.phase(request) != Phase.CLOSED, 60, "it to be open again")
    assert found(world, request) == "unsure"
    task = world.wait_task(request, "schema")
    assert len(world.ledger.tasks(request_id=request)) == 1

    with psycopg.connect(world.shop, autocommit=True) as connection:
        connection.execute("ALTER TABLE letters RENAME TO messages")
    world.rule(request, task, "retry")
    world.wait_closed(request)
    assert world.ledger.request(request).conclusion is Conclusion.ANSWERED


def test_it_is_seen_through_when_temporal_forgets_it(world: World) -> None:
    request, _ = erased(world)
    world.write_maps({"shop": shop_map()})
    seventh_is_back(world)
    upkeep_comes_round(world, request)
    task = world.wait_task(request, "returned")
    for process in world.workers:
        process.kill()
        process.wait()
    world.start_worker()
    world.rule(request, task, "retry")

    world.wait_closed(request)
    assert of_seven(world) == 0
