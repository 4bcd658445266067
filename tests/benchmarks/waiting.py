"""Many requests that wait for a vendor's job: what they hold, and what they cost while nothing happens.

The one rule: the quiet minute is any minute of a deployment; upkeep's round is in it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from starter.stack import free_port
from tests.benchmarks.deployment import Used, counting
from tests.benchmarks.slow_vendor import MAP, VENDOR
from tests.world import ROOT, World

QUIET_S = 60
_SLOTS = re.compile(r'^temporal_worker_task_slots_used\{[^}]*worker_type="ActivityWorker"[^}]*\} (\S+)$', re.MULTILINE)


@dataclass
class Waited:
    """What it took to get there, and what a quiet minute took."""

    started: Used
    quiet: Used
    slots: float
    """Activities under way on the worker, the most of any look in the minute."""
    memory: dict[str, float]
    """Resident, MB, by part; what the processes of a server share is counted once for each."""


@contextmanager
def slow_vendor(home: Path) -> Iterator[str]:
    """A vendor that is never done; the map of it."""
    port = free_port()
    file = home / "slow.yaml"
    file.write_text(VENDOR)
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.slow_vendor", str(port)], cwd=ROOT)
    try:
        yield MAP.format(file=file, port=port)
    finally:
        process.kill()
        process.wait()


def measure(world: World, requests: int, metrics_port: int) -> Waited:
    """Have so many requests wait, and look on for a minute."""
    with counting(world) as started:
        opened = [world.open("erasure", [("email", f"w{number}@vendor.example")]) for number in range(requests)]
        _wait_accepted(world, len(opened))
    # What is still written after the last one has been taken on.
    time.sleep(10)
    slots = 0.0
    with counting(world) as quiet:
        until = time.monotonic() + QUIET_S
        while time.monotonic() < until:
            slots = max(slots, _slots(metrics_port))
            time.sleep(5)
    return Waited(started, quiet, slots, _memory(world))


def _wait_accepted(world: World, requests: int) -> None:
    """Wait until the vendor has taken all of them on."""
    query = "SELECT count(DISTINCT case_id) FROM vault WHERE name = 'job/slow/erase'"
    until = time.monotonic() + 3600
    while world.query(query) != [(requests,)]:
        if time.monotonic() > until:
            sys.exit(f"{world.query(query)} of {requests} wait; log:\n{world.log[-3000:]}")
        time.sleep(2)


def _slots(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        (used,) = _SLOTS.findall(answer.read().decode())
    return float(used)


def _memory(world: World) -> dict[str, float]:
    pids = {"worker": world.workers[-1].pid, "temporal": world.temporal.pid, "postgres": world.postgres.pid}
    return {part: _resident(pid) / 1e6 for part, pid in pids.items()}


def _resident(pid: int) -> float:
    process = psutil.Process(pid)
    return float(sum(each.memory_info().rss for each in (process, *process.children(recursive=True))))
