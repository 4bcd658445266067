"""A row on its way through the steps of an erasure, over as many calls as it takes.

The one rule: how far it has come is kept outside, in the job that a `Pending` hands over, and moves on only once the
vendor has answered. If the job is lost, the way begins again from what a look finds.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.fates import Row
from connectors.http.steps import Call, Poll, Step
from rights.receipt import Count, Tally


@dataclass(slots=True, eq=False)
class Errand:
    """One row."""

    collection: str
    row: Row = field(repr=False)
    step: int = 0
    """Which step is next."""
    saved: dict[str, Any] = field(default_factory=dict, repr=False)
    since: str = ""
    """When the vendor took it on (ISO 8601)."""
    turn: int = 0
    """How often the steps have begun again."""
    counted: bool = True
    """False: an earlier attempt has seen to the row; only the end of its work is waited for."""

    def age(self, now: datetime) -> timedelta:
        """Since the vendor took it on."""
        return now - datetime.fromisoformat(self.since) if self.since else timedelta(0)


@dataclass(slots=True)
class Progress:
    """All errands of one person's erasure that are not done, and what was counted on the way."""

    errands: list[Errand] = field(repr=False)
    found: dict[str, int]
    """Rows by collection, of the look before."""
    done: Counter[str] = field(default_factory=Counter)
    """Rows by collection whose errand is over."""

    def job(self) -> dict[str, str]:
        """As a `Pending` hands it over."""
        body = {"errands": [asdict(errand) for errand in self.errands], "found": self.found, "done": self.done}
        return {"progress": json.dumps(body, default=str)}

    @classmethod
    def of(cls, job: Mapping[str, str]) -> "Progress":
        """What `job` wrote."""
        body = json.loads(job["progress"])
        return cls([Errand(**errand) for errand in body["errands"]], body["found"], Counter(body["done"]))

    def look(self) -> Tally:
        """The look before."""
        return Tally(counts=tuple(Count(collection=name, found=rows) for name, rows in self.found.items()))


def segment(steps: Sequence[Step], start: int) -> Sequence[Step]:
    """The steps from one on that are taken together: a poll alone, others up to the next poll."""
    end = start + 1
    while not isinstance(steps[start], Poll) and end < len(steps) and not isinstance(steps[end], Poll):
        end += 1
    return steps[start:end]


def destructive(steps: Sequence[Step]) -> bool:
    """Whether one of the steps changes anything of a person's."""
    return any(
        step.destructive if isinstance(step, Call) else destructive(getattr(step, "steps", ())) for step in steps
    )
