"""The fence and the holds that close it."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from ledger.errors import LedgerRefusal
from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from rights.codes import Code
from rights.plan import Operation
from rights.subject import Identity
from tests.conftest import Database
from tests.ledger.builders import (
    ANNA,
    AT,
    OTTO,
    a_tally,
    close_one,
    enter,
    erased,
    later,
    open_one,
    opened_id,
    release,
)
from tests.ledger.conftest import Door


def refused(ledger: Ledger, request_id: str, **changes: Any) -> Code | None:
    """Why the fence is closed; None if it is open."""
    try:
        enter(ledger, request_id, **changes)
    except FenceRefused as refusal:
        return refusal.code
    return None


def test_an_intent_is_committed_before_anything_happens(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)

    intent = enter(ledger, request_id, planned={"orders": 3}, look=a_tally(orders=3))

    assert door("SELECT id, system, planned, opened_at, settled_at FROM intents") == [
        (intent, "shop", {"orders": 3}, AT, None)
    ]
    assert [row[0] for row in door("SELECT kind FROM entries ORDER BY seq")] == ["opened", "before", "intent"]
    assert ledger.open_intents(request_id, "shop") == (intent,)
    assert ledger.open_intents(request_id, "crm") == ()


def test_the_look_before_the_first_call_opens_the_books(ledger: Ledger) -> None:
    request_id = opened_id(ledger)

    assert ledger.before(request_id, "shop") is None
    enter(ledger, request_id, look=a_tally(orders=3))
    enter(ledger, request_id, look=a_tally(orders=1))
    enter(ledger, request_id, system="crm", look=a_tally(people=1))

    assert ledger.before(request_id, "shop") == a_tally(orders=3)
    assert ledger.before(request_id, "crm") == a_tally(people=1)


def test_what_calls_changed_is_summed_over_attempts(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    for rows in (2, 5):
        intent = enter(ledger, request_id, planned={"orders": rows, "items": 1})
        assert ledger.exit_fence(intent, erased(orders=rows), at=AT)
    enter(ledger, request_id, system="crm", planned={"people": 1})

    assert ledger.open_intents(request_id, "shop") == ()
    assert ledger.deleted(request_id, "shop") == {"orders": 7, "items": 0}
    assert ledger.deleted(request_id, "crm") == {"people": None}
    assert ledger.deleted(request_id, "mail") == {}


def test_rows_that_were_rewritten_count_as_changed_too(ledger: Ledger) -> None:
    from rights.receipt import Count, Tally

    request_id = opened_id(ledger)
    intent = enter(ledger, request_id, planned={"orders": 3})
    ledger.exit_fence(intent, Tally(counts=(Count(collection="orders", erased=1, anonymised=2),)), at=AT)

    assert ledger.deleted(request_id, "shop") == {"orders": 3}


def test_a_call_that_was_cut_is_settled_by_looking_and_its_count_stays_unknown(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    counted = enter(ledger, request_id, planned={"orders": 1, "items": 1})
    ledger.exit_fence(counted, erased(orders=1, items=1), at=AT)
    cut = enter(ledger, request_id, planned={"orders": 4})

    assert ledger.settle_by_looking((cut, counted), at=AT) == 1
    assert ledger.settle_by_looking((), at=AT) == 0
    assert not ledger.exit_fence(cut, erased(orders=4), at=AT)

    assert ledger.open_intents(request_id, "shop") == ()
    assert ledger.deleted(request_id, "shop") == {"orders": None, "items": 1}


def test_a_hold_closes_the_fence_and_its_release_opens_it(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    hold = ledger.place_hold(ANNA[1:], "case 12 C 34/26", at=AT)

    assert hold.in_force
    assert str(ledger.hold_standing(hold.id)) == "in force"
    assert refused(ledger, request_id) is Code.HOLD
    assert ledger.standing(request_id).held
    assert refused(ledger, opened_id(ledger, identities=OTTO)) is None

    release(ledger, hold.id, at=later(days=1), file_until=later(days=100))
    release(ledger, hold.id, at=later(days=2), file_until=later(days=200))

    assert refused(ledger, request_id) is None
    assert str(ledger.hold_standing(hold.id)) == "released on 2026-03-03"
    assert ledger.holds() == []
    assert [one.id for one in ledger.holds(in_force_only=False)] == [hold.id]
    with pytest.raises(LedgerRefusal, match="no hold of this id"):
        ledger.hold_standing("nonsense")
    with pytest.raises(LedgerRefusal, match="no hold of this id"):
        release(ledger, "nonsense", at=AT, file_until=AT)


def test_a_hold_binds_however_the_address_is_capitalised(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    ledger.place_hold([Identity("email", "ANNA.BERG@example.org")], "a case", at=AT)

    assert refused(ledger, request_id) is Code.HOLD


@pytest.mark.parametrize(
    ("typed", "held"),
    [
        (Identity("phone", "+49 (0)30 / 1234-56"), Identity("phone", "0049 30123456")),
        (Identity("email", "anna.berg+shop@gmail.com"), Identity("email", "annaberg@googlemail.com")),
    ],
)
def test_a_hold_binds_however_a_number_or_a_mailbox_is_written(ledger: Ledger, typed: Identity, held: Identity) -> None:
    request_id = opened_id(ledger, identities=[typed])
    ledger.place_hold([held], "a case", at=AT)

    assert refused(ledger, request_id) is Code.HOLD


def test_the_same_value_of_another_kind_is_another_person(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    ledger.place_hold([Identity("order_id", "4711")], "a case", at=AT)

    assert refused(ledger, request_id) is None


def test_a_hold_binds_on_what_a_look_has_learned(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    ledger.place_hold(OTTO, "a case", at=AT)
    assert refused(ledger, request_id) is None

    ledger.learn(request_id, OTTO, at=AT)

    assert refused(ledger, request_id) is Code.HOLD


MANY = tuple(Identity("object_key", f"docs/{number}.pdf") for number in range(20_000))
"""More than the server has room for locks."""


def test_a_hold_on_one_of_twenty_thousand_identities_binds(ledger: Ledger, door: Door) -> None:
    request_id, other = opened_id(ledger), opened_id(ledger, identities=OTTO)

    assert ledger.learn(request_id, MANY, at=AT) == len(MANY)
    assert refused(ledger, request_id) is None
    hold = ledger.place_hold([MANY[-1]], "a case", at=AT)

    assert (hold.in_flight, hold.in_force) == (1, False)
    assert refused(ledger, request_id) is Code.HOLD
    assert refused(ledger, other) is None
    assert ledger.identities(request_id) == (*ANNA, *MANY)
    assert door("SELECT count(*) FROM request_subjects WHERE NOT given") == [(len(MANY),)]


@pytest.mark.parametrize("held", ["docs/A.pdf", "DOCS/a.PDF", "docs/\u00e4.pdf"])
def test_a_hold_binds_whatever_the_form_in_which_the_identity_was_learned(ledger: Ledger, held: str) -> None:
    """A map may match any field whatever its case, so a hold rather binds one person too many."""
    request_id = opened_id(ledger)
    ledger.place_hold([Identity("object_key", held)], "a case", at=AT)

    ledger.learn(request_id, [Identity("object_key", key) for key in ("docs/a.pdf", "docs/a\u0308.pdf")], at=AT)

    assert refused(ledger, request_id) is Code.HOLD


def test_a_hold_binds_on_what_is_being_learned_from_the_moment_both_are_known(
    make_ledger: Callable[..., Ledger], ledger: Ledger, tables: Database, door: Door
) -> None:
    """Workers destroy for one person while one learns an identity of theirs and another places a hold on it."""
    other, third = make_ledger(tables.url), make_ledger(tables.url)
    for turn in range(8):
        request_id = opened_id(ledger, identities=(Identity("customer_id", f"l{turn}"),))
        key = Identity("object_key", f"docs/{turn}.pdf")
        begun = threading.Barrier(6)

        def destroy(_: int, request_id: str = request_id, begun: threading.Barrier = begun) -> int:
            begun.wait()
            for count in range(1000):
                try:
                    intent = enter(ledger, request_id)
                except FenceRefused:
                    return count
                ledger.exit_fence(intent, erased(customers=1), at=AT)
            return 1000

        def learn(request_id: str = request_id, key: Identity = key, begun: threading.Barrier = begun) -> None:
            begun.wait()
            time.sleep(0.03)
            other.learn(request_id, [*MANY[:500], key], at=AT)

        with ThreadPoolExecutor(5) as pool:
            calls = [pool.submit(destroy, number) for number in range(4)]
            learning = pool.submit(learn)
            begun.wait()
            time.sleep(0.01 * turn)
            hold = third.place_hold([key], "a case", at=AT)
            learning.result()
            assert max(call.result() for call in calls) < 1000

        known = door(
            "SELECT max(seq) FROM entries WHERE kind IN ('hold_placed', 'learned') AND (request_id = %s OR key = %s)",
            request_id,
            hold.id,
        )[0][0]
        late = "SELECT count(*) FROM entries WHERE kind = 'intent' AND request_id = %s AND seq > %s"
        assert door(late, request_id, known) == [(0,)]
    assert ledger.verify().sound


def test_a_hold_takes_effect_when_the_last_call_before_it_has_ended(ledger: Ledger) -> None:
    first, second = (open_one(ledger).request_id for _ in range(2))
    intents = [enter(ledger, first), enter(ledger, second)]
    enter(ledger, opened_id(ledger, identities=OTTO))

    hold = ledger.place_hold(ANNA[:1], "a case", at=AT)

    assert (hold.in_flight, hold.in_force) == (2, False)
    assert str(hold) == "taking effect: 2 calls in flight"
    ledger.exit_fence(intents[0], erased(customers=1), at=AT)
    assert ledger.hold_standing(hold.id).in_flight == 1
    ledger.settle_by_looking(intents[1:], at=AT)
    assert ledger.hold_standing(hold.id).in_force


def test_a_call_past_its_limit_is_over_by_the_ledgers_own_clock(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    # The worker's clock is years off; only the limit counts.
    enter(ledger, request_id, at=later(days=4000), limit=timedelta(seconds=3))

    hold = ledger.place_hold(ANNA, "a case", at=AT)

    assert hold.in_flight == 1
    until = time.monotonic() + 30
    while not ledger.hold_standing(hold.id).in_force:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert len(ledger.open_intents(request_id, "shop")) == 1


def test_a_withdrawal_closes_the_fence(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    ledger.withdraw(request_id, at=AT)

    assert refused(ledger, request_id) is Code.WITHDRAWN


def stop(ledger: Ledger, request_id: str, **changes: Any) -> Code | None:
    """Pass the fence with an opt-out, and tell what it did."""
    try:
        key = f"{request_id}/shop/suppress/0"
        given = {"planned": {"customers": 1}, "look": a_tally(customers=1), "at": AT, "limit": timedelta(minutes=5)}
        named = {"max_people_per_hour": 1, "operation": Operation.SUPPRESS, **given, **changes}
        ledger.exit_fence(ledger.enter_fence(request_id, "shop", key, **named), a_tally(customers=1), at=AT)
    except FenceRefused as refusal:
        return refusal.code
    return None


def test_an_opt_out_that_is_taken_back_stops_nothing_more(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    assert stop(ledger, request_id) is None
    ledger.withdraw(request_id, at=AT)
    assert stop(ledger, request_id) is Code.WITHDRAWN

    over = opened_id(ledger)
    close_one(ledger, over)
    with pytest.raises(LedgerRefusal, match="is closed"):
        stop(ledger, over)


def test_a_hold_does_not_stop_an_opt_out_and_the_journal_has_both(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    ledger.place_hold(ANNA, "a case", at=AT)

    assert stop(ledger, request_id) is None
    assert refused(ledger, request_id) is Code.HOLD

    ((body,),) = door("SELECT body FROM entries WHERE kind = 'intent'")
    assert json.loads(body)["held"] is True


def test_an_opt_out_counts_nobody_as_erased_and_opens_no_books(ledger: Ledger) -> None:
    for name in "abc":
        assert stop(ledger, opened_id(ledger, identities=(Identity("email", f"{name}@example.org"),))) is None
    request_id = opened_id(ledger)
    stop(ledger, request_id)
    assert ledger.before(request_id, "shop") is None
    assert ledger.deleted(request_id, "shop") == {}

    assert refused(ledger, request_id, max_people_per_hour=1, look=a_tally(customers=7)) is None

    before = ledger.before(request_id, "shop")
    assert before
    assert before.of("customers").found == 7


def test_what_an_erasure_locks_away_opens_no_books(ledger: Ledger) -> None:
    """It looks only at what it locks: of all else it would be said that it has come since."""
    request_id = opened_id(ledger)
    for operation in (Operation.RESTRICT, Operation.LIFT):
        key, look = f"{request_id}/shop/{operation}/0", a_tally(orders=1)
        given: dict[str, Any] = {"at": AT, "limit": timedelta(minutes=5), "max_people_per_hour": 1}
        ledger.enter_fence(request_id, "shop", key, planned={"orders": 1}, look=look, operation=operation, **given)
    assert ledger.before(request_id, "shop") is None
    assert ledger.deleted(request_id, "shop") == {}
    assert ledger.touched(request_id) == []

    enter(ledger, request_id, planned={"orders": 1, "customers": 1}, look=a_tally(orders=1, customers=1))

    assert ledger.before(request_id, "shop") == a_tally(orders=1, customers=1)


def test_nothing_is_destroyed_for_a_closed_or_unknown_request(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    close_one(ledger, request_id)

    with pytest.raises(LedgerRefusal, match="is closed"):
        enter(ledger, request_id)
    with pytest.raises(LedgerRefusal, match="no request"):
        enter(ledger, "nonsense")


def test_a_refused_call_leaves_no_trace(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    ledger.place_hold(ANNA, "a case", at=AT)
    before = door("SELECT count(*) FROM entries")

    assert refused(ledger, request_id) is Code.HOLD

    assert door("SELECT count(*) FROM intents") == [(0,)]
    assert door("SELECT count(*) FROM entries") == before


def test_the_fuse_counts_people_in_a_system_within_an_hour(ledger: Ledger) -> None:
    a, b, c = (opened_id(ledger, identities=(Identity("email", f"{x}@example.org"),)) for x in "abc")
    fuse = {"max_people_per_hour": 2}

    assert refused(ledger, a, **fuse) is None
    assert refused(ledger, a, **fuse) is None  # one person, however many calls
    assert refused(ledger, b, **fuse) is None
    assert refused(ledger, c, **fuse) is Code.FUSE
    assert refused(ledger, c, system="crm", **fuse) is None
    assert refused(ledger, a, **fuse) is None
    assert refused(ledger, c, at=later(minutes=59), **fuse) is Code.FUSE
    assert refused(ledger, c, at=later(minutes=61), **fuse) is None


def test_the_fuse_holds_when_all_come_at_once(ledger: Ledger, door: Door) -> None:
    people = [opened_id(ledger, identities=(Identity("email", f"p{n}@example.org"),)) for n in range(12)]
    start = threading.Barrier(6)

    def try_to_pass(share: list[str]) -> int:
        start.wait()
        return sum(refused(ledger, one, max_people_per_hour=4) is None for one in share)

    with ThreadPoolExecutor(6) as pool:
        passed = sum(pool.map(try_to_pass, [people[n::6] for n in range(6)]))

    assert passed == 4
    assert door("SELECT count(DISTINCT request_id) FROM intents") == [(4,)]


def test_no_call_is_let_through_after_a_hold_is_said_to_be_in_force(
    make_ledger: Callable[..., Ledger], ledger: Ledger, tables: Database, door: Door
) -> None:
    """Eight workers destroy for one person, one call after the other, while somebody else places a hold on them."""
    other = make_ledger(tables.url)
    for turn in range(6):
        person = (Identity("email", f"racer{turn}@example.org"), Identity("customer_id", f"{turn}"))
        requests = [open_one(ledger, person).request_id for _ in range(2)]
        in_force = threading.Event()
        late: list[str] = []
        begun = threading.Barrier(7)

        def destroy(
            number: int,
            requests: list[str] = requests,
            in_force: threading.Event = in_force,
            late: list[str] = late,
            begun: threading.Barrier = begun,
        ) -> int:
            begun.wait()
            for count in range(1000):
                certain = in_force.is_set()
                try:
                    intent = enter(ledger, requests[number % 2])
                except FenceRefused:
                    return count
                if certain:
                    late.append(intent)
                ledger.exit_fence(intent, erased(customers=1), at=AT)
            return 1000

        with ThreadPoolExecutor(6) as pool:
            calls = [pool.submit(destroy, number) for number in range(6)]
            begun.wait()
            time.sleep(0.05 + turn * 0.02)
            # Through one identity only; the requests know two.
            hold = other.place_hold(person[:1], "a case", at=AT)
            while not hold.in_force:
                hold = other.hold_standing(hold.id)
            in_force.set()
            placed = door("SELECT max(seq) FROM entries WHERE kind = 'hold_placed'")[0][0]
            done = [call.result() for call in calls]

        assert late == []
        assert max(done) < 1000
        assert door("SELECT count(*) FROM entries WHERE kind = 'intent' AND seq > %s", placed) == [(0,)]
    assert ledger.verify().sound


def test_no_call_is_let_through_after_a_withdrawal(
    make_ledger: Callable[..., Ledger], ledger: Ledger, tables: Database, door: Door
) -> None:
    other = make_ledger(tables.url)
    for turn in range(6):
        request_id = open_one(ledger, (Identity("customer_id", f"w{turn}"),)).request_id

        def destroy(_: int, request_id: str = request_id) -> int:
            for count in range(1000):
                try:
                    intent = enter(ledger, request_id)
                except FenceRefused:
                    return count
                ledger.exit_fence(intent, erased(customers=1), at=AT)
            return 1000

        with ThreadPoolExecutor(5) as pool:
            calls = [pool.submit(destroy, number) for number in range(5)]
            time.sleep(0.05 + turn * 0.02)
            flying = other.withdraw(request_id, at=AT)
            assert max(call.result() for call in calls) < 1000

        (withdrawn,) = door("SELECT seq FROM entries WHERE kind = 'withdraw' AND request_id = %s", request_id)[0]
        before = door(
            "SELECT kind, count(*) FROM entries WHERE kind IN ('intent', 'counted') AND request_id = %s AND seq < %s "
            "GROUP BY 1",
            request_id,
            withdrawn,
        )
        count: dict[str, int] = dict(before)
        # Those that had entered and not left were reported, and nobody enters any more.
        assert flying >= count.get("intent", 0) - count.get("counted", 0)
        assert door(
            "SELECT count(*) FROM entries WHERE kind = 'intent' AND request_id = %s AND seq > %s", request_id, withdrawn
        ) == [(0,)]
