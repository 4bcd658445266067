"""Rounds of sending and of looking after: real SMTP, real IMAP, a real ledger."""

import json
import re
import smtplib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.mailing import Looked, MailActivities, Sending
from activities.mails import REQUEST_HEADER, Written
from activities.mailsetup import Mail
from activities.reports import Mailbox
from activities.smtp import MailServer
from activities.store import FileStore
from activities.tools import Tools
from connectors.mailbox.account import read_url
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel, Letter, LetterState, queue_letter
from rights.codes import Code
from rights.mapfile import read_map
from starter.stack import HOST
from starter.stack import Mail as MailDevel
from tests.ledger.builders import AT, opened_id
from tests.smtp_sink import Sink
from tests.world import shop_map

ANNA = "anna@example.org"
REPORTS = "reports@shop.example"
NOW = Sending(as_of=AT)


@pytest.fixture(scope="module")
def post() -> Iterator[MailDevel]:
    """Where reports come to, for the module."""
    with MailDevel() as server:
        yield server


Build = Callable[..., MailActivities]


@pytest.fixture
def build(ledger: Ledger, sink: Sink, tmp_path: Path) -> Build:
    """Activities on a ledger and a mail server."""

    def build(mailbox: Mailbox | None = None, *, mail: bool = True, patience: float = 900) -> MailActivities:
        server = MailServer(
            host="localhost", port=sink.port, sender="privacy@shop.example", ca_file=str(sink.certificate)
        )
        setup = Mail(server, mailbox, patience=timedelta(seconds=patience))
        tools = Tools(
            ledger=ledger,
            connectors={},
            data_map=read_map({"shop": shop_map()}),
            store=FileStore(tmp_path),
            environment="test",
            mail=setup if mail else None,
        )
        return MailActivities(tools, write)

    return build


def write(letter: Letter, as_of: object) -> Written:
    """What letters say here."""
    if letter.kind == "incomplete":
        raise ValueError("the reason is missing")
    return Written(f"About {letter.kind}", f"Dear reader, this is {letter.kind}.")


def ask(ledger: Ledger, address: str = ANNA, kind: str = "acknowledgement") -> Letter:
    """A request whose asker is owed a letter."""
    request = opened_id(ledger)
    ledger.seal(request, "working", REPLY, Channel("email", address).sealed(), at=AT)
    with ledger._begin() as connection:
        name = queue_letter(ledger, connection, request, kind, AT)
    assert name
    return ledger.letter(name)


def send(activities: MailActivities) -> int:
    return ActivityEnvironment().run(activities.send, NOW).sent


def look(activities: MailActivities) -> Looked:
    return ActivityEnvironment().run(activities.look_after, NOW)


def codes(ledger: Ledger) -> list[Code]:
    return [task.code for task in ledger.tasks()]


def test_a_letter_is_sent_once_and_kept_as_it_was_sent(ledger: Ledger, sink: Sink, build: Build) -> None:
    letter = ask(ledger)

    assert [send(build()) for _ in range(3)] == [1, 0, 0]
    (taken,) = sink.to(ANNA)
    assert taken.mail[REQUEST_HEADER] == letter.request_id
    assert taken.mail["Message-ID"] == f"<{letter.message_id}@shop.example>"
    assert letter.case_id not in letter.message_id
    assert ledger.letter(letter.id).state is LetterState.SENT
    kept = ledger.unseal(letter.case_id, "file", "letter/acknowledgement/0/text")
    assert kept is not None
    assert json.loads(kept)["to"] == ANNA
    assert not build()._tools.ledger.tasks()


@pytest.mark.parametrize("what", ["hang up", "drop"])
def test_what_may_have_gone_out_is_not_sent_again_but_asked_about(
    ledger: Ledger, sink: Sink, build: Build, what: str
) -> None:
    letter, sink.at_the_end[:] = ask(ledger), [what]

    assert [send(build()) for _ in range(2)] == [0, 0]
    look(build(patience=900))
    assert ledger.letter(letter.id).state is LetterState.SENDING
    look(build(patience=0))
    (task,) = ledger.tasks()
    assert task.code is Code.MAIL_UNSURE
    assert send(build()) == 0
    assert letter.request_id

    ledger.rule(letter.request_id, task.id, "retry" if what == "drop" else "done", at=AT)
    send(build())
    assert len(sink.to(ANNA)) == 1
    assert ledger.letter(letter.id).state is LetterState.SENT
    assert ledger.tasks() == []


def test_who_cannot_be_reached_keeps_nobody_waiting(ledger: Ledger, sink: Sink, build: Build) -> None:
    for address, kind in (
        ("gone@example.org", "refusal"), ("busy@example.org", "refusal"), (ANNA, "incomplete"), ("no address", "lapse"),
        (ANNA, "acknowledgement"),
    ):  # fmt: skip
        ask(ledger, address, kind)
    sink.replies |= {"gone@example.org": "550 5.1.1 who?", "busy@example.org": "450 4.2.1 later"}

    assert send(build()) == 1
    found = [(letter.kind, letter.state, letter.code) for letter in ledger.letters()]
    assert sorted(found) == [
        ("acknowledgement", "sent", ""),
        ("incomplete", "refused", "not_written"),
        ("lapse", "refused", "address"),
        ("refusal", "queued", "4.2.1"),
        ("refusal", "refused", "5.1.1"),
    ]
    assert codes(ledger) == [Code.MAIL_REFUSED] * 3
    left, delay = ledger.letters_left()
    assert left == 1
    assert delay > timedelta(seconds=50)


def test_a_server_that_is_away_changes_nothing(ledger: Ledger, sink: Sink, build: Build) -> None:
    letter = ask(ledger)
    sink.greets_senders_with = "454 4.7.0 not now"
    try:
        with pytest.raises(ApplicationError, match="busy"):
            send(build())
    finally:
        sink.greets_senders_with = ""

    assert ledger.letter(letter.id) == letter
    assert send(build()) == 1


def test_without_mail_a_letter_is_a_persons_task(ledger: Ledger, build: Build) -> None:
    letter = ask(ledger)

    assert send(build(mail=False)) == 0
    assert codes(ledger) == [Code.POST_OUT]
    assert ledger.letter(letter.id).post_by == AT.date() + timedelta(days=3)


# What comes back.


def mailbox(post: MailDevel, **changes: str) -> Mailbox:
    account = read_url(post.url(REPORTS), "x", plaintext=True)
    return Mailbox(account, domain="shop.example", own=("copies@shop.example",), **changes)


def report(message_id: str, *, action: str = "failed", status: str = "5.1.1", whom: str = ANNA) -> bytes:
    """A delivery report as mail servers write it (RFC 3464)."""
    raw = f"""From: MAILER-DAEMON@example.org
To: {REPORTS}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

I'm sorry.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; {whom}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 no such user {whom}

--b1
Content-Type: message/rfc822

From: privacy@shop.example
To: {whom}
Message-ID: <{message_id}@shop.example>
Subject: About

Dear reader.

--b1--
"""
    return raw.encode()


def deliver(post: MailDevel, raw: bytes) -> None:
    """Have a message lie in the mailbox of reports, which this server finds by its To."""
    raw = re.sub(rb"(?m)^To: .*\n", b"", raw.replace(b"\r\n", b"\n"), count=1)
    raw = (f"To: {REPORTS}\n".encode() + raw).replace(b"\n", b"\r\n")
    with smtplib.SMTP(HOST, post.smtp_port, timeout=30) as smtp:
        smtp.sendmail("mailer-daemon@example.org", [REPORTS], raw)


def sent_one(ledger: Ledger, build: Build, post: MailDevel, address: str = ANNA) -> Letter:
    """A letter that was sent, with all reports of before read."""
    look(build(mailbox(post)))
    letter = ask(ledger, address)
    send(build())
    return letter


def test_a_report_makes_its_letter_bounced_and_a_task(ledger: Ledger, build: Build, post: MailDevel) -> None:
    letter, other = sent_one(ledger, build, post), sent_one(ledger, build, post, "otto@example.org")
    deliver(post, report(letter.message_id))

    assert look(build(mailbox(post))).bounced == 1
    assert look(build(mailbox(post))).bounced == 0
    assert (ledger.letter(letter.id).state, ledger.letter(letter.id).code) == (LetterState.BOUNCED, "5.1.1")
    assert ledger.letter(other.id).state is LetterState.SENT
    assert codes(ledger) == [Code.BOUNCED]
    with post.login(REPORTS) as back_door:
        back_door.select_folder("INBOX", readonly=True)
        assert back_door.search("UNSEEN") == back_door.search("ALL")


def test_what_is_no_report_on_a_letter_of_ours_is_passed_over(ledger: Ledger, build: Build, post: MailDevel) -> None:
    letter = sent_one(ledger, build, post)
    genuine = report(letter.message_id)
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="x%d"\n\n--x%d\n' % (n, n) for n in range(400))
    odd = [
        report("f" * 32),
        report(letter.message_id, action="delayed", status="4.4.1"),
        report(letter.message_id, action="delivered", status="2.0.0"),
        report(letter.message_id, whom="copies@shop.example"),
        (genuine.replace(b"@shop.example>", b"@shop.example.evil>")),
        (genuine.replace(b"multipart/report", b"multipart/mixed")),
        (genuine.replace(b"message/delivery-status", b"text/plain")),
        f"Subject: Out of office\nReferences: <{letter.message_id}@shop.example>\n\nBack soon.".encode(),
        b"Content-Type: multipart/report\n" + nested,
        b"Content-Type: multipart/report; boundary=z\n\n" + (b"x" * 70 + b"\n") * 6_000,
        (genuine.replace(b"\n--b1\nContent-Type: text/plain\n", b"\n--b1\n\n" + (b"y" * 70 + b"\n") * 4_000)),
    ]
    for message in odd:
        deliver(post, message)

    assert look(build(mailbox(post))).bounced == 0
    assert ledger.letter(letter.id).state is LetterState.SENT
    assert ledger.tasks() == []
    deliver(post, report(letter.message_id))
    assert look(build(mailbox(post))).bounced == 1


def test_a_copy_proves_that_a_mail_went_out(ledger: Ledger, sink: Sink, build: Build, post: MailDevel) -> None:
    out, sink.at_the_end[:] = ask(ledger), ["hang up"]
    send(build())
    cut, sink.at_the_end[:] = ask(ledger, "otto@example.org"), ["drop"]
    send(build())
    for taken in sink.taken:
        deliver(post, taken.raw)

    look(build(mailbox(post, copies="INBOX"), patience=0))

    assert ledger.letter(out.id).state is LetterState.SENT
    assert ledger.letter(cut.id).state is LetterState.UNSURE
    assert codes(ledger) == [Code.MAIL_UNSURE]


def test_a_mailbox_that_is_away_is_said_and_settles_nothing(ledger: Ledger, sink: Sink, build: Build) -> None:
    letter, sink.at_the_end[:] = ask(ledger), ["drop"]
    send(build())
    away = Mailbox(read_url("imap://u:p@127.0.0.1:1", "x", plaintext=True), domain="shop.example", copies="Sent")

    with pytest.raises(ApplicationError, match="unreachable"):
        look(build(away, patience=0))
    assert ledger.letter(letter.id).state is LetterState.SENDING
