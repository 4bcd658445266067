"""A database is restored from a backup: whoever was erased since is erased again, before anybody uses it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from ledger.vault import Purpose
from starter.cli import app
from starter.stack import Postgres
from starter.stack.postgres import _account, _postgres_programs
from tests.stories.test_restriction import DETAILS, Till, habeas, opened, setup_denial, typed
from tests.world import World, dump, shop_map

__all__ = ["habeas"]

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

RECTIFY = "corrections:\n  - {system: shop, collection: customers, values: {full_name: Anna Quartz}}\n"
ALL: tuple[Purpose, ...] = ("working", "history", "file")


@pytest.fixture
def till(world: World) -> Iterator[Till]:
    """The shop's own application, which the map keeps out while a backup is set right."""
    till = Till(world)
    world.write_maps({"shop": shop_map(extra=f"options: {{restrict: row_security}}\nquarantine: [{till.role}]")})
    setup_denial(world, till)
    yield till
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute(f"DROP OWNED BY {till.role}")
        door.execute(f"DROP ROLE {till.role}")


@pytest.fixture
def backup(world: World, postgres: Postgres, tmp_path: Path) -> Callable[[], Callable[[], None]]:
    """Makes a backup with pg_dump; what it gives restores it with pg_restore, as an operator would."""
    programs, file = _postgres_programs(_account()), tmp_path / "shop.dump"

    def run(program: str, *words: str) -> None:
        subprocess.run([programs / program, *words], check=True, env={"PATH": os.defpath}, capture_output=True)

    def make() -> Callable[[], None]:
        run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={world.shop}")
        return restore

    def restore() -> None:
        postgres.drop_database(world.shop_db)
        postgres.create_database(world.shop_db)
        run("pg_restore", "--exit-on-error", f"--dbname={world.shop}", str(file))
        with psycopg.connect(world.shop, autocommit=True) as door:
            door.execute(f"ALTER DATABASE {world.shop_db} SET habeas.environment = 'test'")

    return make


def erase(world: World, customer: int) -> str:
    request = world.open("erasure", [("email", f"c{customer}@shop.example")])
    world.wait_closed(request)
    return request


def replay(world: World, habeas: CliRunner, since: datetime, *more: str) -> dict[str, Any]:
    """Have it done, and wait for the end."""
    made = typed(habeas, "replay", "--system", "shop", "--since", since.isoformat(), "--by", "operations", *more)
    world.wait(lambda: world.ledger.replay(made["replay"]).over, 120, "the replay to end")
    return world.ledger.replay(made["replay"]).model_dump() | {"id": made["replay"]}


def test_a_backup_is_restored_and_everything_since_is_done_again(
    world: World, habeas: CliRunner, till: Till, backup: Callable[[], Callable[[], None]]
) -> None:
    world.start_worker()
    gone_before = erase(world, 4)
    ended = world.ledger.request(gone_before).closed_at
    restore, since, as_it_was = backup(), world.now(), dump(world.shop)
    forgotten, known = erase(world, 7), erase(world, 8)
    restricted = opened(world, habeas, "restriction", DETAILS, ("email", "c5@shop.example"))
    world.wait_closed(restricted)
    rectified = opened(world, habeas, "rectification", RECTIFY, ("email", "c6@shop.example"))
    world.wait_task(rectified, "accuracy")
    typed(habeas, "rectification", "decide", rectified, "--accept", "all")
    world.wait_closed(rectified)
    as_it_should_be, seen, closed = dump(world.shop), till.sees(9), world.ledger.request(known).closed_at
    world.ledger.shred(forgotten, ALL, as_of=world.now())
    assert world.query("SELECT count(*) FROM vault WHERE case_id = %s", forgotten) == [(0,)], "nobody knows who it was"

    restore()
    assert dump(world.shop) == as_it_was
    assert till.sees(5) == till.sees(7) == seen

    counted = replay(world, habeas, since, "--preview")
    assert counted["state"] == "dry"
    assert {name: counted["report"][name] for name in ("erasures", "opened_again", "opened_anew")} == {
        "erasures": 2,
        "opened_again": 3,
        "opened_anew": 1,
    }
    assert dump(world.shop) == as_it_was, "a preview changes nothing"

    done = replay(world, habeas, since)

    assert (done["state"], done["report"]["indeterminate"], done["report"]["still_there"]) == ("clean", {}, 0)
    assert done["report"]["ended"] == {"done": 4}
    assert done["report"]["quarantine"] == "lifted"
    assert dump(world.shop) == as_it_should_be
    assert till.sees(5) == 0
    assert till.sees(9) == seen, "the application is let in again, and nobody else is touched"
    assert world.ledger.verify().sound
    assert world.ledger.request(gone_before).closed_at == ended, "what the backup has already is left alone"
    assert world.ledger.request(known).closed_at != closed, "what it has not was opened again"
    assert world.query("SELECT count(*) FROM letters") == [(0,)], "nobody is written to about it"

    again = replay(world, habeas, since)
    assert (again["state"], dump(world.shop)) == ("clean", as_it_should_be)


def test_what_cannot_be_told_is_not_called_clean_and_the_application_stays_out(
    world: World, habeas: CliRunner, till: Till, backup: Callable[[], Callable[[], None]]
) -> None:
    world.start_worker()
    restore, since = backup(), world.now()
    erase(world, 7)
    rectified = opened(world, habeas, "rectification", RECTIFY, ("email", "c6@shop.example"))
    world.wait_task(rectified, "accuracy")
    typed(habeas, "rectification", "decide", rectified, "--accept", "all")
    world.wait_closed(rectified)
    world.ledger.shred(rectified, (*ALL, "disputed"), as_of=world.now())
    restore()

    done = replay(world, habeas, since)

    assert (done["state"], done["report"]["indeterminate"]) == ("unsure", {"shredded_rectification": 1})
    assert done["report"]["ended"] == {"done": 1}
    with pytest.raises(psycopg.OperationalError):
        till.sees(9)
    shown = habeas.invoke(app, ["replay", "show", done["id"]])
    assert shown.exit_code == 1
    assert "cannot be told: shredded rectification" in shown.stdout
    typed(habeas, "replay", "admit", done["id"], "--by", "operations")
    assert till.sees(9)


def test_a_hold_stops_it_as_it_stops_everything(
    world: World, habeas: CliRunner, till: Till, backup: Callable[[], Callable[[], None]]
) -> None:
    world.start_worker()
    restore, since = backup(), world.now()
    forgotten = erase(world, 7)
    world.ledger.shred(forgotten, ALL, as_of=world.now())
    restore()
    hold = world.place_hold([("email", "c7@shop.example")])

    made = typed(habeas, "replay", "--system", "shop", "--since", since.isoformat())["replay"]
    world.wait(lambda: world.ledger.replay(made).report.get("waiting_for_a_person") == 1, 60, "a person to be asked")
    assert any("c7@shop.example" in row for row in dump(world.shop)["customers"])
    (child,) = world.ledger.replay_children(made)
    world.wait_task(child.request_id, "hold")
    world.release_hold(hold.id)

    world.wait(lambda: world.ledger.replay(made).over, 60, "the replay to end")
    assert world.ledger.replay(made).state == "clean"
    assert not any("c7@shop.example" in row for row in dump(world.shop)["customers"])


def test_it_goes_on_where_a_killed_worker_has_left_it(
    world: World, habeas: CliRunner, till: Till, backup: Callable[[], Callable[[], None]]
) -> None:
    first = world.start_worker()
    restore, since = backup(), world.now()
    for customer in (7, 8, 9):
        world.ledger.shred(erase(world, customer), ALL, as_of=world.now())
    as_it_should_be = dump(world.shop)
    restore()

    made = typed(habeas, "replay", "--system", "shop", "--since", since.isoformat())["replay"]
    world.wait(lambda: bool(world.ledger.replay_children(made)), 60, "the first request")
    first.kill()
    first.wait()
    world.start_worker()

    world.wait(lambda: world.ledger.replay(made).over, 120, "the replay to end")
    assert world.ledger.replay(made).state == "clean"
    assert dump(world.shop) == as_it_should_be
    assert len(world.ledger.replay_children(made)) == 3, "nothing is opened twice"


def test_past_erasures_are_looked_for_in_a_system_that_is_new_to_the_map(
    world: World, habeas: CliRunner, postgres: Postgres
) -> None:
    world.start_worker()
    # Upkeep's first round: a ledger that knows none begins with those that are there.
    known = "SELECT system FROM known_systems"
    world.wait(lambda: world.query(known) == [("shop",)], 60, "upkeep to note the systems of the map")
    assert world.ledger.new_systems(["shop"]) == []
    forgotten = erase(world, 7)
    world.ledger.shred(forgotten, ALL, as_of=world.now())
    crm = f"{world.name}_crm"
    postgres.create_database(crm)
    with psycopg.connect(postgres.conninfo(crm), autocommit=True) as door:
        door.execute("CREATE TABLE contacts (id int PRIMARY KEY, mail text)")
        door.execute("INSERT INTO contacts VALUES (1, 'C7@shop.example'), (2, 'c8@shop.example')")
        door.execute(f"ALTER DATABASE {crm} SET habeas.environment = 'test'")
    os.environ["TEST_CRM"] = postgres.dsn(crm)
    contacts = (
        "system: crm\nowner: sales\nconnector: sql\nbackups: none\nmode: auto\n"
        'connection: {reader: "env:TEST_CRM", writer: "env:TEST_CRM"}\n'
        "collections:\n  contacts:\n    key: [id]\n    fields: {id: {}, mail: {identity: email}}\n"
    )
    world.write_maps({"shop": shop_map(), "crm": contacts})
    for process in world.workers:
        process.kill()
        process.wait()
    world.start_worker()

    # What upkeep does within the hour.
    assert world.ledger.new_systems(["shop", "crm"]) == ["crm"]
    made = world.ledger.begin_replay("crm", None, dry=False, by="upkeep", at=world.now())

    world.wait(lambda: bool(world.ledger.replay_children(made)), 60, "the person to be recognised")
    (child,) = world.ledger.replay_children(made)
    world.wait(lambda: world.phase(child.request_id) == "approving", 60, "a person to be asked first")
    world.ledger.approve(child.request_id, at=world.now())
    world.wait_closed(child.request_id)
    with psycopg.connect(postgres.conninfo(crm), autocommit=True) as door:
        assert door.execute("SELECT id FROM contacts").fetchall() == [(2,)]
    world.wait(lambda: world.ledger.replay(made).over, 60, "the replay to end")
    assert world.ledger.replay(made).state == "clean"
    postgres.drop_database(crm)


def test_whoever_has_come_back_by_themselves_is_not_erased_with_a_backup_before_a_person_has_said_so(
    world: World, habeas: CliRunner, till: Till, backup: Callable[[], Callable[[], None]]
) -> None:
    world.start_worker()
    stays, goes = erase(world, 7), erase(world, 8)
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute("INSERT INTO customers VALUES (7007, 'c7@shop.example', 'Seven', NULL)")
        door.execute("INSERT INTO customers VALUES (8008, 'c8@shop.example', 'Eight', NULL)")
    for customer in (7, 8):
        typed(habeas, "suppression", "clear", "--identity", f"email=c{customer}@shop.example", "--by", "newsletter")
    restore, as_it_was = backup(), dump(world.shop)
    restore()
    since = world.ledger.request(stays).closed_at
    assert since is not None

    made = typed(habeas, "replay", "--system", "shop", "--since", since.isoformat(), "--by", "operations")["replay"]
    tasks = {one: world.wait_task(one, "returned") for one in (stays, goes)}
    assert dump(world.shop) == as_it_was, "nothing is destroyed unasked"

    world.rule(stays, tasks[stays], "done")
    world.rule(goes, tasks[goes], "retry")
    world.wait(lambda: world.ledger.replay(made).over, 120, "the replay to end")

    ended = world.ledger.replay(made)
    assert (ended.state, ended.report["ended"], ended.report["still_there"]) == ("clean", {"done": 2}, 0)
    assert {row for row in dump(world.shop)["customers"] if "7007" in row or "8008" in row} == {
        row for row in as_it_was["customers"] if "7007" in row
    }
