"""kill -9 of a worker around every act of a restriction, of its lifting and of a rectification, then a new worker."""

from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from activities.corrections import disputed
from rights.rectification import Accuracy
from rights.restriction import Ended, Stage
from tests.stories.test_rectification import NAME, ONE, said
from tests.stories.test_restriction import ANNA, Till, habeas, opened, shop, till
from tests.world import World, dump

__all__ = ["habeas", "shop", "till"]

pytestmark = pytest.mark.soak

INSIDE = ("fence:enter", "fence:inside", "fence:done", "fence:left")


def stage(world: World, request: str) -> Stage | None:
    found = world.ledger.restriction(request)
    return found.stage if found else None


def lift(world: World, request: str, seconds: float = 90) -> None:
    """Have it lifted, the person told in the way of a desk."""
    world.ledger.ask_to_lift(request, Ended.NOT_NEEDED, at=world.now(), notice=timedelta())
    world.ledger.told_of_lifting(request, at=world.now())
    world.wait(lambda: stage(world, request) is Stage.LIFTED, seconds, "the lifting")


@pytest.mark.parametrize("place", ["before:restrict", *INSIDE, "after:restrict", "before:close", "after:close"])
def test_killed_there_a_restricted_person_stays_restricted(
    world: World, habeas: CliRunner, till: Till, place: str
) -> None:
    before, seen = dump(world.shop), till.sees(7)
    doomed = world.start_worker(trip=place)
    request = opened(world, habeas, "restriction", "ground: claims\n", ANNA)
    assert doomed.wait(180) == -9, world.log
    if place in {"fence:done", "fence:left", "after:restrict", "before:close", "after:close"}:
        assert till.sees(7) == 0, "nobody is let in by a death"
        assert stage(world, request) is Stage.IN_FORCE, "and the ledger knows of it"
    world.start_worker()
    world.wait_closed(request, 90)

    assert (till.sees(7), till.sees(8)) == (0, seen)
    assert world.conclusion(request) == "answered"
    lift(world, request)
    assert dump(world.shop) == before


@pytest.mark.parametrize("place", ["before:lift", *INSIDE, "after:lift"])
def test_killed_there_a_lifting_is_finished_and_exact(world: World, habeas: CliRunner, till: Till, place: str) -> None:
    before, seen = dump(world.shop), till.sees(7)
    first = world.start_worker()
    request = opened(world, habeas, "restriction", "ground: claims\n", ANNA)
    world.wait_closed(request)
    first.terminate()
    first.wait()
    doomed = world.start_worker(trip=place)

    world.ledger.ask_to_lift(request, Ended.NOT_NEEDED, at=world.now(), notice=timedelta())
    world.ledger.told_of_lifting(request, at=world.now())

    assert doomed.wait(180) == -9, world.log
    assert stage(world, request) is Stage.LIFTING, "nothing is called lifted that may not be"
    world.start_worker()
    world.wait(lambda: stage(world, request) is Stage.LIFTED, 90, "the lifting")
    assert till.sees(7) == seen
    assert dump(world.shop) == before


@pytest.mark.parametrize("place", ["before:rectify", *INSIDE, "after:rectify", "before:verify", "after:verify"])
def test_killed_there_a_value_is_corrected_once_and_the_old_one_kept_once(
    world: World, habeas: CliRunner, place: str
) -> None:
    ((old, _),) = said(world, NAME)
    before = dump(world.shop)
    doomed = world.start_worker(trip=place)
    request = opened(world, habeas, "rectification", ONE, ANNA)
    world.wait_task(request, "accuracy")
    world.ledger.decide_accuracy(request, Accuracy(accepted=(1,)), systems=["shop"], at=world.now())
    assert doomed.wait(180) == -9, world.log
    world.start_worker()
    world.wait_closed(request, 90)

    assert said(world, "SELECT full_name FROM customers WHERE id = 7") == [("Anna Quartz",)]
    assert disputed(world.ledger, request, "shop") == {"customers": {("7",): {"full_name": (old,)}}}
    after: Any = dump(world.shop)
    assert {name: len(after[name] ^ rows) for name, rows in before.items() if after[name] != rows} == {"customers": 2}
    assert world.conclusion(request) == "answered"
