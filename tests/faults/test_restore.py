"""The ledger's database is lost and comes back from a backup."""

import psycopg
import pytest

from starter.stack import Postgres
from tests.world import World, shop_map


def restored(world: World, postgres: Postgres, backup: str) -> None:
    """Put the backup in the ledger's place."""
    world.ledger.close_connections()
    postgres.drop_database(world.ledger_db)
    postgres.create_database(world.ledger_db, template=backup)


@pytest.mark.soak
def test_what_the_ledger_no_longer_knows_keeps_nobody_else_waiting(world: World, postgres: Postgres) -> None:
    world.write_maps({"shop": shop_map("observe")})
    world.ledger.close_connections()
    backup = f"{world.ledger_db}_backup"
    postgres.create_database(backup, template=world.ledger_db)
    first = world.start_worker()
    forgotten = world.open("erasure", [("email", "c7@shop.example")])
    world.wait_task(forgotten, "observe")
    world.ledger.checkpoint(at=world.now())
    first.kill()
    first.wait()
    restored(world, postgres, backup)

    verdict = world.ledger.verify()
    assert [str(finding.what) for finding in verdict.findings] == ["cut"]
    assert verdict.like_a_restore

    world.write_maps({"shop": shop_map()})
    world.start_worker()
    request = world.open("erasure", [("email", "c8@shop.example")])
    world.wait_closed(request)
    # The list of runs lags behind; once it has the forgotten one, the comparison comes upon it.
    world.ledger.announce("reconcile", at=world.now())
    world.wait(lambda: "unknown_run" in world.log, 60, "the run of nobody to be named")
    world.wait(lambda: world.ledger.backlog() == 0, 30, "every message to be delivered")
    assert world.query("SELECT count(*) FROM requests") == [(1,)]
    with psycopg.connect(world.shop, autocommit=True) as connection:
        gone = connection.execute("SELECT count(*) FROM customers WHERE id IN (7, 8)").fetchone()
    assert gone == (1,)
    postgres.drop_database(backup)
