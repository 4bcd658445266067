"""How long what was erased lives on in a system's backups, and what is done so that nobody uses it there.

The one rule: an erasure is not said to reach further than it does: until the last backup that still has a row is gone,
the answer names that day, or says that nobody knows it.
"""

from typing import Any, Final

from pydantic import field_validator, model_validator

from rights.collection import PERIOD
from rights.fields import Strict

NONE: Final = "none"
UNKNOWN: Final = "unknown"
EXAMPLE: Final = "backups: {max_age: P35D, beyond_use: a restored copy is erased again before anybody uses it}"
HONESTLY: Final = (
    "where there are none, backups: none; where nobody knows, backups: {max_age: unknown, beyond_use: what is done}"
)


class Backups(Strict):
    """The backups of one system. `none` alone, in place of the two, says that there are none."""

    max_age: str
    """How old the oldest backup gets before it is destroyed, ISO 8601: P35D; or unknown."""
    beyond_use: str = ""
    """What is done so that erased rows in them are not used, in words; it stands in answers."""

    @model_validator(mode="before")
    @classmethod
    def _in_a_word(cls, body: Any) -> Any:
        if body == NONE:
            return {"max_age": NONE}
        if isinstance(body, str):
            raise ValueError(f"write {EXAMPLE}; {HONESTLY}")
        return body

    @field_validator("max_age")
    @classmethod
    def _period(cls, text: str) -> str:
        if text in {NONE, UNKNOWN}:
            return text
        if not PERIOD.match(text) or text == "P":
            raise ValueError("write the longest age of a backup as ISO 8601, such as P35D or P6M, or unknown")
        return text

    @property
    def exist(self) -> bool:
        """Whether there are any."""
        return self.max_age != NONE

    @property
    def known(self) -> bool:
        """Whether it is known how old they get."""
        return self.max_age != UNKNOWN

    @property
    def months(self) -> int:
        years, months, _, _ = self._parts
        return years * 12 + months

    @property
    def days(self) -> int:
        _, _, weeks, days = self._parts
        return weeks * 7 + days

    @property
    def _parts(self) -> tuple[int, int, int, int]:
        years, months, weeks, days = (int(part or 0) for part in PERIOD.findall(self.max_age)[0])
        return years, months, weeks, days


def lives_on(backups: Backups | None) -> str:
    """How long what is erased lives on, in words that follow these two."""
    if backups and not backups.exist:
        return "in no backup"
    age = backups.max_age if backups and backups.known else "an unknown time"
    use = f"; until then: {backups.beyond_use}" if backups and backups.beyond_use else ""
    return f"{age} in backups{use}"
