"""Whose a message is, what becomes of it, and how it is given, on a real Dovecot."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.conformance import Gate, Trial
from connectors.errors import NeedsHuman, Unsupported
from connectors.mailbox import build
from connectors.protocol import Call, Export, Rulings
from connectors.registry import kinds
from rights.codes import Code
from rights.subject import Identity, Sharing
from tests.connectors.dovecot import Dovecot, needs_dovecot
from tests.connectors.mail_place import shared_dovecot
from tests.connectors.mailbox_bench import GOES, SUPPORT, DovecotBench, digest_of, system_of

__all__ = ["shared_dovecot"]

pytestmark = needs_dovecot

ANNA = "anna@x.example"
MEBIBYTE = 1 << 20


@pytest.fixture
def bench(dovecot: Dovecot) -> Iterator[DovecotBench]:
    bench = DovecotBench(dovecot)
    bench.mark("conformance")
    yield bench
    bench.close()


def message(*lines: str, body: str = "Hello", sender: str = ANNA) -> bytes:
    """A message to the support, with further header lines."""
    header = [f"From: {sender}", f"To: {SUPPORT}", *lines]
    return "\r\n".join([*header, "", body, ""]).encode()


def asking(bench: DovecotBench, *identities: Identity, **differs: Any) -> Call:
    """A call about Anna, or about whom is named."""
    call = Trial(bench).call(identities or [Identity("email", ANNA)])
    return replace(call, **differs)


def files(bench: DovecotBench, call: Call) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """What an export gives: the table, and the messages by name."""
    table: list[dict[str, Any]] = []
    messages: dict[str, bytes] = {}
    for part in bench.connector.export(call):
        assert isinstance(part, Export)
        body = b"".join(part.pages)
        if part.name:
            messages[part.name] = body
        elif part.media_type == "application/x-ndjson":
            table = [json.loads(line) for line in body.splitlines()]
        else:
            assert len(list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))) == 1 + len(table)
    return table, messages


def left(bench: DovecotBench) -> set[str]:
    """The digests of all messages that are there."""
    return {key[-1] for key in bench.everything()["messages"]}


def test_the_map_names_it_mailbox() -> None:
    assert "mailbox" in kinds()


@pytest.mark.parametrize(
    "line",
    [
        "Cc: Anna <ANNA@X.example>",
        'Cc: "Smith, Anna" <anna@x.example>, other@y.example',
        "Cc: Team: ben@y.example, anna@x.example;",
        "Cc: =?utf-8?q?=C3=84nna?= <anna@x.example>",
        "Cc: ben@y.example,\r\n\tanna@x.example",
        'To: "anna"@x.example',
        "Bcc: anna@x.example",
        "Reply-To: anna@x.example",
        "Sender: anna@x.example",
        "Return-Path: <anna@x.example>",
        "Delivered-To: anna@x.example",
        "Resent-To: anna@x.example",
        "Cc: anna@x.example <anna@x.example>",
        "Cc: Anna @ Shop <anna@x.example>",
    ],
)
def test_a_message_with_the_address_is_the_persons(bench: DovecotBench, line: str) -> None:
    bench.put("INBOX", message(line, sender="ben@y.example"))

    look = bench.connector.locate(asking(bench))

    assert (look.tally.found, look.candidates) == (1, ())


@pytest.mark.parametrize(
    "line",
    [
        "Cc: joanna@x.example",
        "Cc: anna@x.example.org",
        "Cc: anna@x.example-shop.org",
        "Cc: pre-anna@x.example",
        "Cc: anna+news@x.example",
        "Subject: write to anna@x.example",
        "X-Other: anna@x.example",
    ],
)
def test_a_message_with_another_address_is_not(bench: DovecotBench, line: str) -> None:
    digest = bench.put("INBOX", message(line, sender="ben@y.example"))

    assert bench.connector.locate(asking(bench)).tally.found == 0
    bench.connector.erase(asking(bench))
    assert left(bench) == {digest}


@pytest.mark.parametrize(
    "line",
    [
        'Cc: "anna@x.example" <list@y.example>',
        "Cc: anna@x.example <list@y.example>",
        "Cc: =?utf-8?q?anna=40x=2Eexample?= <list@y.example>",
        "Cc: list@y.example (for anna@x.example)",
    ],
)
def test_a_mention_is_a_question(bench: DovecotBench, line: str) -> None:
    digest = bench.put("INBOX", message(line, "Subject: Your order", sender="ben@y.example"))
    call = asking(bench)

    (candidate,) = bench.connector.locate(call).candidates

    assert candidate.traits["subject"] == "Your order"
    for act in (bench.connector.erase, lambda c: list(bench.connector.export(c)), bench.connector.restrict):
        with pytest.raises(NeedsHuman) as caught:
            act(call)
        assert caught.value.code is Code.SEVERAL_PEOPLE
    assert left(bench) == {digest}


def test_a_header_that_is_broken_hides_nobody(bench: DovecotBench) -> None:
    raws = [
        b"From: \xc4nna <anna@x.example>\r\nTo: x@y.example\r\n\r\nLatin-1\r\n",
        b"From: Anna <anna@x.example\r\nTo: x@y.example\r\n\r\nno bracket\r\n",
        b"no colon here\r\nFrom: anna@x.example\r\n\r\nbroken line\r\n",
        b"From:anna@x.example\r\nSubject: =?utf-8?b?!!!?=\r\nDate: never\r\n\r\n",
    ]
    for raw in raws:
        bench.put("INBOX", raw)

    look = bench.connector.locate(asking(bench))

    assert look.tally.found == len(raws)


def test_a_header_longer_than_what_is_read_is_a_question(bench: DovecotBench) -> None:
    padding = [f"X-Padding-{number}: {'x' * 900}" for number in range(300)]
    bench.put("INBOX", message(*padding, f"Cc: {ANNA}", sender="ben@y.example"))

    assert len(bench.connector.locate(asking(bench)).candidates) == 1


def test_letters_that_are_not_shown_hide_nobody(bench: DovecotBench) -> None:
    address = "an\u00adna@x.example"
    bench.put("INBOX", message(sender=address))

    assert bench.connector.locate(asking(bench, Identity("email", address))).tally.found == 1


def test_a_domain_matches_in_both_ways_to_write_it(bench: DovecotBench) -> None:
    bench.put("INBOX", message("Cc: eva@xn--mnchen-3ya.example", sender="ben@y.example"))
    bench.put("INBOX", message("Cc: eva@m\u00fcnchen.example", sender="ben@y.example"))

    for value in ("eva@m\u00fcnchen.example", "eva@xn--mnchen-3ya.example"):
        assert bench.connector.locate(asking(bench, Identity("email", value))).tally.found == 2


@pytest.mark.parametrize(("theirs", "mine"), [("from", {"by"}), ("to", {"to"}), ("any", {"by", "to"})])
def test_the_map_says_which_side_is_the_persons(dovecot: Dovecot, theirs: str, mine: set[str]) -> None:
    bench = DovecotBench(dovecot, GOES.replace("{own:", f"{{theirs: {theirs}, own:"))
    bench.mark("conformance")
    bench.put("INBOX", message("Subject: by"))
    bench.put("Sent", message(f"Cc: {ANNA}", "Subject: to", sender=SUPPORT))

    table, _ = files(bench, asking(bench))

    assert {row["subject"] for row in table} == mine
    bench.close()


def test_folders_are_left_out_with_all_below_them(dovecot: Dovecot) -> None:
    bench = DovecotBench(dovecot, GOES.replace("{own:", "{exclude: [Kunden], own:"))
    for folder in ("INBOX", "Kunden/Ängste & Co", "Trash"):
        bench.put(folder, message())

    assert bench.connector.locate(asking(bench)).tally.found == 2

    bench.close()


def test_a_find_in_the_text_is_a_question_and_stays_answered_wherever_it_is_moved(bench: DovecotBench) -> None:
    digest = bench.put("INBOX", message(body="My number is 5550199", sender="ben@y.example"))
    call = asking(bench, Identity("phone", "5550199"))
    (candidate,) = bench.connector.locate(call).candidates
    with pytest.raises(NeedsHuman):
        bench.connector.erase(call)
    bench.door.select_folder("INBOX")
    bench.door.move([1], "Trash")

    theirs = replace(call, rulings=Rulings(others={"messages": frozenset({candidate.key})}))
    assert bench.connector.erase(theirs).found == 0
    assert left(bench) == {digest}
    ours = replace(call, rulings=Rulings(mine={"messages": frozenset({candidate.key})}))
    assert bench.connector.erase(ours).of("messages").erased == 1
    assert left(bench) == set()


@pytest.mark.parametrize("words", ["Jürgen", 'the "big" (one) {3}', "50%*", "a\\b", "ALL", "1:*"])
def test_words_are_looked_for_as_they_are(bench: DovecotBench, words: str) -> None:
    header = ("Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit")
    bench.put("INBOX", message(*header, body=f"I am {words}, hello", sender="ben@y.example"))
    bench.put("INBOX", message(*header, body="I am somebody else", sender="ben@y.example"))

    assert len(bench.connector.locate(asking(bench, Identity("phone", words))).candidates) == 1


def test_an_address_that_is_shared_is_a_question(bench: DovecotBench) -> None:
    bench.put("INBOX", message())

    look = bench.connector.locate(asking(bench, Identity("email", ANNA, Sharing.SHARED)))

    assert len(look.candidates) == 1


@pytest.mark.parametrize(
    "line",
    ["X-Habeas-Request: 01reqa", "Subject: Re: your data [habeas 01reqa]", "Cc: privacy+01reqa@shop.example"],
)
def test_the_requests_own_correspondence_is_kept_and_said(bench: DovecotBench, line: str) -> None:
    kept = bench.put("INBOX", message(line))
    bench.put("INBOX", message("Subject: [habeas 01reqb]"))
    call = asking(bench, key="01reqa/support/erase/0")

    tally = bench.connector.erase(call)

    assert left(bench) == {kept}
    assert [(part.ground, part.rows) for part in tally.of("messages").kept] == [("this request", 1)]
    after = bench.connector.verify(replace(call, anchors=bench.connector.locate(call).anchors)).tally
    assert (after.found, after.left) == (1, 0)


def test_what_others_have_marked_for_deletion_stays(bench: DovecotBench) -> None:
    theirs = bench.put("INBOX", message(sender="ben@y.example"), b"\\Deleted")
    bench.put("INBOX", message())

    bench.connector.erase(asking(bench))

    assert left(bench) == {theirs}
    assert b" EXPUNGE " in bytes(bench.proxy.said)
    assert b"CLOSE" not in bytes(bench.proxy.said)


def test_copies_in_trash_and_elsewhere_go_too(bench: DovecotBench) -> None:
    for folder in ("INBOX", "Trash", "Spam", "Kunden/Ängste & Co"):
        bench.put(folder, message("Message-ID: <one@x.example>"))

    assert bench.connector.erase(asking(bench)).of("messages").erased == 4
    assert left(bench) == set()


def test_verify_finds_a_message_by_what_it_was_when_nothing_else_tells(bench: DovecotBench) -> None:
    bench.put("INBOX", message("Message-ID: <one@x.example>"))
    anchors = bench.connector.locate(asking(bench)).anchors
    bench.connector.erase(asking(bench, anchors=anchors))
    nobody = asking(bench, Identity("email", "nobody@z.example"), anchors=anchors)
    assert bench.connector.verify(nobody).tally.found == 0

    bench.put("Trash", message("Message-ID: <one@x.example>"))

    assert bench.connector.verify(nobody).tally.left == 1


def test_messages_of_others_are_read_by_an_agent_before_they_are_delivered(bench: DovecotBench) -> None:
    bench.put("INBOX", message("Subject: mine alone"))
    bench.put("INBOX", message("Subject: with Ben", "Cc: ben@y.example"))
    bench.put("INBOX", message("Subject: with Eva", "Cc: eva@z.example"))
    call = asking(bench)

    with pytest.raises(NeedsHuman) as caught:
        next(iter(bench.connector.export(call)))

    assert (caught.value.code, caught.value.about) == (Code.THIRD_PARTIES, "messages")
    by_subject = {str(one.traits["subject"]): one.key for one in caught.value.candidates}
    assert by_subject.keys() == {"with Ben", "with Eva"}
    rulings = Rulings(
        mine={"messages": frozenset({by_subject["with Ben"]})}, others={"messages": frozenset({by_subject["with Eva"]})}
    )
    table, messages = files(bench, replace(call, rulings=rulings))
    assert {row["subject"] for row in table} == {"mine alone", "with Ben"}
    assert set(messages) == {row["file"] for row in table}
    assert bench.connector.locate(call).candidates == (), "it stands in the way of no erasure"


def test_a_map_may_want_everything_read_or_nothing(dovecot: Dovecot) -> None:
    for review, asked in (("everything", True), ("nothing", False)):
        bench = DovecotBench(dovecot, GOES.replace("{own:", f"{{review: {review}, own:"))
        bench.put("INBOX", message("Cc: ben@y.example"))
        if asked:
            with pytest.raises(NeedsHuman):
                files(bench, asking(bench))
        else:
            assert len(files(bench, asking(bench))[1]) == 1
        bench.close()


BROKEN = [
    b"From: anna@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nno end",
    b"From: anna@x.example\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff\xfe words\r\n",
    b"From: anna@x.example\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!=\r\n",
    b"From: anna@x.example\r\nSubject: \xff\xfe raw\r\nContent-Type: ;;;\r\n\r\nwords\r\n",
    b"From: anna@x.example\r\nContent-Disposition: attachment; filename*=utf-8''%ZZ;\r\n\r\nx\r\n",
    b"From: anna@x.example\r\nContent-Type: message/rfc822\r\n\r\nFrom: inner@y.example\r\n\r\nx\r\n",
    b"From: anna@x.example\r\nSubject: =?unicode-escape?q?=5Cud800?=\r\n\r\nx\r\n",
    b"From: anna@x.example\r\n\r\n",
]


def test_malformed_mail_is_given_byte_for_byte(bench: DovecotBench) -> None:
    for raw in BROKEN:
        bench.put("INBOX", raw)

    table, messages = files(bench, asking(bench))

    assert sorted(messages.values()) == sorted(BROKEN)
    assert len(table) == len(BROKEN)


def test_words_and_attachments_are_decoded(bench: DovecotBench) -> None:
    parts = (
        "--b\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "<p>Gr=FC=DFe</p><script>bad()</script><p>Anna</p>\r\n"
        "--b\r\nContent-Type: application/pdf\r\n"
        "Content-Disposition: attachment; filename*=utf-8''%C3%84rger.pdf\r\n\r\nx\r\n--b--\r\n"
    )
    bench.put(
        "INBOX", message('Content-Type: multipart/mixed; boundary="b"', "Subject: =?utf-8?q?=C3=84?=", body=parts)
    )

    ((row,), _) = files(bench, asking(bench))

    assert (row["subject"], row["text"], row["attachments"]) == ("Ä", "Grüße\nAnna", ["Ärger.pdf"])
    assert row["address"] == ANNA


def test_a_large_attachment_is_given_whole_in_flat_memory(bench: DovecotBench) -> None:
    block = ("QUJD" * 19 + "\r\n") * 13_000
    parts = (
        "--b\r\nContent-Type: text/plain\r\n\r\nSee attachment\r\n"
        "--b\r\nContent-Type: application/zip\r\nContent-Disposition: attachment; filename=big.zip\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{block * 10}\r\n--b--\r\n"
    )
    raw = message('Content-Type: multipart/mixed; boundary="b"', body=parts)
    assert len(raw) > 10 * MEBIBYTE * 0.9
    digest = bench.put("INBOX", raw)
    read, rows = b"", []
    del parts, block

    tracemalloc.start()
    base, _ = tracemalloc.get_traced_memory()
    most = 0
    size = 0
    for part in bench.connector.export(asking(bench)):
        for page in part.pages:
            size += len(page)
            if part.name:
                assert page in (raw[size - len(page) : size],)
            elif part.media_type == "application/x-ndjson":
                rows.append(page)
        size = 0 if not part.name else size
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (size, digest) == (len(raw), digest_of(raw))
    assert most - base < 4 * MEBIBYTE
    row = json.loads(b"".join(rows) + read)
    assert (row["text"].strip(), row["attachments"]) == ("See attachment", ["big.zip"])


def test_tls_is_checked(dovecot: Dovecot, bench: DovecotBench) -> None:
    bench.put("INBOX", message())
    account = bench.user.replace("@", "%40")
    trusting = GOES.replace("plaintext: true", f"ca_file: {dovecot.certificate}")
    for scheme, port in (("imaps", dovecot.tls_port), ("imap", dovecot.port)):
        url = f"{scheme}://{account}:open@localhost:{port}"
        assert build(system_of(trusting), {"reader": url}).locate(asking(bench)).tally.found == 1
        with pytest.raises(NeedsHuman) as caught:
            build(system_of(GOES.replace("plaintext: true, ", "")), {"reader": url}).locate(asking(bench))
        assert caught.value.code is Code.CREDENTIALS


def test_without_a_writer_nothing_is_destroyed(bench: DovecotBench) -> None:
    digest = bench.put("INBOX", message())
    connector = build(bench.system, {"reader": bench.url})

    with pytest.raises(NeedsHuman) as caught:
        connector.erase(asking(bench))

    assert caught.value.code is Code.NO_WRITER
    assert left(bench) == {digest}


def test_what_looks_like_gmail_is_read_and_not_erased() -> None:
    with Dovecot(more="imap_capability = +X-GM-EXT-1", namespace="mailbox All {\n special_use = \\All\n}") as server:
        bench = DovecotBench(server, GOES, ("INBOX", "All"))
        bench.mark("conformance")
        bench.put("INBOX", message())
        bench.put("All", message())

        assert bench.connector.locate(asking(bench)).tally.found == 1, "a label is no second message"
        for act in (bench.connector.erase, bench.connector.restrict):
            with pytest.raises(Unsupported):
                act(asking(bench, fence=Gate()))
        assert len(bench.everything()["messages"]) == 2
        bench.close()


def test_a_folder_that_shows_all_others_is_not_counted() -> None:
    with Dovecot(namespace="mailbox All {\n special_use = \\All\n}") as server:
        bench = DovecotBench(server, GOES, ("INBOX", "All"))
        for folder in ("INBOX", "All"):
            bench.put(folder, message())

        assert bench.connector.locate(asking(bench)).tally.found == 1
        bench.close()


@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        ("{own:", "{folders: [x], own:", "'folders' is unknown: write one of: theirs"),
        ("{own:", "{theirs: both, own:", "theirs is one of: from, to, any"),
        ("{own:", "{review: some, own:", "review is one of"),
        ("[shop.example]", "shop.example", "own is a list"),
        ("in_text: [phone]", "in_text: [fax]", "no field with an identity"),
        ("identity: phone, sharing: shared", "identity: phone", "write sharing: shared at 'phone'"),
        ("batch: 4", "batch: 0", "from 1 to 10,000"),
        ("timeout: 20", "timeout: 601", "from 1 to 600"),
        ("timeout: 20", "retries: 3", "'retries' is unknown"),
        ("subject: {", "colour: {", "'colour' is no field of a message"),
        ("uid, digest]", "uid]", r"key is \[folder, uidvalidity, uid, digest\]"),
        ("to: {category: contact}", "to: {category: contact, strategy: 'null'}", "cannot be rewritten"),
        ("size: {}", "size: {yields: number}", "only message_id yields"),
    ],
)
def test_a_map_that_cannot_be_done_is_refused_with_what_to_write(old: str, new: str, advice: str) -> None:
    text = GOES.replace(old, new)
    assert text != GOES

    with pytest.raises(ValueError, match=advice):
        build(system_of(text), {"reader": "imaps://a:b@mail.example"})


@pytest.mark.parametrize(
    ("url", "plaintext", "advice"),
    [
        ("https://a:b@mail.example", False, "reader is not of the form"),
        ("imaps://mail.example", False, "reader is not of the form"),
        ("imaps://a:b@mail.example:port", False, "reader is not of the form"),
        ("imaps://a:secret/x@mail.example", False, "reader is not of the form"),
        ("imap://a:b@mail.example", True, "on this machine only"),
    ],
)
def test_an_address_that_is_none_is_refused_and_not_quoted(url: str, plaintext: bool, advice: str) -> None:
    text = GOES if plaintext else GOES.replace("plaintext: true, ", "")

    with pytest.raises(ValueError, match=advice) as caught:
        build(system_of(text), {"reader": url})

    assert "secret" not in str(caught.value)


def test_a_message_id_may_be_a_link_to_other_systems(dovecot: Dovecot) -> None:
    bench = DovecotBench(dovecot, GOES.replace("message_id: {}", "message_id: {yields: mail_id}"))
    bench.put("INBOX", message("Message-ID: <one@x.example>"))

    assert bench.connector.locate(asking(bench)).links == (Identity("mail_id", "<one@x.example>"),)

    bench.close()
