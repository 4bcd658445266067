"""The mailbox that delivery reports come back to (RFC 3464), and in which copies of our own mails may lie.

The one rule: whoever knows the address can write there, so a report is believed only if it quotes the Message-ID of a
mail of ours, which nobody can guess; everything else is passed over. The mailbox is read and never changed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from typing import Final, NamedTuple

from connectors.mailbox.account import Account
from connectors.mailbox.session import Session
from ledger.ledger import Ledger

MOST: Final = 500
"""Messages looked at in one go, so that a flood is worked off in parts and a killed worker repeats little."""
READ_MOST: Final = 256 * 1024
"""Bytes of a report that are read: the report comes first, and what it returns of the mail after it."""
_NESTED_MOST: Final = 40
"""Boundaries in a report; a real one has two or three. The parser's time grows with their depth."""
_TIMEOUT_S: Final = 60
_OURS: Final = re.compile(r"<([0-9a-f]{32})@([^>\s]+)>")
_STATUS: Final = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where reports come to."""

    account: Account
    folder: str = "INBOX"
    copies: str = ""
    """The folder that holds a copy of each mail that was sent; empty where none does."""
    ca_file: str = ""
    domain: str = ""
    """What stands behind the @ of our Message-IDs."""
    own: tuple[str, ...] = field(default=(), repr=False)
    """Our own addresses: a report that a copy to us was not delivered says nothing of the person."""

    @property
    def name(self) -> str:
        """Under which it is noted how far it was read."""
        return f"reports/{self.folder}"


class Failure(NamedTuple):
    """A mail of ours was not delivered."""

    message_id: str
    """What stands before the @."""
    status: str
    """An enhanced status code (RFC 3463), or ``failed``."""


def read_report(raw: bytes, domain: str, own: tuple[str, ...] = ()) -> Failure | None:
    """What a message says of a mail of ours that could not be delivered; None if it says nothing of the kind.

    Delays and good news are none, nor are answers by people or machines.
    """
    if raw.lower().count(b"boundary=") > _NESTED_MOST:
        return None
    try:
        return _read(BytesParser().parsebytes(raw), domain, own)
    except Exception:  # noqa: BLE001 - a stranger wrote it: whatever the parser stumbles over is no report
        return None


def _read(message: Message, domain: str, own: tuple[str, ...]) -> Failure | None:
    parts = _within(message)
    if message.get_content_type() != "multipart/report":
        return None
    status = next((found for part in parts if (found := _failed(part, own))), "")
    marks = {found for part in parts if (found := _returned(part, domain))}
    return Failure(marks.pop(), status) if status and len(marks) == 1 else None


def _within(message: Message) -> list[Message]:
    """The messages that one is made of: its parts, or the blocks of a report."""
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _failed(part: Message, own: tuple[str, ...]) -> str:
    """The status of the first recipient that a delivery-status part gives up on; empty if there is none."""
    if part.get_content_type() != "message/delivery-status":
        return ""
    for block in _within(part):
        if str(block.get("Action", "")).strip().casefold() != "failed":
            continue
        whom = f"{block.get('Original-Recipient', '')} {block.get('Final-Recipient', '')}".casefold()
        if any(address.casefold() in whom for address in own):
            continue
        found = _STATUS.search(str(block.get("Status", "")))
        return found[1] if found else "failed"
    return ""


def _returned(part: Message, domain: str) -> str:
    """The left side of the Message-ID of the mail that is returned, if it is one of ours."""
    match part.get_content_type():
        case "message/rfc822" if _within(part):
            header = _within(part)[0]
        case "text/rfc822-headers":
            data = part.get_payload(decode=True)
            header = BytesHeaderParser().parsebytes(data if isinstance(data, bytes) else b"")
        case _:
            return ""
    found = _OURS.search(str(header.get("Message-ID", "")))
    return found[1] if found and found[2].casefold() == domain.casefold() else ""


class Reader:
    """A login to the mailbox; use it in a `with` block. Its methods raise `ConnectorError` and `Elsewhere`."""

    def __init__(self, mailbox: Mailbox, ledger: Ledger) -> None:
        self._mailbox, self._ledger = mailbox, ledger
        self._session = Session(mailbox.account, "mail", _TIMEOUT_S, mailbox.ca_file)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.__exit__()

    def failures(self, at: datetime, life: timedelta) -> Iterator[Failure]:
        """Reports that have come since the last time, and how far it was read is noted behind each part.

        A mailbox that was never read is read from `life` before, since older reports can be of no letter.
        """
        session, box = self._session, self._mailbox
        state = session.examine(box.folder)
        known = self._ledger.mailbox_read(box.name)
        last = known[1] if known and known[0] == state.uidvalidity else 0
        since = () if last else ("SINCE", f"{at - life:%d-%b-%Y}")
        fresh = sorted(uid for uid in session.search(*(since or ("ALL",)), among=f"{last + 1}:*") if uid > last)
        for start in range(0, min(len(fresh), MOST), 50):
            uids = fresh[start : start + 50]
            for head in session.heads(uids):
                if b"multipart/report" in head.header.lower():
                    yield from self._report(head.uid)
            self._ledger.keep_mailbox_read(box.name, state.uidvalidity, uids[-1], at=at)
        if not fresh and not last:
            self._ledger.keep_mailbox_read(box.name, state.uidvalidity, max(state.uidnext - 1, 0), at=at)

    def _report(self, uid: int) -> Iterator[Failure]:
        for parts in self._session.fetch([uid], [f"BODY.PEEK[]<0.{READ_MOST}>"]).values():
            raw = parts.get(b"BODY[]<0>") or parts.get(b"BODY[]") or b""
            if found := read_report(raw, self._mailbox.domain, self._mailbox.own):
                yield found

    def has_copy(self, message_id: str) -> bool:
        """Whether a copy of a mail lies in the folder of copies, so that it surely went out."""
        box = self._mailbox
        if not box.copies:
            return False
        self._session.examine(box.copies)
        return bool(self._session.search("HEADER", "Message-ID", f"<{message_id}@{box.domain}>"))
