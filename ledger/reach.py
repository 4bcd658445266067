"""What the directory has told of how a person is reached, as it is sealed and read back.

The one rule: a contact that was changed a few days ago tells nothing of whose anything is.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import orjson

from ledger.people import People
from ledger.proven import mark_of, way_of
from rights.identity import identity_law
from rights.tying import Row

REACH: Final = "reach"
"""The name in the vault (`working`) of what the directory has told: how the person is reached."""


_NOBODY: Final = "nobody"
"""The channel of a way that leads to nobody."""
_ALIKE: Final = 8
"""Ways are brought to a multiple of this many; hardly anybody has more."""


class Reached(NamedTuple):
    """One way to reach the person, as the directory has told. Personal: sealed, never printed."""

    channel: str
    value: str
    changed_at: datetime | None
    beside: tuple[tuple[str, str], ...] = ()
    """Kind and value of the identities in the same row."""

    def __repr__(self) -> str:
        return f"<a way of kind {self.channel}>"

    def fresh(self, at: datetime) -> bool:
        """Whether it was changed a few days ago (`fresh_days`)."""
        days = identity_law().fresh_days
        return self.changed_at is not None and self.changed_at.astimezone(UTC) > at - timedelta(days=days)


def _nobodys() -> Reached:
    """A way to reach nobody: nothing that anybody says fits it, nor anything of any row."""
    value, beside = (secrets.token_urlsafe(16) for _ in range(2))
    return Reached(_NOBODY, value, None, ((_NOBODY, value), (_NOBODY, beside)))


def sealed_reach(points: Iterable[Reached], *, doubt: bool) -> bytes:
    """As it lies in the vault. `doubt`: several people match, so it has told of nobody.

    It is filled up with ways to reach nobody: whoever has to go through it takes as long for somebody whom the
    directory does not know as for somebody whom it knows.
    """
    points = list(points)
    points += [_nobodys() for _ in range(-len(points) % _ALIKE if points else _ALIKE)]
    return orjson.dumps({"doubt": doubt, "points": [[p.channel, p.value, p.changed_at, p.beside] for p in points]})


def reached(sealed: bytes | None) -> list[Reached]:
    """Read back what `sealed_reach` was told; nothing of nothing."""
    return [point for point in alike(sealed) if point.channel != _NOBODY]


def alike(sealed: bytes | None) -> list[Reached]:
    """The same, with the ways to reach nobody: for whatever is compared with what somebody says."""
    if sealed is None:
        return []
    return [
        Reached(
            kind, value, datetime.fromisoformat(when) if when else None, tuple((k, v) for one in more for k, v in one)
        )
        for kind, value, when, *more in orjson.loads(sealed)["points"]
    ]


def in_doubt(sealed: bytes | None) -> bool:
    """Whether several people match."""
    return sealed is not None and bool(orjson.loads(sealed)["doubt"])


def rows_of(people: People, request_id: str, points: Sequence[Reached], at: datetime) -> tuple[Row, ...]:
    """The rows that the contact points stand in, as digests. Ways to reach nobody take their time and are no rows: they
    would be people whom the directory does not know."""
    fresh = {mark_of(people, request_id, p.channel, p.value) for p in points if p.fresh(at)}
    rows = [
        (
            p.channel,
            Row(
                marks=frozenset(mark_of(people, request_id, kind, value) for kind, value in p.beside) - fresh,
                ways=frozenset(() if p.fresh(at) else (way_of(people, p.channel, p.value).hex(),)),
            ),
        )
        for p in points
    ]
    return tuple(row for channel, row in rows if channel != _NOBODY)
