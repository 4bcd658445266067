"""A database is restored from a backup, and nobody knows any more who had asked for what: it is done again by token."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from typer.testing import CliRunner

from ledger.vault import Purpose
from starter.cli import app
from tests.stories.test_optout import COLUMNS, SHOP, marked
from tests.stories.test_replay import ALL, RECTIFY, backup, habeas, replay
from tests.stories.test_restriction import DETAILS, Till, opened, setup_denial, typed
from tests.world import World, dump

__all__ = ["backup", "habeas"]

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

EVERYTHING: tuple[Purpose, ...] = (*ALL, "disputed")


@pytest.fixture
def till(world: World) -> Iterator[Till]:
    """The shop's own application, in a shop with columns for opting out."""
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute(COLUMNS)
    till = Till(world)
    more = f"options: {{restrict: row_security}}\nquarantine: [{till.role}]\ncollections:\n"
    world.write_maps({"shop": SHOP.replace("collections:\n", more, 1)})
    setup_denial(world, till)
    yield till
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute(f"DROP OWNED BY {till.role}")
        door.execute(f"DROP ROLE {till.role}")


def corrected(world: World, habeas: CliRunner, customer: int) -> str:
    request = opened(world, habeas, "rectification", RECTIFY, ("email", f"c{customer}@shop.example"))
    world.wait_task(request, "accuracy")
    typed(habeas, "rectification", "decide", request, "--accept", "all")
    world.wait_closed(request)
    return request


def test_everything_since_is_done_again_for_people_whom_nobody_knows_any_more(
    world: World, habeas: CliRunner, till: Till, backup: Callable[[], Callable[[], None]]
) -> None:
    world.start_worker()
    restore, since = backup(), world.now()
    asked = [
        opened(world, habeas, "objection", "scope: marketing\n", ("email", "c5@shop.example")),
        opened(world, habeas, "opt-out", "of: sale\n", ("email", "c6@shop.example")),
        opened(world, habeas, "restriction", DETAILS, ("email", "c7@shop.example")),
    ]
    for request in asked:
        world.wait_closed(request)
    # What was corrected is kept for as long as it may be disputed; who it is about is not.
    for request in (*asked, corrected(world, habeas, 8)):
        world.ledger.shred(request, ALL, as_of=world.now())
        assert world.query("SELECT DISTINCT purpose FROM vault WHERE case_id = %s", request) in ([], [("disputed",)])
    as_it_should_be, seen = dump(world.shop), till.sees(9)

    restore()
    assert (marked(world, "no_mail"), marked(world, "no_sale"), till.sees(7)) == ([], [], seen)

    done = replay(world, habeas, since)

    assert (done["state"], done["report"]["indeterminate"]) == ("clean", {})
    assert (done["report"]["opened_anew"], done["report"]["ended"]) == (4, {"done": 4})
    assert (marked(world, "no_mail"), marked(world, "no_sale")) == ([5], [6])
    assert dump(world.shop)["customers"] == as_it_should_be["customers"], "the correction too, and nobody else"
    assert (till.sees(7), till.sees(9)) == (0, seen)
    assert world.query("SELECT count(*) FROM letters") == [(0,)], "nobody is written to about it"
    assert world.query("SELECT count(*) FROM tasks WHERE code IN ('accuracy', 'weigh')") == [(1,)], (
        "what was decided is not asked for again"
    )
    assert world.ledger.verify().sound

    again = replay(world, habeas, since)
    assert (again["state"], dump(world.shop)["customers"]) == ("clean", as_it_should_be["customers"])


def test_a_correction_of_which_nothing_is_left_is_a_persons_task(
    world: World, habeas: CliRunner, till: Till, backup: Callable[[], Callable[[], None]]
) -> None:
    world.start_worker()
    restore, since = backup(), world.now()
    request = corrected(world, habeas, 6)
    world.ledger.shred(request, EVERYTHING, as_of=world.now())
    restore()

    done = replay(world, habeas, since)

    assert (done["state"], done["report"]["indeterminate"]) == ("unsure", {"shredded_rectification": 1})
    with pytest.raises(psycopg.OperationalError):
        till.sees(9)
    ((task, code),) = world.query("SELECT id, code FROM tasks WHERE request_id = %s AND settled_at IS NULL", request)
    assert code == "undone"
    assert "undone" in habeas.invoke(app, ["task", "list"]).stdout
    typed(habeas, "request", "rule", request, "done", "--task", task)
    assert typed(habeas, "task", "list")["tasks"] == []
