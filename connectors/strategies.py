"""What a field that is due to go becomes in a row that stays.

The one rule: whatever `rewrite` writes, `clean` recognises later without knowing what stood there before, so that
a look can tell a field that was treated from one that was missed.

Every connector writes these same forms, in its system's own language where it has one.
"""

import hashlib
import hmac
import re
import secrets
from datetime import date, datetime
from ipaddress import ip_interface, ip_network
from typing import TypeVar

from rights.datamap import Strategy
from rights.plan import Write

_MARKED = re.compile(r"(anonymous|pseudonym)-[0-9a-f]{8,32}(@invalid)?\Z")
"""32 digits, or fewer where a column is short. What takes an e-mail address's place looks like one and leads nowhere
(RFC 2606)."""

Day = TypeVar("Day", date, datetime)


def text(value: object) -> str:
    """A value as keys, links and identities compare it; nothing at all is the empty text."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


def rewrite(write: Write, value: object, pseudonym_key: bytes) -> object:
    """The new value of a field; nothing stays nothing.

    A pseudonym is the same for the same value under the same key, so that rows which shared a value still do.

    Raises:
        ValueError: a pseudonym is wanted and there is no key, or the strategy rewrites nothing.
    """
    if value is None:
        return None
    match write.strategy:
        case Strategy.NULL:
            return None
        case Strategy.CONSTANT:
            return write.value
        case Strategy.GENERALISE:
            return generalise(value, str(write.value))
        case Strategy.ANONYMISE:
            return _marked("anonymous", secrets.token_hex(16), value)
        case Strategy.PSEUDONYM:
            if not pseudonym_key:
                raise ValueError("a pseudonym needs a key")
            digest = hmac.new(pseudonym_key, text(value).encode(), hashlib.sha256)
            return _marked("pseudonym", digest.hexdigest()[:32], value)
        case _:
            raise ValueError(f"strategy {write.strategy} rewrites nothing")


def clean(write: Write, value: object) -> bool:
    """Whether a field holds what its strategy leaves, or nothing."""
    if value is None:
        return True
    match write.strategy:
        case Strategy.CONSTANT:
            return value == write.value
        case Strategy.GENERALISE:
            return generalise(value, str(write.value)) == value
        case Strategy.ANONYMISE | Strategy.PSEUDONYM:
            word = "anonymous" if write.strategy is Strategy.ANONYMISE else "pseudonym"
            found = _MARKED.match(text(value))
            return found is not None and found[1] == word
        case _:
            return False


def generalise(value: object, to: str) -> object:
    """A coarser value of the same kind; what cannot be read as that kind becomes nothing.

    `to` is year, month or decade (the first day of it), network (the /24 of an IPv4 address, the /48 of an IPv6 one)
    or prefix:N (the first N characters). Doing it twice changes nothing more.
    """
    if to.startswith("prefix:"):
        return text(value)[: int(to.removeprefix("prefix:"))]
    if to == "network":
        return _network(text(value))
    if isinstance(value, date):
        return _first_day(value, to)
    try:
        return _first_day(datetime.fromisoformat(text(value)), to).date().isoformat()
    except ValueError:
        return None


def _marked(word: str, digits: str, value: object) -> str:
    return f"{word}-{digits}{'@invalid' if '@' in text(value) else ''}"


def _first_day(day: Day, to: str) -> Day:
    year = day.year - day.year % 10 if to == "decade" else day.year
    first = day.replace(year=max(year, 1), month=day.month if to == "month" else 1, day=1)
    if isinstance(first, datetime):
        return first.replace(hour=0, minute=0, second=0, microsecond=0)
    return first


def _network(address: str) -> str | None:
    try:
        host = ip_interface(address).ip
    except ValueError:
        return None
    return str(ip_network((host, 24 if host.version == 4 else 48), strict=False))
