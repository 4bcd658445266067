"""When a closed request is looked at again, what opens it again, and that nothing it needs is shredded before."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.requests import Ending
from rights.codes import Code
from rights.journal import JournalEntry, NotClosedError, closing
from rights.request import Conclusion, Phase
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, close_one, later, open_one, opened_id
from tests.ledger.conftest import Door

WEEK = timedelta(days=7)


def answered(
    ledger: Ledger, *, working_days: float = 30, again: bool = False, request_id: str = "", days: float = 0
) -> str:
    """An erasure that was answered some days after the start, and is to be looked at a week later."""
    request_id = request_id or opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    ledger.close(
        request_id,
        Conclusion.ANSWERED,
        books={},
        at=later(days=days),
        working_until=later(days=working_days),
        file_until=later(days=1000),
        parcel_until=AT,
        disputed_until=AT,
        ending=Ending(erased=ANNA, relook_at=later(days=days) + WEEK, again=again),
    )
    return request_id


def found(ledger: Ledger, request_id: str) -> str | None:
    planned = ledger.relook(request_id)
    assert planned
    return planned.found


def calls(door: Door) -> list[str]:
    return [row[0] for row in door("SELECT request_id FROM outbox WHERE kind = 'relook' ORDER BY id")]


def test_it_is_asked_for_on_its_day_and_again_while_nothing_is_heard(ledger: Ledger, door: Door) -> None:
    request_id = answered(ledger)

    assert [ledger.call_relooks(at=later(days=days)) for days in (6.9, 7, 7.1, 7.3)] == [0, 1, 0, 1]
    assert calls(door) == [request_id, request_id]
    assert ledger.settle_relook(request_id, {}, clean=True, at=later(days=8))
    assert not ledger.settle_relook(request_id, {}, clean=True, at=later(days=9))
    assert ledger.call_relooks(at=later(days=100)) == 0


def test_what_it_needs_is_kept_until_then_whatever_the_terms(ledger: Ledger) -> None:
    request_id = answered(ledger, working_days=0)

    assert "working" not in {one.purpose for one in ledger.shred_due(later(days=30))}
    assert ledger.histories_due(later(days=30)) == []
    ledger.settle_relook(request_id, {}, clean=True, at=later(days=31))
    assert "working" in {one.purpose for one in ledger.shred_due(later(days=32))}
    assert ledger.histories_due(later(days=32)) == [request_id]


def test_what_is_found_opens_the_request_again_and_the_journal_vouches_for_it(ledger: Ledger, door: Door) -> None:
    request_id = answered(ledger)

    assert ledger.settle_relook(request_id, {"shop": Code.RETURNED}, clean=False, at=later(days=7))

    row = ledger.request(request_id)
    assert (row.phase, row.conclusion, row.closed_at) == (Phase.VERIFYING, None, None)
    assert ledger.reopenings(request_id) == {"shop": Code.RETURNED}
    assert found(ledger, request_id) == "residue"
    assert door("SELECT kind FROM outbox ORDER BY id DESC LIMIT 2") == [("incident",), ("reopen",)]
    assert ledger.verify().sound
    assert ledger.shred_due(later(days=5000)) == [], "what is open loses nothing"

    answered(ledger, again=True, request_id=request_id)
    assert ledger.reopenings(request_id) == {}
    assert ledger.verify().sound
    assert ledger.call_relooks(at=AT + WEEK) == 1, "it is looked at once more"


def test_a_word_that_comes_twice_opens_nothing_a_second_time(ledger: Ledger) -> None:
    request_id = answered(ledger)
    assert ledger.settle_relook(request_id, {"shop": Code.RETURNED}, clean=False, at=later(days=7))
    answered(ledger, again=True, request_id=request_id, days=8)

    assert not ledger.settle_relook(request_id, {"shop": Code.RETURNED}, clean=False, at=later(days=7))

    assert ledger.request(request_id).phase is Phase.CLOSED
    assert found(ledger, request_id) is None, "the look after the second answer is still to come"


@contextmanager
def held_up(tables: Database) -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """Whoever journals waits until the end; begins things, each when the one before it waits."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor() as pool, psycopg.connect(tables.conninfo) as lock:
        lock.execute("SELECT FROM chain_heads FOR UPDATE")
        begun: list[Future[Any]] = []

        def begin(what: Callable[[], Any]) -> Future[Any]:
            begun.append(pool.submit(what))
            for _ in range(500):
                row = lock.execute(waiting).fetchone()
                if row and row[0] >= len(begun):
                    break
                time.sleep(0.01)
            return begun[-1]

        yield begin


def test_what_is_shredded_just_then_is_not_opened_again(ledger: Ledger, tables: Database) -> None:
    request_id = opened_id(ledger, confirmed=True)
    close_one(ledger, request_id)

    with held_up(tables) as begin:
        shredded = begin(lambda: ledger.shred_due(later(days=4000)))
        opened = begin(lambda: ledger.reopen(request_id, {"shop": Code.RESTORED}, at=later(days=4000)))

    assert "working" in {one.purpose for one in shredded.result()}
    with pytest.raises(LedgerRefusal, match="destroyed"):
        opened.result()
    assert ledger.request(request_id).phase is Phase.CLOSED


def test_what_is_opened_again_just_then_is_not_shredded(ledger: Ledger, tables: Database) -> None:
    request_id = opened_id(ledger, confirmed=True)
    close_one(ledger, request_id)

    with held_up(tables) as begin:
        opened = begin(lambda: ledger.reopen(request_id, {"shop": Code.RESTORED}, at=later(days=4000)))
        shredded = begin(lambda: ledger.shred_due(later(days=4000)))

    assert opened.result()
    assert {one.purpose for one in shredded.result()}.isdisjoint({"working", "history", "file"})
    assert ledger.identities(request_id) == ANNA


def test_what_nobody_can_tell_is_not_clean(ledger: Ledger) -> None:
    request_id = answered(ledger)

    ledger.settle_relook(request_id, {"shop": Code.REPLICA}, clean=False, at=later(days=7))

    assert found(ledger, request_id) == "unsure"
    assert ledger.request(request_id).phase.open


def test_a_request_that_knows_nobody_any_more_is_not_opened_again(ledger: Ledger) -> None:
    request_id = opened_id(ledger, confirmed=True)
    close_one(ledger, request_id)
    ledger.shred(request_id, ["working"], as_of=later(days=31))

    with pytest.raises(LedgerRefusal, match="destroyed"):
        ledger.reopen(request_id, {"shop": Code.RESTORED}, at=later(days=32))
    assert ledger.request(request_id).phase is Phase.CLOSED


def test_erasures_from_before_anything_was_remembered_are_counted(ledger: Ledger) -> None:
    old = open_one(ledger).request_id
    close_one(ledger, old)
    ledger.shred(old, ["working", "history", "file"], as_of=later(days=40))
    new = answered(ledger)

    past = {one.request_id: one for one in ledger.erasures_since(AT)}

    assert (past[old].known, past[old].tokens, past[old].whole) == (False, False, False)
    assert (past[new].known, past[new].tokens, past[new].whole) == (True, True, True)
    assert ledger.erasures_since(later(days=1)) == []


def test_one_replay_of_a_system_at_a_time_and_new_systems_are_told_once(ledger: Ledger) -> None:
    first = ledger.begin_replay("shop", AT, dry=False, by="operations", at=AT)
    with pytest.raises(LedgerRefusal, match="under way"):
        ledger.begin_replay("shop", AT, dry=False, by="operations", at=AT)
    ledger.note_replay(first, "clean", {"open": 0}, at=later(days=1))
    assert ledger.begin_replay("shop", AT, dry=True, by="operations", at=later(days=2)) != first

    assert ledger.new_systems(["shop"]) == []
    ledger.know_systems(["shop"], at=AT)
    assert ledger.new_systems(["shop", "crm"]) == ["crm"]
    ledger.know_systems(["shop", "crm"], at=AT)
    assert ledger.new_systems(["shop", "crm"]) == []


def test_no_evidence_is_given_of_what_is_open_again() -> None:
    def entry(seq: int, kind: str) -> JournalEntry:
        return JournalEntry(seq=seq, kind=kind, key=None, at=AT, body={})

    course = [entry(1, "opened"), entry(2, "closed"), entry(3, "reopened")]

    assert closing(course[:2]).seq == 2
    with pytest.raises(NotClosedError):
        closing(course)
    assert closing([*course, entry(4, "closed")]).seq == 4
