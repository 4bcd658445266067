"""What people hand to a command: identities, texts, dates and ids, from options, files or standard input.

The one rule: what cannot be used is refused in one sentence that never repeats it.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from rights.approvers import STAFF, gives_away
from rights.identity import Proof, Rung
from starter.exits import Exit, Failure

MAX_FILE: Final = 1_000_000
"""Bytes of a file or of standard input that are read at all; `starter.submit` sets the limits of what is in it."""
_ID: Final = re.compile(r"[0-9a-hjkmnp-tv-z]{26}\Z")
"""An id of the ledger: 26 characters of Crockford's base 32."""
_STAFF: Final = re.compile(STAFF)
_LONGEST_ROLE: Final = 200
_OLDEST: Final = timedelta(days=366)
"""A request that came in longer ago is more likely a slip in the year."""


def identity_pairs(options: Sequence[str], source: str | None) -> list[tuple[str, str]]:
    """Identities as pairs of kind and value, from ``--identity KIND=VALUE`` and from a file (or ``-``).

    Raises:
        Failure: something is not of that form.
    """
    pairs = [_pair(text, "--identity") for text in options]
    if source is not None:
        pairs += _identities_in(read_text(source, "--identities"))
    return pairs


def _pair(text: str, where: str) -> tuple[str, str]:
    kind, equals, value = text.partition("=")
    if not equals:
        raise Failure(Exit.USAGE, f"{where} is written KIND=VALUE, such as email=name@example.org")
    return kind.strip(), value


def _identities_in(text: str) -> list[tuple[str, str]]:
    if text.lstrip().startswith("{"):
        return list(_from_json(text))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [_pair(line, f"line {number} of --identities") for number, line in enumerate(lines, 1)]


def _from_json(text: str) -> Iterator[tuple[str, str]]:
    form = 'write --identities as {"email": "name@example.org", "customer_id": 17}, or lines of KIND=VALUE'
    try:
        body: Any = json.loads(text)
    except ValueError:
        raise Failure(Exit.USAGE, f"--identities is not JSON: {form}") from None
    if not isinstance(body, dict):
        raise Failure(Exit.USAGE, form)
    for kind, given in body.items():
        for value in given if isinstance(given, list) else [given]:
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise Failure(Exit.USAGE, f"an identity's value is a text or a whole number: {form}")
            yield kind, str(value)


def role(text: str, option: str) -> str:
    """A role as somebody typed it.

    Raises:
        Failure: it is empty, too long, of more than one line, or has an address or a telephone number in it.
    """
    plain = text.strip()
    if not plain or len(plain) > _LONGEST_ROLE or not plain.isprintable():
        raise Failure(Exit.USAGE, f"{option} takes a role of 1 to {_LONGEST_ROLE} characters, such as 'support desk'")
    return _lasting(plain, option)


def _lasting(who: str, option: str) -> str:
    """What stands in the journal for ever."""
    if gives_away(who):
        raise Failure(
            Exit.USAGE,
            f"{option} looks like an e-mail address or a telephone number, and would stand in the journal for ever: "
            "give a staff number or a role in place of it, such as s-17 or 'support desk'",
        )
    return who


def maybe_role(text: str | None, option: str) -> str | None:
    """The same of an option that may be left out."""
    return None if text is None else role(text, option)


def staff_id(text: str, option: str = "--by") -> str:
    """An opaque id of a member of staff, as somebody typed it.

    Raises:
        Failure: it is none; an address, a telephone number or a name is none.
    """
    if not _STAFF.match(text.strip()):
        raise Failure(Exit.USAGE, "a staff id is opaque: 2 to 40 of a-z, 0-9 and -, such as s-17; no name, no address")
    return _lasting(text.strip(), option)


def read_text(source: str, option: str) -> str:
    """The text of a file, or of standard input for ``-``.

    Raises:
        Failure: it cannot be read, is too large or is not UTF-8.
    """
    try:
        if source == "-":
            data = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(MAX_FILE + 1)
    except OSError:
        raise Failure(
            Exit.USAGE, f"the file of {option} cannot be read: name one that is there, or - for standard input"
        ) from None
    except ValueError:
        raise Failure(Exit.USAGE, f"the value of {option} is no file name") from None
    if len(data) > MAX_FILE:
        raise Failure(Exit.USAGE, f"what {option} gives is longer than {MAX_FILE:,} bytes: shorten it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Failure(Exit.USAGE, f"what {option} gives is not UTF-8: save it as plain text and try again") from None


def received(text: str | None, zone: str, now: datetime) -> datetime:
    """When a request came in: what was given, else now. A date is that local day; a time without a zone is local.

    Raises:
        Failure: it is no date, lies in the future, or over a year back.
    """
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(Exit.USAGE, "--received-at is a date or time such as 2026-11-20 or 2026-11-20T14:30") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    if moment > now:
        raise Failure(Exit.USAGE, "--received-at lies in the future: give the day on which the request came in")
    if moment < now - _OLDEST:
        raise Failure(Exit.USAGE, "--received-at is more than a year ago: check the year")
    return moment


def past_moment(text: str, zone: str, now: datetime) -> datetime:
    """A time of --since; without an offset it is the zone's.

    Raises:
        Failure: it is none, or lies in the future.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(Exit.USAGE, "--since is a time as ISO 8601 writes it, such as 2026-11-26T02:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    if moment > now:
        raise Failure(Exit.USAGE, "--since lies in the future: name a time that is past")
    return moment


def read_day(text: str, option: str) -> date:
    """A day that was typed.

    Raises:
        Failure: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Failure(Exit.USAGE, f"{option} is a day such as 2026-11-20") from None


def maybe_day(text: str | None, option: str) -> date | None:
    """The same of an option that may be left out."""
    return None if text is None else read_day(text, option)


def said_by_a_system(signed_in: str | None, assurance: int | None, at: datetime) -> Proof | None:
    """What a system says of the asker, as a proof; None: it says nothing.

    Raises:
        Failure: it says two things, or a word that is not known.
    """
    if signed_in is not None and assurance is not None:
        raise Failure(Exit.USAGE, "--signed-in and --assurance say the same: give one of them")
    if assurance is not None:
        return Proof(rung=Rung.ATTESTED, at=at, level=assurance)
    if signed_in is None:
        return None
    rungs = {"password": Rung.SIGNED_IN, "second_factor": Rung.SECOND_FACTOR}
    if signed_in not in rungs:
        raise Failure(Exit.USAGE, "--signed-in takes password or second_factor")
    return Proof(rung=rungs[signed_in], at=at)


def ledger_id(text: str, what: str) -> str:
    """An id as the ledger writes it.

    Raises:
        Failure: nothing can have this id.
    """
    wanted = text.strip().lower()
    if not _ID.match(wanted):
        raise Failure(Exit.NOT_FOUND, f"there is no {what} of this id: an id has 26 letters and digits")
    return wanted


def numbers(text: str) -> set[int]:
    """Numbers such as ``1,3``; ``none`` is the empty set.

    Raises:
        Failure: it is something else.
    """
    if text.strip().lower() == "none":
        return set()
    if not re.fullmatch(r"\s*[1-9][0-9]{0,3}(\s*,\s*[1-9][0-9]{0,3})*\s*", text):
        raise Failure(Exit.USAGE, "--person takes the numbers of candidates, such as 1 or 1,3, or the word none")
    return {int(part) for part in text.split(",")}
