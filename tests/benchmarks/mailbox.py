"""A mailbox: one person's messages located and erased, by the connector and by a bare imapclient script.

The one rule: both do the same job on the same server. The script searches every folder in the same headers, reads
those of what was found and compares whole addresses, expunges by number, and searches again to see that nothing is
left; it has no fence, no digests, no anchors, and does not see what is moved while it looks. CPU is what client and
server used together, with the server's caches warm.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.utils import getaddresses

import psutil
from imapclient import IMAPClient

from connectors.conformance import Gate
from connectors.conformance.suite import Trial
from connectors.mailbox.addresses import HEADERS
from rights.subject import Identity
from tests.connectors.dovecot import Dovecot
from tests.connectors.mailbox_bench import GOES, MailboxBench

FOLDERS = ("INBOX", "Sent", "Archive", "Trash", "Spam")
ROUNDS = 4
"""How often each erases one person; the first does not count."""
PEOPLE = 250
"""The mailbox is shared evenly among so many: the person has one message in 250."""
SAME = HEADERS["any"]
SHORTEST = ("From", "To", "Cc", "Bcc")
"""What a script searches that does not think of the rest."""


@dataclass
class Spent:
    """What a piece of work took."""

    cpu: float = 0.0
    wall: float = 0.0


@dataclass
class Measured:
    """The connector, the script, and the script that searches four headers only; and how many each erased."""

    ours: Spent
    script: Spent
    shortest: Spent
    erased: int


def measure(messages: int) -> Measured:
    """Time the three on one mailbox of so many messages."""
    with Dovecot() as server:
        bench = MailboxBench(server, GOES.replace("batch: 4", "batch: 500"), FOLDERS)
        _fill(bench, messages)
        # Each erases other people; the first of each fills the server's caches, as any earlier look has done.
        ours, script, shortest = Spent(), Spent(), Spent()
        erased: set[int] = set()
        for person in range(1, 3 * ROUNDS + 1, 3):
            first = person == 1
            with _spending(server, Spent() if first else ours):
                erased.add(_by_connector(bench, _address(person)))
            with _spending(server, Spent() if first else script):
                erased.add(_by_hand(server, bench, _address(person + 1), SAME))
            with _spending(server, Spent() if first else shortest):
                erased.add(_by_hand(server, bench, _address(person + 2), SHORTEST))
        bench.close()
    if erased != {messages // PEOPLE}:
        raise AssertionError(f"{erased} messages were erased")
    return Measured(ours, script, shortest, messages // PEOPLE)


def _by_connector(bench: MailboxBench, address: str) -> int:
    trial = Trial(bench)
    call = trial.call([Identity("email", address)], fence=Gate())
    look = bench.connector.locate(call)
    call = trial.call([Identity("email", address)], fence=Gate(), anchors=look.anchors)
    tally = bench.connector.erase(call)
    if bench.connector.verify(call).tally.left:
        raise AssertionError("something is left")
    return tally.of("messages").erased


def _by_hand(server: Dovecot, bench: MailboxBench, address: str, headers: Sequence[str]) -> int:
    """The script. It looks, erases what it finds when it looks again, and looks once more."""
    erased = 0
    for act in (lambda client, uids: 0, _expunge, _nothing_left):
        client = server.login(bench.user)
        for _, _, folder in client.list_folders():
            client.select_folder(folder)
            erased += act(client, _found(client, address, headers))
        client.shutdown()
    return erased


def _found(client: IMAPClient, address: str, headers: Sequence[str]) -> list[int]:
    criteria: list[str] = []
    for name in headers[:-1]:
        criteria += ["OR", "HEADER", name, address]
    uids = client.search([*criteria, "HEADER", headers[-1], address])
    mine = []
    for start in range(0, len(uids), 100):
        for uid, parts in client.fetch(uids[start : start + 100], ["BODY.PEEK[HEADER]"]).items():
            header = message_from_bytes(parts[b"BODY[HEADER]"])
            values = [value for name in headers for value in header.get_all(name, [])]
            if any(found.lower() == address for _, found in getaddresses(values)):
                mine.append(uid)
    return mine


def _expunge(client: IMAPClient, uids: list[int]) -> int:
    if uids:
        client.add_flags(uids, [b"\\Deleted"], silent=True)
        client.uid_expunge(uids)
    return len(uids)


def _nothing_left(client: IMAPClient, uids: list[int]) -> int:
    if uids:
        raise AssertionError("something is left")
    return 0


def _fill(bench: MailboxBench, messages: int) -> None:
    bench.mark("conformance")
    for start in range(0, messages, 1000):
        batch = [{"msg": _message(number)} for number in range(start, min(start + 1000, messages))]
        bench.door.multiappend(FOLDERS[start // 1000 % len(FOLDERS)], batch)


def _address(person: int) -> str:
    return f"c{person}@people.example"


def _message(number: int) -> bytes:
    person = _address(number % PEOPLE)
    sides = (person, "support@shop.example")
    sender, receiver = sides if number % 2 else sides[::-1]
    return (
        f"Return-Path: <{sender}>\r\nDelivered-To: {receiver}\r\n"
        f"Received: from mail.example by mx.example with ESMTPS id {number}; Mon, 1 Jun 2026 10:00:00 +0000\r\n"
        f"From: Somebody <{sender}>\r\nTo: <{receiver}>\r\nSubject: Your order {number}\r\n"
        f"Message-ID: <{number}@mail.example>\r\nDate: Mon, 1 Jun 2026 10:00:00 +0000\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{'Thank you for your message. ' * 40}\r\n"
    ).encode()


@contextmanager
def _spending(server: Dovecot, spent: Spent) -> Iterator[None]:
    before, start = _cpu(server), time.monotonic()
    yield
    spent.cpu += _cpu(server) - before
    spent.wall += time.monotonic() - start


def _cpu(server: Dovecot) -> float:
    """Seconds of processor time of this process and of the server's, those that have ended included."""
    used = sum(os.times()[:2])
    top = psutil.Process(server.pid)
    for process in [top, *top.children(recursive=True)]:
        times = process.cpu_times()
        used += times.user + times.system + times.children_user + times.children_system
    return used
