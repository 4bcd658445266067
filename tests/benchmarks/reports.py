"""What reports take on a ledger of many requests: python -m tests.benchmarks.reports [REQUESTS]

Each request has the nineteen entries of an ordinary erasure, copied from one that the ledger's own verbs have journaled
or as long as those are; a twentieth is open, and of these a part is overdue. Prints seconds of wall clock and of CPU,
the server's apart, and by how much memory had grown meanwhile.
"""

import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

import orjson
import psutil
import psycopg

from ledger import schema
from ledger.ids import new_id
from ledger.keys import FileKeys
from ledger.ledger import Ledger, connect
from rights.datamap import DataMap
from rights.deadlines import start_clock
from rights.plan import Operation
from rights.receipt import Outcome
from rights.recipients import Register
from rights.regimes import regime
from rights.reports import Period
from rights.request import Phase, Right
from rights.ropa import Controller
from starter.printing import Streamed, made, printed, table_pieces
from starter.reporting import Sources
from starter.stack import Postgres
from tests.benchmarks import databases
from tests.ledger.builders import ANNA, AT, a_receipt, a_step, close_one, enter, erased

Form = Literal["json", "csv", "table"]
Entry = tuple[str, str, str | None, timedelta]
"""Kind, body, key, how long after the receipt."""


def one_erasure(ledger: Ledger) -> list[Entry]:
    """The journal of a request that was answered."""
    clock = start_clock(regime("eu-gdpr"), AT, "Europe/Berlin")
    made = ledger.open_request(Right.ERASURE, "eu-gdpr", ANNA, clock, received_at=AT, confirmed=True).request_id
    ledger.arrived(made, "web", by="s-17", at=AT)
    for phase in (Phase.LOCATING, Phase.FULFILLING, Phase.VERIFYING):
        ledger.move(made, phase, at=AT)
        operation = {Phase.LOCATING: Operation.LOCATE, Phase.FULFILLING: Operation.ERASE}.get(phase, Operation.VERIFY)
        for system in ("shop", "support"):
            if operation is Operation.ERASE:
                ledger.exit_fence(enter(ledger, made, system=system), erased(customers=1, orders=3), at=AT)
            ledger.keep_receipt(a_receipt(a_step(made, operation, system=system), Outcome.DONE, customers=1, orders=3))
    close_one(ledger, made, letter=None)
    with ledger._look() as connection:
        rows = connection.exec_driver_sql("SELECT kind, body, key, at FROM entries ORDER BY seq").all()
    return [(row.kind, row.body.replace(made, "REQUEST"), (row.key or "").replace(made, "REQUEST") or None, row.at - AT)
            for row in rows]  # fmt: skip


def many(pattern: list[Entry], number: int) -> Iterator[tuple[object, ...]]:
    """Rows of the journal. Requests come in evenly, over a year at most."""
    seq = 0
    for n in range(number):
        at = AT + timedelta(minutes=4 * n)
        request = new_id(at)
        still_open = n % 20 == 0
        took = timedelta(days=3 + n % 40)
        clock = start_clock_body(pattern, at)
        for kind, body, key, _after in pattern[: len(pattern) - 3] if still_open else pattern:
            seq += 1
            text = clock if kind == "opened" else body.replace("REQUEST", request)
            moment = at + took if kind == "closed" else at
            key_ = key.replace("REQUEST", request) if key else None
            yield ("main", seq, request, kind, key_, text, moment, b"0" * 32, seq.to_bytes(32, "big"))


def start_clock_body(pattern: list[Entry], at: datetime) -> str:
    """The opening entry with dates of its own."""
    body = orjson.loads(next(body for kind, body, _, _ in pattern if kind == "opened"))
    due = (at + timedelta(days=30)).isoformat()
    body |= {"received_at": at.isoformat(), "internal_due": due, "legal_due": due}
    for clock in body["clocks"]:
        clock |= {"internal_due": due, "legal_due": due}
    return orjson.dumps(body).decode()


class Spent(NamedTuple):
    """What one report has taken."""

    wall: float
    ours: float
    """CPU seconds of this process."""
    theirs: float
    """CPU seconds of PostgreSQL's."""
    written: int
    growth: float
    """MB by which this process was larger meanwhile."""


@contextmanager
def filled(number: int) -> Iterator[tuple[Postgres, Ledger]]:
    """A ledger of so many requests, and its server."""
    with tempfile.TemporaryDirectory() as place, Postgres(durable=False) as server:
        for name in ("small", "big"):
            server.create_database(name)
            schema.upgrade(server.dsn(name))
        keys = FileKeys(Path(place))
        small = Ledger(connect(server.dsn("small")), "main", keys, backup_max_age=timedelta(days=35))
        pattern = one_erasure(small)
        small.close_connections()
        with psycopg.connect(server.conninfo("big"), autocommit=True) as door:
            with door.cursor().copy(
                "COPY entries (tenant, seq, request_id, kind, key, body, at, previous, hash) FROM STDIN"
            ) as copy:
                for row in many(pattern, number):
                    copy.write_row(row)
            last = door.execute("SELECT max(seq) FROM entries").fetchone()
            door.execute("INSERT INTO chain_heads SELECT tenant, seq, previous, hash FROM entries WHERE seq = %s", last)
            door.execute("VACUUM ANALYZE entries")
            size = door.execute("SELECT pg_size_pretty(pg_total_relation_size('entries'))").fetchone()
        print(f"{number:,} requests, {last[0]:,} entries, {size[0]}", flush=True)  # type: ignore[index]
        big = Ledger(connect(server.dsn("big")), "main", keys, backup_max_age=timedelta(days=35))
        yield server, big
        big.close_connections()


def spent(server: Postgres, ledger: Ledger, name: str, form: Form) -> Spent:
    """Make a report, and throw it away as it comes."""
    seen = databases.Spent()
    of = Sources(ledger, DataMap.of({}), Register(), "Europe/Berlin", Controller())
    before, theirs = cpu(), servers()
    with databases.spending(server, seen):
        report = made(of, name, Period.read("2026"), None)
        pieces = (
            table_pieces(*report, of.zone)
            if form == "table" and isinstance(report, Streamed)
            else printed(report, "csv" if form == "csv" else "json")
        )
        written = sum(map(len, pieces))
    return Spent(seen.wall, cpu() - before, servers() - theirs, written, seen.growth)


def measure(number: int) -> dict[str, Spent]:
    """All reports of a ledger of so many requests, those first that need the least memory."""
    first: list[tuple[str, Form]] = [("ropa", "json"), ("register", "csv"), ("register", "json"), ("register", "table")]
    asked = [*first, *((name, "json") for name in ("annual-ccpa", "population", "board"))]
    with filled(number) as (server, ledger):
        return {f"{name} {form}": spent(server, ledger, name, form) for name, form in asked}


def main(number: int) -> None:
    """Fill a ledger, and read it."""
    for name, one in measure(number).items():
        print(
            f"{name:<16} {one.wall:6.1f} s, CPU {one.ours:5.1f} s here, {one.theirs:5.1f} s in PostgreSQL, "
            f"{one.written:,} characters, memory {one.growth:+.0f} MB"
        )


def cpu() -> float:
    """Seconds of CPU of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def servers() -> float:
    """Seconds of CPU of PostgreSQL's processes, those of this process's server."""
    # Of parallel workers that have ended, their parent keeps the time.
    return sum(sum(one.cpu_times()[:4]) for one in psutil.Process().children(recursive=True))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
