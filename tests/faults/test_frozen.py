"""A worker frozen between fence and call, while a hold or a withdrawal is placed."""

import signal
import time

import pytest

from tests.world import World, dump


@pytest.mark.soak
@pytest.mark.parametrize("what", ["hold", "withdrawal"])
def test_nothing_is_destroyed_after_it_is_reported_in_force(world: World, what: str) -> None:
    before = dump(world.shop)
    frozen = world.start_worker(trip="freeze:fence:inside")
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait(lambda: (world.home / "tripped-freeze-fence-inside").exists(), 30, "the freeze")

    if what == "hold":
        hold = world.place_hold([("email", "c7@shop.example")])
        assert world.in_flight(request) == 1
        world.start_worker()
        world.wait(lambda: world.ledger.hold_standing(hold.id).in_force, 600, "the hold to be in force")
    else:
        world.ledger.withdraw(request, at=world.now(), note="changed their mind")
        assert world.in_flight(request) == 1
        world.start_worker()
        world.wait(lambda: world.in_flight(request) == 0, 600, "the withdrawal to be in force")

    frozen.send_signal(signal.SIGCONT)
    time.sleep(5)
    assert dump(world.shop) == before
    if what == "withdrawal":
        world.wait_closed(request)
        assert world.conclusion(request) == "withdrawn"
    else:
        world.wait_task(request, "hold")
