"""What is said and shown of the tokens of systems.

The one rule: what stands here about a token is never the token.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from ledger.accesstokens import AccessToken
from starter.access import PEOPLE_ONLY, Action
from starter.exits import Exit, Failure
from starter.show import Text, minute

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,31}\Z")
_LONGEST: Final = timedelta(days=731)


def system_name(text: str) -> str:
    """What a system is to be called.

    Raises:
        Failure: it is no such name.
    """
    if not _NAME.match(text):
        raise Failure(Exit.USAGE, "SYSTEM is 2 to 32 of a-z, 0-9 and -, such as web-shop")
    return text


def scopes_of(texts: Sequence[str]) -> tuple[Action, ...]:
    """The actions that were named.

    Raises:
        Failure: one is none, or is done by people alone.
    """
    open_to_systems = sorted(one.value for one in set(Action) - PEOPLE_ONLY)
    if not set(texts) <= set(open_to_systems):
        raise Failure(Exit.USAGE, f"--scope is one of {', '.join(open_to_systems)}")
    return tuple(Action(text) for text in dict.fromkeys(texts))


def end_of(day: date, zone: str, at: datetime) -> datetime:
    """The end of a token's last day.

    Raises:
        Failure: it is past, or more than two years ahead.
    """
    end = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)
    if not at < end <= at + _LONGEST:
        raise Failure(Exit.USAGE, "--until is a day from today on, within two years: make a new token before it ends")
    return end


def token_document(token: AccessToken) -> dict[str, Any]:
    """A token as JSON."""
    return token.model_dump(mode="json")


def token_pairs(token: AccessToken, zone: str) -> list[tuple[str, Text | None]]:
    """A token's lines."""
    return [
        ("id", token.id),
        ("system", token.system),
        ("may", ", ".join(token.scopes)),
        ("ends", minute(token.ends_at, zone)),
        ("replaces", token.replaces),
    ]


def token_row(token: AccessToken, zone: str, at: datetime) -> tuple[Text, ...]:
    """A token's row."""
    used = f"{token.used_on:%Y-%m-%d}" if token.used_on else "never"
    state = "revoked" if token.revoked_at else "good" if token.lets_in(at) else "over"
    return token.id, token.system, ", ".join(token.scopes), minute(token.ends_at, zone), used, state
