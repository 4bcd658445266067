"""A bench for the mailbox connector: an account of its own on a real server, filled by a client of its own.

The one rule: it reads and writes through that client, never through the connector.
"""

import base64
import email
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from itertools import count
from typing import Any, Protocol

from imapclient import IMAPClient

from connectors.conformance import AS_OF, Dump, Person
from connectors.mailbox import build
from connectors.protocol import Key
from rights.datamap import System
from rights.mapfile import read_map
from tests.connectors.dovecot import Dovecot
from tests.connectors.imap_proxy import ImapProxy

SUPPORT = "support@shop.example"
FOLDERS = ("INBOX", "Sent", "Trash", "Kunden/Ängste & Co", "Spam")

FIELDS = """
    key: [folder, uidvalidity, uid, digest]
    fields:
      folder: {}
      uidvalidity: {}
      uid: {}
      digest: {}
      address: {category: contact, identity: email}
      phone: {category: contact, identity: phone, sharing: shared}
      date: {}
      received: {}
      from: {category: contact}
      to: {category: contact}
      subject: {category: free_text}
      text: {category: free_text}
      attachments: {category: free_text}
      flags: {}
      size: {}
      file: {}
      message_id: {}
"""
GOES = f"""
system: support
owner: customer care
connector: mailbox
backups: none
options: {{plaintext: true, batch: 4, timeout: 20}}
collections:
  messages:
    options: {{own: [shop.example], in_text: [phone], locked_folder: Locked}}
{FIELDS}
"""
STAYS = f"""
{GOES}
    retention:
      - {{ground: commercial letters, after: date, period: P6Y, from: end_of_year}}
      - {{ground: warranty, after: date, period: P2Y}}
"""

_numbers = count(1)


def system_of(text: str) -> System:
    """The one system of a map."""
    (system,) = read_map({"map.yaml": text}).systems.values()
    return system


class Server(Protocol):
    """A real mail server."""

    port: int
    password: str

    def account(self, user: str) -> None: ...

    def login(self, user: str) -> IMAPClient: ...


def digest_of(raw: bytes) -> str:
    """A message's digest, as docs/mailbox.md says it."""
    header = raw[: raw.index(b"\r\n\r\n") + 4]
    return hashlib.sha256(b"%d\n" % len(raw) + header).hexdigest()


class MailboxBench:
    """One account behind a wire that can be cut."""

    shares = "phone"

    def __init__(self, server: Server, text: str = GOES, folders: Sequence[str] = FOLDERS) -> None:
        self.system = system_of(text)
        self.server, self.user = server, f"account{next(_numbers)}@shop.example"
        server.account(self.user)
        self.door = server.login(self.user)
        self.proxy = ImapProxy(server.port)
        self.connector = build(self.system, {"reader": self.url, "writer": self.url})
        self._folders = folders
        self._ids = count(1)
        self._digests: dict[Person, set[str]] = {}
        for folder in folders:
            if not self.door.folder_exists(folder):
                self.door.create_folder(folder)

    @property
    def url(self) -> str:
        return f"imap://{self.user.replace('@', '%40')}:{self.server.password}@127.0.0.1:{self.proxy.port}"

    def close(self) -> None:
        self.proxy.close()
        self.door.shutdown()

    def seed(self, person: Person, rows: int) -> None:
        self._digests[person] = set()
        every = len(self._folders)
        for place, folder in enumerate(self._folders):
            self._append(folder, [self._message(person, number) for number in range(place, rows, every)], person)

    def rows(self, person: Person) -> dict[str, frozenset[Key]]:
        mine = self._digests[person]
        return {"messages": frozenset(key for key in self.everything()["messages"] if key[-1] in mine)}

    def everything(self) -> Dump:
        return {"messages": dict(self._messages())}

    def contents(self, person: Person) -> object:
        rows = self.everything()["messages"]
        return sorted(repr((rows[key]["raw"], str(rows[key]["received"]))) for key in self.rows(person)["messages"])

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.proxy.away = True
        self.proxy.hang_up()
        yield
        self.proxy.away = False

    @contextmanager
    def cut(self) -> Iterator[None]:
        with self.proxy.loses(b"UID EXPUNGE"):
            yield

    def mark(self, environment: str) -> None:
        for _, _, name in self.door.list_folders(pattern="Habeas-environment-*"):
            self.door.delete_folder(name)
        if environment:
            self.door.create_folder(f"Habeas-environment-{environment}")

    def arrive(self, person: Person) -> None:
        self._digests.setdefault(person, set())
        self._append("INBOX", [self._message(person, 0, AS_OF.date() - timedelta(days=9000))], person)

    def seed_dated(self, person: Person, collection: str, day: date) -> None:
        self._append("Sent", [self._message(person, 0, day)], person)

    def put(self, folder: str, raw: bytes, *flags: bytes, when: datetime = AS_OF) -> str:
        """Put any message in, and say its digest."""
        self.door.append(folder, raw, flags, when)
        return digest_of(raw)

    def _message(self, person: Person, number: int, day: date | None = None) -> bytes:
        day = day or AS_OF.date() - timedelta(days=(100, 1500, 9000)[number % 3])
        moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        sender, receiver = person.of("email"), SUPPORT
        if number % 2:
            sender, receiver = receiver, sender
        header = (
            f"From: Somebody <{sender}>\r\nTo: <{receiver}>\r\n"
            f"Message-ID: <{next(self._ids)}.{self.user}>\r\nDate: {format_datetime(moment)}\r\n"
            f"Subject: Call {person.of('phone')}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        )
        return header.encode() + base64.encodebytes(person.text.encode()).replace(b"\n", b"\r\n")

    def _append(self, folder: str, messages: Sequence[bytes], person: Person) -> None:
        for start in range(0, len(messages), 200):
            some = messages[start : start + 200]
            self.door.multiappend(folder, [{"msg": raw, "flags": [b"\\Seen"], "date": AS_OF} for raw in some])
        self._digests[person] |= {digest_of(raw) for raw in messages}

    def _messages(self) -> Iterator[tuple[Key, Mapping[str, object]]]:
        for flags, _, folder in self.door.list_folders():
            if b"\\Noselect" in flags:
                continue
            uidvalidity = self.door.select_folder(folder, readonly=True)[b"UIDVALIDITY"]
            found: Mapping[int, Any] = self.door.fetch(self.door.search(), ["FLAGS", "INTERNALDATE", "BODY.PEEK[]"])
            for uid, parts in found.items():
                raw = parts[b"BODY[]"]
                yield (folder, str(uidvalidity), str(uid), digest_of(raw)), _row(parts, raw)


class DovecotBench(MailboxBench):
    """On a Dovecot, whose passwords can be changed."""

    server: Dovecot

    @contextmanager
    def refused(self) -> Iterator[None]:
        self.server.account(self.user, "another one")
        yield
        self.server.account(self.user)


def _row(parts: Mapping[bytes, Any], raw: bytes) -> dict[str, object]:
    message = email.message_from_bytes(raw)
    return {
        "flags": tuple(sorted(flag for flag in parts[b"FLAGS"] if flag != b"\\Recent")),
        "received": parts[b"INTERNALDATE"],
        "date": parsedate_to_datetime(str(message["Date"])) if message["Date"] else None,
        "raw": raw,
    }


def everywhere(dump: Dump) -> list[tuple[str, str]]:
    """Each message with its folder, flags, times and bytes, but without the number that a move changes."""
    return sorted(
        (key[0], repr((row["flags"], str(row["received"]), row["raw"]))) for key, row in dump["messages"].items()
    )
