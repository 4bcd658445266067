"""Rows held in Python as lines of JSON, in pages.

The one rule: a value keeps its type where JSON has it, and is said as text where it has not.
"""

import base64
import json
import math
from collections.abc import Iterable, Iterator
from typing import Final

from connectors.fates import Row
from connectors.protocol import Call
from connectors.strategies import text
from rights.plan import Work

PAGE: Final = 64 * 1024
"""Bytes after which a page of an export ends: enough to be worth a write, few enough for any number of workers."""


def pages_of(call: Call, work: Work, rows: Iterable[Row]) -> Iterator[bytes]:
    """The exported fields of rows, an object on each line."""
    page = bytearray()
    for row in rows:
        page += json.dumps({column: _plain(row.get(column)) for column in work.export}, default=_plain).encode()
        page += b"\n"
        if len(page) >= PAGE:
            call.beat()
            yield bytes(page)
            page.clear()
    yield bytes(page)


def _plain(value: object) -> object:
    """A value as JSON can say it: dates in ISO form, bytes in base64, numbers that JSON does not know as text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | int | float | list | dict):
        return value
    return text(value)
