"""What stops an erasure: a hold, the fuse, a mark of another environment. And how a worker starts and stops."""

import signal
import time

import psycopg
import pytest

from connectors.registry import SetupError
from ledger.schema import downgrade
from rights.subject import parse_identities
from tests.world import World, dump, shop_map
from worker import check_schema


def test_a_hold_stops_the_erasure_until_it_is_released(world: World) -> None:
    before = dump(world.shop)
    hold = world.place_hold([("email", "C7@SHOP.example")])
    assert hold.in_force
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait_task(request, "hold")
    assert dump(world.shop) == before

    # Nobody has to say so: it goes on by itself.
    world.release_hold(hold.id)
    world.wait_closed(request)
    assert world.conclusion(request) == "answered"


@pytest.mark.soak
def test_the_fuse_blows_before_too_many_people_are_erased(world: World) -> None:
    world.write_maps({"shop": shop_map(fuse=2)})
    world.start_worker()
    requests = [world.open("erasure", [("email", f"c{n}@shop.example")]) for n in (1, 2)]
    for request in requests:
        world.wait_closed(request)
    third = world.open("erasure", [("email", "c3@shop.example")])
    world.wait_task(third, "fuse")

    assert len(dump(world.shop)["customers"]) == 18


@pytest.mark.soak
@pytest.mark.parametrize("mark", ["production", None])
def test_a_database_of_another_environment_is_not_touched(world: World, mark: str | None) -> None:
    with psycopg.connect(world.shop, autocommit=True) as connection:
        setting = f"SET habeas.environment = '{mark}'" if mark else "RESET habeas.environment"
        connection.execute(f"ALTER DATABASE {world.shop_db} {setting}")
    before = dump(world.shop)
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait_task(request, "environment")

    assert dump(world.shop) == before


@pytest.mark.soak
def test_a_stopping_worker_lets_its_step_finish(world: World) -> None:
    process = world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait(lambda: world.phase(request) != "received", 30, "the start")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)

    assert process.wait(180) == 0
    assert time.monotonic() - began < 45
    assert '"worker_stopped"' in world.log
    # Whatever was under way is either whole or not begun; another worker ends it.
    world.start_worker()
    world.wait_closed(request)
    assert world.conclusion(request) == "answered"


def test_a_ledger_of_another_version_is_refused_in_one_sentence(world: World) -> None:
    downgrade(world.environment["TEST_LEDGER"])
    with pytest.raises(SetupError, match="run habeas migrate"):
        check_schema(world.settings)


def test_the_same_idempotency_key_is_the_same_request(world: World) -> None:
    one = world.open("erasure", [("email", "c7@shop.example")], idempotency_key="ticket-1")
    two = world.open("erasure", [("email", "c7@shop.example")], idempotency_key="ticket-1")
    assert one == two
    assert len(parse_identities([("email", "a@b.example"), ("email", "a@b.example")])) == 1


@pytest.mark.soak
def test_a_task_names_the_table_that_is_missing_and_nothing_else(world: World) -> None:
    with psycopg.connect(world.shop, autocommit=True) as connection:
        connection.execute("ALTER TABLE messages RENAME TO mail")
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    task = world.wait_task(request, "schema")

    ((about,),) = world.query("SELECT about FROM tasks WHERE id = %s", task)
    assert "messages" in about
    assert "c7" not in about
