"""A fence in memory, that remembers who passed and can refuse, break or die.

The one rule: it does what the ledger's fence does, as far as a connector can tell.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from connectors.conformance.bench import Dump
from connectors.protocol import Intent
from rights.receipt import Tally


class Stop(Exception):
    """The step is to stop; what `beat` raises."""


class Crash(Exception):
    """The worker died after the call and before its count was written down."""


@dataclass
class Passage:
    """One destructive call that was let through."""

    planned: dict[str, int]
    """Rows by collection, without those that have none."""
    look: Tally
    tally: Tally | None = None
    """What the connector said it did; None: it never said."""
    before: Dump = field(default_factory=dict, repr=False)
    after: Dump = field(default_factory=dict, repr=False)

    def done(self, tally: Tally, job: Mapping[str, str] | None = None) -> None:
        self.tally = tally


class Gate:
    """Lets destructive calls through and writes them down.

    Args:
        watch: dumps the system; called as each call begins and ends.
        refuse: raised instead of letting a call through, from the `refuse_at`-th on.
        crash_at: the number of the call, from 1, after which the worker dies.
    """

    def __init__(
        self,
        watch: Callable[[], Dump] = dict,
        *,
        refuse: Exception | None = None,
        refuse_at: int = 1,
        crash_at: int = 0,
    ) -> None:
        self.passages: list[Passage] = []
        self._watch, self._refuse, self._refuse_at, self._crash_at = watch, refuse, refuse_at, crash_at

    @contextmanager
    def __call__(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        number = len(self.passages) + 1
        if self._refuse is not None and number >= self._refuse_at:
            raise self._refuse
        passage = Passage({name: rows for name, rows in planned.items() if rows}, look, before=self._watch())
        self.passages.append(passage)
        yield passage
        passage.after = self._watch()
        if number == self._crash_at:
            passage.tally = None
            raise Crash
