"""What SQLite has no function for, as functions of a connection.

The one rule: they are those that every connector in Python uses (`connectors.strategies`), so that what one writes
another recognises.
"""

import hashlib
import hmac
import json
import math
import re
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from uuid import uuid4

from connectors.derived import inside
from connectors.fates import day_of
from connectors.sql.dialects.mariadb import variable
from connectors.strategies import generalise
from rights.terms import keep_until


def register(connection: sqlite3.Connection, document: Mapping[str, object], key: bytes) -> None:
    """Make the functions known. The document is read when it is asked for, since a look adds to it."""

    def given(name: str) -> str | None:
        slots = {variable(slot): value for slot, value in document.items()}
        value = slots.get(name)
        return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)

    def keyed(text: str | None) -> str | None:
        return None if text is None else hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    functions: Mapping[str, tuple[int, Callable[..., Any]]] = {
        "habeas_given": (1, given),
        "habeas_keyed": (1, keyed),
        "habeas_text": (1, text_of),
        "habeas_bytes": (1, _bytes),
        "habeas_value": (1, _value),
        "habeas_inside": (2, _inside),
        "habeas_matches": (2, _matches),
        "habeas_random": (0, lambda: secrets.token_bytes(16)),
        "habeas_uuid": (1, lambda begins: begins + str(uuid4())[8:]),
        "habeas_same": (2, _same),
        "habeas_general": (2, lambda to, text: None if text is None else generalise(text, to)),
        "habeas_day": (1, _day),
        "habeas_last_day": (4, _last_day),
        "habeas_json": (1, _json),
    }
    for name, (arguments, function) in functions.items():
        connection.create_function(name, arguments, function)


def text_of(value: object) -> str | None:
    """A value as keys, links and parcels have it."""
    if value is None or isinstance(value, str):
        return value
    return f"\\x{value.hex()}" if isinstance(value, bytes) else repr(value)


def _bytes(text: str | None) -> object:
    """What `text_of` made of bytes; a column of them may as well hold a text."""
    if text is None or not re.match(r"\\x([0-9a-f]{2})*\Z", text):
        return text
    return bytes.fromhex(text[2:])


def _value(text: object) -> object:
    """What is no text and has this one; None if nothing has."""
    if not isinstance(text, str):
        return None
    if re.fullmatch(r"0|-?[1-9][0-9]{0,18}", text):
        return int(text) if -(2**63) <= int(text) < 2**63 else None
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?|-?inf", text):
        return float(text) if repr(float(text)) == text else None
    value = _bytes(text)
    return value if isinstance(value, bytes) else None


def _inside(document: object, path: str) -> str:
    """The texts on a path inside a JSON document, as a JSON list.

    Raises:
        ValueError: bytes that are no text may be a document in SQLite's own form, in which nothing would be found.
    """
    if isinstance(document, bytes):
        document = document.decode()
    return json.dumps(inside(document, path.split()), ensure_ascii=False)


def _matches(pattern: str, text: str | None) -> int | None:
    return None if text is None else int(_compiled(pattern).match(text) is not None)


@lru_cache(64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.removesuffix("$") + r"\Z", re.ASCII | re.DOTALL)


def _same(value: object, other: object) -> int:
    """A column may have made a number of a text that was written into it."""
    if value is None or other is None:
        return int(value is other)
    if text_of(value) == text_of(other):
        return 1
    number = Decimal if isinstance(value, int) else float  # a float would take two long numbers for one
    try:
        return int(not isinstance(value, str) and number(str(value)) == number(str(other)))
    except (ValueError, InvalidOperation):
        return 0


def _day(value: object) -> str | None:
    """Only a text says which day it is: a number may count seconds, or days, from any day."""
    day = day_of(value) if isinstance(value, str) else None
    return day.isoformat() if day else None


def _last_day(day: str | None, months: int, days: int, end_of_year: int) -> int | None:
    if day is None:
        return None
    return keep_until(date.fromisoformat(day), months, days, end_of_year=bool(end_of_year)).toordinal()


def _json(value: object) -> str:
    if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        value = text_of(value)
    return json.dumps(value, ensure_ascii=False)
