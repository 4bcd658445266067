"""A storm: many requests at once while workers, servers and the target are killed, frozen and taken away at random,
and holds come and go.

The rule kept: every fault is a real one (SIGKILL, SIGSTOP, a server that is not there), chosen by a seed that is
printed; and what became of a person's rows is read by connections of its own. A look at the rows of somebody held is
taken when the ledger calls the hold in force and again before its release: between the two nothing may have gone.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import psycopg
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerRefusal
from starter.stack import Postgres
from tests.world import ROWS, World

T = TypeVar("T")

WORKERS = 3
OPEN_HOLDS = 6
"""Holds at a time: some of the load waits for them, most of it does not."""
PATIENCE = 180.0
"""Seconds in which the ledger takes a word: the sessions of a worker that was frozen at the journal's head are ended
one after the other, and on a busy machine others are frozen meanwhile."""
CALM = 600.0
"""Seconds after the last fault within which everything closes: longer than an intent is open and a lease lasts, and
than the pauses to which a step's attempts have grown."""

_LEFT = """
SELECT (SELECT count(*) FROM customers WHERE id = %(n)s)
     + (SELECT count(*) FROM addresses WHERE customer_id = %(n)s)
     + (SELECT count(*) FROM orders WHERE customer_id = %(n)s)
     + (SELECT count(*) FROM items WHERE order_id BETWEEN (%(n)s - 1) * 4 + 1 AND %(n)s * 4)
     + (SELECT count(*) FROM messages WHERE customer_id = %(n)s)
"""


def left(world: World, person: int) -> int:
    """Rows of a customer that are in the shop, by its own arithmetic of keys."""
    with psycopg.connect(world.shop, autocommit=True) as connection:
        row = connection.execute(_LEFT, {"n": person}).fetchone()
    assert row is not None
    return int(row[0])


def _until_heard(say: Callable[[], T]) -> T:
    """Say a word until the ledger has it, as whoever is at the other end of a command would."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return say()
        except DBAPIError:
            if time.monotonic() > until:
                raise


@dataclass
class Asked:
    """A request of the load."""

    id: str
    right: str
    person: int
    withdrawn: bool = False


@dataclass
class Held:
    """A hold that was placed; `rows` are the person's since it was in force, None before."""

    id: str
    person: int
    rows: int | None = None


@dataclass
class Storm:
    """The load, the faults, and what was seen. `run` sees to the first two, `settle` to the end of all requests."""

    world: World
    target: Postgres
    requests: int
    faults: int
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    """Faults by kind."""
    load: list[Asked] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    _frozen: list[tuple[float, int]] = field(default_factory=list)
    """When each frozen worker goes on, and its number."""
    _holds: list[Held] = field(default_factory=list)

    def run(self) -> None:
        """Submit the load bit by bit and strike in between, until both are used up."""
        chance = random.Random(self.seed)  # noqa: S311 - a storm that can be had again, no secret
        for _ in range(WORKERS):
            self.world.start_worker()
        blows: list[tuple[Callable[[random.Random], str], int]] = [
            (self._kill_a_worker, 30),
            (self._freeze_a_worker, 30),
            (self._place_a_hold, 12),
            (self._release_a_hold, 12),
            (self._withdraw, 4),
            (self._lose_the_target, 4),
            (self._lose_the_ledger, 4),
            (self._lose_temporal, 4),
        ]
        while sum(self.done.values()) < self.faults or len(self.load) < self.requests:
            share = min(1.0, (sum(self.done.values()) + 1) / self.faults)
            while len(self.load) < min(self.requests, round(self.requests * share) + 1):
                self._ask(chance)
            blow = chance.choices([blow for blow, _ in blows], [weight for _, weight in blows])[0]
            if struck := blow(chance):
                self.done[struck] += 1
            self._thaw()
            self._watch()
            time.sleep(chance.random() * 0.6)

    def settle(self) -> None:
        """Let everything that is in the way go, and wait until all requests are closed."""
        self._thaw(all_of_them=True)
        for number, process in enumerate(self.world.workers):
            if process.poll() is not None and number >= len(self.world.workers) - WORKERS:
                self.world.start_worker()
        for hold in list(self._holds):
            self._release(hold)
        until = time.monotonic() + CALM
        while waiting := [one for one in self.load if self.world.phase(one.id) != "closed"]:
            assert time.monotonic() < until, f"not closed: {[(o.id, self.world.phase(o.id)) for o in waiting]}"
            for one in waiting:
                self._rule_on_what_waits(one)
            time.sleep(1)

    # The load.

    def _ask(self, chance: random.Random) -> None:
        person = len(self.load) + 1
        right = chance.choices(["erasure", "access"], [7, 3])[0]
        identity = [("email", f"c{person}@shop.example")]
        opened = _until_heard(lambda: self.world.open(right, identity, idempotency_key=f"storm-{person}"))
        self.load.append(Asked(opened, right, person))

    def _withdraw(self, chance: random.Random) -> str:
        one = chance.choice(self.load)
        try:
            _until_heard(lambda: self.world.ledger.withdraw(one.id, at=self.world.now()))
        except LedgerRefusal:  # it is closed
            return ""
        one.withdrawn = True
        return "request withdrawn"

    def _rule_on_what_waits(self, one: Asked) -> None:
        """What waited for a hold, or for a server that was away, tries once more."""
        for task in self.world.ledger.tasks(request_id=one.id):
            if task.about:
                self.world.ledger.rule(one.id, task.id, "retry", at=self.world.now(), note="the storm is over")

    # Blows. Each says what it was; nothing, when there was nobody to strike.

    def _kill_a_worker(self, chance: random.Random) -> str:
        alive = self._awake()
        if not alive:
            return ""
        self.world.workers[chance.choice(alive)].kill()
        self.world.start_worker()
        return "worker killed"

    def _freeze_a_worker(self, chance: random.Random) -> str:
        alive = self._awake()
        if len(alive) < 2:
            return ""
        number = chance.choice(alive)
        self.world.workers[number].send_signal(signal.SIGSTOP)
        # Most are back before anybody notices; some wake when another has taken their work.
        self._frozen.append((time.monotonic() + chance.choice((0.2, 1, 3, 14)), number))
        return "worker frozen"

    def _place_a_hold(self, chance: random.Random) -> str:
        if len(self._holds) >= OPEN_HOLDS:
            return ""
        # Somebody of the load, the last ones above all: their work is under way.
        person = max(1, len(self.load) - min(int(chance.expovariate(0.3)), len(self.load) - 1))
        hold = _until_heard(lambda: self.world.place_hold([("email", f"c{person}@shop.example")]))
        self._holds.append(Held(hold.id, person))
        self._watch()
        return "hold placed"

    def _release_a_hold(self, chance: random.Random) -> str:
        if not self._holds:
            return ""
        self._release(chance.choice(self._holds))
        return "hold released"

    def _lose_the_target(self, chance: random.Random) -> str:
        self.target.kill()
        time.sleep(chance.random() * 2)
        self.target.start()
        return "target killed"

    def _lose_the_ledger(self, chance: random.Random) -> str:
        self.world.postgres.kill()
        time.sleep(chance.random() * 2)
        self.world.postgres.start()
        return "ledger killed"

    def _lose_temporal(self, chance: random.Random) -> str:
        self.world.temporal.kill()
        time.sleep(chance.random() * 2)
        self.world.temporal.start()
        return "Temporal killed"

    # What is looked at meanwhile.

    def _watch(self) -> None:
        """Remember the rows of whoever is held from the moment on at which the ledger calls it in force."""
        for hold in self._holds:
            if hold.rows is None and self.world.ledger.hold_standing(hold.id).in_force:
                hold.rows = left(self.world, hold.person)

    def _release(self, hold: Held) -> None:
        if hold.rows is not None and (there := left(self.world, hold.person)) != hold.rows:
            self.breaches.append(f"{hold.rows - there} rows went while {hold.id} was in force")
        _until_heard(lambda: self.world.release_hold(hold.id))
        self._holds.remove(hold)

    def _awake(self) -> list[int]:
        frozen = {number for _, number in self._frozen}
        return [n for n, process in enumerate(self.world.workers) if process.poll() is None and n not in frozen]

    def _thaw(self, *, all_of_them: bool = False) -> None:
        now = time.monotonic()
        for when, number in list(self._frozen):
            if all_of_them or when <= now:
                self.world.workers[number].send_signal(signal.SIGCONT)
                self._frozen.remove((when, number))


@dataclass(frozen=True)
class Ended:
    """What became of one request, by the back door."""

    asked: Asked
    conclusion: str
    rows: int
    """The person's, in the shop."""
    erased: int
    """By the books."""
    copied: int
    """Lines of the parcel."""
    settled: tuple[str, ...]
    """Keys of the acts that were settled, each as often as it stands in the journal."""

    @property
    def wrong(self) -> str:
        """What must not be; empty when all is as it should be."""
        if len(set(self.settled)) != len(self.settled):
            return "an act was settled twice"
        if self.rows + self.erased != ROWS:
            return f"{ROWS - self.rows} rows are gone, and the books say {self.erased}"
        if self.conclusion == "withdrawn" and self.asked.withdrawn:
            return ""
        if self.conclusion != "answered":
            return f"ended as {self.conclusion}"
        if self.asked.right == "erasure":
            return f"called erased, and {self.rows} rows are there" if self.rows else ""
        return "" if self.copied == ROWS else f"{self.copied} rows were handed over"


def ended(world: World, asked: Asked) -> Ended:
    """Look at what became of a request."""
    conclusion = world.conclusion(asked.id)
    parcel = asked.right == "access" and conclusion == "answered"
    keys = world.query("SELECT key FROM entries WHERE request_id = %s AND kind = 'settled'", asked.id)
    return Ended(
        asked=asked,
        conclusion=conclusion,
        rows=left(world, asked.person),
        erased=sum(books.erased for of_system in world.books(asked.id).values() for books in of_system),
        copied=sum(lines for name, lines in world.parcel_rows(asked.id).items() if name.startswith("shop/"))
        if parcel
        else 0,
        settled=tuple(key for (key,) in keys),
    )
