"""A year of requests in California, as 11 CCR 7102(a) has it published.

The one rule: every kind of request is named, with zeros where there was none, and each is counted once.

Source: 11 CCR 7102(a)(1) for the kinds, (2) and (3) for what is counted of each.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from statistics import median
from types import MappingProxyType
from typing import Final

from rights.metrics import Fate, Line
from rights.reports import Stamp
from rights.request import Right
from rights.value import Value

LAWS: Final = ("us-ca-ccpa", "us-ca-optout", "us-ca-drop")
KINDS: Final[Mapping[str, frozenset[Right]]] = MappingProxyType(
    {
        "delete": frozenset({Right.ERASURE}),
        "correct": frozenset({Right.RECTIFICATION}),
        "know": frozenset({Right.ACCESS, Right.PORTABILITY}),
        "opt_out_or_limit": frozenset({Right.OPT_OUT}),
    }
)
"""Requests to opt out of sale and sharing, and to limit the use of sensitive data, come in as one right; the journal
does not say which of the two was meant."""


class Kind(Value):
    """The requests of one kind."""

    kind: str
    received: int
    complied: int
    in_part: int
    """Complied with in part, and so denied in part."""
    denied: int
    nothing_held: int
    other: int
    """Withdrawn, passed on, or answered with an earlier one."""
    open: int
    grounds: Mapping[str, int]
    """How many were denied, in whole or in part, on each."""
    days_mean: float | None
    days_median: float | None
    """Until a substantive response, as the law counts."""
    days_are: str


class Annual(Value):
    """The report."""

    stamp: Stamp
    kinds: tuple[Kind, ...]


def annual(stamp: Stamp, lines: Iterable[Line]) -> Annual:
    """Count. A request under two of California's laws counts once, under the first of `LAWS`."""
    once: dict[str, Line] = {}
    for line in sorted((line for line in lines if line.regime in LAWS), key=lambda line: LAWS.index(line.regime)):
        once.setdefault(line.request_id, line)
    return Annual(
        stamp=stamp,
        kinds=tuple(_kind(name, [one for one in once.values() if one.right in of]) for name, of in KINDS.items()),
    )


def _kind(name: str, lines: list[Line]) -> Kind:
    fates = {fate: sum(line.fate is fate for line in lines) for fate in Fate}
    days: list[Fraction] = [Fraction(line.days) for line in lines if line.days is not None]
    grounds = sorted(ground for line in lines for ground in line.grounds)
    return Kind(
        kind=name,
        received=len(lines),
        complied=fates[Fate.COMPLIED],
        in_part=fates[Fate.IN_PART],
        denied=fates[Fate.DENIED],
        nothing_held=fates[Fate.NOTHING_HELD],
        other=fates[Fate.WITHDRAWN] + fates[Fate.PASSED_ON] + fates[Fate.JOINED],
        open=fates[Fate.OPEN],
        grounds={ground: grounds.count(ground) for ground in grounds},
        days_mean=float(round(sum(days, Fraction()) / len(days), 2)) if days else None,
        days_median=float(median(days)) if days else None,
        days_are="working days" if name == "opt_out_or_limit" else "days",
    )
