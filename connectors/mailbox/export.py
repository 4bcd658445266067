"""Exporting: a table of the person's messages, and every message as the file it is.

The one rule: memory stays flat. Small messages are read some at a time, a large one in pieces, and none is kept.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from email import message_from_bytes
from typing import Any, Final

from connectors.errors import Retryable
from connectors.mailbox.addresses import read_header
from connectors.mailbox.look import Row
from connectors.mailbox.message import TEXT_MOST, Words, row_of, words_of
from connectors.mailbox.session import Elsewhere, Session
from connectors.mailbox.settings import Settings
from connectors.protocol import Call, Export
from connectors.spreadsheets import harmless
from rights.codes import Code

JSON_LINES: Final = "application/x-ndjson"
TABLE: Final = "text/csv"
MESSAGE: Final = "message/rfc822"

SMALL: Final = 256 * 1024
"""Bytes up to which a message is read whole, and as many together with others."""
AT_ONCE: Final = 100
"""Messages read together at most."""
PIECE: Final = SMALL
"""Bytes of a large message that are read at a time."""
PAGE: Final = 64 * 1024
"""Bytes after which a page of the table ends."""


class Exporting:
    """The files of one export."""

    def __init__(self, call: Call, settings: Settings, session: Session, rows: Sequence[Row]) -> None:
        self._call, self._settings, self._session, self._rows = call, settings, session, rows
        (self._columns,) = (work.export for work in call.work if work.collection == settings.collection)

    def files(self) -> Iterator[Export]:
        """The table in two forms, then the messages."""
        name = self._settings.collection
        yield Export(name, JSON_LINES, self._pages(_json_line))
        yield Export(name, TABLE, self._pages(_csv_line, _csv_line({column: column for column in self._columns})))
        for row, body in self._bodies():
            yield Export(name, MESSAGE, self._beating(body), file_name(row))

    def _pages(self, line: Callable[[dict[str, object]], bytes], header: bytes = b"") -> Iterator[bytes]:
        page = bytearray(header)
        for record in self._records():
            page += line(record)
            if len(page) >= PAGE:
                self._call.beat()
                yield bytes(page)
                page.clear()
        yield bytes(page)

    def _records(self) -> Iterator[dict[str, object]]:
        """The table's rows, with words and attachments if the map wants them."""
        if not {"text", "attachments"} & set(self._columns):
            for group in _groups(self._rows, lambda _: 0):
                for row, parts in self._read(group, ["FLAGS", "BODY.PEEK[HEADER]"]):
                    yield self._record(row, parts, parts[b"BODY[HEADER]"], None)
            return
        for group in _groups(self._rows, lambda row: row.size):
            if group[0].size > SMALL:
                (row,) = group
                ((_, parts),) = self._read(group, ["FLAGS", "BODYSTRUCTURE", "BODY.PEEK[HEADER]"])
                yield self._record(row, parts, parts[b"BODY[HEADER]"], self._words_of_large(row, parts))
            else:
                for row, parts in self._read(group, ["FLAGS", "BODY.PEEK[]"]):
                    body = parts[b"BODY[]"] or b""
                    yield self._record(row, parts, _header(body), words_of(body))

    def _record(self, row: Row, parts: Any, header: bytes, words: Words | None) -> dict[str, object]:
        lines = read_header(header)
        known: dict[str, object] = {
            **row.values,
            "uidvalidity": row.uidvalidity,
            "uid": row.uid,
            "message_id": row.message_id,
            "size": row.size,
            "file": file_name(row),
            "flags": sorted(flag.decode("ascii", "replace") for flag in parts[b"FLAGS"] if flag != b"\\Recent"),
        }
        return row_of(lines, words, {**known, **row.identities}, self._columns)

    def _words_of_large(self, row: Row, parts: Any) -> Words:
        """Read the words of a large message, and the names of what is attached, without what is attached."""
        words = Words()
        for number, kind in _sections(parts[b"BODYSTRUCTURE"]):
            single = not number
            section = number or "1"
            mime = b"BODY[HEADER]" if single else f"BODY[{section}.MIME]".encode()
            wanted = [] if single else [f"BODY.PEEK[{section}.MIME]"]
            if kind == "text":
                wanted.append(f"BODY.PEEK[{section}]<0.{2 * TEXT_MOST}>")
            ((_, found),) = self._read([row], wanted or ["FLAGS"])
            head = (parts if single else found).get(mime) or b""
            body = found.get(f"BODY[{section}]<0>".encode()) or b""
            words.take(message_from_bytes(head.rstrip(b"\r\n") + b"\r\n\r\n" + body))
        return words

    def _bodies(self) -> Iterator[tuple[Row, Iterator[bytes]]]:
        for group in _groups(self._rows, lambda row: row.size):
            if group[0].size > SMALL:
                yield group[0], self._pieces(group[0])
            else:
                for row, parts in self._read(group, ["BODY.PEEK[]"]):
                    yield row, iter([parts[b"BODY[]"] or b""])

    def _pieces(self, row: Row) -> Iterator[bytes]:
        start = 0
        while True:
            ((_, parts),) = self._read([row], [f"BODY.PEEK[]<{start}.{PIECE}>"])
            piece = parts.get(f"BODY[]<{start}>".encode()) or b""
            if piece:
                yield piece
            start += len(piece)
            if len(piece) < PIECE:
                return

    def _beating(self, pages: Iterator[bytes]) -> Iterator[bytes]:
        for page in pages:
            self._call.beat()
            yield page

    def _read(self, group: Sequence[Row], what: Sequence[str]) -> Iterator[tuple[Row, Any]]:
        """Parts of messages of one folder, in their order.

        Raises:
            Retryable: one is gone or has been moved since the look: the export is made anew, whole.
        """
        folder, uidvalidity = group[0].folder, group[0].uidvalidity
        try:
            self._session.read(folder, uidvalidity)
            found = self._session.fetch([row.uid for row in group], what)
        except Elsewhere:
            found = {}
        if any(row.uid not in found for row in group):
            raise Retryable(Code.BUSY, self._call.system.system)
        return ((row, found[row.uid]) for row in group)


def file_name(row: Row) -> str:
    """A message's file: its folder, the day it came, and its number."""
    day = f"{row.received:%Y-%m-%d}-" if row.received else ""
    return f"{row.folder}/{day}{row.uid}.eml"


def _groups(rows: Sequence[Row], size: Callable[[Row], int]) -> Iterator[list[Row]]:
    """Rows of one folder that are read together; a large one stands alone."""
    group: list[Row] = []
    total = 0
    for row in rows:
        apart = bool(group) and (row.folder, row.uidvalidity) != (group[0].folder, group[0].uidvalidity)
        if apart or (group and total + size(row) > SMALL) or len(group) == AT_ONCE:
            yield group
            group, total = [], 0
        group.append(row)
        total += size(row)
    if group:
        yield group


def _sections(structure: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The numbers of a message's parts, each with its main type; a message of one part has no number."""
    if getattr(structure, "is_multipart", False):
        for number, part in enumerate(structure[0], 1):
            yield from _sections(part, f"{prefix}.{number}" if prefix else str(number))
    else:
        kind = structure[0]
        yield prefix, kind.decode("ascii", "replace").lower() if isinstance(kind, bytes) else ""


def _header(body: bytes) -> bytes:
    end = min((at for at in (body.find(b"\r\n\r\n"), body.find(b"\n\n")) if at >= 0), default=len(body))
    return body[:end]


def _json_line(record: dict[str, object]) -> bytes:
    return json.dumps({name: _plain(value) for name, value in record.items()}).encode() + b"\n"


def _csv_line(record: dict[str, object]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerow(_cell(_plain(value)) for value in record.values())
    return file.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    return harmless(text)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
