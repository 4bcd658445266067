"""Types of columns, as far as comparing and rewriting their values goes."""

from enum import StrEnum
from typing import Any, Final

from sqlalchemy.types import UserDefinedType


class Family(StrEnum):
    """What kind of values a column holds."""

    TEXT = "text"
    CITEXT = "citext"
    INTEGER = "integer"
    NUMERIC = "numeric"
    UUID = "uuid"
    DATE = "date"
    TIMESTAMP = "timestamp"
    BYTES = "bytes"
    INET = "inet"
    BOOL = "bool"
    JSON = "json"
    PLAIN = "plain"
    """Numbers, money and times whose text no spreadsheet takes for a formula."""
    OTHER = "other"


TEXTS: Final = frozenset({Family.TEXT, Family.CITEXT})


class Named(UserDefinedType[Any]):
    """A type of the database by its name."""

    cache_ok = True

    def __init__(self, name: str, family: Family = Family.OTHER) -> None:
        self.name = name
        self.family = family

    def get_col_spec(self, **_: object) -> str:
        return self.name
