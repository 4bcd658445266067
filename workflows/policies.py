"""Every timeout and retry policy of the workflows, named once, each with its reason.

The one rule: retries belong to Temporal; nothing below this table sleeps and tries again.
"""

from datetime import timedelta
from typing import Final, TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType


class LocalOptions(TypedDict):
    """The keyword arguments of `execute_local_activity_method` that a policy gives."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


class Options(LocalOptions, total=False):
    """The same for `execute_activity_method`."""

    heartbeat_timeout: timedelta
    cancellation_type: ActivityCancellationType


LEDGER: Final[LocalOptions] = {
    # A few statements on the ledger, as local activities: no round trip through the server, half the CPU of a request.
    # Longer than the ledger's lock waits, short enough that a killed worker costs seconds.
    "start_to_close_timeout": timedelta(seconds=15),
    # The ledger is the engine's own: while it is away there is nothing to do but to try again, for ever. Beyond a
    # minute between attempts the SDK waits by a timer of the server.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=20),
    ),
}

AT_HAND: Final[LocalOptions] = {
    # A parcel of a few megabytes is sealed in a fraction of a second, so it is not worth a round trip through the
    # server. Tried once: what fails here is tried again as a step that is seen.
    "start_to_close_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(maximum_attempts=1),
}

SMALL_PARCEL: Final = 4 * 2**20
"""Bytes of all exports up to which a parcel is packed at hand."""

HOUSE: Final[Options] = {
    # Upkeep touches many rows of the ledger and is seen in the UI.
    "start_to_close_timeout": timedelta(minutes=5),
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=1)),
}

MAP_CHECK: Final[Options] = {
    # Reading the catalogue of a thousand tables takes seconds; a map of many systems is read one after the other.
    "start_to_close_timeout": timedelta(hours=2),
    # One system: no connector asks for so long.
    "heartbeat_timeout": timedelta(minutes=10),
    # What a system does is a finding, so only the ledger or a killed worker make an attempt fail; the schedule comes
    # round anyway.
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=5), maximum_attempts=10),
}

MAIL: Final[Options] = {
    # A hundred letters at a server that takes seconds for each.
    "start_to_close_timeout": timedelta(minutes=15),
    # A killed worker is noticed within this time.
    "heartbeat_timeout": timedelta(seconds=10),
    # 1, 2, 4 ... 60 s: a few minutes. Then the other half of the round has its turn: what comes back is read while
    # nothing can be sent, and what is to be sent goes out while the mailbox is away.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2,
        maximum_interval=timedelta(minutes=1),
        maximum_attempts=8,
    ),
}

WEBHOOK: Final[Options] = {
    # Fifty events at a receiver that takes its whole time for each.
    "start_to_close_timeout": timedelta(minutes=15),
    # More than one event may take; a killed worker is noticed within this time.
    "heartbeat_timeout": timedelta(seconds=30),
    # 5, 10, 20 s ... an hour, for ever: the journal keeps what was not told, and habeas webhook list says since when.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=5), backoff_coefficient=2, maximum_interval=timedelta(hours=1)
    ),
}

CAMPAIGN: Final[Options] = {
    # Ten thousand people are listed in seconds; a slow directory takes minutes.
    "start_to_close_timeout": timedelta(minutes=15),
    # A killed worker is noticed within this time.
    "heartbeat_timeout": timedelta(seconds=10),
    # For ever: a directory that is down for a week delays the notice, and nobody else.
    "retry_policy": RetryPolicy(maximum_interval=timedelta(minutes=5)),
}

STEP: Final[Options] = {
    # A person with millions of rows takes hours; heartbeats, not this limit, tell the living from the dead.
    "start_to_close_timeout": timedelta(hours=12),
    # A killed worker is noticed within this time; the SDK sends at most every 0.8 of it.
    "heartbeat_timeout": timedelta(seconds=10),
    # 1, 2, 4 ... 300 s: about an hour of attempts, then a person is asked and the step goes on trying, rarer.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2,
        maximum_interval=timedelta(minutes=5),
        maximum_attempts=20,
    ),
    # Whoever cancels from outside still gets the count of what was destroyed.
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}

LONGEST_STEP: Final = timedelta(days=11)
"""No step is away for longer: 20 attempts of 12 hours, and what lies between them. A date of the clock that is further
off needs no timer yet."""

MANY_ROWS: Final = 20_000
"""Rows found from which on fulfilling is taken to last, and so is told to the UI; fewer take a second or two."""

LOOK_AGAIN: Final = (timedelta(seconds=2), timedelta(seconds=30), timedelta(minutes=5))
"""How long to wait before erasing once more what a look still finds; then a person is asked. A writer that was in the
middle of a transaction is done after seconds, a job that copies rows after minutes."""

TRY_AGAIN: Final = timedelta(hours=1)
"""How long a step that ran out of attempts waits for a ruling before it tries by itself; twice as long each time."""

TRY_AGAIN_AT_MOST: Final = timedelta(hours=6)
"""A system that is down for weeks is tried four times a day: 40 days are some 1,800 events of history, and what waits
for it goes on the same day."""

INTERIM_SOONEST: Final = timedelta(hours=1)
"""How long a run has had before it asks for an interim answer whose day has passed: what came in late, or was lost, may
be done in moments."""

FRESH: Final = timedelta(minutes=1)
"""How old what a run was started with may be when it starts. A run that has lain longer, or was restored with
Temporal's database to another hour, reads the ledger for itself."""

NOTICE_FIRST: Final = timedelta(seconds=5)
"""How soon it is looked whether the letter before a lifting has gone out; four times as long each time."""

REREAD: Final = timedelta(days=1)
"""How often the run of an appeal reads the ledger again: a decision that was lost with Temporal's database must not
leave it waiting; an appeal takes weeks, and what decides on it is the ledger."""

REVIEWS: Final = 12
"""Reviews of what is left before the history starts anew: a year, about 70 events."""

LOOK_AT_HOLD: Final = timedelta(days=1)
"""How often it is looked whether a system's own hold has ended, until the person is answered; then once a month
(rights/deferred.py)."""

RECHECK: Final = timedelta(hours=6)
"""How often a workflow that waits for a person reads the ledger's decisions again: an update that was lost with
Temporal's database must not stall a request until its due date. Four activities a day."""
