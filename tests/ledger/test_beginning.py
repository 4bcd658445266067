"""Requests begin many at a time, once; and a step reads all it needs at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.beginning import Begun
from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.plan import Operation, Plan, make_plan
from rights.request import Phase, Right
from rights.subject import Identity
from tests.ledger.builders import ANNA, AT, OTTO, a_map, a_receipt, a_step, close_one, enter, later, open_one, opened_id
from tests.ledger.conftest import Door

MAP = a_map()
PLANS = {right: make_plan(right, MAP, AT) for right in (Right.ACCESS, Right.ERASURE)}


def plan_for(right: Right, regimes: tuple[str, ...]) -> Plan:
    return PLANS[right]


def begin(ledger: Ledger, *request_ids: str) -> dict[str, Begun]:
    return {one.request.id: one for one in ledger.begin(request_ids, MAP, plan_for, at=AT)}


def test_what_begins_is_pinned_planned_and_on_its_way(ledger: Ledger) -> None:
    erasure = open_one(ledger, confirmed=True).request_id
    access = open_one(ledger, OTTO, right=Right.ACCESS, confirmed=True).request_id

    begun = begin(ledger, erasure, access)

    assert all(one.new and one.request.phase is Phase.LOCATING for one in begun.values())
    assert {one.request.map_digest for one in begun.values()} == {MAP.digest}
    assert ledger.plan(erasure) == PLANS[Right.ERASURE]
    assert ledger.plan(access) == PLANS[Right.ACCESS]
    assert begun[erasure].history_key == ledger.history_key(erasure) != begun[access].history_key


def test_whoever_is_not_confirmed_is_waited_for_without_a_plan(ledger: Ledger) -> None:
    request_id = opened_id(ledger)

    assert begin(ledger, request_id)[request_id].request.phase is Phase.CONFIRMING
    assert ledger.plan(request_id) is None


def test_the_journal_tells_a_beginning_as_it_tells_its_parts(ledger: Ledger, door: Door) -> None:
    together = open_one(ledger, confirmed=True).request_id
    apart = open_one(ledger, OTTO, confirmed=True).request_id
    begin(ledger, together)
    ledger.pin_map(apart, MAP, at=AT)
    ledger.move(apart, Phase.LOCATING, at=AT)
    ledger.keep_plan(apart, 0, PLANS[Right.ERASURE], at=AT)

    said = "SELECT kind, body FROM entries WHERE request_id = %s AND kind <> 'opened' ORDER BY seq"
    assert door(said, together) == door(said, apart)
    assert len(door(said, together)) == 3
    assert ledger.verify().findings == ()


def test_what_has_begun_is_left_as_it_stands(ledger: Ledger, door: Door) -> None:
    request_id = open_one(ledger, confirmed=True).request_id
    closed = opened_id(ledger, identities=OTTO)
    close_one(ledger, closed)
    begin(ledger, request_id)
    ledger.move(request_id, Phase.FULFILLING, at=AT)
    written = door("SELECT count(*) FROM entries")

    again = begin(ledger, request_id, closed, "unknown")

    assert again.keys() == {request_id, closed}
    assert not any(one.new for one in again.values())
    assert again[request_id].request.phase is Phase.FULFILLING
    assert again[closed].request.phase is Phase.CLOSED
    assert door("SELECT count(*) FROM entries") == written


def test_of_two_that_begin_the_same_one_does(ledger: Ledger) -> None:
    ids = [open_one(ledger, (Identity("customer_id", str(n)),), confirmed=True).request_id for n in range(20)]
    barrier = threading.Barrier(4)

    def one(_: int) -> int:
        barrier.wait()
        return sum(found.new for found in ledger.begin(ids, MAP, plan_for, at=AT))

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(one, range(4))) == len(ids)
    assert ledger.verify().findings == ()


def test_a_step_reads_what_was_written_apart(ledger: Ledger) -> None:
    request_id = open_one(ledger, confirmed=True).request_id
    begin(ledger, request_id)
    learned = Identity("customer_id", "77")
    ledger.learn(request_id, [learned], at=AT)
    ledger.seal(request_id, "working", "anchors/shop", b"anchors", at=AT)
    ledger.seal(request_id, "working", "anchors/crm", b"others", at=AT)
    step = a_step(request_id)
    cut = [enter(ledger, request_id) for _ in range(2)]
    enter(ledger, request_id, system="crm")
    ledger.keep_receipt(a_receipt(a_step(request_id, Operation.LOCATE), at=later(minutes=1)))

    known = ledger.at_step(step, "anchors/shop", "rulings/shop")

    assert known.request == ledger.request(request_id)
    assert known.plan == PLANS[Right.ERASURE]
    assert known.settled is None
    assert known.open_intents == tuple(sorted(cut))
    assert known.identities == (*ANNA, learned)
    assert known.sealed == {"anchors/shop": b"anchors"}

    done = ledger.keep_receipt(a_receipt(step, at=later(minutes=2)))
    assert ledger.at_step(step).settled == done


def test_a_step_of_nobody_or_of_somebody_forgotten_is_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerRefusal, match="no request"):
        ledger.at_step(a_step("unknown"))
    request_id = opened_id(ledger)
    close_one(ledger, request_id)
    ledger.shred(request_id, ["working"], as_of=AT)
    with pytest.raises(LedgerRefusal, match="no identities"):
        ledger.at_step(a_step(request_id))
