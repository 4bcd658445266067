"""A letter handed over to a real SMTP server: encrypted, whole, once, and with what became of it known."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.mails import REQUEST_HEADER, Written, as_mail, once
from activities.smtp import MailServer, PutOff, Refused, Session, Stopped, Unavailable, Unsure, deliverable
from tests.smtp_sink import Sink

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
ANNA = "anna@example.org"
WRITTEN = Written("Ihre Anfrage", "Grüße\n.\n..und ein Punkt\nEnde", "<p>Grüße</p>", b"%PDF-1.7 \x00\xff", "de")


def server(sink: Sink, **changes: object) -> MailServer:
    made = MailServer(
        host="localhost", port=sink.port, sender="privacy@shop.example", name="Shop", ca_file=str(sink.certificate)
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def mail(at: MailServer, to: str = ANNA, name: str = "Anna Berg") -> bytes:
    return as_mail(at, to, name, WRITTEN, "0" * 32, AT, {REQUEST_HEADER: "01req"})


def hand_over(at: MailServer, *, to: str = ANNA, note: bool = True) -> None:
    with Session(at) as session:
        session.hand_over(to, mail(at), lambda: note)


def test_a_mail_arrives_whole_over_tls(sink: Sink) -> None:
    hand_over(server(sink, returns="bounces@shop.example"))

    (taken,) = sink.taken
    assert taken.encrypted
    assert (taken.sender, taken.to) == ("bounces@shop.example", (ANNA,))
    got = taken.mail
    assert got["Message-ID"] == f"<{'0' * 32}@shop.example>"
    assert got[REQUEST_HEADER] == "01req"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Content-Language"] == "de"
    assert str(got["To"]) == "Anna Berg <anna@example.org>"
    body = got.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n").rstrip("\n") == WRITTEN.text
    html = got.get_body(("html",))
    assert html is not None
    assert "Grüße" in html.get_content()
    assert [part.get_content() for part in got.iter_attachments()] == [WRITTEN.pdf]


def test_the_same_letter_makes_the_same_mail_but_for_boundaries(sink: Sink) -> None:
    first, second = (mail(server(sink)) for _ in range(2))

    assert first.partition(b"Message-ID")[2].split(b"\r\n")[0] == second.partition(b"Message-ID")[2].split(b"\r\n")[0]


def test_without_starttls_nothing_is_said_to_the_server() -> None:
    with Sink(encrypts=False) as open_sink:
        with pytest.raises(Unavailable) as refusal:
            hand_over(server(open_sink, user="u", password="p"))
        assert refusal.value.code == "credentials"
        assert open_sink.taken == []


def test_a_certificate_that_is_not_the_servers_is_not_taken(sink: Sink) -> None:
    with pytest.raises(Unavailable):
        hand_over(server(sink, ca_file=""))
    with pytest.raises(Unavailable):
        hand_over(server(sink, host="127.0.0.1"))  # the certificate is for localhost
    assert sink.taken == []


def test_clear_text_stays_on_this_machine() -> None:
    with Sink(encrypts=False) as open_sink:
        hand_over(server(open_sink, clear=True))
        assert len(open_sink.taken) == 1


def test_what_the_server_puts_off_or_refuses_it_has_not_got(sink: Sink) -> None:
    sink.replies[ANNA] = "450 4.2.1 mailbox busy: anna"
    with pytest.raises(PutOff) as later:
        hand_over(server(sink))
    sink.replies[ANNA] = "550 no such user anna"
    with pytest.raises(Refused) as never:
        hand_over(server(sink))
    sink.replies.clear()
    sink.at_the_end += ["452 4.3.1 no room", "554 5.7.1 spam, says anna"]
    for wanted in (PutOff, Refused):
        with pytest.raises(wanted):
            hand_over(server(sink))

    # Codes alone: servers like to quote the address.
    assert (str(later.value), str(never.value)) == ("4.2.1", "550")
    assert sink.taken == []


def test_a_server_that_does_not_want_us_says_nothing_of_the_letter(sink: Sink) -> None:
    sink.greets_senders_with = "530 5.7.0 authenticate first"
    try:
        with pytest.raises(Unavailable):
            hand_over(server(sink))
    finally:
        sink.greets_senders_with = ""
    assert sink.taken == []


def test_a_letter_to_many_is_the_same_mail_made_once(sink: Sink) -> None:
    at, many = server(sink), once(WRITTEN)
    with Session(at) as session:
        for name, to in (("Anna Berg", ANNA), ("Ben", "ben@example.org")):
            text = as_mail(at, to, name, many, "0" * 32, AT, {REQUEST_HEADER: "01req"})
            session.hand_over(to, text, lambda: True)
    hand_over(at)

    anna, ben, alone = (taken.mail for taken in sink.taken)
    assert str(ben["To"]) == "Ben <ben@example.org>"
    headers = [[(name, str(value)) for name, value in one.items() if name != "Content-Type"] for one in (anna, alone)]
    assert headers[0] == headers[1]
    for one in (anna, ben):
        assert one.get_content_type() == alone.get_content_type()
        assert [part.get_content() for part in one.walk() if not part.is_multipart()] == [
            part.get_content() for part in alone.walk() if not part.is_multipart()
        ]


def test_who_is_refused_leaves_nothing_to_the_next_one(sink: Sink) -> None:
    at = server(sink)
    sink.replies["gone@example.org"] = "550 5.1.1 nobody here"
    with Session(at) as session:
        with pytest.raises(Refused):
            session.hand_over("gone@example.org", mail(at), lambda: True)
        session.hand_over(ANNA, mail(at), lambda: True)
        session.hand_over(ANNA, mail(at), lambda: True)

    assert [taken.to for taken in sink.taken] == [(ANNA,), (ANNA,)]


@pytest.mark.parametrize(("what", "taken"), [("hang up", 1), ("drop", 0)])
def test_a_line_that_dies_behind_the_text_leaves_it_open(sink: Sink, what: str, taken: int) -> None:
    sink.at_the_end.append(what)

    with pytest.raises(Unsure):
        hand_over(server(sink))
    assert len(sink.taken) == taken


def test_a_mail_taken_back_is_not_sent(sink: Sink) -> None:
    with pytest.raises(Stopped):
        hand_over(server(sink), note=False)
    assert sink.taken == []


def test_a_copy_goes_to_ourselves_in_the_same_breath(sink: Sink) -> None:
    hand_over(server(sink, copy_to="copies@shop.example"))
    (taken,) = sink.taken
    assert taken.to == (ANNA, "copies@shop.example")
    assert b"copies@shop.example" not in taken.raw

    sink.replies["copies@shop.example"] = "550 who?"
    with pytest.raises(Unavailable):
        hand_over(server(sink, copy_to="copies@shop.example"))
    assert len(sink.taken) == 1


HOSTILE = [
    "anna@example.org\r\nRCPT TO:<otto@example.org>", "anna@example.org, otto@example.org", "<anna@example.org>",
    "anna", "@example.org", "anna@", "a b@example.org", f"{'a' * 65}@example.org", "anna@example.org\x00", "",
]  # fmt: skip


@pytest.mark.parametrize("address", HOSTILE)
def test_what_is_no_address_gets_no_mail(sink: Sink, address: str) -> None:
    with pytest.raises(Refused):
        mail(server(sink), address)
    with Session(server(sink)) as session, pytest.raises(Refused):
        session.hand_over(address, b"x", lambda: True)
    assert sink.taken == []


NOWHERE = MailServer(host="localhost", port=1, sender="privacy@shop.example")


@given(name=st.text(max_size=200), subject=st.text(max_size=200), text=st.text(max_size=500))
def test_no_name_and_no_title_makes_a_header_of_its_own(name: str, subject: str, text: str) -> None:
    name, subject, text = (part.encode("utf-8", "replace").decode() for part in (name, subject, text))
    raw = as_mail(NOWHERE, ANNA, f"{name}\r\nBcc: x@y", Written(f"{subject}\r\nBcc: x@y", text), "0" * 32, AT, {})

    head = raw.partition(b"\r\n\r\n")[0]
    assert not [line for line in head.split(b"\r\n") if line.lower().startswith(b"bcc")]
    assert all(len(line) < 998 for line in raw.split(b"\r\n"))


@given(st.text())
def test_whatever_counts_as_an_address_is_one_word(text: str) -> None:
    if deliverable(text):
        assert len(text.split()) == 1
        assert text.count("@") == 1
