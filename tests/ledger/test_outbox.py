"""The outbox: delivered at least once, claimed by one at a time, in order."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ledger.ledger import Ledger
from rights.request import Phase
from tests.conftest import Database
from tests.ledger.builders import AT, opened_id
from tests.ledger.conftest import Door


def test_a_message_is_claimed_by_one(ledger: Ledger) -> None:
    opened = {opened_id(ledger) for _ in range(60)}
    start = threading.Barrier(6)

    def claim(_: int) -> list[str]:
        start.wait()
        mine: list[str] = []
        while messages := ledger.claim(4):
            assert len(messages) <= 4
            mine += [message.request_id for message in messages]
        return mine

    with ThreadPoolExecutor(6) as pool:
        claimed = [one for share in pool.map(claim, range(6)) for one in share]

    assert len(claimed) == 60
    assert set(claimed) == opened
    assert ledger.backlog() == 60


def test_what_was_delivered_does_not_come_again(ledger: Ledger, door: Door) -> None:
    first, second = (opened_id(ledger) for _ in range(2))
    messages = ledger.claim(10)
    assert [(message.kind, message.request_id) for message in messages] == [("start", first), ("start", second)]

    ledger.delivered([message.id for message in messages])

    door("UPDATE outbox SET due_at = now() - interval '1 hour'")
    assert ledger.claim(10) == []
    assert ledger.backlog() == 0


def test_a_killed_dispatchers_messages_are_taken_up_again(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    assert len(ledger.claim(10)) == 1
    assert ledger.claim(10) == []

    door("UPDATE outbox SET due_at = due_at - interval '31 seconds'")

    assert [message.request_id for message in ledger.claim(10)] == [request_id]


def test_a_failed_message_waits_longer_each_time(ledger: Ledger, door: Door) -> None:
    opened_id(ledger)
    pauses = []
    for _ in range(9):
        door("UPDATE outbox SET due_at = now()")
        ledger.delivered([], [message.id for message in ledger.claim(1)])
        pauses += door("SELECT round(extract(epoch FROM due_at - clock_timestamp()))::int FROM outbox")

    assert [pause for (pause,) in pauses] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_messages_of_one_request_go_out_in_order(ledger: Ledger) -> None:
    request_id, other = opened_id(ledger), opened_id(ledger)
    ledger.confirm_identity(request_id, at=AT)
    ledger.move(request_id, Phase.LOCATING, at=AT)
    ledger.withdraw(request_id, at=AT)

    first = ledger.claim(10)
    assert [(one.kind, one.request_id) for one in first] == [("start", request_id), ("start", other)]
    assert ledger.claim(10) == []
    ledger.delivered([first[0].id])
    (second,) = ledger.claim(10)
    assert second.kind == "confirm_identity"
    ledger.delivered([second.id])
    assert [one.kind for one in ledger.claim(10)] == ["withdraw"]


def test_an_announcement_waits_once(ledger: Ledger) -> None:
    ledger.announce("reconcile", at=AT)
    ledger.announce("reconcile", at=AT)

    (message,) = ledger.claim(10)
    assert (message.kind, message.request_id) == ("reconcile", "")
    ledger.delivered([message.id])
    ledger.announce("reconcile", at=AT)
    assert len(ledger.claim(10)) == 1


def test_waiting_ends_with_the_commit_of_a_message(
    make_ledger: Callable[..., Ledger], ledger: Ledger, tables: Database
) -> None:
    dispatcher, neighbour = make_ledger(tables.url), make_ledger(tables.url, tenant="other")
    assert dispatcher.wait(0.0)  # a fresh connection: something may have been missed
    assert not dispatcher.wait(0.1)

    def post() -> float:
        time.sleep(0.3)
        opened_id(neighbour)
        time.sleep(0.3)
        begun = time.monotonic()
        opened_id(ledger)
        return begun

    with ThreadPoolExecutor(1) as pool:
        posted = pool.submit(post)
        assert dispatcher.wait(60)
        woken = time.monotonic()

    assert 0 < woken - posted.result() < 30  # not by the neighbour's, and long before the time was over
    assert [message.kind for message in dispatcher.claim(10)] == ["start"]


def test_waiting_outlives_a_lost_connection(ledger: Ledger, door: Door) -> None:
    ledger.wait(0)
    door(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' AND pid <> pg_backend_pid()"
    )

    assert not ledger.wait(0.2)
    assert ledger.wait(0.2)
    assert not ledger.wait(0.1)


def test_a_delivered_message_is_forgotten_after_a_week_and_no_other(ledger: Ledger, door: Door) -> None:
    old, fresh, waiting = (opened_id(ledger) for _ in range(3))
    sent = {message.request_id: message.id for message in ledger.claim(2)}
    ledger.delivered(sent.values())
    door("UPDATE outbox SET sent_at = now() - interval '8 days' WHERE request_id = %s", old)
    door("UPDATE outbox SET at = now() - interval '80 days' WHERE request_id = %s", waiting)

    assert ledger.purge_sent() == 1

    assert {request for (request,) in door("SELECT request_id FROM outbox")} == {fresh, waiting}
    assert ledger.purge_sent() == 0
