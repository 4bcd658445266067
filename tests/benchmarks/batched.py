"""The yardstick for a person with very many rows: the best batched script that we could write, and the others' load.

The script reads the keys once and deletes by arrays of them, children first, a batch to a transaction. It counts
nothing before, has no fence, and does not look whether anything is left.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

BATCH = 10_000
"""Rows to a transaction, as many as the connector's."""
PAUSE = 0.01
"""Seconds between two transactions of a writer: a load that leaves the server something to do for the erasure."""


def erase(conninfo: str, person: int) -> int:
    """Delete everything of a person; how many rows."""
    gone = 0
    with psycopg.connect(conninfo) as connection:
        keys = [key for (key,) in connection.execute("SELECT id FROM visits WHERE person_id = %s", [person])]
        connection.commit()
        for start in range(0, len(keys), BATCH):
            some = keys[start : start + BATCH]
            gone += connection.execute("DELETE FROM notes WHERE visit_id = ANY(%s)", [some]).rowcount
            gone += connection.execute("DELETE FROM visits WHERE id = ANY(%s)", [some]).rowcount
            connection.commit()
        gone += connection.execute("DELETE FROM people WHERE id = %s", [person]).rowcount
    return gone


@dataclass
class Load:
    """What the writers saw, once they have ended."""

    transactions: int = 0
    longest: float = 0.0
    """Seconds from a transaction's first statement to the end of its commit."""


@contextmanager
def writing(conninfo: str, visits: int, first: int, writers: int = 2) -> Iterator[Load]:
    """Let others change and add rows of other people meanwhile, from a process of their own. `first` is a key from
    which on none is taken."""
    load = Load()
    with subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        # By its input and not by its arguments, which anybody may read.
        process.stdin.write(json.dumps([conninfo, visits, first, writers]) + "\n")
        process.stdin.flush()
        process.stdout.readline()
        try:
            yield load
        finally:
            process.stdin.close()
            load.transactions, load.longest = json.loads(process.stdout.readline())


def write(conninfo: str, visits: int, first: int, writers: int) -> tuple[int, float]:
    """Write until the input ends; the transactions, and the seconds of the longest."""
    ending = threading.Event()
    waits: list[float] = []

    def work(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - the same load each time, nothing secret
        key = first + number
        with psycopg.connect(conninfo, autocommit=True) as connection:
            while not ending.is_set():
                # Keys that are no multiple of 5 are of people whom nobody erases here.
                visit = chance.randrange(visits // 5) * 5 + 1 + chance.randrange(4)
                key += writers
                start = time.perf_counter()
                with connection.transaction():
                    connection.execute("UPDATE visits SET duration_ms = duration_ms + 1 WHERE id = %s", [visit])
                    connection.execute(
                        "INSERT INTO visits (id, person_id, kind) SELECT %s, person_id, kind FROM visits WHERE id = %s",
                        [key, visit],
                    )
                    connection.execute("INSERT INTO notes (id, visit_id, body) VALUES (%s, %s, 'new')", [key, key])
                waits.append(time.perf_counter() - start)
                time.sleep(PAUSE)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    print("begun", flush=True)
    sys.stdin.read()
    ending.set()
    for thread in threads:
        thread.join()
    return len(waits), max(waits, default=0.0)


if __name__ == "__main__":
    print(json.dumps(write(*json.loads(sys.stdin.readline()))), flush=True)
