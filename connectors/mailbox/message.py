"""What a message says: its words, the names of its attachments, and the fields that a table shows.

The one rule: nothing in a message is trusted to be well formed. What cannot be read is read as far as it can be, and
the file beside the table has every byte as it is.
"""

import email
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import Message
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Final

from connectors.mailbox.addresses import Header, decoded, values

TEXT_MOST: Final = 1024 * 1024
"""Bytes of a message's words that the table shows; a longer one ends with `CUT`."""
CUT: Final = "\n[cut here: the whole is in the file]"
_ID: Final = re.compile(r"<[^\s<>\"\\]{1,250}>", re.ASCII)
_HIDDEN: Final = frozenset({"script", "style", "head", "title"})


def message_id(header: Header) -> str:
    """The message's id, if it is one that a search can ask for; else the empty text."""
    found = _ID.search(next(values(header, "Message-ID"), ""))
    return found[0] if found and found[0].isprintable() else ""


def date_of(header: Header, received: datetime | None) -> datetime | None:
    """When it was written, by its own word, or else when the server got it; in UTC."""
    for value in values(header, "Date"):
        try:
            moment = parsedate_to_datetime(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return received.astimezone(UTC) if received else None


def shown(header: Header) -> dict[str, str]:
    """The fields of a header that a table shows, decoded."""
    names = {"from": "From", "to": "To", "cc": "Cc", "bcc": "Bcc", "reply_to": "Reply-To", "subject": "Subject"}
    return {field: ", ".join(decoded(value) for value in values(header, name)) for field, name in names.items()}


def names_request(header: Header, request_id: str) -> bool:
    """Whether a message belongs to the matter of a request: by a header of its own, by `[habeas ID]` in its subject, or
    by an address like privacy+ID@shop.example."""
    wanted = request_id.casefold()
    if not wanted:
        return False
    if any(value.casefold() == wanted for value in values(header, "X-Habeas-Request")):
        return True
    if any(f"[habeas {wanted}]" in decoded(value).casefold() for value in values(header, "Subject")):
        return True
    token = re.compile(rf"\+{re.escape(wanted)}@")
    named = values(header, "To", "Cc", "Bcc", "From", "Reply-To", "Delivered-To", "X-Original-To")
    return any(token.search(value.casefold()) for value in named)


class Words:
    """The words of a message and the names of its attachments, part by part."""

    def __init__(self) -> None:
        self.attachments: list[str] = []
        self._plain: list[str] = []
        self._html: list[str] = []

    @property
    def text(self) -> str:
        """What it says: its plain parts, or what its HTML parts show."""
        return "\n".join(self._plain) if self._plain else "\n".join(map(_shown, self._html))

    def take(self, part: Message) -> None:
        """Take in one part that has no parts of its own."""
        name, kind = _file_name(part), part.get_content_type()
        if name or part.get_content_disposition() == "attachment":
            self.attachments.append(name)
        elif kind in {"text/plain", "text/html"}:
            (self._plain if kind == "text/plain" else self._html).append(_words(part))


def words_of(raw: bytes) -> Words:
    """Read a whole message."""
    words = Words()
    for part in _leaves(email.message_from_bytes(raw)):
        words.take(part)
    return words


def _leaves(message: Message) -> Iterator[Message]:
    """Parts with content, not looking into messages that are enclosed: those are attachments."""
    if message.get_content_type() == "message/rfc822":
        yield message
    elif message.is_multipart():
        for part in message.get_payload():
            if isinstance(part, Message):
                yield from _leaves(part)
    else:
        yield message


def _words(part: Message) -> str:
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, MessageError):
        payload = None
    body = payload if isinstance(payload, bytes) else b""
    cut = len(body) > TEXT_MOST
    text = _decode(body[:TEXT_MOST], str(part.get_content_charset() or "utf-8"))
    return text + CUT if cut else text


def _decode(body: bytes, charset: str) -> str:
    for name in (charset, "utf-8"):
        try:
            text = body.decode(name)
            text.encode()  # some codecs make halves of characters, which no file can hold
            return text
        except (LookupError, ValueError):
            continue
    return body.decode("latin-1")


def _file_name(part: Message) -> str:
    try:
        name = part.get_filename()
    except (ValueError, LookupError, TypeError):
        return "unreadable"
    return decoded(name).encode("utf-8", "replace").decode() if name else ""


class _Shown(HTMLParser):
    """What an HTML text shows."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in _HIDDEN
        if tag in {"br", "p", "div", "tr", "li"}:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _HIDDEN and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def _shown(html: str) -> str:
    parser = _Shown()
    try:
        parser.feed(html)
        parser.close()
    except (AssertionError, ValueError):
        return html
    return re.sub(r"[ \t\r\n]*\n[ \t\r\n]*", "\n", "".join(parser.words)).strip()


def row_of(
    header: Header, words: Words | None, known: Mapping[str, object], wanted: Sequence[str]
) -> dict[str, object]:
    """The fields of a table's row, of those that are wanted; `known` has what does not stand in the message."""
    fields: dict[str, object] = {**shown(header), **known}
    if words is not None:
        fields |= {"text": words.text, "attachments": words.attachments}
    return {name: fields.get(name) for name in wanted}
