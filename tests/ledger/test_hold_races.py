"""Holds are placed and released while workers destroy: nothing that a hold covers goes once it reads in force."""

import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from rights.holds import Disclosure, Scope, Terms
from rights.subject import Identity
from tests.conftest import Database
from tests.ledger.builders import a_step, enter, erased, later, open_one, release

ORDERS = Scope(collections=("shop.orders",))
KINDS = [
    Terms(),
    Terms(scope=ORDERS),
    Terms(scope=ORDERS, disclosure=Disclosure.COUNSEL_TEXT),
    Terms(scope=Scope(systems=("crm",))),
]
WORKERS = 3


class Race:
    """One person, three workers that destroy for them, and a hold that comes and goes and comes again."""

    def __init__(self, number: int, dice: random.Random) -> None:
        self.person = (Identity("email", f"racer{number}@example.org"), Identity("customer_id", f"r{number}"))
        self.terms = dice.choice(KINDS)
        self.delays = [dice.uniform(0, 0.004) for _ in range(2)]
        # Their clocks are hours apart, and so is the clock of whoever places the hold.
        self.skews = [dice.uniform(-9000, 9000) for _ in range(WORKERS + 1)]
        self.in_force, self.over = threading.Event(), threading.Event()
        self.late: list[str] = []
        self.around = 0

    @property
    def covered(self) -> bool:
        return self.terms.scope.touches("shop")

    def destroy(self, ledger: Ledger, request_id: str, number: int) -> None:
        """Destroy batch after batch: what was seen to be held when the step was read is spared, the rest goes."""
        seen: list[str] = []
        for _ in range(400):
            if self.over.is_set():
                return
            certain = self.in_force.is_set()
            planned = {"messages": 1} if seen else {"orders": 1}
            try:
                intent = enter(ledger, request_id, planned=planned, spared=seen, at=later(seconds=self.skews[number]))
            except FenceRefused:
                seen = list(ledger.at_step(a_step(request_id)).held)
                continue
            if seen:
                self.around += 1
            elif certain and self.in_force.is_set() and self.covered:
                self.late.append(intent)
            ledger.exit_fence(intent, erased(**planned), at=later(seconds=self.skews[number]))

    def hold(self, ledger: Ledger) -> None:
        """Place, wait until it reads in force, release by two, place again."""
        at = later(seconds=self.skews[-1])
        for delay in self.delays:
            time.sleep(delay)
            hold = ledger.place_hold(self.person[:1], "a case", at=at, by="s-1", terms=self.terms)
            while not hold.in_force:
                hold = ledger.hold_standing(hold.id)
            self.in_force.set()
            time.sleep(0.04)  # longer than a call takes
            # From here on it need not bind any more.
            self.in_force.clear()
            release(ledger, hold.id, at=at, file_until=at)
        self.over.set()


def run(ledgers: list[Ledger], races: int, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - dice, not secrets
    around = 0
    with ThreadPoolExecutor(WORKERS + 1) as pool:
        for number in range(races):
            race = Race(number, dice)
            request_id = open_one(ledgers[0], race.person).request_id
            calls = [pool.submit(race.destroy, ledgers[n % len(ledgers)], request_id, n) for n in range(WORKERS)]
            race.hold(ledgers[-1])
            for call in calls:
                call.result(60)
            assert race.late == [], f"race {number} of seed {seed}, {race.terms}"
            around += race.around
    assert around, "some erasures went on around a hold"
    assert ledgers[0].verify().sound


def test_nothing_goes_that_a_hold_in_force_covers(
    make_ledger: Callable[..., Ledger], ledger: Ledger, tables: Database
) -> None:
    run([ledger, make_ledger(tables.url)], 12, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_nothing_goes_in_thousands_of_interleavings(
    make_ledger: Callable[..., Ledger], ledger: Ledger, tables: Database
) -> None:
    """Each race has some hundred calls beside two placings and two releases."""
    run(
        [ledger, make_ledger(tables.url), make_ledger(tables.url)],
        1000,
        seed=1 if "CI" in os.environ else int(time.time()),
    )
