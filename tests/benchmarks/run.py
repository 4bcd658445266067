"""``make bench`` and ``make bench-full``: what a request costs, everything counted, against stated goals.

Prints a table and writes `.bench/latest.json`. CPU and ratio figures decide; wall figures are printed. The small scale
is a shop of 2,000 customers, batches of 20 and one person with 20,000 rows; the full one is 10,000, 50 and 100,000.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import worker
from rights.request import Right
from starter.stack import Postgres, Temporal, free_port
from tests.benchmarks import buckets, by_hand, campaign, databases, discovery, load, mailbox, reports, waiting
from tests.benchmarks.deployment import MAP, Used, counting, fatten, memory, seed
from tests.conftest import SEARCH_ATTRIBUTES
from tests.connectors.dovecot import LACKING
from tests.world import World, shop_map

OUT = Path(".bench/latest.json")
GOALS = {"access": 0.15, "erasure": 0.20}
"""CPU seconds a request, Temporal in memory, everything counted."""
P95 = " (goal 0.15, on an idle machine)"
"""A wall figure: it is printed with its goal, and decides nothing."""
QUIET = 3.0
"""CPU seconds of the worker in a minute in which nothing happens: a twentieth of a core."""


@dataclass(frozen=True)
class Scale:
    """How large a run is."""

    customers: int
    batch: int
    rows: int
    submits: int
    drained: int
    messages: int
    waiting: int
    versions: int
    keys: int
    size: int
    tables: int
    exported: int
    erased: int
    grown: int
    told: int
    load: int
    """Seconds of calls at a fixed rate."""
    stormed: int
    reported: int
    """Requests in a ledger that reports are made of."""


SMALL = Scale(
    customers=2_000,
    batch=20,
    rows=20_000,
    submits=1_000,
    drained=100,
    messages=10_000,
    waiting=500,
    versions=2_000,
    keys=5_000,
    size=256 << 20,
    tables=200,
    exported=300_000,
    erased=600_000,
    grown=300_000,
    told=2_000,
    load=20,
    stormed=1_500,
    reported=10_000,
)
FULL = Scale(
    customers=10_000,
    batch=50,
    rows=100_000,
    submits=5_000,
    drained=5_000,
    messages=50_000,
    waiting=10_000,
    versions=10_000,
    keys=1_000_000,
    size=5 << 30,
    tables=1_000,
    exported=5_000_000,
    erased=20_000_000,
    grown=10_000_000,
    told=100_000,
    load=60,
    stormed=5_000,
    reported=100_000,
)


@dataclass(frozen=True)
class Figure:
    """One line of the table; `goal` and `holds` are None where a figure only informs."""

    name: str
    value: float
    unit: str
    goal: str | None = None
    holds: bool | None = None


class Report:
    """Figures as they come, printed at once."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []

    def add(
        self, name: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None
    ) -> None:
        """Note a figure, with a goal if there is one."""
        most = math.inf if at_most is None else at_most
        holds = None if at_most is None and at_least is None else (at_least or 0) <= value <= most
        goal = f"<= {at_most:g}" if at_most is not None else f">= {at_least:g}" if at_least is not None else None
        self.figures.append(Figure(name, round(value, 5), unit, goal, holds))
        mark = "" if holds is None else ("holds" if holds else "MISSED")
        print(f"{name:<58} {value:>10.3f} {unit:<8} {goal or '':<10} {mark}", flush=True)

    def write(self) -> None:
        """Keep the figures for comparison."""
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(json.dumps([asdict(figure) for figure in self.figures], indent=1) + "\n")


def reference() -> float:
    """CPU seconds of a fixed piece of pure Python, the best of five: how fast this machine is."""

    def loop() -> float:
        began, number = time.process_time(), 1
        for _ in range(2_000_000):
            number = (number * 1_103_515_245 + 12_345) % 2_147_483_648
        return time.process_time() - began

    return min(loop() for _ in range(5))


@contextmanager
def deployment(
    scale: Scale, *, file: bool, maps: Mapping[str, str] | None = None, **environment: str
) -> Iterator[World]:
    """A seeded deployment with a running worker; further systems by `maps`."""
    with tempfile.TemporaryDirectory(prefix="habeas-bench-") as folder, Postgres(durable=True) as postgres:
        home = Path(folder)
        with (
            Temporal(home / "temporal.db" if file else None, search_attributes=SEARCH_ATTRIBUTES) as temporal,
            World(home, postgres, temporal, maps={"shop": MAP, **(maps or {})}, people=1) as world,
        ):
            seed(postgres, world.shop_db, scale.customers)
            world.start_worker(**environment)
            # The first requests warm caches, pools and plans of all processes.
            for customer in range(1, 6):
                for right in ("access", "erasure"):
                    one(world, right, customer)
            yield world


def one(world: World, right: str, customer: int) -> float:
    """One request on its own; seconds until it is closed."""
    start = time.monotonic()
    request = world.open(right, [("email", f"c{customer}@shop.example")])
    wait_all(world, [request])
    return time.monotonic() - start


def wait_all(world: World, requests: list[str], seconds: float = 1800) -> None:
    """Wait until all are closed, asking seldom so that the question does not weigh."""
    until = time.monotonic() + seconds
    pause = 0.02 if len(requests) < 3 else 0.5
    while True:
        (left,) = world.query("SELECT count(*) FROM requests WHERE id = ANY(%s) AND phase <> 'closed'", requests)[0]
        if not left:
            return
        if time.monotonic() > until:
            sys.exit(f"{left} requests did not close; log:\n{world.log[-3000:]}")
        time.sleep(pause)


def batch(world: World, right: str, first: int, count: int) -> tuple[Used, list[str]]:
    """Submit a batch at once and wait for its end."""
    with counting(world) as used:
        requests = [world.open(right, [("email", f"c{c}@shop.example")]) for c in range(first, first + count)]
        wait_all(world, requests)
    wrong = world.query("SELECT id, conclusion FROM requests WHERE id = ANY(%s) AND conclusion <> 'answered'", requests)
    if wrong:
        sys.exit(f"not answered: {wrong}")
    return used, requests


def history(world: World, right: str, request: str) -> tuple[int, int]:
    """Events and activities of a run."""

    async def ask() -> tuple[int, int]:
        client = await worker.connect(world.settings, world.ledger)
        handle = client.get_workflow_handle(f"{Right(right)}/{world.ledger.tenant}/{request}")
        events = [event async for event in handle.fetch_history_events()]
        return len(events), sum(e.HasField("activity_task_scheduled_event_attributes") for e in events)

    return asyncio.run(ask())


def measure_batches(report: Report, scale: Scale, *, file: bool) -> None:
    """What a request costs in a batch, and how long a lone one takes."""
    where = "file" if file else "memory"
    with deployment(scale, file=file) as world:
        first = 100
        for right in ("access", "erasure"):
            used, requests = batch(world, right, first, scale.batch)
            per = used.total / scale.batch
            report.add(f"{right}, batch of {scale.batch}, Temporal in {where}: CPU", per, "s",
                       at_most=None if file else GOALS[right])  # fmt: skip
            for part, seconds in used.parts.items():
                report.add(f"    of which {part}", seconds / scale.batch, "s")
            report.add("    wall", used.wall / scale.batch, "s")
            first += scale.batch
            if file:
                continue
            events, activities = history(world, right, requests[0])
            report.add(f"{right}: history events", events, "events", at_most=60)
            report.add(f"{right}: activities", activities, "", at_most=7)
            lone = [one(world, right, first + n) for n in range(9)]
            first += 9
            report.add(f"{right}: lone request p50", statistics.median(lone), "s", at_most=1.0)
            hand = by_hand.timed(world.shop, first, 20, erase=right == "erasure") / 20
            first += 20
            report.add(f"{right}: by hand (psycopg, client only): CPU", hand, "s")
            report.add(f"{right}: Habeas to by hand", per / hand, "x")


def measure_large(report: Report, scale: Scale) -> None:
    """One person with very many rows."""
    with deployment(scale, file=False) as world:
        fatten(world.postgres, world.shop_db, 50, scale.rows)
        before = memory(world)
        peak = before
        start = time.monotonic()
        request = world.open("access", [("email", "c50@shop.example")])
        while world.phase(request) != "closed":
            peak = max(peak, memory(world))
            time.sleep(0.02)
        ratio = scale.rows / FULL.rows
        report.add(f"access of {scale.rows:,} rows: wall", time.monotonic() - start, "s", at_most=max(1.0, 2.0 * ratio))
        report.add(f"access of {scale.rows:,} rows: growth of the worker", peak - before, "MB", at_most=60)
        seconds = one(world, "erasure", 50)
        report.add(f"erasure of {scale.rows:,} rows: wall", seconds, "s", at_most=max(1.5, 5.0 * ratio))


def measure_submits(report: Report, scale: Scale) -> None:
    """How fast requests are received, and that none is lost."""
    with deployment(scale, file=False) as world:
        requests, waits = [], []
        start = time.monotonic()
        for number in range(scale.submits):
            began = time.monotonic()
            drains = number < scale.drained
            # What is not to be drained in this run waits for a confirmation.
            requests.append(
                world.open("access", [("email", f"c{number % scale.customers + 1}@shop.example")], confirmed=drains)
            )
            waits.append(time.monotonic() - began)
        wall = time.monotonic() - start
        report.add(
            f"submit: p95 of the commit, {scale.submits:,} beside a working engine",
            statistics.quantiles(waits, n=20)[18],
            "s",
        )
        report.add(f"submit: {scale.submits:,} accepted", wall, "s", at_most=60.0 * scale.submits / FULL.submits)
        wait_all(world, requests[: scale.drained])
        drained = time.monotonic() - start
        (lost,) = world.query(
            "SELECT count(*) FROM unnest(%s::text[]) id WHERE NOT EXISTS (SELECT 1 FROM requests r WHERE r.id = id)",
            requests,
        )[0]
        report.add(f"submit: {scale.drained:,} drained", drained, "s")
        report.add("submit: lost", float(lost), "", at_most=0)


def measure_mailbox(report: Report, scale: Scale) -> None:
    """One person's messages located, erased and looked for again, against a bare script."""
    if LACKING:
        print(f"mailbox: not measured: {LACKING}")
        return
    seen = mailbox.measure(scale.messages)
    what = f"mailbox of {scale.messages:,}: {seen.erased:,} located and erased"
    report.add(f"{what}: CPU", seen.ours.cpu / (mailbox.ROUNDS - 1), "s")
    report.add("    wall", seen.ours.wall / (mailbox.ROUNDS - 1), "s")
    report.add("    bare script to Habeas, CPU", seen.script.cpu / seen.ours.cpu, "x", at_least=0.7)
    report.add("    bare script to Habeas, wall", seen.script.wall / seen.ours.wall, "x")
    report.add("    script that searches 4 headers only to Habeas, CPU", seen.shortest.cpu / seen.ours.cpu, "x")


def measure_waiting(report: Report, scale: Scale) -> None:
    """Requests that wait for a vendor's job: no slot, next to no CPU, and nobody beside them is the slower for it."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory(prefix="habeas-vendor-") as folder,
        waiting.slow_vendor(Path(folder)) as slow,
        deployment(scale, file=False, maps={"slow": slow}, HABEAS_HEALTH_PORT=str(port)) as world,
    ):
        seen = waiting.measure(world, scale.waiting, port + 1)
        what = f"{scale.waiting:,} waiting vendor jobs"
        report.add(f"{what}: CPU until they wait, each", seen.started.total / scale.waiting, "s")
        report.add("    wall until all wait", seen.started.wall, "s")
        report.add("    worker's slots in use", seen.slots, "", at_most=0)
        report.add(f"    CPU of all in {waiting.QUIET_S} s", seen.quiet.total, "s")
        for part, seconds in seen.quiet.parts.items():
            report.add(f"    of which {part}", seconds, "s", at_most=QUIET if part == "worker" else None)
        for part, megabytes in seen.memory.items():
            report.add(f"    memory of {part}", megabytes, "MB")
        lone = [one(world, "access", 100 + number) for number in range(9)]
        report.add("    lone access request beside them, p50", statistics.median(lone), "s", at_most=1.0)


def measure_bucket(report: Report, scale: Scale) -> None:
    """One person's versions erased, against a bare boto3 loop, and the memory of a look through many keys."""
    seen = buckets.measure(scale.versions, scale.keys, scale.size)
    report.add(f"bucket: {scale.versions:,} versions erased: CPU", seen.ours.cpu / (buckets.ROUNDS - 1), "s")
    report.add("    wall", seen.ours.wall / (buckets.ROUNDS - 1), "s")
    report.add("    bare loop to Habeas, CPU", seen.script.cpu / seen.ours.cpu, "x", at_least=0.8)
    report.add("    bare loop to Habeas, wall", seen.script.wall / seen.ours.wall, "x")
    report.add(f"bucket: export of one object of {scale.size >> 20:,} MB: wall", seen.export.wall, "s")
    report.add("    growth of memory", seen.export_peak, "MB", at_most=60)
    for keys, peak in seen.peaks.items():
        report.add(f"bucket: look through {keys:,} keys: growth of memory", peak, "MB", at_most=30)


def measure_discovery(report: Report, scale: Scale) -> None:
    """How long a draft map of a large schema takes, on PostgreSQL's side and ours."""
    took, mapped = discovery.seconds(scale.tables)
    report.add(f"discover: a schema of {scale.tables:,} tables, {mapped:,} mapped", took, "s", at_most=20.0)


def measure_export(report: Report, scale: Scale) -> None:
    """One person's rows of a database as a sealed parcel, beside ``psql \\copy`` of the same rows as JSON."""
    seen = databases.export(scale.exported)
    rounds = seen.rounds
    report.add(f"export: {scale.exported:,} rows, sealed parcel included: wall", seen.ours.wall / rounds, "s")
    report.add("    of which the spool", seen.spooling.wall / rounds, "s")
    report.add("    CPU of client and server", seen.ours.cpu / rounds, "s")
    report.add("    psql \\copy of the same rows as JSON: wall", seen.copy.wall / rounds, "s")
    report.add("    CPU of client and server", seen.copy.cpu / rounds, "s")
    report.add("    Habeas' rate to that of psql \\copy", seen.copy.wall / seen.ours.wall, "x", at_least=0.6)
    report.add("    growth of the process", seen.ours.growth, "MB", at_most=60)


def measure_erase(report: Report, scale: Scale) -> None:
    """A twentieth of a database erased beside a load of others, against the best batched script."""
    seen = databases.erase(scale.erased)
    each = scale.erased // 20
    report.add(f"erase: {each:,} of {scale.erased:,} rows beside others' load: wall", seen.ours.wall / 2, "s")
    report.add("    CPU of client and server", seen.ours.cpu / 2, "s")
    report.add("    the look before: wall", seen.locating.wall / 2, "s")
    report.add("    batched script: wall", seen.script.wall / 2, "s")
    report.add("    CPU of client and server", seen.script.cpu / 2, "s")
    # On a small scale what is done once (the look, the statements' plans) weighs more than what the goal is about.
    goal = 0.5 if scale is FULL else None
    report.add("    Habeas' speed to the script's", seen.script.wall / seen.ours.wall, "x", at_least=goal)
    report.add("    others' longest transaction meanwhile", seen.waits["ours"], "s", at_most=1.0)
    report.add("    others' longest transaction beside the script", seen.waits["script"], "s")


def measure_people(report: Report, scale: Scale) -> None:
    """What a person costs, by how many are looked for at once."""
    costs = databases.people(scale.grown, (1, 10, 100, 1000))
    least = min(costs.values())
    for count, seconds in costs.items():
        report.add(f"locate {count:,} in one call: CPU a person", seconds * 1000, "ms")
    report.add("    1,000 in one call to one: CPU a person", costs[1000] / costs[1], "x", at_most=0.5)
    report.add("    1,000 in one call to the least", costs[1000] / least, "x", at_most=1.1)


def measure_growth(report: Report, scale: Scale) -> None:
    """What a person with twenty rows costs as the database around grows."""
    sizes = [size for size in (10_000, 100_000, 1_000_000, 10_000_000) if size < scale.grown] + [scale.grown]
    costs = databases.growth(sizes, 200)
    for rows, (looking, erasing) in costs.items():
        report.add(f"one person of {rows:,} rows: locate: CPU", looking * 1000, "ms")
        report.add("    erase: CPU", erasing * 1000, "ms")
    first, last = costs[sizes[0]], costs[sizes[-1]]
    report.add(f"locate in {sizes[-1]:,} rows to {sizes[0]:,}", last[0] / first[0], "x", at_most=1.5)
    report.add(f"erase in {sizes[-1]:,} rows to {sizes[0]:,}", last[1] / first[1], "x", at_most=1.5)


def measure_campaign(report: Report, scale: Scale) -> None:
    """Everybody told once by mail, while the worker is killed twice."""
    mapped = shop_map().replace("    purpose: to run", "    lawful_basis: contract\n    purpose: to run")
    with (
        tempfile.TemporaryDirectory(prefix="habeas-campaign-") as folder,
        Postgres(durable=False) as postgres,
        Temporal(search_attributes=SEARCH_ATTRIBUTES) as temporal,
        World(Path(folder), postgres, temporal, maps={"shop": mapped}) as world,
    ):
        seen = campaign.measure(world, Path(folder), scale.told)
        what = f"campaign of {scale.told:,} people, {campaign.KILLS} kills: told"
        report.add(what, seen.told, "", at_least=scale.told - seen.unsure)
        report.add("    told twice", seen.twice, "", at_most=0)
        report.add("    in doubt", seen.unsure, "", at_most=campaign.KILLS)
        report.add("    wall", seen.used.wall, "s")
        report.add("    people in a second", seen.told / seen.used.wall, "")
        report.add("    CPU a person, all in", seen.used.total / scale.told * 1000, "ms")
        for part, seconds in seen.used.parts.items():
            report.add(f"        of which {part}", seconds / scale.told * 1000, "ms")
        report.add("    peak memory of the worker", seen.peak, "MB")
        report.add("    of which after the first letters", seen.growth, "MB", at_most=60)
        report.add("    longest history", seen.events, "events", at_most=10_000)


def measure_api(report: Report, scale: Scale) -> None:
    """Submits and looks over HTTP at a fixed rate, beside a working engine; and that none of a rush is lost."""
    with deployment(scale, file=False) as world:
        seen = load.measure(world, scale.load, scale.stormed)
        rate = f"{load.RATE:.0f} calls/s for {scale.load} s"
        report.add(f"api: submit, {rate}: CPU of the API, each", seen.submit_cpu, "s", at_most=0.012)
        report.add(f"    p95 from when it was due{P95}", seen.submit_p95, "s")
        report.add(f"api: status, {rate}: CPU of the API, each", seen.status_cpu, "s", at_most=0.015)
        report.add(f"    p95 from when it was due{P95}", seen.status_p95, "s")
        report.add(f"api: of {scale.stormed:,} submits at 5,000 in a minute: accepted", seen.accepted, "",
                   at_least=scale.stormed)  # fmt: skip
        report.add("    wall (goal: at that rate)", seen.accepted_wall, "s")
        report.add("    lost", seen.lost, "", at_most=0)
        report.add("    wall until Temporal was told of all", seen.drained, "s")
        report.add("    calls refused, of all", seen.refused, "", at_most=0)


def measure_reports(report: Report, scale: Scale) -> None:
    """Reports of a whole ledger: what a request in it costs, and that the register's length costs no memory."""
    seen = reports.measure(scale.reported)
    for form in ("csv", "json", "table"):
        one = seen[f"register {form}"]
        each = (one.ours + one.theirs) / scale.reported * 1000
        report.add(f"register of {scale.reported:,} requests as {form}: CPU, each", each, "ms", at_most=0.25)
        report.add("    growth of memory", one.growth, "MB", at_most=20)
    board = seen["board json"]
    report.add("board: CPU a request", (board.ours + board.theirs) / scale.reported * 1000, "ms", at_most=0.25)
    report.add("    growth of memory", board.growth, "MB")


PARTS = (
    *("memory", "file", "large", "submit", "mailbox", "waiting", "bucket"),
    *("discover", "export", "erase", "people", "growth", "campaign", "api", "reports"),
)


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the sizes that the issues name")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    options = parser.parse_args()
    scale = FULL if options.full else SMALL
    print(f"scale: {scale.customers:,} customers of 61 rows, batches of {scale.batch}, a person of {scale.rows:,} rows")
    print("figures of different machines compare as multiples of the reference loop\n")
    report = Report()
    report.add("this machine: reference loop in pure Python, CPU", reference(), "s")
    measures: dict[str, Callable[[], None]] = {
        "memory": lambda: measure_batches(report, scale, file=False),
        "file": lambda: measure_batches(report, scale, file=True),
        "large": lambda: measure_large(report, scale),
        "submit": lambda: measure_submits(report, scale),
        "mailbox": lambda: measure_mailbox(report, scale),
        "waiting": lambda: measure_waiting(report, scale),
        "bucket": lambda: measure_bucket(report, scale),
        "discover": lambda: measure_discovery(report, scale),
        "export": lambda: measure_export(report, scale),
        "erase": lambda: measure_erase(report, scale),
        "people": lambda: measure_people(report, scale),
        "growth": lambda: measure_growth(report, scale),
        "campaign": lambda: measure_campaign(report, scale),
        "api": lambda: measure_api(report, scale),
        "reports": lambda: measure_reports(report, scale),
    }
    for name, measure in measures.items():
        if options.only in {None, name}:
            # As the worker does with what it holds anyway: what earlier parts have left here is no cost of this one.
            gc.collect()
            gc.freeze()
            measure()
    report.write()
    if any(figure.holds is False for figure in report.figures):
        sys.exit("a goal was missed")


if __name__ == "__main__":
    main()
