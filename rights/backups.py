"""How long what was erased lives on in a system's backups, and what is done so that nobody uses it there.

The one rule: an erasure is not said to reach further than it does: until the last backup that still has a row is gone,
the answer names that day.
"""

from pydantic import field_validator

from rights.collection import PERIOD, Strict


class Backups(Strict):
    """The backups of one system."""

    max_age: str
    """How old the oldest backup gets before it is destroyed, ISO 8601: P35D."""
    beyond_use: str = ""
    """What is done so that erased rows in them are not used, in words; it stands in answers."""

    @field_validator("max_age")
    @classmethod
    def _period(cls, text: str) -> str:
        if not PERIOD.match(text) or text == "P":
            raise ValueError("write the longest age of a backup as ISO 8601, such as P35D or P6M")
        return text

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
