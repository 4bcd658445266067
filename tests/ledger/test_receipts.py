"""Receipts: looks are appended, acts are settled once."""

import threading
from concurrent.futures import ThreadPoolExecutor

from ledger.ledger import Ledger
from rights.plan import Operation
from rights.receipt import Outcome
from tests.ledger.builders import a_receipt, a_step, later, opened_id
from tests.ledger.conftest import Door


def test_every_look_is_appended(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    step = a_step(request_id, Operation.LOCATE)
    looks = [a_receipt(step, at=later(minutes=n), customers=n) for n in range(3)]

    assert [ledger.keep_receipt(look) for look in looks] == looks
    assert ledger.receipts(request_id) == looks
    assert ledger.settled(step.key) is None


def test_an_act_is_tried_until_one_receipt_is_settled(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    step = a_step(request_id)
    blocked = a_receipt(step, Outcome.NEEDS_HUMAN)
    done = a_receipt(step, Outcome.RETAINED, at=later(hours=1), orders=3)

    assert ledger.keep_receipt(blocked) == blocked
    assert ledger.settled(step.key) is None
    assert ledger.keep_receipt(done) == done
    assert ledger.settled(step.key) == done
    assert ledger.receipts(request_id) == [blocked, done]


def test_whoever_comes_after_a_settled_receipt_is_given_it(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    step = a_step(request_id)
    first = ledger.keep_receipt(a_receipt(step, customers=1))

    assert ledger.keep_receipt(a_receipt(step, at=later(hours=1), customers=9)) == first
    assert ledger.keep_receipt(a_receipt(step, Outcome.NEEDS_HUMAN, at=later(hours=2))) == first
    assert ledger.receipts(request_id) == [first]


def test_the_same_step_of_another_round_is_another_act(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    receipts = [a_receipt(a_step(request_id, round=n)) for n in range(2)]

    assert [ledger.keep_receipt(one) for one in receipts] == receipts


def test_of_many_that_settle_at_once_one_stands(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    step = a_step(request_id)
    start = threading.Barrier(8)

    def settle(number: int) -> int:
        start.wait()
        return ledger.keep_receipt(a_receipt(step, customers=number)).tally.found

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(settle, range(1, 9)))

    assert len(answers) == 1
    assert door("SELECT count(*) FROM entries WHERE kind = 'settled'") == [(1,)]
    settled = ledger.settled(step.key)
    assert settled is not None
    assert {settled.tally.found} == answers
    assert ledger.verify().sound
