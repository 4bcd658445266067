"""What a person has ruled is done: in this run, and in the one that follows when it is lost."""

import asyncio
import json
import zipfile
from functools import partial

import psycopg
import pytest

import worker
from rights.codes import Code
from tests.stories.test_erasure import about
from tests.world import World, dump, shop_map

ARCHIVE = """
system: archive
owner: office
connector: manual
backups: none
mode: auto
collections:
  letters:
    key: [id]
    fields: {id: {}, email: {identity: email}}
    instructions: Look into the cabinet beside the door.
"""
CRM = shop_map("observe", system="crm")


def lose_the_run(world: World, request: str) -> None:
    """Terminate the run from outside, and have the engine find out."""
    end_the_run(world, request)
    find_out(world, request)


def end_the_run(world: World, request: str) -> None:
    """Terminate the run from outside."""

    async def terminate() -> None:
        (row,) = world.query("SELECT tenant FROM requests WHERE id = %s", request)
        client = await worker.connect(world.settings, world.ledger)
        handle = client.get_workflow_handle(f"erasure/{row[0]}/{request}")
        await handle.terminate("by the story")

    asyncio.run(terminate())


def find_out(world: World, request: str) -> None:
    """Have the engine find out that a run is gone."""
    world.ledger.announce("reconcile", at=world.now())
    world.wait(lambda: redriven(world, request), 60, "the run to be started again")


def redriven(world: World, request: str) -> bool:
    """Whether the request has been started again, by the back door."""
    return bool(world.query("SELECT 1 FROM entries WHERE request_id = %s AND kind = 'redriven'", request))


def asked(world: World, request: str) -> list[tuple[str, str]]:
    """All that was ever asked of a person: code and step, by the back door."""
    rows = world.query("SELECT code, step_key FROM tasks WHERE request_id = %s ORDER BY id", request)
    return [(code, key.partition("/")[2]) for code, key in rows]


@pytest.mark.soak
def test_what_was_given_up_is_neither_asked_again_nor_done_when_the_run_is_lost(world: World) -> None:
    world.write_maps({"shop": shop_map(), "crm": CRM})
    hold = world.place_hold([("email", "c7@shop.example")])
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    task = world.wait_task(request, "hold")
    other = world.wait_task(request, "observe")
    world.rule(request, task, "give_up")
    world.wait(lambda: "ruled_out" in {r["code"] for r in world.receipts(request)}, 30, "the ruling to be kept")
    before = dump(world.shop)
    # The hold ends, so that only the ruling stands between the new run and the rows.
    world.release_hold(hold.id)

    lose_the_run(world, request)
    world.wait(
        lambda: [r["code"] for r in world.receipts(request) if r["step"]["system"] == "shop"].count("ruled_out") > 1,
        30,
        "the new run to come to the step",
    )
    world.rule(request, other, "give_up")
    world.wait_closed(request)

    assert dump(world.shop) == before
    assert world.conclusion(request) == "in_part"
    assert [code for code, _ in asked(world, request)].count("hold") == 1


@pytest.mark.soak
def test_a_system_that_stays_away_can_be_given_up_and_is_never_called_empty(world: World) -> None:
    away = shop_map(system="away", env="TEST_AWAY")
    world.write_maps({"away": away})
    world.environment["TEST_AWAY"] = "postgresql://nobody@127.0.0.1:9/none"
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    # As after an hour of attempts.
    step = f"{request}/away/locate/0"
    world.wait(lambda: world.phase(request) == "locating", 30, "the look")
    task = world.ledger.open_task(request, step, Code.UNREACHABLE, "away", at=world.now())
    # No run hears of what is decided meanwhile: the next one reads it.
    end_the_run(world, request)
    world.rule(request, task, "give_up")
    find_out(world, request)
    world.wait_closed(request)

    assert world.conclusion(request) == "in_part"


@pytest.mark.soak
def test_a_cabinet_that_was_looked_into_by_hand_is_also_emptied_by_hand(world: World) -> None:
    world.write_maps({"archive": ARCHIVE, "shop": shop_map()})
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.rule(request, world.wait_task(request, "manual"), "done")
    world.wait(lambda: len(asked(world, request)) == 2, 30, "the second question")
    lose_the_run(world, request)
    (task,) = [
        row[0] for row in world.query("SELECT id FROM tasks WHERE request_id = %s AND settled_at IS NULL", request)
    ]
    world.rule(request, task, "done")
    world.wait_closed(request)

    assert asked(world, request) == [("manual", "archive/locate/0"), ("manual", "archive/erase/0")]
    sure = {
        (r["step"]["system"], r["step"]["operation"]): r["certainty"] for r in world.receipts(request) if not r["code"]
    }
    assert sure["archive", "erase"] == "attested"
    assert sure["shop", "verify"] == "verified"
    assert world.conclusion(request) == "answered"


@pytest.mark.soak
def test_a_system_that_leaves_the_map_with_rows_of_the_person_is_not_called_answered(world: World) -> None:
    world.write_maps({"shop": shop_map("observe", extra="feeds: [crm]"), "crm": shop_map(system="crm")})
    first = world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    task = world.wait_task(request, "observe")
    # The operator takes out the system whose turn had not come yet, in which the person has rows.
    world.write_maps({"shop": shop_map()})
    first.terminate()
    first.wait(180)
    world.start_worker()
    world.rule(request, task, "retry")
    world.rule(request, world.wait_task(request, "map_changed"), "give_up")
    world.wait_closed(request)

    assert world.conclusion(request) == "in_part"


@pytest.mark.soak
def test_other_rows_than_those_approved_are_approved_anew(world: World) -> None:
    world.write_maps({"shop": shop_map("approve")})
    hold = world.place_hold([("email", "c7@shop.example")])
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait(lambda: world.phase(request) == "approving", 30, "the approval")
    world.ledger.approve(request, at=world.now(), note="one account, as previewed")
    world.wait_task(request, "hold")
    with psycopg.connect(world.shop, autocommit=True) as connection:
        connection.execute("UPDATE customers SET email = 'c7@shop.example' WHERE id = 8")
    before = dump(world.shop)
    world.release_hold(hold.id)
    world.choose(request, world.wait_task(request, "several_people"), "shop", mine=["7", "8"])

    world.wait(lambda: world.phase(request) == "approving", 30, "a second approval")
    assert dump(world.shop) == before
    world.ledger.approve(request, at=world.now(), note="both accounts")
    world.wait_closed(request)
    after = dump(world.shop)
    assert about(after, 7) == about(after, 8) == {}


@pytest.mark.soak
def test_a_cut_call_that_left_pseudonyms_is_never_called_an_erasure(world: World) -> None:
    text = shop_map().replace("  customers:\n", "  customers:\n    erase: redact\n", 1)
    text = text.replace("id: {identity: customer_id}", "id: {}")
    text = text.replace(
        'full_name: {category: contact, strategy: "null"}', "full_name: {category: contact, strategy: pseudonym}"
    )
    world.write_maps({"shop": text})
    # Killed when the system has committed and nobody has heard of it: the next look finds nothing to do.
    doomed = world.start_worker(trip="fence:done")
    request = world.open("erasure", [("email", "c7@shop.example")])
    assert doomed.wait(180) == -9
    world.start_worker()
    world.wait_closed(request, 90)

    (row,) = about(dump(world.shop), 7)["customers"]
    assert json.loads(row)["full_name"].startswith("pseudonym-")
    (book,) = [b for b in world.books(request)["shop"] if b.collection == "customers"]
    assert (book.erased, book.pseudonymised) == (0, 1)
    assert world.conclusion(request) == "in_part"


@pytest.mark.soak
def test_a_cabinet_that_was_copied_by_hand_does_not_stand_in_the_way_of_the_parcel(world: World) -> None:
    world.write_maps({"archive": ARCHIVE, "shop": shop_map()})
    world.start_worker()
    request = world.open("access", [("email", "c7@shop.example")])
    for step in ("locate", "export"):
        task = world.wait_task(request, "manual")
        assert asked(world, request)[-1] == ("manual", f"archive/{step}/0")
        world.rule(request, task, "done")
        world.wait(partial(settled, world, task), 30, "the ruling to be carried out")
    world.wait_closed(request)

    assert world.conclusion(request) == "answered"
    assert world.parcel_rows(request)["shop/items.jsonl"] == 8
    with zipfile.ZipFile(world.home / f"{request}.zip") as parcel:
        (readme,) = [parcel.read(name).decode() for name in parcel.namelist() if name.endswith("README.txt")]
    assert "NOT IN THIS COPY\n----------------\n\narchive\n" in readme


def settled(world: World, task: str) -> bool:
    """Whether a task is off the desk, by the back door."""
    return world.query("SELECT settled_at IS NOT NULL FROM tasks WHERE id = %s", task) == [(True,)]
