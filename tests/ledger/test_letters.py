"""Letters in the ledger: queued once, sent once, and what people say of them."""

from datetime import date, timedelta

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel, Letter, LetterState, queue_letter
from rights.codes import Code
from tests.ledger.builders import AT, close_one, opened_id
from tests.ledger.conftest import Door

ADDRESS = "anna@example.org"


def ask(ledger: Ledger, *, reachable: bool = True) -> str:
    """A request, whose asker can be written to or not."""
    request = opened_id(ledger)
    if reachable:
        ledger.seal(request, "working", REPLY, Channel("email", ADDRESS).sealed(), at=AT)
    return request


def queue(ledger: Ledger, request: str, kind: str = "refusal", **more: object) -> str | None:
    """Queue a letter in a transaction of its own."""
    with ledger._begin() as connection:
        return queue_letter(ledger, connection, request, kind, AT, **more)  # type: ignore[arg-type]


def queued(ledger: Ledger, request: str) -> Letter:
    name = queue(ledger, request, said=b"{}")
    assert name
    return ledger.letter(name)


def sent(ledger: Ledger, request: str) -> Letter:
    letter = queued(ledger, request)
    assert ledger.begin_sending(letter, b"as sent", at=AT)
    assert ledger.letter_sent(letter, at=AT)
    return ledger.letter(letter.id)


def test_the_same_letter_is_queued_once(ledger: Ledger, door: Door) -> None:
    request = ask(ledger)

    first, again, second = queue(ledger, request), queue(ledger, request), queue(ledger, request, number=1)

    assert first == again != second
    assert door("SELECT count(*) FROM letters") == [(2,)]
    assert door("SELECT count(*) FROM outbox WHERE kind = 'letters'") == [(1,)]


def test_neither_address_nor_text_lies_in_a_column(ledger: Ledger, door: Door) -> None:
    sent(ledger, ask(ledger))

    for table in ("letters", "entries", "outbox", "tasks"):
        assert ADDRESS not in str(door(f"SELECT * FROM {table}"))
        assert "as sent" not in str(door(f"SELECT * FROM {table}"))
    assert ledger.unseal(ledger.letters()[0].case_id, "file", "letter/refusal/0/text") == b"as sent"


def test_of_two_workers_one_sends(ledger: Ledger) -> None:
    letter = queued(ledger, ask(ledger))

    assert ledger.begin_sending(letter, at=AT)
    assert not ledger.begin_sending(letter, at=AT)


def test_a_letter_whose_sending_was_cut_is_not_sent_again_by_itself(ledger: Ledger) -> None:
    letter = queued(ledger, ask(ledger))
    ledger.begin_sending(letter, at=AT)

    assert ledger.letters_to_send(10) == []
    assert ledger.letters_in_doubt(timedelta(hours=1), 10) == []
    assert [one.id for one in ledger.letters_in_doubt(timedelta(0), 10)] == [letter.id]

    assert ledger.letter_unsure(letter, at=AT)
    assert ledger.letters_to_send(10) == []
    assert [task.code for task in ledger.tasks()] == [Code.MAIL_UNSURE]


def test_what_is_put_off_waits(ledger: Ledger) -> None:
    letter = queued(ledger, ask(ledger))
    ledger.begin_sending(letter, at=AT)
    ledger.letter_put_off(letter, "451", timedelta(hours=1), at=AT)

    assert ledger.letters_to_send(10) == []
    left, delay = ledger.letters_left()
    assert left == 1
    assert timedelta(minutes=59) < delay <= timedelta(hours=1)


def test_a_bounce_is_a_task_and_a_retry_is_another_mail(ledger: Ledger) -> None:
    request = ask(ledger)
    letter = sent(ledger, request)

    assert ledger.letter_bounced(letter.message_id, "5.1.1", at=AT)
    assert ledger.letter_bounced(letter.message_id, "5.1.1", at=AT) is None
    (task,) = ledger.tasks()
    assert task.code is Code.BOUNCED

    assert ledger.rule(request, task.id, "retry", at=AT)
    again = ledger.letter(letter.id)
    assert again.state is LetterState.QUEUED
    assert again.message_id != letter.message_id
    assert ledger.tasks() == []
    # A report on the first mail that comes late says nothing of the second.
    assert ledger.letter_bounced(letter.message_id, "5.1.1", at=AT) is None


def test_a_mail_that_is_under_way_or_has_arrived_is_not_sent_anew(ledger: Ledger) -> None:
    letter = sent(ledger, ask(ledger))

    with pytest.raises(LedgerRefusal, match="only one that did not arrive"):
        ledger.resend_letter(letter.id, at=AT)
    assert ledger.letter(letter.id) == letter


def test_whoever_cannot_be_written_to_is_a_task_with_a_date(ledger: Ledger) -> None:
    request = ask(ledger, reachable=False)
    assert queue(ledger, request, "acknowledgement", only_if_known=True) is None

    name = queue(ledger, request, post_by=date(2026, 3, 12))
    assert name
    (task,) = ledger.tasks()
    assert (task.code, task.about, task.due_on) == (Code.POST_OUT, "refusal", date(2026, 3, 12))
    with pytest.raises(LedgerRefusal, match="still to come"):
        ledger.rule(request, task.id, "done", at=AT, on=AT.date() + timedelta(days=1))
    with pytest.raises(LedgerRefusal, match="post the letter"):
        ledger.rule(request, task.id, "retry", at=AT)

    assert ledger.rule(request, task.id, "done", at=AT, on=AT.date() - timedelta(days=1))
    assert not ledger.rule(request, task.id, "done", at=AT)
    assert ledger.letter(name).state is LetterState.POSTED
    ruled = [event for event in ledger.standing(request).events if event.kind == "letter_ruled"]
    assert [event.body["on"] for event in ruled] == [str(AT.date() - timedelta(days=1))]


def test_post_that_is_waited_for_has_a_date_too(ledger: Ledger) -> None:
    request = ask(ledger)
    ledger.expect_post(request, "mandate", date(2026, 3, 19), at=AT)
    ledger.expect_post(request, "mandate", date(2026, 3, 19), at=AT)

    (task,) = ledger.tasks()
    assert (task.code, task.about, task.due_on) == (Code.POST_IN, "mandate", date(2026, 3, 19))
    with pytest.raises(LedgerRefusal, match="comes in or does not"):
        ledger.rule(request, task.id, "retry", at=AT)
    assert ledger.rule(request, task.id, "done", at=AT, on=AT.date())
    assert ledger.tasks() == []


def test_a_letter_is_still_to_be_posted_when_its_request_is_closed(ledger: Ledger) -> None:
    request = ask(ledger, reachable=False)
    queue(ledger, request)
    close_one(ledger, request)

    (task,) = ledger.tasks()
    assert ledger.rule(request, task.id, "done", at=AT)
    assert ledger.verify().sound


def test_a_letter_posted_after_midnight_was_posted_today_by_the_calendar_of_whoever_posted_it(ledger: Ledger) -> None:
    """In Berlin a day begins before it does in UTC."""
    request, night = ask(ledger, reachable=False), AT.replace(hour=23, minute=30)
    queue(ledger, request)
    (task,) = ledger.tasks()
    day = AT.date() + timedelta(days=1)
    with pytest.raises(LedgerRefusal, match="still to come"):
        ledger.rule(request, task.id, "done", at=night, on=day + timedelta(days=1))

    assert ledger.rule(request, task.id, "done", at=night, on=day)
