"""Random faults over a mixed load: none lost, none doubled, none falsely verified, no hold breached."""

import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from starter.stack import Postgres, Temporal
from tests.conftest import SEARCH_ATTRIBUTES
from tests.faults.storm import Storm, ended
from tests.world import World, shop_map

# A call that was cut is taken to be running for 2 * idle_timeout + statement_timeout.
MAPS = {"shop": shop_map(extra="options: {idle_timeout: 15, statement_timeout: 30}")}


@pytest.fixture
def storm(home: Path, pytestconfig: pytest.Config) -> Iterator[Storm]:
    """A deployment whose servers are all its own: the ledger's, the shop's and Temporal."""
    requests, faults = pytestconfig.getoption("--storm-requests"), pytestconfig.getoption("--storm-faults")
    # In CI the same each time, as everything that is tried at random there.
    new = 1 if "CI" in os.environ else random.SystemRandom().randrange(10**6)
    seed = pytestconfig.getoption("--storm-seed") or new
    folder = Path(tempfile.mkdtemp(prefix="habeas-storm-"))
    with (
        Postgres(durable=False) as ledger,
        Postgres(durable=False) as target,
        Temporal(folder / "temporal.db", search_attributes=SEARCH_ATTRIBUTES) as temporal,
        World(home, ledger, temporal, maps=MAPS, people=requests + 20, target=target) as world,
    ):
        yield Storm(world, target, requests=requests, faults=faults, seed=seed)
    shutil.rmtree(folder)


@pytest.mark.soak
@pytest.mark.timeout(0)  # its length is an option; the calm at its end has a limit of its own
def test_nothing_is_lost_doubled_or_falsely_verified_and_no_hold_is_breached(
    storm: Storm, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    try:
        storm.run()
    except Exception:
        with capsys.disabled():  # hours may lie in it
            done = ", ".join(f"{kind} {number}" for kind, number in sorted(storm.done.items()))
            sys.stdout.write(
                f"\nstorm of seed {storm.seed} broke off after {sum(storm.done.values())} faults: {done}\n"
            )
        raise
    struck = time.monotonic() - begun
    storm.settle()
    settled = time.monotonic() - begun - struck

    all_of_them = [ended(storm.world, one) for one in storm.load]
    wrong = {one.asked.id: one.wrong for one in all_of_them if one.wrong}
    how = Counter(f"{one.asked.right}, {one.conclusion}" for one in all_of_them)
    lines = [
        f"storm of seed {storm.seed}: {len(storm.load)} requests, {sum(storm.done.values())} faults in {struck:.0f} s, "
        f"all closed {settled:.0f} s after the last",
        *(f"    {kind:24}{number:>8}" for kind, number in sorted(storm.done.items()) + sorted(how.items())),
        f"    {'lost, doubled or false':24}{len(wrong):>8}",
        f"    {'holds breached':24}{len(storm.breaches):>8}",
    ]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert storm.breaches == []
    assert wrong == {}
    assert storm.world.ledger.verify().sound
