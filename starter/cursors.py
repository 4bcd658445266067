"""Pages of lists: a cursor says where the page before has ended.

The one rule: a page begins behind a row, not at a number of rows, so that what comes in meanwhile moves nothing from
one page to another.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

import orjson
from fastapi import Query

from starter.problems import Problem, ProblemCode

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="How many a page has, at most.")]
Cursor = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=400,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="`next` of the page before; no more of it is promised.",
    ),
]
DEFAULT: Final = 50
_PART: Final = re.compile(r"[!-~]{1,128}\Z")
"""An id, a number or a moment: all that a page begins behind. What comes back may be anybody's making."""


def page(
    name: str, rows: Sequence[T], limit: int, place: Callable[[T], Sequence[str]], shown: Callable[[T], Any]
) -> dict[str, Any]:
    """A page of a list under its name. `rows` are up to one more than the limit: that one says that there is more.
    `place` says where a row stands in the list, for the next page to begin behind it."""
    here = rows[:limit]
    more = len(rows) > limit
    return {name: [shown(row) for row in here], "next": _cursor(name, place(here[-1])) if more else None}


def behind(name: str, cursor: str | None, parts: int) -> list[str] | None:
    """Behind what the page begins; None: at the beginning.

    Raises:
        Problem: it is no cursor of this list.
    """
    if cursor is None:
        return None
    try:
        said: Any = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        said = None
    if (
        not isinstance(said, list)
        or len(said) != parts + 1
        or said[0] != name
        or not all(isinstance(part, str) and _PART.match(part) for part in said)
    ):
        raise no_cursor()
    return said[1:]


def no_cursor() -> Problem:
    """What is answered to a cursor that no page of the list has given."""
    return Problem(
        ProblemCode.UNUSABLE, "the cursor is none of this list: leave it out, or send `next` of a page before"
    )


def _cursor(name: str, place: Sequence[str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([name, *place])).decode().rstrip("=")


def listed(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """An item that is shown as it is."""
    return item
