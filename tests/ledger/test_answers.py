"""What the API remembers, and a verb that is carried out only on what its caller has seen."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from ledger.answers import CUT_OFF, KEPT
from ledger.errors import Changed, InProgress, KeyReused, LedgerRefusal
from ledger.ledger import Ledger
from ledger.versions import only_if
from rights.request import Phase, Right
from rights.subject import Identity
from tests.ledger.builders import ANNA, AT, OTTO, later, open_one, opened_id
from tests.ledger.conftest import Door


def never() -> str:
    raise AssertionError("it was carried out again")


def test_the_same_call_is_carried_out_once_and_answered_alike(ledger: Ledger, door: Door) -> None:
    assert ledger.once("s-1", "k", b"body", lambda: "done", at=AT) == ("done", False)
    assert ledger.once("s-1", "k", b"body", never, at=later(hours=23)) == ("done", True)

    assert ledger.once("s-2", "k", b"body", lambda: "another caller's", at=AT) == ("another caller's", False)
    assert ledger.once("s-1", "k", b"body", lambda: "the next day", at=AT + KEPT * 2) == ("the next day", False)
    assert len(door("SELECT key FROM kept_answers")) == 1, "what is old is not kept"


def test_a_key_with_another_body_is_refused(ledger: Ledger) -> None:
    ledger.once("s-1", "k", b"body", lambda: "done", at=AT)

    with pytest.raises(KeyReused):
        ledger.once("s-1", "k", b"another body", never, at=AT)


def test_what_is_refused_can_be_asked_again(ledger: Ledger) -> None:
    def refused() -> str:
        raise LedgerRefusal("not now")

    with pytest.raises(LedgerRefusal):
        ledger.once("s-1", "k", b"body", refused, at=AT)

    assert ledger.once("s-1", "k", b"body", lambda: "now", at=AT) == ("now", False)


def test_two_at_once_are_one_and_whoever_comes_second_is_told_to_wait(ledger: Ledger) -> None:
    begun, end = Event(), Event()

    def slow() -> str:
        begun.set()
        assert end.wait(10)
        return "done"

    with ThreadPoolExecutor(1) as other:
        first = other.submit(ledger.once, "s-1", "k", b"body", slow, at=AT)
        assert begun.wait(10)
        with pytest.raises(InProgress):
            ledger.once("s-1", "k", b"body", never, at=AT)
        end.set()
        assert first.result() == ("done", False)
    assert ledger.once("s-1", "k", b"body", never, at=AT) == ("done", True)


def test_what_was_cut_off_is_carried_out_again_after_a_while(ledger: Ledger, door: Door) -> None:
    ledger.once("s-1", "k", b"body", lambda: "done", at=AT)
    door("UPDATE kept_answers SET answer = NULL")

    with pytest.raises(InProgress):
        ledger.once("s-1", "k", b"body", never, at=AT + CUT_OFF / 2)
    with pytest.raises(KeyReused):
        ledger.once("s-1", "k", b"another", never, at=AT + CUT_OFF * 2)
    assert ledger.once("s-1", "k", b"body", lambda: "at last", at=AT + CUT_OFF * 2) == ("at last", False)


def test_whoever_was_only_slow_changes_nothing_of_what_the_second_has_done(ledger: Ledger, door: Door) -> None:
    """The first is taken for cut off, the second carries it out; then the first wakes up, to commit or to fail."""
    for first_fails in (False, True):
        key = f"k-{first_fails}"
        request_id = opened_id(ledger)

        def late(key: str = key, request_id: str = request_id, fails: bool = first_fails) -> str:
            with ThreadPoolExecutor(1) as other:
                second = other.submit(ledger.once, "s-1", key, b"body", lambda: "the second's", at=AT + CUT_OFF * 2)
            assert second.result() == ("the second's", False)
            if fails:
                raise LedgerRefusal("not now")
            ledger.withdraw(request_id, at=AT)
            return "the first's"

        with pytest.raises(LedgerRefusal if first_fails else InProgress):
            ledger.once("s-1", key, b"body", late, at=AT)

        assert not ledger.request(request_id).withdrawn, "what it does is undone"
        assert ledger.once("s-1", key, b"body", never, at=AT + CUT_OFF * 2) == ("the second's", True)


class CutOff(BaseException):
    """The process ends."""


def test_a_hold_is_placed_once_though_the_call_was_cut_off_before_its_answer(ledger: Ledger, door: Door) -> None:
    def place() -> str:
        ledger.place_hold(ANNA, "a suit", at=AT, by="s-1")
        raise CutOff

    def again(made: Mapping[str, Any]) -> str:
        return f"hold {made['hold']}"

    with pytest.raises(CutOff):
        ledger.once("s-1", "k", b"body", place, at=AT)

    ((hold_id,),) = door("SELECT id FROM holds")
    for minutes in (0, 10):
        said = ledger.once("s-1", "k", b"body", never, at=later(minutes=minutes), again=again)
        assert said == (f"hold {hold_id}", True)
    assert door("SELECT count(*) FROM holds") == [(1,)]


def test_a_hand_off_is_good_once(ledger: Ledger, door: Door) -> None:
    until = later(minutes=5)

    assert ledger.use_handoff("j-1", expires_at=until, at=AT)
    assert not ledger.use_handoff("j-1", expires_at=until, at=later(minutes=4))
    assert ledger.use_handoff("j-2", expires_at=later(minutes=12), at=later(minutes=7))
    assert len(door("SELECT mark FROM used_handoffs")) == 1, "what has expired is forgotten"


def test_a_request_is_opened_once_for_a_body_and_another_one_is_refused(ledger: Ledger) -> None:
    said: dict[str, Any] = {"idempotency_key": "k", "asked": ledger.asked_mark(b"body")}
    first = open_one(ledger, **said)

    assert open_one(ledger, **said).request_id == first.request_id
    with pytest.raises(KeyReused):
        open_one(ledger, idempotency_key="k", asked=ledger.asked_mark(b"with a text"))


def test_a_verb_on_what_was_seen_is_carried_out(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    seen = ledger.version(request_id)

    with only_if(request_id, seen):
        ledger.withdraw(request_id, at=AT)

    assert ledger.request(request_id).withdrawn
    assert ledger.version(request_id) > seen


def test_a_verb_on_what_has_changed_does_nothing(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger)
    seen = ledger.version(request_id)
    ledger.move(request_id, Phase.CONFIRMING, at=AT)
    before = door("SELECT count(*) FROM entries")

    with only_if(request_id, seen), pytest.raises(Changed):
        ledger.withdraw(request_id, at=AT)

    assert not ledger.request(request_id).withdrawn
    assert door("SELECT count(*) FROM entries") == before
    ledger.withdraw(request_id, at=AT)


def test_what_happens_to_others_changes_nothing_of_this_one(ledger: Ledger) -> None:
    request_id = opened_id(ledger)
    seen = ledger.version(request_id)
    opened_id(ledger)

    with only_if(request_id, seen):
        ledger.withdraw(request_id, at=AT)
        ledger.note(request_id, "redriven", {}, at=AT)  # its own words do not stand in the way of its next


def test_of_two_who_saw_the_same_one_decides(ledger: Ledger) -> None:
    """However they meet: both read a version, both decide at once."""
    request_id = opened_id(ledger, right=Right.ERASURE)
    seen = ledger.version(request_id)

    def decide(word: str) -> bool:
        try:
            with only_if(request_id, seen):
                ledger.note(request_id, "redriven", {"by": word}, at=AT)
        except Changed:
            return False
        return True

    with ThreadPoolExecutor(8) as together:
        assert sum(together.map(decide, map(str, range(8)))) == 1


def test_pages_of_what_is_due_are_whole_while_others_come_in(ledger: Ledger) -> None:
    mine = [opened_id(ledger, at=later(days=n % 3)) for n in range(7)]
    seen, after = [], None
    until = AT + timedelta(days=90)
    while page := ledger.due(until, after=after, limit=2):
        seen += [row.id for row in page]
        after = (page[-1].clock.legal_due, page[-1].id)
        opened_id(ledger, at=AT - timedelta(days=1))

    assert [one for one in seen if one in mine] == sorted(
        mine, key=lambda one: (ledger.request(one).clock.legal_due, one)
    )
    assert len(seen) == len(set(seen))
    assert ledger.due(AT, limit=10) == []


def test_a_person_follows_what_is_about_them_alone(ledger: Ledger) -> None:
    mine, both, other = (
        opened_id(ledger, identities=ANNA[:1]),
        opened_id(ledger, identities=ANNA, at=later(minutes=1)),  # the newest first
        opened_id(ledger, identities=OTTO),
    )
    opened_id(ledger, identities=(*ANNA, *OTTO))

    assert [row.id for row in ledger.requests_of(ANNA, limit=9)] == [both, mine]
    assert [row.id for row in ledger.requests_of(ANNA[:1], limit=9)] == [mine]
    assert [row.id for row in ledger.requests_of(OTTO, limit=9)] == [other]


def test_what_several_people_may_have_makes_nobody_the_one_who_asked(ledger: Ledger) -> None:
    family, anna, bert = (
        Identity(kind="email", value="family@example.org"),
        Identity(kind="customer_id", value="1"),
        Identity(kind="customer_id", value="2"),
    )
    by_address = opened_id(ledger, identities=(family,))
    annas = opened_id(ledger, identities=(family, anna))

    def seen(*people: Identity) -> list[str]:
        return [row.id for row in ledger.requests_of(people, limit=9, shared={"email"})]

    assert seen(family, anna) == [annas]
    assert seen(family, bert) == []
    assert seen(family) == []
    assert ledger.requests_of((family, bert), request_id=by_address, shared={"email"}) == []
    assert [row.id for row in ledger.requests_of((family, bert), limit=9)] == [by_address], "unless it is unique"
