"""One login to an account, and the few commands that this connector gives.

The one rule: nothing here expunges but by number, in a folder whose UIDVALIDITY is the one that the numbers were read
under. CLOSE and plain EXPUNGE, which would take what others have marked, are never sent.
"""

import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, ParamSpec, Self, TypeVar

from imapclient import IMAPClient, SocketTimeout

from connectors.clock import steady_clock
from connectors.errors import NeedsHuman, Retryable
from connectors.mailbox.account import Account
from connectors.mailbox.errors import DRIVER, explain
from rights.codes import Code

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_S: Final = 10
"""A server that is up accepts within milliseconds; a dead address must not hold a worker's thread."""
HEADER_MOST: Final = 256 * 1024
"""Bytes of a header that are read; a real one has some thousand. Of a longer one the rest is a question."""
HEADERS_AT_ONCE: Final = 100

# It writes every command down, at level DEBUG, and commands hold addresses.
logging.getLogger("imapclient").setLevel(logging.CRITICAL + 1)

_ATOM: Final = re.compile(r"[A-Za-z0-9-]+")
_UNSEEN: Final = frozenset({b"\\noselect", b"\\nonexistent"})
VIEWS: Final = frozenset({b"\\all", b"\\flagged", b"\\important"})
"""Folders that show what lies in others (RFC 6154, 8457)."""
WHOLE: Final = frozenset({b"\\all", b"\\trash", b"\\junk"})
"""The three that hold every message of a Gmail account once; its other folders are views."""


class Elsewhere(Exception):
    """A folder is not there any more, or is another one under its old name: look again."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, by its name as people see it."""

    name: str = field(repr=False)
    delimiter: str
    flags: frozenset[bytes] = frozenset()
    """What the server says of it, in lower case."""

    @property
    def last(self) -> str:
        """Its name without that of the folders it lies in."""
        return self.name.rpartition(self.delimiter)[2] if self.delimiter else self.name

    def under(self, name: str) -> bool:
        """Whether it is that folder, or lies in it."""
        return self.name == name or bool(self.delimiter and self.name.startswith(name + self.delimiter))


@dataclass(frozen=True, slots=True)
class State:
    """What tells whether messages have come into a folder."""

    uidvalidity: int
    uidnext: int


@dataclass(frozen=True, slots=True)
class Head:
    """What is read of a message to see whose it is."""

    uid: int
    header: bytes = field(repr=False)
    size: int
    received: datetime | None
    flags: tuple[str, ...] = field(repr=False)

    @property
    def cut(self) -> bool:
        """Whether the header is longer than what was read of it, or could not be read."""
        return not self.header or len(self.header) >= HEADER_MOST


class Session:
    """A login. Its methods raise the contract's errors, and `Elsewhere`."""

    def __init__(self, account: Account, system: str, timeout: int, ca_file: str) -> None:
        self.user = account.user
        self._system, self._timeout = system, timeout
        self._deadline: float | None = None
        self._open = ""
        self._uidvalidity: int | None = None
        self._client: IMAPClient = self._ask(self._connect, account, ca_file)

    def _connect(self, account: Account, ca_file: str) -> IMAPClient:
        context = None if account.clear else ssl.create_default_context(cafile=ca_file or None)
        client = IMAPClient(
            account.host,
            account.port,
            ssl=account.implicit,
            ssl_context=context,
            timeout=SocketTimeout(CONNECT_S, self._timeout),
        )
        # A search goes out in two writes; without this the second waits for the first one's acknowledgement, 40 ms.
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if not account.implicit and not account.clear:
                client.starttls(context)
            client.login(account.user, account.password)
        except BaseException:
            with suppress(*DRIVER):
                client.shutdown()
            raise
        # Times as they were written, with their zone.
        client.normalise_times = False
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(*DRIVER):  # it may be gone already
            self._client.shutdown()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Inside, no command is sent after so many seconds: a worker that was frozen wakes too late to do anything."""
        self._deadline = steady_clock() + seconds
        try:
            yield
        finally:
            self._deadline = None

    def able(self, *capabilities: str) -> bool:
        """Whether the server has all of these extensions."""
        known = self._ask(self._client.capabilities)
        return all(name.encode() in known for name in capabilities)

    def folders(self) -> list[Folder]:
        """All folders that can hold messages."""
        found = []
        for flags, delimiter, name in self._ask(self._client.list_folders):
            lowered = frozenset(flag.lower() for flag in flags)
            if not lowered & _UNSEEN:
                text = name if isinstance(name, str) else name.decode("latin-1")
                found.append(Folder(text, (delimiter or b"").decode(), lowered))
        return found

    def state(self, folder: str) -> State:
        """Ask how a folder stands."""
        if self._open == folder:
            return self.examine(folder)
        answer = self._told(folder, self._client.folder_status, folder, ["UIDVALIDITY", "UIDNEXT"])
        return State(int(answer[b"UIDVALIDITY"]), int(answer[b"UIDNEXT"]))

    def examine(self, folder: str) -> State:
        """Open a folder to read, and say how it stands."""
        answer = self._select(folder, readonly=True)
        if b"UIDVALIDITY" in answer and b"UIDNEXT" in answer:
            return State(answer[b"UIDVALIDITY"], answer[b"UIDNEXT"])
        self._open = ""
        state = self.state(folder)
        self._select(folder, readonly=True)
        return state

    def read(self, folder: str, uidvalidity: int) -> None:
        """Open a folder to read, unless it is open.

        Raises:
            Elsewhere: it is another one by now.
        """
        if self._open != folder:
            self.examine(folder)
        if self._uidvalidity != uidvalidity:
            raise Elsewhere

    def open(self, folder: str, uidvalidity: int) -> Mapping[bytes, Any]:
        """Open a folder to change, and say what the server told of it.

        Raises:
            Elsewhere: it is another one by now.
            NeedsHuman: it may only be read.
        """
        answer = self._select(folder, readonly=False)
        if self._uidvalidity != uidvalidity:
            raise Elsewhere
        if b"READ-WRITE" not in answer:
            raise NeedsHuman(Code.RIGHTS, self._system)
        return answer

    def search(self, *criteria: str, among: str = "") -> list[int]:
        """Numbers of messages in the open folder, of those in `among` (a set such as 17:*) if that is given.

        Every word is quoted, or sent as a literal: what stands in an address is never read as part of the command.
        """
        prefix = ["UID", among] if among else []
        if all(word.isascii() for word in criteria):
            text = " ".join([*prefix, *(word if _ATOM.fullmatch(word) else _quoted(word) for word in criteria)])
            return list(self._ask(self._client.search, text))
        return list(self._ask(self._client.search, [*prefix, *criteria], "UTF-8"))

    def present(self, uids: Sequence[int]) -> set[int]:
        """Which of these are there."""
        return set(self.search("ALL", among=",".join(map(str, uids)))) & set(uids) if uids else set()

    def heads(self, uids: Sequence[int]) -> Iterator[Head]:
        """Headers and what stands beside them, of those that are still there."""
        wanted = ["RFC822.SIZE", "INTERNALDATE", "FLAGS", f"BODY.PEEK[HEADER]<0.{HEADER_MOST}>"]
        for start in range(0, len(uids), HEADERS_AT_ONCE):
            answer = self.fetch(uids[start : start + HEADERS_AT_ONCE], wanted)
            for uid, parts in answer.items():
                name = b"BODY[HEADER]<0>" if b"BODY[HEADER]<0>" in parts else b"BODY[HEADER]"
                if name in parts:  # else it is gone, and this is only news of its flags
                    yield Head(
                        uid,
                        parts[name] or b"",
                        int(parts[b"RFC822.SIZE"]),
                        _aware(parts.get(b"INTERNALDATE")),
                        _flags(parts),
                    )

    def fetch(self, uids: Sequence[int], what: Sequence[str]) -> Mapping[int, Mapping[bytes, Any]]:
        """Read parts of messages of the open folder; those that are gone are left out."""
        answer: Mapping[int, Mapping[bytes, Any]] = self._ask(self._client.fetch, list(uids), list(what))
        return answer

    def mark(self, uids: Sequence[int], flag: str) -> None:
        """Give messages a flag."""
        self._ask(self._client.add_flags, list(uids), [flag], silent=True)

    def unmark(self, uids: Sequence[int], flag: str) -> None:
        """Take a flag from messages."""
        self._ask(self._client.remove_flags, list(uids), [flag], silent=True)

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move messages; flags and times go with them (RFC 6851)."""
        self._ask(self._client.move, list(uids), folder)

    def expunge(self, uids: Sequence[int]) -> None:
        """Destroy exactly these messages (RFC 4315)."""
        self.mark(uids, "\\Deleted")
        self._ask(self._client.uid_expunge, list(uids))

    def create(self, folder: str) -> None:
        """Make a folder, unless it is there."""
        if not any(known.name == folder for known in self.folders()):
            self._ask(self._client.create_folder, folder)

    def readers(self, folder: str) -> list[tuple[str, str]]:
        """Who has which rights on a folder (RFC 4314)."""
        answer = self._ask(self._client.getacl, folder)
        return [(_str(who), _str(rights)) for who, rights in answer]

    def _select(self, folder: str, *, readonly: bool) -> Mapping[bytes, Any]:
        self._open = ""
        answer: Mapping[bytes, Any] = self._told(folder, self._client.select_folder, folder, readonly=readonly)
        self._open, self._uidvalidity = folder, answer.get(b"UIDVALIDITY")
        return answer

    def _told(self, folder: str, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask about a folder. One that is not there any more is no refusal."""
        try:
            return self._ask(act, *args, **kwargs)
        except NeedsHuman as refusal:
            refused = refusal
        if any(known.name == folder for known in self.folders()):
            raise refused
        raise Elsewhere

    def _ask(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Give a command, and turn what goes wrong into the contract's words."""
        if self._deadline is not None and steady_clock() > self._deadline:
            raise Retryable(Code.BUSY, self._system)
        try:
            return act(*args, **kwargs)
        except DRIVER as error:
            trouble = explain(error, self._system)
        # Out here, so that the driver's own error does not hang on ours as its context: it may quote a value.
        raise trouble


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _aware(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _flags(parts: Mapping[bytes, Any]) -> tuple[str, ...]:
    flags: Iterable[object] = parts.get(b"FLAGS", ())
    return tuple(sorted(_str(flag) for flag in flags if flag != b"\\Recent"))


def _str(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
