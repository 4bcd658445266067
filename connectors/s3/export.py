"""Exporting: a table of everything that a person's keys hold, and every version as a file.

The one rule: what is given is whole. Each file is read to the length and against the digest that the store told, of the
version that the look has seen; if it cannot be, the export is made anew.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.errors import NeedsHuman, Retryable
from connectors.protocol import Call, Export, Pending
from connectors.s3.look import Search
from connectors.s3.sealed import Spool
from connectors.s3.session import CONNECTIONS, Row, Session
from connectors.s3.settings import ARCHIVES, HEADERS, TAGS, Settings
from rights.codes import Code

JSON_LINES: Final = "application/x-ndjson"
BYTES: Final = "application/octet-stream"
PIECE: Final = 256 * 1024
"""Bytes of an object that are read at a time."""
PAGE: Final = 64 * 1024
"""Bytes after which a page of the table ends."""
RESUMED: Final = 5
"""How often the reading of one object goes on where the connection broke, before the export is made anew."""
RESTORING: Final[Mapping[str, timedelta]] = {
    "Expedited": timedelta(minutes=5),
    "Standard": timedelta(hours=3),
    "Bulk": timedelta(hours=6),
}
"""When to look whether a restore is done: within what AWS says of each tier, and again."""
_MEDIA: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_MD5: Final = re.compile(r'"([0-9a-f]{32})"')


class Exporting:
    """The files of one export."""

    def __init__(self, call: Call, settings: Settings, session: Session) -> None:
        self._call, self._settings, self._session = call, settings, session
        (columns,) = (work.export for work in call.work if work.collection == settings.collection)
        # What stands within objects is given with them.
        self._columns = [name for name in columns if name not in settings.places.fields]
        self._headers = [name for name in self._columns if name in HEADERS]

    def start(self) -> Iterator[Export] | Pending:
        """Look at everything once, and begin.

        Raises:
            NeedsHuman: it is open whose some objects are, or some are archived and the map restores none.
        """
        search = Search(self._call, self._settings, self._session)
        search.survey().refuse_doubt()
        spool = Spool()
        try:
            pending = self._list(search, spool)
        except BaseException:
            spool.close()
            raise
        if pending:
            spool.close()
            return Pending(RESTORING[self._settings.restore_tier])
        return self._files(spool)

    def _list(self, search: Search, spool: Spool) -> bool:
        """Write down what is there; True if some of it has to be waited for."""
        pending = False
        for group in search.groups():
            if not group[0].certain:
                # It has come since it was counted, and nobody has been asked about it.
                raise Retryable(Code.BUSY, self._call.system.system)
            for found in group:
                spool.add(json.dumps({**found.values(), "last_modified": found.row.modified.isoformat()}))
                if found.row.storage_class in ARCHIVES and found.row.kind == "version":
                    pending |= self._restored(found.row)
        return pending

    def _restored(self, row: Row) -> bool:
        """See that an archived version can be read; True while it cannot yet."""
        self._call.beat()
        state = str((self._session.head(row) or {}).get("Restore", ""))
        if 'ongoing-request="false"' in state:
            return False
        if not state:
            if not self._settings.restore_days:
                raise NeedsHuman(Code.ARCHIVED, self._settings.collection)
            self._session.restore(row, self._settings.restore_days, self._settings.restore_tier)
        return True

    def _files(self, spool: Spool) -> Iterator[Export]:
        """The table, then the versions."""
        name = self._settings.collection
        with spool:
            yield Export(name, JSON_LINES, self._pages(spool))
            for record in _records(spool):
                if record["file"]:
                    row = _row(record)
                    answer = self._opened(row, 0)
                    yield Export(name, _media(answer), self._content(row, answer), row.file)

    def _pages(self, spool: Spool) -> Iterator[bytes]:
        page = bytearray()
        for group in _grouped(_records(spool)):
            for record in self._known(group):
                page += json.dumps({column: record.get(column) for column in self._columns}).encode() + b"\n"
                if len(page) >= PAGE:
                    self._call.beat()
                    yield bytes(page)
                    page.clear()
        yield bytes(page)

    def _known(self, group: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """Add what each version has to be asked for, if the map wants it."""
        if not self._headers and TAGS not in self._columns:
            return group
        self._call.beat()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            return list(pool.map(self._told, group))

    def _told(self, record: dict[str, Any]) -> dict[str, Any]:
        if not record["file"]:
            return record
        row, told = _row(record), {**record}
        if self._headers:
            head = self._session.head(row)
            if head is None:
                raise Retryable(Code.BUSY, self._call.system.system)
            told |= {name: head.get(HEADERS[name]) for name in self._headers}
        if TAGS in self._columns:
            told[TAGS] = self._session.tags(row)
        return told

    def _opened(self, row: Row, start: int) -> Mapping[str, Any]:
        """Begin to read a version.

        Raises:
            Retryable: it is gone, or another one stands in its place: the export is made anew, whole.
        """
        self._call.beat()
        answer = self._session.get(row, start)
        if answer is None:
            raise Retryable(Code.BUSY, self._call.system.system)
        return answer

    def _content(self, row: Row, answer: Mapping[str, Any]) -> Iterator[bytes]:
        """The bytes of a version. A connection that breaks is taken up where it did, while it gets on."""
        digest = hashlib.md5(usedforsecurity=False)
        size, resumed = 0, 0
        while True:
            try:
                for piece in self._session.chunks(answer, PIECE):
                    size += len(piece)
                    digest.update(piece)
                    self._call.beat()
                    yield piece
            except Retryable:
                resumed += 1
                if resumed > RESUMED or not size:
                    raise
            if size >= (row.size or 0):
                break
            if resumed == 0 or resumed > RESUMED:
                raise Retryable(Code.BUSY, self._call.system.system)
            answer = self._opened(row, size)
        told = _MD5.fullmatch(row.etag)
        plain = answer.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in answer
        if size != row.size or (told and plain and digest.hexdigest() != told[1]):
            raise Retryable(Code.BUSY, self._call.system.system)


def _records(spool: Spool) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in spool)


def _row(record: Mapping[str, Any]) -> Row:
    return Row(
        key=record["key"],
        version=record["version"],
        kind=record["kind"],
        latest=record["latest"],
        modified=datetime.fromisoformat(record["last_modified"]),
        size=record["size"],
        etag=f'"{record["etag"]}"',
        storage_class=record["storage_class"],
    )


def _grouped(records: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for record in records:
        group.append(record)
        if len(group) == CONNECTIONS * 10:
            yield group
            group = []
    if group:
        yield group


def _media(answer: Mapping[str, Any]) -> str:
    """What the store calls the content, if it is one type and nothing else: whoever wrote the object chose it."""
    kind = str(answer.get("ContentType", "")).partition(";")[0].strip()
    return kind if _MEDIA.fullmatch(kind) else BYTES
