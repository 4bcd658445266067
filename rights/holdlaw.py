"""On which provision what a hold keeps stays, by law and by the hold's reason (`law/holds.yaml`).

The one rule: a provision is told where the law has one for such a reason, and none is made up where it has none; of the
hold itself nothing is told.
"""

from collections.abc import Iterable, Sequence
from functools import cache

from rights.holds import GROUND, Reason
from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.regimes import RegimeName


class _Provisions(Strict):
    erasure: dict[Reason, str]
    source: str
    confidence: Confidence


class _HoldLaw(Strict):
    version: str
    regimes: dict[RegimeName, _Provisions]


def read_hold_law(file: str, text: str) -> _HoldLaw:
    """Read such a file.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read_law(_HoldLaw, file, text)


@cache
def hold_law() -> _HoldLaw:
    """The law that ships with the engine."""
    return read_hold_law("holds.yaml", shipped("holds.yaml"))


def ground_of(reasons: Iterable[Reason], regimes: Sequence[str]) -> str:
    """The ground on which an erasure leaves what holds keep: ``legal hold (GDPR Art. 17(3)(e))``. `reasons` are those
    of holds that may be told, and of no other.

    Source: GDPR Art. 12(4), 17(3)(b), (e).
    """
    law, known = hold_law().regimes, tuple(reasons)
    found = [law[name].erasure.get(reason) for name in regimes if name in law for reason in known]
    cited = "; ".join(dict.fromkeys(filter(None, found)))
    return f"{GROUND} ({cited})" if cited else GROUND


def provision_in(ground: str) -> str | None:
    """What `ground_of` cites in a ground, "" where it cites nothing; None: it is no hold's."""
    if ground == GROUND:
        return ""
    cited = ground.removeprefix(f"{GROUND} (")
    return cited.removesuffix(")") if cited != ground else None
