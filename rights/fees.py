"""Fees: exact money, and what asking for some does to the clock.

The one rule: an amount is a whole number of its currency's smallest unit, and is told as it was decided.
"""

import re
from functools import cache
from typing import Final, Literal

from pydantic import Field

from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.regimes import RegimeName
from rights.value import Value

_DECIMALS: Final = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""How many digits the smallest unit of a currency has, where that is not two (ISO 4217)."""
_WRITTEN: Final = re.compile(r"([A-Z]{3}) (\d{1,9})(?:\.(\d{1,3}))?\Z", re.ASCII)


class Fee(Value):
    """An amount of money."""

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    minor: int = Field(gt=0)
    """In the currency's smallest unit."""

    def __str__(self) -> str:
        digits = _DECIMALS.get(self.currency, 2)
        whole, rest = divmod(self.minor, 10**digits)
        return f"{self.currency} {whole}" + (f".{rest:0{digits}}" if digits else "")


def read_fee(text: str) -> Fee:
    """An amount as `EUR 12.50`.

    Raises:
        ValueError: it is none, is nothing, or has digits that the currency does not.
    """
    found = _WRITTEN.match(text)
    if found is None:
        raise ValueError("write an amount as a currency and a number, such as 'EUR 12.50'")
    currency, whole, rest = found[1], found[2], found[3] or ""
    digits = _DECIMALS.get(currency, 2)
    if len(rest) > digits:
        raise ValueError(f"{currency} has {digits} digits after the point: write no more")
    minor = int(whole) * 10**digits + int(rest.ljust(digits, "0") or 0)
    if not minor:
        raise ValueError("a fee of nothing is none: grant what is asked")
    return Fee(currency=currency, minor=minor)


class _Rule(Strict):
    clock: Literal["runs", "restarts"]
    source: str
    confidence: Confidence


class FeeLaw(Strict):
    """The file."""

    version: str
    default: _Rule
    regimes: dict[RegimeName, _Rule]


@cache
def fee_law() -> FeeLaw:
    """What each law says of fees."""
    return read_law(FeeLaw, "fees.yaml", shipped("fees.yaml"))


def fee_restarts(regime: str) -> bool:
    """Whether the term of a law counts from the day on which a fee that was asked for is paid."""
    return fee_law().regimes.get(regime, fee_law().default).clock == "restarts"
