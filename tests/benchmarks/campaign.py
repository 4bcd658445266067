"""A campaign: everybody on a list is written to once, while the worker is killed in the middle.

The one rule: what was sent is counted by the mail server, which is no part of the engine.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Client

import worker
from tests.benchmarks.deployment import Used, counting, memory, of_family
from tests.smtp_sink import Sink
from tests.stories.copies import Habeas
from tests.world import World

NOTICE = """
version: "3.0"
effective_on: 2027-01-15
link: https://shop.example/privacy
audience: {system: shop, collection: customers, address: email, lawful_basis: [contract]}
texts:
  en: {title: Our privacy policy, changes: [We store invoices for ten years.]}
"""
KILLS = 2
"""How often the worker is killed on the way, a third of the people apart."""
FIRST = 200
"""Letters after which a worker has loaded what it needs, and its growth is looked at."""
PATIENCE = 7200
"""Seconds without an end after which something is wrong: more than twice what 100,000 people take."""


class Counting(Sink):
    """A mail server that keeps who was written to, and nothing else."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.got: Counter[str] = Counter()

    async def handle_DATA(self, server: SMTP, session: Client, envelope: Envelope) -> str:
        self.got.update(envelope.rcpt_tos)
        return "250 taken"


@dataclass
class Measured:
    """What a campaign took, and what came of it."""

    used: Used
    peak: float
    """Of the worker's memory, in MB."""
    growth: float
    """Of that, what came after the first letters."""
    told: int
    twice: int
    unsure: int
    events: int
    """Of the longest history of the campaign's workflow and of the letters'."""


def measure(world: World, home: Path, people: int) -> Measured:
    """Write to so many people, killing the worker on the way."""
    with Counting(encrypts=False) as sink:
        world.set_up_mail(
            host="127.0.0.1", port=sink.port, plaintext=True, per_minute=1_000_000, patience="PT1S", read_every="PT2S"
        )
        with psycopg.connect(world.shop, autocommit=True) as door:
            missing = (
                "INSERT INTO customers (id, email) "
                "SELECT i, 'p'||i||'@shop.example' FROM generate_series(%s::int, %s::int) i"
            )
            there = door.execute("SELECT count(*) FROM customers").fetchone()
            assert there is not None
            door.execute(missing, (there[0] + 1, people))
        (home / "notice.yaml").write_text(NOTICE)
        habeas = Habeas(world)
        habeas("campaign", "prepare", "policy", "--notice", str(home / "notice.yaml"))
        world.start_worker()
        peak = 0.0

        def wait(ready: Any) -> None:
            nonlocal peak
            until = time.monotonic() + PATIENCE
            while not ready():
                assert time.monotonic() < until, world.log[-2000:]
                peak = max(peak, memory(world))
                time.sleep(0.5)

        buried = 0.0
        with counting(world) as used:
            habeas("campaign", "start", "policy")
            wait(lambda: sink.got.total() >= FIRST)
            warm = peak = memory(world)
            for number in range(1, KILLS + 1):
                wait(lambda number=number: sink.got.total() >= people * number // (KILLS + 1))
                buried += of_family(world.workers[-1].pid)
                world.workers[-1].kill()
                world.start_worker()
            wait(lambda: world.query("SELECT state FROM campaigns") == [("ended",)])
        used.parts["worker"] += buried
        used.parts["client and mail server"] = used.parts.pop("client")
        unsure = int(world.query("SELECT count(*) FROM letters WHERE state = 'unsure'")[0][0])
        twice = sum(1 for number in sink.got.values() if number > 1)
        return Measured(used, peak, peak - warm, len(sink.got), twice, unsure, asyncio.run(_events(world)))


async def _events(world: World) -> int:
    client = await worker.connect(world.settings, world.ledger)
    kinds = f"WorkflowType IN ('campaign', 'letters') AND TaskQueue = '{world.settings.task_queue}'"
    return max([run.history_length async for run in client.list_workflows(kinds)], default=0)
