"""A hold keeps what it covers, to the byte, and the rest goes; when it ends, the erasure goes on by itself."""

import psycopg
import pytest

from rights.holds import Disclosure, Scope, Terms
from tests.stories.test_erasure import about
from tests.world import World, dump, shop_map

ANNA = [("email", "c7@shop.example")]


def sure(world: World, request: str, operation: str) -> tuple[str, str]:
    """How an operation stands: outcome and code."""
    last = [r for r in world.receipts(request) if r["step"]["operation"] == operation][-1]
    return last["outcome"], last["code"]


def test_only_what_is_held_stays_and_goes_when_the_hold_ends(world: World) -> None:
    world.write_maps({"shop": shop_map(retention=True)})
    before = about(dump(world.shop), 7)
    hold = world.place_hold(ANNA, terms=Terms(scope=Scope(collections=("shop.orders",))))
    world.start_worker()
    request = world.open("erasure", ANNA)
    world.wait_task(request, "hold")

    after = about(dump(world.shop), 7)
    assert after["orders"] == before["orders"], "to the byte"
    assert set(after) == {"orders", "customers"}, "and the shell that orders need"
    assert "c7@shop.example" not in str(after["customers"])
    assert sure(world, request, "erase") == ("held", "hold")

    world.release_hold(hold.id)
    world.wait_closed(request)
    # What a duty keeps stays, with its fields that go; of the rest nothing does.
    left = about(dump(world.shop), 7)
    assert len(left["orders"]) == 3
    assert "note" in str(before["orders"])
    assert not any('"note": "' in row for row in left["orders"])


@pytest.mark.soak
def test_a_hold_of_a_day_keeps_rows_of_that_day_and_later(world: World) -> None:
    world.write_maps({"shop": shop_map(retention=True)})
    before = about(dump(world.shop), 7)["orders"]
    scope = Scope(collections=("shop.orders",), since="2018-06-01")  # type: ignore[arg-type]
    world.place_hold(ANNA, terms=Terms(scope=scope))
    world.start_worker()
    request = world.open("erasure", ANNA)
    world.wait_task(request, "hold")

    with psycopg.connect(world.shop) as connection:
        rows = connection.execute("SELECT to_jsonb(o)::text FROM orders o WHERE customer_id = 7").fetchall()
    assert {row for (row,) in rows} == {row for row in before if "2015-" not in row}


@pytest.mark.soak
def test_a_secret_hold_looks_like_a_slow_system_until_counsel_has_answered(world: World) -> None:
    hold = world.place_hold(ANNA, terms=Terms(disclosure=Disclosure.COUNSEL_TEXT))
    before = dump(world.shop)
    world.start_worker()
    request = world.open("erasure", ANNA)
    world.wait(lambda: "erase" in {r["step"]["operation"] for r in world.receipts(request)}, 60, "the erasure")

    assert sure(world, request, "erase") == ("pending", "queued")
    assert world.ledger.tasks(request_id=request) == []
    assert "hold" not in world.ledger.standing(request).model_dump_json().replace('"held"', "")
    assert dump(world.shop) == before

    world.ledger.answer_for(request, by="s-7", text="As counsel we write.", at=world.now())
    world.wait_closed(request)
    assert world.conclusion(request) == "in_part"
    assert dump(world.shop) == before
    assert world.ledger.hold_standing(hold.id).in_force
