"""A hold keeps what it covers, to the byte, and the rest goes; when it ends, the erasure goes on by itself."""

import asyncio
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from rights.holds import Disclosure, Scope, Terms
from starter.stack import Postgres
from tests.stories.test_erasure import about
from tests.stories.test_restriction import DETAILS, Till, habeas, opened, shop, typed
from tests.stories.virtual import pass_time, virtual
from tests.stories.working import working
from tests.world import World, dump, shop_map

__all__ = ["habeas", "shop"]

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
@pytest.mark.parametrize(
    ("days", "kept"),
    [
        ({"since": "2018-06-01"}, {"2018", "2021", "2024"}),
        # Of 2024 it is the duty to keep that has them, and their note goes.
        ({"until": "2018-06-01"}, {"2015", "2018"}),
        ({"since": "2018-06-02", "until": "2021-05-31"}, {"2018", "2021"}),
    ],
)
def test_HLD_01_a_hold_of_some_days_keeps_rows_of_those_and_no_others(
    world: World, days: dict[str, str], kept: set[str]
) -> None:
    world.write_maps({"shop": shop_map(retention=True)})
    before = about(dump(world.shop), 7)["orders"]
    with psycopg.connect(world.shop) as connection:
        # Nobody can say that a row without a date is not of those days.
        connection.execute("ALTER TABLE orders ALTER created_at DROP NOT NULL")
        connection.execute("INSERT INTO orders VALUES (9999, 7, 'undated', NULL)")
    scope = Scope.model_validate({"collections": ("shop.orders",), **days})
    world.place_hold(ANNA, terms=Terms(scope=scope))
    world.start_worker()
    request = world.open("erasure", ANNA)
    world.wait_task(request, "hold")

    with psycopg.connect(world.shop) as connection:
        rows = connection.execute("SELECT to_jsonb(o)::text FROM orders o WHERE customer_id = 7").fetchall()
    whole = {row for (row,) in rows if '"note": "' in row}
    assert {row for row in whole if "undated" not in row} == {
        row for row in before if any(f"{year}-" in row for year in kept)
    }
    assert len(whole) == len(kept) + 1, "and the one without a date"


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

    # Once it ends everything goes by itself, and nobody hears of it from the engine.
    world.release_hold(hold.id)
    world.wait(lambda: world.ledger.deferrals() == [], 60, "the rest to be carried out")
    ((rest,),) = world.query("SELECT by_request FROM deferrals WHERE request_id = %s", request)
    world.wait_closed(rest)
    assert world.conclusion(rest) == "answered"
    assert not about(dump(world.shop), 7)
    assert world.query("SELECT name FROM vault WHERE case_id = %s AND name LIKE 'channel%%'", rest) == []
    assert world.ledger.verify().sound


@pytest.mark.soak
@pytest.mark.parametrize(
    ("right", "details", "operation"),
    [
        ("restriction", DETAILS, "restrict"),
        (
            "rectification",
            "corrections: [{system: shop, collection: customers, values: {full_name: Anna Quartz}}]",
            "rectify",
        ),
    ],
)
def test_what_a_secret_hold_stops_ends_once_counsel_has_answered(
    world: World, habeas: CliRunner, shop: Till, right: str, details: str, operation: str
) -> None:
    world.place_hold(ANNA, terms=Terms(disclosure=Disclosure.COUNSEL_TEXT))
    before, seen = dump(world.shop), shop.sees(7)
    world.start_worker()
    request = opened(world, habeas, right, details, ANNA[0])
    if right == "rectification":
        world.wait_task(request, "accuracy")
        typed(habeas, "rectification", "decide", request, "--accept", "all")
    world.wait(lambda: operation in {r["step"]["operation"] for r in world.receipts(request)}, 60, "the act")
    assert sure(world, request, operation) == ("pending", "queued"), "as a slow system"
    assert world.ledger.restriction(request) is None, "nobody is restricted, so nothing says so"

    world.ledger.answer_for(request, by="s-7", text="As counsel we write.", at=world.now())
    world.wait_closed(request)

    assert sure(world, request, operation) == ("pending", "deferred"), "tried again, and no word of a hold"
    assert world.conclusion(request) == "in_part"
    assert (dump(world.shop), shop.sees(7)) == (before, seen)


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_the_person_is_answered_by_the_due_date_with_what_is_kept_and_why(home: Path, postgres: Postgres) -> None:
    maps = {"shop": shop_map(retention=True)}

    async def story() -> None:
        async with virtual(home, postgres, maps) as (world, env), working(world) as (_, dispatcher):
            before = about(dump(world.shop), 7)
            scope = Scope(collections=("shop.orders", "shop.items"))
            world.place_hold(ANNA, terms=Terms(scope=scope))
            request = world.open("erasure", ANNA)
            await dispatcher.deliver_once()
            await pass_time(env, timedelta(days=20))
            assert world.phase(request) != "closed"

            await pass_time(env, timedelta(days=20))
            assert (world.phase(request), world.conclusion(request)) == ("closed", "in_part")
            after = about(dump(world.shop), 7)
            assert {name: after[name] for name in ("orders", "items")} == {
                name: before[name] for name in ("orders", "items")
            }
            assert "messages" not in after
            kept = {
                one["ground"]: one["rows"]
                for count in world.receipts(request)[-1]["tally"]["counts"]
                for one in count["kept"]
            }
            assert kept["legal hold (GDPR Art. 17(3)(e))"] in {4, 8}
            assert sum(book.erased for book in world.books(request)["shop"]) == 5

    asyncio.run(story())


@pytest.mark.soak
def test_no_worker_starts_on_a_map_that_has_another_name_for_what_a_hold_names(world: World) -> None:
    hold = world.place_hold(ANNA, terms=Terms(scope=Scope(systems=("shop",))))
    world.write_maps({"store": shop_map(system="store")})

    assert world.start_worker().wait(180) != 0
    assert '"error": "SetupError"' in world.log, "tests/starter/test_held_back.py has the words"

    world.release_hold(hold.id)
    world.start_worker()
    world.wait_closed(world.open("erasure", ANNA))
    assert not about(dump(world.shop), 7)
