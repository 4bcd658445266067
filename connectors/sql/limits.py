"""How long and how large anything may get in a database: every limit of this connector, with its reason.

The one rule: all of them are set on the server before a fence is entered, so a worker that freezes is cut off by the
server itself, and nothing of ours runs on after that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class Limits:
    """The options of a system with this connector. Times are seconds, in whole numbers."""

    pool_size: int = 4
    """Connections kept open per credential; as many again may be opened when all are busy."""
    connect_timeout: int = 5
    """A server that is up accepts within milliseconds; a dead address must not hold a worker's thread."""
    statement_timeout: int = 60
    """For looks and for changes. A batch of 10,000 rows takes seconds; a minute means that something else is wrong."""
    export_timeout: int = 3600
    """For each statement of an export, which gives whole files however large, at the pace of whoever stores them."""
    lock_timeout: int = 5
    """Waiting for the system's own users. They go first: the step comes again."""
    idle_timeout: int = 30
    """Within a transaction: what the fence may take to answer. A worker frozen for longer has lost its transaction."""
    batch_rows: int = 10_000
    """Rows that one transaction changes at most; a person with more is erased in several, so that the system's own
    users wait for seconds and not minutes."""
    prepare: bool = True
    """Prepare statements. False behind a pooler that hands each transaction to another session."""

    @classmethod
    def read(cls, options: Mapping[str, object]) -> Self:
        """Take a map's options.

        Raises:
            ValueError: one is unknown or wrong; the text says what to write.
        """
        options = dict(options)
        prepare = options.pop("prepare", True)
        if not isinstance(prepare, bool):
            raise ValueError("options: prepare is true or false")
        numbers: dict[str, int] = {}
        for name, value in options.items():
            if name not in MOST:
                known = f"prepare, {', '.join(MOST)}, restrict, residue, side_effects"
                raise ValueError(f"options: '{name}' is unknown: write one of: {known}")
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST[name]:
                raise ValueError(f"options: {name} is a whole number from 1 to {MOST[name]:,}")
            numbers[name] = value
        return cls(**numbers, prepare=prepare)

    @property
    def longest(self) -> timedelta:
        """How long after a fence was entered a destructive call can still take effect."""
        return timedelta(seconds=2 * self.idle_timeout + self.statement_timeout)


MOST: Final[Mapping[str, int]] = {
    "pool_size": 100,
    "connect_timeout": 60,
    "statement_timeout": 600,
    "export_timeout": 86_400,
    "lock_timeout": 60,
    "idle_timeout": 120,
    "batch_rows": 1_000_000,
}
"""The largest value of each option. Those of the timeouts keep a destructive call shorter than its intent."""

POOL_TIMEOUT: Final = 10
"""Seconds to wait for a free connection; longer means that more threads than connections are busy in this system."""
ENDING: Final = timedelta(seconds=10)
"""How long to wait until the session of an attempt that was cut short has ended."""
KEEPALIVE: Final[Mapping[str, int]] = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""A server that vanished without a word is noticed within a minute."""
WORK_MEMORY: Final = 64
"""Megabytes that PostgreSQL may use for each step of a statement, if it is not more already. With its own 4 it
forgets which rows of a page it has found once a person's lie on some ten thousand pages, and compares every row there
with every anchor: a person with a million rows could be neither erased nor verified within the limits. Small looks take
nothing of it."""
