"""Opening, moving and closing a request."""

import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.notes import note_digest, note_text
from ledger.requests import Opened
from rights.codes import Code
from rights.request import TRANSITIONS, Conclusion, Phase, Right
from rights.subject import Identity, Sharing
from tests.conftest import Database
from tests.ledger.builders import (
    ANNA,
    AT,
    OTTO,
    a_clock,
    a_map,
    a_receipt,
    a_step,
    close_one,
    later,
    open_one,
    opened_id,
)
from tests.ledger.conftest import Door


def test_a_request_is_there_as_soon_as_it_is_opened(ledger: Ledger, door: Door) -> None:
    opened = open_one(ledger, confirmed=True, free_text="please")

    assert opened.new
    row = ledger.request(opened.request_id)
    assert (row.right, row.regime, row.phase) == (Right.ERASURE, "eu-gdpr", Phase.RECEIVED)
    assert row.clock == a_clock()
    assert row.confirmed
    assert (row.approved, row.withdrawn, row.ruled) == (False, False, False)
    assert ledger.identities(opened.request_id) == ANNA
    assert door("SELECT kind, request_id FROM outbox") == [("start", opened.request_id)]
    assert door("SELECT kind, request_id, at FROM entries") == [("opened", opened.request_id, AT)]


def test_the_text_of_a_request_is_sealed_and_its_salted_digest_journaled(ledger: Ledger) -> None:
    request_id = opened_id(ledger, free_text="I am Anna Berg, please erase me")

    sealed = ledger.unseal(request_id, "file", "request")
    assert sealed is not None
    assert note_text(sealed) == "I am Anna Berg, please erase me"
    body = ledger.standing(request_id).events[0].body
    assert body["note"] == "request"
    assert body["note_digest"] != note_digest("", note_text(sealed))


def test_ids_sort_by_time_of_receipt(ledger: Ledger) -> None:
    ids = [opened_id(ledger, at=later(seconds=n)) for n in range(5)]

    assert ids == sorted(ids)
    assert all(len(one) == 26 and one == one.lower() for one in ids)


def test_the_same_idempotency_key_gives_the_same_request(ledger: Ledger, door: Door) -> None:
    first = open_one(ledger, idempotency_key="ticket 9")
    again = open_one(ledger, idempotency_key="ticket 9", identities=ANNA[::-1])

    assert (again.request_id, again.new) == (first.request_id, False)
    assert door("SELECT count(*) FROM entries") == [(1,)]
    assert door("SELECT count(*) FROM outbox") == [(1,)]
    assert door("SELECT count(*) FROM case_keys WHERE case_id NOT IN ('main')") == [(3,)]
    assert b"ticket 9" not in bytes(door("SELECT idempotency FROM requests")[0][0])


@pytest.mark.parametrize("other", [{"identities": OTTO}, {"right": Right.ACCESS}, {"identities": ANNA[:1]}])
def test_an_idempotency_key_is_not_used_for_something_else(ledger: Ledger, other: dict[str, object]) -> None:
    first = open_one(ledger, idempotency_key="ticket 9")

    with pytest.raises(LedgerRefusal, match=f"has opened request {first.request_id}") as refusal:
        open_one(ledger, idempotency_key="ticket 9", **other)  # type: ignore[arg-type]
    assert "ticket" not in str(refusal.value)


def test_what_a_look_has_learned_does_not_make_the_key_another_one(ledger: Ledger) -> None:
    first = open_one(ledger, idempotency_key="ticket 9")
    ledger.learn(first.request_id, OTTO, at=AT)

    assert not open_one(ledger, idempotency_key="ticket 9").new


def test_a_key_given_by_many_at_once_opens_one_request(ledger: Ledger, door: Door) -> None:
    start = threading.Barrier(8)

    def ask(_: int) -> str:
        start.wait()
        return open_one(ledger, idempotency_key="double click").request_id

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(ask, range(8)))

    assert len(ids) == 1
    assert door("SELECT count(*) FROM requests") == [(1,)]
    assert door("SELECT count(*) FROM entries") == [(1,)]


def test_two_tenants_do_not_see_each_other(make_ledger: Callable[..., Ledger], ledger: Ledger, tables: object) -> None:
    other = make_ledger(tables.url, tenant="other")  # type: ignore[attr-defined]
    ours = open_one(ledger, idempotency_key="one")
    theirs = open_one(other, idempotency_key="one")

    assert theirs.new
    assert [row.id for row in other.open_requests()] == [theirs.request_id]
    with pytest.raises(LedgerRefusal, match="no request of this id"):
        other.request(ours.request_id)
    with pytest.raises(LedgerRefusal, match="no identities"):
        other.identities(ours.request_id)
    assert other.verify().sound
    assert ledger.verify().sound


def test_a_phase_goes_only_where_the_table_says(ledger: Ledger, door: Door) -> None:
    for here, there in itertools.product([phase for phase in Phase if phase.open], repeat=2):
        request_id = opened_id(ledger)
        door("UPDATE requests SET phase = %s WHERE id = %s", here.value, request_id)

        if here is there or there in TRANSITIONS[here]:
            ledger.move(request_id, there, at=AT)
            ledger.move(request_id, there, at=AT)
            reached = there
        else:
            with pytest.raises(LedgerRefusal, match=f"is {here} cannot become {there}"):
                ledger.move(request_id, there, at=AT)
            reached = here

        assert door("SELECT phase FROM requests WHERE id = %s", request_id) == [(reached.value,)]
        moved = door("SELECT body FROM entries WHERE request_id = %s AND kind = 'moved'", request_id)
        assert moved == ([(f'{{"phase":"{there}"}}',)] if reached is not here else [])


def test_closed_is_not_moved_to_and_not_left(ledger: Ledger) -> None:
    request_id = opened_id(ledger)

    with pytest.raises(LedgerRefusal, match="with a conclusion"):
        ledger.move(request_id, Phase.CLOSED, at=AT)
    close_one(ledger, request_id)
    with pytest.raises(LedgerRefusal, match="is closed cannot become locating"):
        ledger.move(request_id, Phase.LOCATING, at=AT)


def test_closing_sets_the_end_of_every_key_and_signs_the_head(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    ledger.case_key(request_id, "parcel", create=True)
    ledger.case_key(request_id, "pseudonym", create=True)
    task = ledger.open_task(request_id, a_step(request_id).key, Code.BLOCKED, "shop", at=AT)

    close_one(ledger, request_id)
    close_one(ledger, request_id)

    standing = ledger.standing(request_id)
    assert standing.request.phase is Phase.CLOSED
    assert (standing.request.conclusion, standing.request.closed_at) == (Conclusion.ANSWERED, AT)
    assert {key.purpose: key.keep_until for key in standing.keys} == {
        "working": later(days=30),
        "history": later(days=30),
        "parcel": later(days=14),
        "pseudonym": AT,
        "file": later(days=1000),
    }
    assert [event.kind for event in standing.events].count("closed") == 1
    assert [(one.id, one.settled_at) for one in standing.tasks] == [(task, AT)]
    assert ledger.verify().checkpoints == 2
    assert ledger.open_requests() == []
    with pytest.raises(LedgerRefusal, match="closed as answered, so not as in_part"):
        ledger.close(
            request_id,
            Conclusion.IN_PART,
            books={},
            at=AT,
            working_until=AT,
            file_until=AT,
            parcel_until=AT,
            disputed_until=AT,
        )


def test_identities_learned_come_after_those_given_and_count_once(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    found = (Identity("device", "d-1"), *OTTO)

    assert ledger.learn(request_id, found, at=AT) == 2
    assert ledger.learn(request_id, (*OTTO, *ANNA), at=AT) == 0
    assert ledger.learn(request_id, (), at=AT) == 0

    assert ledger.identities(request_id) == (*ANNA, *found)
    assert door("SELECT count(*) FROM request_subjects WHERE given") == [(2,)]
    assert door("SELECT count(*) FROM request_subjects WHERE NOT given") == [(2,)]


def test_identities_are_learned_to_the_letter(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    twins = [Identity("object_key", key) for key in ("A.pdf", "a.pdf", "\u00e9.pdf", "e\u0301.pdf")]

    assert ledger.learn(request_id, twins[:1], at=AT) == 1
    assert ledger.learn(request_id, twins, at=AT) == 3
    assert ledger.learn(request_id, twins, at=AT) == 0

    assert ledger.identities(request_id) == (*ANNA, *twins)
    assert ledger.at_step(a_step(request_id)).identities == (*ANNA, *twins)
    told = [json.loads(body) for (body,) in door("SELECT body FROM entries WHERE kind = 'learned' ORDER BY seq")]
    assert told == [{"identities": 1}, {"identities": 3}]


def test_what_the_asker_gave_keeps_the_askers_word_on_who_shares_it(ledger: Ledger) -> None:
    family = Identity("phone", "+49 30 1", Sharing.SHARED)
    request_id = opened_id(ledger, identities=(family,))

    assert ledger.learn(request_id, [Identity("phone", "+49 30 1")], at=AT) == 0

    assert ledger.identities(request_id) == (family,)


def test_two_that_learn_at_once_lose_nothing(make_ledger: Callable[..., Ledger], tables: Database) -> None:
    ledgers = [make_ledger(tables.url) for _ in range(4)]
    request_id = opened_id(ledgers[0])
    keys = {Identity("object_key", f"{n}") for n in range(200)}

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: [ledgers[n].learn(request_id, [k], at=AT) for k in list(keys)[n::4]], range(4)))

    assert set(ledgers[0].identities(request_id)) == {*ANNA, *keys}


def test_a_map_is_pinned_once_and_read_back_by_its_digest(ledger: Ledger, door: Door) -> None:
    request_id, data_map, other = opened_id(ledger), a_map(), a_map("another team")

    ledger.pin_map(request_id, data_map, at=AT)
    ledger.pin_map(request_id, data_map, at=AT)
    assert ledger.request(request_id).map_digest == data_map.digest
    ledger.pin_map(request_id, other, at=AT)

    assert ledger.request(request_id).map_digest == other.digest
    assert ledger.pinned_map(data_map.digest) == data_map
    assert door("SELECT count(*) FROM maps") == [(2,)]
    assert door("SELECT count(*) FROM entries WHERE kind = 'map_pinned'") == [(2,)]
    with pytest.raises(LedgerRefusal, match="ever pinned"):
        ledger.pinned_map("0" * 64)


def test_the_first_plan_of_a_round_stays_and_the_newest_round_counts(ledger: Ledger) -> None:
    from rights.plan import make_plan

    request_id, data_map = opened_id(ledger), a_map()
    first, second = (make_plan(Right.ERASURE, data_map, later(days=n)) for n in (0, 1))

    assert ledger.plan(request_id) is None
    ledger.keep_plan(request_id, 0, first, at=AT)
    ledger.keep_plan(request_id, 0, second, at=AT)
    assert ledger.plan(request_id) == first
    ledger.keep_plan(request_id, 1, second, at=AT)
    assert ledger.plan(request_id) == second


def test_the_newest_round_is_that_of_the_last_thing_done(ledger: Ledger) -> None:
    request_id = opened_id(ledger)

    assert ledger.newest_round(request_id) == 0
    ledger.keep_receipt(a_receipt(a_step(request_id, round=2)))
    assert ledger.newest_round(request_id) == 2
    ledger.open_task(request_id, a_step(request_id, round=11).key, Code.BLOCKED, "shop", at=AT)
    assert ledger.newest_round(request_id) == 11


def test_lists_are_paged_and_filtered(ledger: Ledger) -> None:
    ids = [opened_id(ledger, at=later(seconds=n)) for n in range(5)]
    access = opened_id(ledger, right=Right.ACCESS, at=later(seconds=9))
    ledger.move(ids[0], Phase.LOCATING, at=AT)
    close_one(ledger, ids[1])

    newest = ledger.requests(limit=2)
    assert [row.id for row in newest] == [access, ids[4]]
    assert [row.id for row in ledger.requests(limit=2, before=newest[-1].id)] == [ids[3], ids[2]]
    assert [row.id for row in ledger.requests(right=Right.ACCESS)] == [access]
    assert [row.id for row in ledger.requests(phase=Phase.LOCATING)] == [ids[0]]
    assert ids[1] not in [row.id for row in ledger.requests(open_only=True)]
    assert [row.id for row in ledger.open_requests()] == [ids[0], *ids[2:], access]


def test_an_unknown_request_is_one_sentence_that_does_not_repeat_what_was_typed(ledger: Ledger) -> None:
    typed = "anna@example.org"

    for ask in (ledger.request, ledger.standing, ledger.identities):
        with pytest.raises(LedgerRefusal) as refusal:
            ask(typed)
        assert typed not in str(refusal.value)
    with pytest.raises(LedgerRefusal, match="no request of this id"):
        ledger.move(typed, Phase.LOCATING, at=AT)
    with pytest.raises(LedgerRefusal, match="no request of this id"):
        ledger.note(typed, "deadline", {}, at=AT)
    with pytest.raises(LedgerRefusal, match="no request of this id"):
        close_one(ledger, typed)


def test_a_note_of_the_engine_is_an_event(ledger: Ledger) -> None:
    request_id = opened_id(ledger)

    ledger.note(request_id, "deadline", {"risk": "due_3d"}, at=later(days=20))
    ledger.note_redriven(request_id, later(days=21))

    events = ledger.standing(request_id).events
    assert [(event.kind, event.at) for event in events[1:]] == [
        ("deadline", later(days=20)),
        ("redriven", later(days=21)),
    ]
    assert events[1].body == {"risk": "due_3d"}


def test_an_idempotency_key_is_not_for_another_wish_of_the_same_right(ledger: Ledger) -> None:
    def ask(details: bytes) -> Opened:
        return open_one(ledger, right=Right.RECTIFICATION, idempotency_key="form-7", details=details)

    first = ask(b'{"statement":"a"}')

    assert ask(b'{"statement":"a"}') == Opened(request_id=first.request_id, new=False)
    with pytest.raises(LedgerRefusal, match="another right"):
        ask(b'{"statement":"b"}')
