"""Free texts that mention a person, and what is left of a person where no map leads: each is somebody's decision."""

import json
from functools import partial

import psycopg
import pytest

from starter.tasks import candidates_of, chosen, task_document
from tests.stories.test_erasure import about
from tests.world import ROWS, World, dump, shop_map

SEARCHED = shop_map().replace("body: {category: free_text}", "body: {category: free_text, search: true}")
WITH_RESIDUE = shop_map(extra="options: {residue: true}")
MINE, OTHER = 900, 901


def mention(world: World) -> None:
    """Two messages under another customer's name mention customer 7."""
    with psycopg.connect(world.shop, autocommit=True) as shop:
        shop.execute(
            "INSERT INTO messages VALUES (%s, 8, 'From my wife''s account. c7@shop.example'), "
            "(%s, 8, 'My wife is C7@shop.example and not c70@shop.example')",
            [MINE, OTHER],
        )


def decide(world: World, request: str, task: str, numbers: str) -> None:
    """Rule on a task as the command line does."""
    rows = chosen(world.ledger, request, task, numbers)
    world.ledger.rule(request, task, "choose", at=world.now(), note="by the story", chosen=rows)


def shown(world: World, request: str, task: str) -> list[dict[str, object]]:
    """The candidates of a task as its reader sees them."""
    (one,) = [t for t in world.ledger.tasks(request_id=request) if t.id == task]
    found: list[dict[str, object]] = task_document(one, candidates_of(world.ledger, one))["candidates"]
    return found


def messages(world: World) -> set[int]:
    """The messages under customer 8's name beside the two of the shop's own, by the back door."""
    return {json.loads(row)["id"] for row in dump(world.shop)["messages"]} & {MINE, OTHER}


@pytest.mark.soak
def test_the_ordinary_part_goes_on_and_a_mention_ruled_to_be_the_person_s_goes_too(world: World) -> None:
    world.write_maps({"shop": SEARCHED})
    mention(world)
    before = dump(world.shop)
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    task = world.wait_task(request, "mentions")

    # What was certain is done while somebody reads; nothing of the two messages is.
    gone = about(before, 7)
    assert sum(map(len, gone.values())) == ROWS
    assert dump(world.shop) == {table: rows - gone.get(table, set()) for table, rows in before.items()}
    assert world.phase(request) == "verifying"
    candidates = shown(world, request, task)
    assert [(c["number"], c["collection"]) for c in candidates] == [(1, "messages"), (2, "messages")]
    assert "c7@" not in json.dumps(candidates)
    assert "wife" not in json.dumps(candidates)

    decide(world, request, task, "1")
    world.wait_closed(request)

    assert messages(world) == {OTHER}
    assert world.conclusion(request) == "answered"
    (book,) = [b for b in world.books(request)["shop"] if b.collection == "messages"]
    assert (book.erased, book.after) == (3, 0)


@pytest.mark.soak
def test_somebody_whom_only_texts_mention_is_not_called_unknown_before_these_are_read(world: World) -> None:
    world.write_maps({"shop": SEARCHED})
    with psycopg.connect(world.shop, autocommit=True) as shop:
        shop.execute("INSERT INTO messages VALUES (%s, 8, 'ask stranger@shop.example')", [OTHER])
    before = dump(world.shop)
    world.start_worker()
    request = world.open("erasure", [("email", "stranger@shop.example")])

    decide(world, request, world.wait_task(request, "mentions"), "none")
    world.wait_closed(request)

    assert dump(world.shop) == before
    assert world.conclusion(request) == "answered"


@pytest.mark.soak
def test_a_parcel_holds_the_mentions_that_were_ruled_to_be_the_person_s(world: World) -> None:
    world.write_maps({"shop": SEARCHED})
    mention(world)
    world.start_worker()
    request = world.open("access", [("email", "c7@shop.example")])

    decide(world, request, world.wait_task(request, "mentions"), "1")
    world.wait_closed(request)

    assert world.parcel_rows(request)["shop/messages.jsonl"] == 3
    assert world.conclusion(request) == "answered"


@pytest.mark.soak
def test_a_residue_keeps_the_request_open_until_it_is_cleaned_or_ruled_to_stay(world: World) -> None:
    world.write_maps({"shop": WITH_RESIDUE})
    with psycopg.connect(world.shop, autocommit=True) as shop:
        shop.execute("CREATE TABLE audit_log (id serial, payload jsonb); CREATE TABLE exports (id serial, line text)")
        shop.execute("INSERT INTO audit_log (payload) VALUES ('{\"mail\": \"c7@shop.example\"}'), ('{}')")
        shop.execute("INSERT INTO exports (line) VALUES ('7;c7@shop.example'), ('8;c8@shop.example')")
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    task = world.wait_task(request, "residue")

    assert about({"customers": dump(world.shop)["customers"]}, 7) == {}
    places = [(c["collection"], c["traits"]) for c in shown(world, request, task)]
    assert places == [("public.audit_log.payload", {"rows": 1}), ("public.exports.line", {"rows": 1})]
    assert world.query("SELECT about FROM tasks WHERE id = %s", task) == [("public.audit_log.payload",)]

    # One is cleaned up by hand, and looked into again; of the other somebody says that it may stay.
    with psycopg.connect(world.shop, autocommit=True) as shop:
        shop.execute("DELETE FROM exports WHERE line LIKE '7;%'")
    world.rule(request, task, "retry")
    world.wait(lambda: world.wait_task(request, "residue") != task, 30, "the second look")
    task = world.wait_task(request, "residue")
    assert [c["collection"] for c in shown(world, request, task)] == ["public.audit_log.payload"]
    decide(world, request, task, "none")
    world.wait_closed(request)

    # It still says who the person was, so the answer is not that all is erased.
    assert world.conclusion(request) == "in_part"
    (book,) = [b for b in world.books(request)["shop"] if b.collection == "public.audit_log.payload"]
    assert (book.erased, book.kept, book.after) == (0, 1, 1)


@pytest.mark.soak
@pytest.mark.parametrize("numbers", ["none", "1"], ids=["left to others", "taken"])
def test_what_is_left_to_others_needs_no_second_approval_and_what_is_taken_does(world: World, numbers: str) -> None:
    world.write_maps({"shop": SEARCHED.replace("mode: auto", "mode: approve")})
    mention(world)
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait(partial(in_phase, world, request, "approving"), 30, "the approval")
    world.ledger.approve(request, at=world.now(), note="as previewed")
    decide(world, request, world.wait_task(request, "mentions"), numbers)

    if numbers == "1":
        world.wait(partial(in_phase, world, request, "approving"), 30, "a second approval")
        assert messages(world) == {MINE, OTHER}
        world.ledger.approve(request, at=world.now(), note="and the message")
    world.wait_closed(request)
    assert messages(world) == ({OTHER} if numbers == "1" else {MINE, OTHER})


def in_phase(world: World, request: str, phase: str) -> bool:
    """Whether a request stands there, by the back door."""
    return world.phase(request) == phase
