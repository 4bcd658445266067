"""Letters of a request, from the commit that owes them to the mail server, and back as a report or a task."""

import pytest

from tests.smtp_sink import Sink
from tests.stories.copies import Habeas
from tests.world import World

ANNA = "c7@shop.example"


@pytest.fixture
def habeas(world: World, sink: Sink) -> Habeas:
    """A deployment whose letters go to a mail server with STARTTLS."""
    world.set_up_mail(host="localhost", port=sink.port, ca_file=str(sink.certificate))
    return Habeas(world)


def states(habeas: Habeas, request: str) -> dict[str, str]:
    letters = habeas.json("letter", "outbox", "--request", request)["letters"]
    return {letter["kind"]: letter["state"] for letter in letters}


@pytest.mark.soak
def test_receipt_and_answer_are_told_by_one_mail_each(habeas: Habeas, sink: Sink) -> None:
    world = habeas.world
    world.start_worker()
    request = world.open("erasure", [("email", ANNA)])
    world.wait_closed(request)
    world.wait(lambda: states(habeas, request) == {"acknowledgement": "sent", "answer_erasure": "sent"}, 30, "letters")

    received, answered = sink.to(ANNA)
    for taken in (received, answered):
        assert taken.encrypted
        assert taken.mail["X-Habeas-Request"] == request
        assert "dpo@shop.example" in taken.mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert ANNA not in taken.mail["Subject"]
    assert received.mail["Message-ID"] != answered.mail["Message-ID"]
    assert "18" in answered.mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    (letter,) = [one for one in world.ledger.letters(request) if one.kind == "answer_erasure"]
    assert ANNA not in habeas("letter", "show", letter.id)
    assert f"To: {ANNA}" in habeas("letter", "show", letter.id, "--text")
    assert ANNA not in world.log


@pytest.mark.soak
def test_nobody_to_write_to_and_no_mail_change_nothing(habeas: Habeas, sink: Sink) -> None:
    world = habeas.world
    world.start_worker()
    by_number = world.open("access", [("customer_id", "9")])
    world.wait_closed(by_number)

    assert states(habeas, by_number) == {}
    assert sink.taken == []


@pytest.mark.soak
def test_a_letter_that_is_refused_waits_for_a_person_and_is_posted(habeas: Habeas, sink: Sink) -> None:
    world = habeas.world
    sink.replies[ANNA] = "550 5.1.1 who?"
    world.start_worker()
    request = world.open("erasure", [("email", ANNA)])
    task = world.wait_task(request, "mail_refused")
    world.wait_closed(request)

    habeas("request", "rule", request, "done", "--task", task, "--on", str(world.now().date()))
    world.wait(lambda: "posted" in states(habeas, request).values(), 30, "the ruling")
    second = world.wait_task(request, "mail_refused")
    sink.replies.clear()
    habeas("request", "rule", request, "retry", "--task", second)
    world.wait(lambda: sorted(states(habeas, request).values()) == ["posted", "sent"], 30, "the second mail")
    assert len(sink.to(ANNA)) == 1
