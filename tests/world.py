"""A small deployment for stories and faults: ledger, shop, Temporal, and workers as processes that can be killed.

The rule kept: what is asserted is read through a back door (own connections), never through the code under test.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql
from temporalio.client import Client

import worker
from ledger.decisions import Ruling
from ledger.holds import EVERYTHING, Hold
from ledger.ledger import Ledger
from ledger.schema import upgrade
from rights.holds import Terms
from rights.mapfile import read_map
from rights.receipt import Books
from rights.request import Phase
from rights.subject import parse_identities
from settings import Settings
from starter.stack import Postgres, Temporal
from starter.submit import submit
from tests.conftest import SEARCH_ATTRIBUTES
from tests.forks import Fork, Running

ROOT = Path(__file__).parent.parent
FAULTY = "tests.faulty_worker"
SLACK = 3
"""How much longer than it usually takes, and the tests say, something is waited for: a machine that is busy with other
tests breaks no promise of ours."""

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text, full_name text, phone text);
CREATE TABLE addresses (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers(id), street text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers(id),
  note text, created_at timestamptz NOT NULL);
-- No foreign key: the database does not enforce this link.
CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint NOT NULL, gift text);
CREATE TABLE messages (id bigint PRIMARY KEY, customer_id bigint NOT NULL, body text);
CREATE INDEX ON addresses(customer_id); CREATE INDEX ON orders(customer_id);
CREATE INDEX ON items(order_id); CREATE INDEX ON messages(customer_id);
INSERT INTO customers SELECT i, 'c'||i||'@shop.example', 'Name'||md5('n'||i), '+49301'||lpad(i::text,6,'0')
  FROM generate_series(1,{people}) i;
INSERT INTO addresses SELECT (c-1)*3+k, c, md5('a'||c||k)||' street'
  FROM generate_series(1,{people}) c, generate_series(1,3) k;
INSERT INTO orders SELECT (c-1)*4+k, c, 'note '||md5('o'||c||k), timestamptz '2012-06-01Z' + (k*3 || ' years')::interval
  FROM generate_series(1,{people}) c, generate_series(1,4) k;
INSERT INTO items SELECT (o-1)*2+k, o, 'For '||md5('g'||o||k)
  FROM generate_series(1,{people}*4) o, generate_series(1,2) k;
INSERT INTO messages SELECT (c-1)*2+k, c, 'I am c'||c||'@shop.example '||md5('m'||c||k)
  FROM generate_series(1,{people}) c, generate_series(1,2) k;
"""
"""Per customer 1 + 3 + 4 + 8 + 2 = 18 rows; orders of 2015, 2018, 2021 and 2024."""

ROWS = 18

SHOP_MAP = """
system: {system}
owner: shop team
connector: sql
backups: none
mode: {mode}
max_people_per_hour: {fuse}
connection: {{reader: "env:{env}", writer: "env:{env}"}}
{extra}
collections:
  customers:
    key: [id]
    purpose: to run the customer account
    fields:
      id: {{identity: customer_id{keep_id}}}
      email: {{category: contact, identity: email, strategy: anonymise}}
      full_name: {{category: contact, strategy: "null"}}
      phone: {{category: contact, strategy: "null"}}
  addresses:
    key: [id]
    fields: {{id: {{}}, customer_id: {{}}, street: {{category: contact}}}}
    links: [{{field: customer_id, to: customers.id}}]
  orders:
    key: [id]
    fields:
      id: {{}}
      customer_id: {{}}
      note: {{category: free_text, strategy: "null"}}
      created_at: {{}}
    links: [{{field: customer_id, to: customers.id}}]
{retention}
  items:
    key: [id]
    fields: {{id: {{}}, order_id: {{}}, gift: {{category: free_text}}}}
    links: [{{field: order_id, to: orders.id}}]
  messages:
    key: [id]
    fields: {{id: {{}}, customer_id: {{}}, body: {{category: free_text}}}}
    links: [{{field: customer_id, to: customers.id}}]
"""

RETENTION = """    retention:
      - {ground: tax law, regimes: [eu-gdpr], after: created_at, period: P10Y, from: end_of_year, minimise: [note]}
"""


KEEP_ID = ", strategy: retain, ground: the orders that are kept need it"


def shop_map(
    mode: str = "auto",
    *,
    system: str = "shop",
    env: str = "TEST_SHOP",
    retention: bool = False,
    fuse: int = 10_000,
    extra: str = "",
) -> str:
    """The map of the shop above; with a duty to keep orders for ten years if asked for."""
    return SHOP_MAP.format(
        system=system,
        mode=mode,
        env=env,
        fuse=fuse,
        extra=extra,
        keep_id=KEEP_ID if retention else "",
        retention=RETENTION if retention else "",
    )


def dump(conninfo: str) -> dict[str, set[str]]:
    """Every row of every table as text, through a connection of its own."""
    rows: dict[str, set[str]] = {}
    with psycopg.connect(conninfo, autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            query = sql.SQL("SELECT to_jsonb(t)::text FROM {} t").format(sql.Identifier(table))
            rows[table] = {text for (text,) in connection.execute(query)}
    return rows


class World:
    """One deployment. Servers given are shared; others are its own and can be killed."""

    def __init__(
        self,
        home: Path,
        postgres: Postgres,
        temporal: Temporal,
        *,
        maps: Mapping[str, str] | None = None,
        people: int = 20,
        name: str | None = None,
        target: Postgres | None = None,
        migrated: bool = True,
    ) -> None:
        """`migrated`: with the ledger's tables of this version; else without any."""
        self.home, self.postgres, self.temporal = home, postgres, temporal
        self.target = target or postgres
        """The server of the shop; the ledger's, unless one of the two is to be killed without the other."""
        self.name = name or f"w{os.getpid()}x{time.monotonic_ns()}"
        self.ledger_db, self.shop_db = f"{self.name}_ledger", f"{self.name}_shop"
        postgres.create_database(self.ledger_db)
        self.target.create_database(self.shop_db)
        with psycopg.connect(self.shop, autocommit=True) as connection:
            connection.execute(SHOP.format(people=people))
            connection.execute(f"ALTER DATABASE {self.shop_db} SET habeas.environment = 'test'")
        if migrated:
            upgrade(postgres.dsn(self.ledger_db))
        (home / "keys").mkdir(mode=0o700)
        self.write_maps(maps or {"shop": shop_map()})
        _checkpoint_key(home / "checkpoint.pem")
        self.environment = {
            "TEST_SHOP": self.target.dsn(self.shop_db),
            "TEST_LEDGER": postgres.dsn(self.ledger_db),
            "HABEAS_TENANT": "t" + self.name[-12:].replace("_", "-"),
            "HABEAS_ENVIRONMENT": "test",
            "HABEAS_LEDGER": "env:TEST_LEDGER",
            "HABEAS_KEYS": f"file:{home / 'keys'}",
            "HABEAS_CHECKPOINTS": str(home / "checkpoints.jsonl"),
            "HABEAS_CHECKPOINT_KEY": f"file:{home / 'checkpoint.pem'}",
            "HABEAS_PARCELS": str(home / "parcels"),
            "HABEAS_MAPS": json.dumps([str(home / "maps")]),
            "HABEAS_BACKUP_MAX_AGE_DAYS": "35",
            "HABEAS_TEMPORAL_ADDRESS": temporal.address,
            "HABEAS_TASK_QUEUE": self.name,
            "HABEAS_DRAIN_SECONDS": "5",
            # A story that is not about it does not wait three days; those that are set it.
            "HABEAS_COOLING_OFF_HOURS": "0",
        }
        os.environ.update({k: v for k, v in self.environment.items() if k.startswith("TEST_")})
        self.settings = self._settings()
        self.ledger: Ledger = worker.open_ledger(self.settings)
        self.workers: list[Running] = []

    def _settings(self) -> Settings:
        prefix = "HABEAS_"
        plain = {k.removeprefix(prefix).lower(): v for k, v in self.environment.items() if k.startswith(prefix)}
        read: dict[str, Any] = {n: json.loads(plain[n]) for n in ("maps", "mail", "letters", "webhooks") if n in plain}
        return Settings(**{**plain, **read})

    def set_up_mail(self, **mail: Any) -> None:
        """Have the deployment send letters by a mail server."""
        self.set_up_letters()
        self.environment["HABEAS_MAIL"] = json.dumps(mail | {"sender": "privacy@shop.example"})
        self.settings = self._settings()

    def set_up_letters(self) -> None:
        """Set what every letter has to say of the sender."""
        office: dict[str, Any] = {
            "controller": "Shop Ltd",
            "address": ["1 Market Street", "12345 Berlin"],
            "dpo": "dpo@shop.example",
            "authorities": {"eu-gdpr": {"name": "An Authority", "contact": "authority.example"}},
        }
        self.environment["HABEAS_LETTERS"] = json.dumps(office)
        self.settings = self._settings()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.workers:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        self.ledger.close_connections()
        self.postgres.drop_database(self.ledger_db)
        self.target.drop_database(self.shop_db)

    @property
    def shop(self) -> str:
        """The shop's address for a back door."""
        return self.target.conninfo(self.shop_db)

    @property
    def log(self) -> str:
        """What all workers have written."""
        return "".join(path.read_text() for path in sorted(self.home.glob("worker-*.log")))

    def write_maps(self, maps: Mapping[str, str]) -> None:
        """Put the data map down, one file per system."""
        folder = self.home / "maps"
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.yaml"):
            old.unlink()
        for name, text in maps.items():
            (folder / f"{name}.yaml").write_text(text)
        self.data_map = read_map(dict(maps))

    def start_worker(self, trip: str = "", **environment: str) -> Running:
        """Start a worker process; `trip` names the place where it kills or freezes itself once."""
        around = {**os.environ, **self.environment, **environment, "TEST_TRIP": trip, "TEST_HOME": str(self.home)}
        if "PYTHONPATH" in environment:
            return self.run_worker([sys.executable, "-m", FAULTY], ROOT, around)
        self.workers.append(Fork(FAULTY, ROOT, around, self._next_log()))
        return self.workers[-1]

    def run_worker(self, program: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Running:
        """Start a program that is a worker. What it writes joins the log, and it ends with the deployment."""
        with self._next_log().open("wb") as log:
            self.workers.append(subprocess.Popen(program, cwd=cwd, env=environment, stdout=log, stderr=log))
        return self.workers[-1]

    def _next_log(self) -> Path:
        return self.home / f"worker-{len(self.workers):02}.log"

    def open(
        self,
        right: str,
        identities: Iterable[tuple[str, str]],
        *,
        confirmed: bool = True,
        received_at: datetime | None = None,
        **more: Any,
    ) -> str:
        """Submit a request through the one function behind every door."""
        opened = submit(
            self.ledger,
            self.data_map,
            worker.rules(self.settings),
            right,
            identities,
            received_at=received_at or datetime.now(UTC),
            confirmed=confirmed,
            **more,
        )
        return opened.request_id

    def client(self) -> Client:
        """A Temporal client with the deployment's keys."""
        return asyncio.run(worker.connect(self.settings, self.ledger))

    def wait_closed(self, request_id: str, seconds: float = 60) -> None:
        """Wait until the ledger says closed."""
        self.wait(lambda: self.phase(request_id) == Phase.CLOSED, seconds, f"{request_id} to close")

    def wait_task(self, request_id: str, code: str, seconds: float = 60, *, about: str = "%") -> str:
        """Wait until a person is asked, as of one system where `about` names it; the task's id."""
        found: list[str] = []
        task = "SELECT id FROM tasks WHERE request_id = %s AND code = %s AND about LIKE %s AND settled_at IS NULL"

        def asked() -> bool:
            rows = self.query(f"{task} ORDER BY id", request_id, code, about)
            found.extend(row[0] for row in rows)
            return bool(found)

        self.wait(asked, seconds, f"a task {code}")
        return found[0]

    def wait(self, condition: Any, seconds: float, what: str) -> None:
        """Wait until something is so, or fail with the workers' logs."""
        until = time.monotonic() + seconds * SLACK
        while not condition():
            assert time.monotonic() < until, f"waited {seconds * SLACK} s for {what}; log:\n{self.log[-6000:]}"
            time.sleep(0.1)

    def query(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the ledger's tables through a back door."""
        with psycopg.connect(self.postgres.conninfo(self.ledger_db), autocommit=True) as connection:
            return connection.execute(text, values).fetchall()

    def now(self) -> datetime:
        """The wall clock."""
        return datetime.now(UTC)

    def rule(self, request_id: str, task: str, word: Ruling) -> None:
        """An agent's word on a task."""
        self.ledger.rule(request_id, task, word, at=self.now(), note="by the story")

    def choose(self, request_id: str, task: str, system: str, mine: list[str]) -> None:
        """Rule which of the masked candidates are the person, by their keys."""
        sealed = self.ledger.unseal(request_id, "working", f"candidates/{system}")
        assert sealed is not None
        ruled: dict[str, dict[str, list[list[str]]]] = {"mine": {}, "others": {}}
        for candidate in json.loads(sealed):
            side = "mine" if candidate["key"][0] in mine else "others"
            ruled[side].setdefault(candidate["collection"], []).append(candidate["key"])
        self.ledger.rule(
            request_id, task, "choose", at=self.now(), note="by the story", chosen=json.dumps(ruled).encode()
        )

    def place_hold(
        self, identities: Iterable[tuple[str, str]], reason: str = "a court case", terms: Terms = EVERYTHING
    ) -> Hold:
        """Place a hold, as counsel would."""
        return self.ledger.place_hold(parse_identities(identities), reason, at=self.now(), by="s-1", terms=terms)

    def release_hold(self, hold: str) -> None:
        """Release a hold, as two people do."""
        # The first word may have been heard already, where the ledger was away in between.
        for by in ("s-1", "s-2")[self.ledger.hold_standing(hold).release_by is not None :]:
            self.ledger.release_hold(hold, by=by, at=self.now(), file_until=self.now())

    def in_flight(self, request_id: str) -> int:
        """Destructive calls of a request that may be running, by the back door."""
        query = "SELECT count(*) FROM intents WHERE request_id = %s AND settled_at IS NULL AND expires_at > now()"
        return int(self.query(query, request_id)[0][0])

    def books(self, request_id: str) -> dict[str, tuple[Books, ...]]:
        """The books as they were closed."""
        return dict(self.ledger.standing(request_id).books)

    def parcel_rows(self, request_id: str) -> dict[str, int]:
        """Lines of each JSON Lines file in the opened parcel."""
        from activities.parcels import open_parcel
        from activities.store import FileStore

        key = self.ledger.case_key(request_id, "parcel", create=True)
        out = self.home / f"{request_id}.zip"
        open_parcel(FileStore(self.settings.parcels), request_id, key, out)
        with zipfile.ZipFile(out) as archive:
            return {
                name.split("/data/", 1)[1]: archive.read(name).count(b"\n")
                for name in archive.namelist()
                if name.endswith(".jsonl")
            }

    def receipts(self, request_id: str) -> list[dict[str, Any]]:
        """The receipts of a request, as they stand in the journal."""
        query = "SELECT body FROM entries WHERE request_id = %s AND kind IN ('settled', 'receipt', 'look') ORDER BY seq"
        return [json.loads(body) for (body,) in self.query(query, request_id)]

    def phase(self, request_id: str) -> str:
        """A request's phase, by the back door."""
        return str(self.query("SELECT phase FROM requests WHERE id = %s", request_id)[0][0])

    def conclusion(self, request_id: str) -> str:
        """How a request ended, by the back door."""
        return str(self.query("SELECT conclusion FROM requests WHERE id = %s", request_id)[0][0])


def _checkpoint_key(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)


__all__ = ["ROWS", "SEARCH_ATTRIBUTES", "World", "dump", "shop_map"]
