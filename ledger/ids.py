"""Opaque ids that sort by time: ULIDs, in lower case.

The one rule: an id says when something was opened and nothing else.
"""

import secrets
from datetime import datetime
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, which leaves out i, l, o and u."""
_LENGTH: Final = 26
_RANDOM_BITS: Final = 80


def new_id(at: datetime) -> str:
    """A fresh id of 26 characters: 48 bits of milliseconds since 1970, 80 random bits."""
    return _written(int(at.timestamp() * 1000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS))


def _written(number: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))


def first_id(at: datetime) -> str:
    """The lowest id of what was opened at a moment: lower ones are of what was opened before. No ids are older than
    1970."""
    return _written(max(0, int(at.timestamp() * 1000)) << _RANDOM_BITS)
