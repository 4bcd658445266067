"""Regimes: what a law asks of the clock, as versioned data in `regimes/*.yaml`.

The one rule: a rule of law stands in data with its source, and a request is pinned to the digest of the text it was
opened under.
"""

import hashlib
from functools import cache
from importlib import resources
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict

from rights.request import Right


class Regime(BaseModel):
    """The rules of one law, as far as the engine computes with them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    regime: str
    title: str
    version: str
    source: str
    rights: tuple[Right, ...]
    months: int
    extension_months: int
    digest: str = ""


SHIPPED: Final = frozenset(
    file.name.removesuffix(".yaml")
    for file in (resources.files("rights") / "regimes").iterdir()
    if file.name.endswith(".yaml")
)
"""The regimes that ship with the engine."""


@cache
def regime(name: str) -> Regime:
    """Read one regime that ships with the engine.

    Raises:
        KeyError: there is no regime of that name.
    """
    file = resources.files("rights") / "regimes" / f"{name}.yaml"
    if not file.is_file():
        raise KeyError(name)
    text = file.read_text()
    body = yaml.safe_load(text)
    return Regime(**body, digest=hashlib.sha256(text.encode()).hexdigest())
