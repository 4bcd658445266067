"""The queue of a sweep: who comes at about the same time goes together, and nobody waits long for others."""

from datetime import timedelta

import pytest

from ledger.ledger import Ledger
from rights.plan import Operation, Step
from tests.ledger.builders import opened_id
from tests.ledger.conftest import Door

QUIET = timedelta(seconds=5)
LONGEST = timedelta(minutes=5)


def join(ledger: Ledger, door: Door, *ages: float) -> list[str]:
    """Steps that joined so many seconds ago; their keys."""
    keys = []
    for age in ages:
        step = Step(request_id=opened_id(ledger), system="crm", operation=Operation.ERASE, round=0)
        ledger.join_sweep(step, "{}")
        ago = timedelta(seconds=age)
        door("UPDATE sweep_steps SET due_at = clock_timestamp() - %s WHERE step_key = %s", ago, step.key)
        keys.append(step.key)
    return keys


def gathers(ledger: Ledger, most: int = 3) -> float:
    """Seconds to wait for more."""
    return ledger.sweep_gathers("crm", most, QUIET, LONGEST).total_seconds()


@pytest.mark.parametrize(
    ("ages", "wait"),
    [
        ((), 0),  # nobody is there
        ((6,), 0),  # nobody has come for a while
        ((60, 6), 0),
        ((1,), 4),  # somebody has just come
        ((60, 1), 4),
        ((60, 30, 1), 0),  # there is room for no more
        ((299, 1), 1),  # the first has waited for long
        ((301, 1), 0),
    ],
)
def test_others_are_waited_for_while_they_come(
    ledger: Ledger, door: Door, ages: tuple[float, ...], wait: float
) -> None:
    join(ledger, door, *ages)

    assert wait - 0.9 < gathers(ledger) <= wait


def test_whoever_is_put_off_or_answered_is_not_waited_with(ledger: Ledger, door: Door) -> None:
    later, done = join(ledger, door, 2, 1)
    ledger.put_off_sweep([later], timedelta(hours=1))
    assert 3 < gathers(ledger) <= 4
    ledger.answer_sweep(done, "{}")

    assert gathers(ledger) == 0
    assert ledger.sweep_left("crm")[0] == 1


def test_the_queue_of_another_system_is_another(ledger: Ledger, door: Door) -> None:
    join(ledger, door, 1)

    assert ledger.sweep_gathers("shop", 3, QUIET, LONGEST) == timedelta(0)
