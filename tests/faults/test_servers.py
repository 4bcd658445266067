"""Temporal, PostgreSQL and targets that go away in the middle of a request."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from temporalio.client import WorkflowHandle

from starter.stack import Postgres, Temporal
from tests.conftest import SEARCH_ATTRIBUTES
from tests.world import ROWS, World, dump, shop_map


@pytest.fixture
def own_temporal() -> Iterator[Temporal]:
    """A Temporal of the test's own, on a file."""
    folder = Path(tempfile.mkdtemp(prefix="habeas-temporal-"))
    with Temporal(folder / "temporal.db", search_attributes=SEARCH_ATTRIBUTES) as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture
def fragile(home: Path, postgres: Postgres, own_temporal: Temporal) -> Iterator[World]:
    """A deployment whose Temporal may be broken."""
    with World(home, postgres, own_temporal) as world:
        yield world


def erased_exactly(world: World, request: str, before: dict[str, set[str]]) -> None:
    """This person's rows are gone, nobody else's, and the books say so."""
    after = dump(world.shop)
    assert sum(map(len, before.values())) - sum(map(len, after.values())) == ROWS
    assert all(after[table] <= before[table] for table in before)
    books = world.books(request)["shop"]
    assert sum(b.before for b in books) == sum(b.erased for b in books) == ROWS
    settled = world.query("SELECT key FROM entries WHERE request_id = %s AND kind = 'settled'", request)
    assert len(settled) == len(set(settled)) >= 1


@pytest.mark.soak
def test_temporal_is_killed_and_returns(fragile: World) -> None:
    before = dump(fragile.shop)
    fragile.start_worker(trip="freeze:fence:done")
    request = fragile.open("erasure", [("email", "c7@shop.example")])
    fragile.wait(lambda: (fragile.home / "tripped-freeze-fence-done").exists(), 30, "the freeze")
    fragile.temporal.kill()
    time.sleep(1)
    fragile.temporal.start()
    fragile.workers[0].kill()
    fragile.start_worker()
    fragile.wait_closed(request, 120)
    erased_exactly(fragile, request, before)


@pytest.mark.soak
def test_temporal_loses_its_database_in_mid_erasure(fragile: World) -> None:
    before = dump(fragile.shop)
    fragile.start_worker(trip="freeze:fence:done")
    request = fragile.open("erasure", [("email", "c7@shop.example")])
    fragile.wait(lambda: (fragile.home / "tripped-freeze-fence-done").exists(), 30, "the freeze")
    fragile.temporal.kill()
    for file in fragile.temporal.files:
        file.unlink(missing_ok=True)
    fragile.temporal.start()
    fragile.workers[0].kill()
    fragile.start_worker()
    fragile.wait_closed(request, 120)
    erased_exactly(fragile, request, before)


@pytest.mark.soak
def test_temporal_is_restored_to_another_hour(fragile: World) -> None:
    fragile.write_maps({"shop": shop_map("approve")})
    before = dump(fragile.shop)
    first = fragile.start_worker()
    request = fragile.open("erasure", [("email", "c7@shop.example")])
    fragile.wait(lambda: fragile.phase(request) == "approving", 30, "the approval")
    time.sleep(2)
    fragile.temporal.stop()
    saved = {file: file.read_bytes() for file in fragile.temporal.files if file.exists()}
    fragile.temporal.start()
    fragile.ledger.approve(request, at=fragile.now(), note="by the test")
    fragile.wait_closed(request, 120)
    # Back to the hour before the approval: the ledger is ahead of Temporal.
    first.kill()
    fragile.temporal.kill()
    for file in fragile.temporal.files:
        file.unlink(missing_ok=True)
    for file, content in saved.items():
        file.write_bytes(content)
    fragile.temporal.start()
    fragile.start_worker()
    handle = fragile.client().get_workflow_handle(f"erasure/{fragile.ledger.tenant}/{request}")
    fragile.wait(lambda: _status(fragile, handle) == "COMPLETED", 150, "the restored run to end")
    erased_exactly(fragile, request, before)
    assert fragile.conclusion(request) == "answered"


@pytest.mark.soak
@pytest.mark.parametrize("what", ["terminate", "cancel", "reset"])
def test_the_run_is_ended_from_outside(fragile: World, what: str) -> None:
    fragile.write_maps({"shop": shop_map("approve")})
    before = dump(fragile.shop)
    fragile.start_worker()
    request = fragile.open("erasure", [("email", "c7@shop.example")])
    fragile.wait(lambda: fragile.phase(request) == "approving", 30, "the approval")

    asyncio.run(_meddle(fragile, f"erasure/{fragile.ledger.tenant}/{request}", what))
    fragile.ledger.approve(request, at=fragile.now(), note="by the test")
    fragile.wait_closed(request, 150)
    erased_exactly(fragile, request, before)


async def _meddle(world: World, workflow_id: str, what: str) -> None:
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

    import worker

    client = await worker.connect(world.settings, world.ledger)
    handle = client.get_workflow_handle(workflow_id)
    if what == "terminate":
        await handle.terminate()
    elif what == "cancel":
        await handle.cancel()
    else:
        run = (await handle.describe()).run_id
        await client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run),
                reason="a test",
                workflow_task_finish_event_id=4,
                request_id="reset-1",
            )
        )


def _status(world: World, handle: WorkflowHandle[object, object]) -> str:
    async def ask() -> str:
        import worker

        client = await worker.connect(world.settings, world.ledger)
        description = await client.get_workflow_handle(handle.id).describe(rpc_timeout=timedelta(seconds=5))
        return description.status.name if description.status else ""

    return asyncio.run(ask())


@pytest.mark.soak
def test_postgresql_is_killed_and_returns(home: Path, temporal_server: Temporal) -> None:
    with Postgres() as server, World(home, server, temporal_server) as world:
        before = dump(world.shop)
        world.start_worker(trip="freeze:fence:inside")
        request = world.open("erasure", [("email", "c7@shop.example")])
        world.wait(lambda: (world.home / "tripped-freeze-fence-inside").exists(), 30, "the freeze")
        server.kill()
        world.workers[0].kill()
        world.start_worker()
        time.sleep(3)
        server.start()
        world.wait_closed(request, 150)
        erased_exactly(world, request, before)


@pytest.mark.soak
def test_a_target_that_is_down_waits_and_the_others_go_on(
    home: Path, postgres: Postgres, temporal_server: Temporal
) -> None:
    with Postgres(durable=False) as other:
        other.create_database("branch")
        with psycopg.connect(other.conninfo("branch"), autocommit=True) as connection:
            connection.execute(_shop())
            connection.execute("ALTER DATABASE branch SET habeas.environment = 'test'")
        maps = {"shop": shop_map(), "branch": shop_map(system="branch", env="TEST_BRANCH")}
        with World(home, postgres, temporal_server, maps=maps) as world:
            other.stop()
            world.start_worker(TEST_BRANCH=other.dsn("branch"))
            request = world.open("erasure", [("email", "c7@shop.example")])
            # While it may answer any moment, a look everywhere comes before the first deletion anywhere.
            world.wait(lambda: world.phase(request) == "locating", 60, "the looks")
            time.sleep(30)
            assert world.phase(request) == "locating"
            other.start()
            world.wait_closed(request, 120)
            assert world.conclusion(request) == "answered"
            assert len(dump(other.conninfo("branch"))["customers"]) == 19


def _shop() -> str:
    from tests.world import SHOP

    return SHOP.format(people=20)


BREAKS: dict[str, tuple[str, str, str]] = {
    "schema": ("ALTER TABLE messages RENAME TO mail", "ALTER TABLE mail RENAME TO messages", "schema"),
    "rights": ("REVOKE ALL ON messages FROM {role}", "GRANT ALL ON messages TO {role}", "rights"),
    "password": ("ALTER ROLE {role} PASSWORD 'other'", "ALTER ROLE {role} PASSWORD 'right'", "credentials"),
}


@pytest.mark.soak
@pytest.mark.parametrize("fault", sorted(BREAKS))
def test_what_a_person_must_mend_becomes_a_task_and_then_goes_on(world: World, fault: str) -> None:
    broken, mended, code = BREAKS[fault]
    role = f"role_{world.name}"
    run = _back_door(world)
    run(f"CREATE ROLE {role} LOGIN PASSWORD 'right'")
    run(f"GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
    run(broken.format(role=role))
    address = psycopg.conninfo.conninfo_to_dict(world.shop)
    url = f"postgresql+psycopg://{role}:right@{address['host']}:{address['port']}/{address['dbname']}"
    try:
        world.start_worker(TEST_SHOP=url)
        request = world.open("erasure", [("email", "c7@shop.example")])
        task = world.wait_task(request, code)
        run(mended.format(role=role))
        world.rule(request, task, "retry")
        world.wait_closed(request)
        assert world.conclusion(request) == "answered"
    finally:
        for process in world.workers:
            process.kill()
            process.wait()
        run(f"DROP OWNED BY {role}")
        run(f"DROP ROLE {role}")


def _back_door(world: World) -> Callable[[str], None]:
    def run(statement: str) -> None:
        with psycopg.connect(world.shop, autocommit=True) as connection:
            connection.execute(statement)

    return run


@pytest.mark.soak
def test_a_lock_held_for_a_minute_is_waited_out(world: World) -> None:
    before = dump(world.shop)
    with psycopg.connect(world.shop) as blocker:
        blocker.execute("SELECT * FROM customers WHERE id = 7 FOR UPDATE")
        world.start_worker()
        request = world.open("erasure", [("email", "c7@shop.example")])
        world.wait(lambda: world.phase(request) == "fulfilling", 60, "the erasure")
        time.sleep(60)
        assert world.phase(request) == "fulfilling"
        blocker.rollback()
    world.wait_closed(request, 150)
    erased_exactly(world, request, before)
