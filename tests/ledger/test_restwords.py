"""What people say of what an erasure has left: one keeps it, two open it or have it go."""

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.request import Phase
from rights.restwords import OpenGround, RestWord
from tests.ledger.builders import ANNA, AT, later, opened_id
from tests.ledger.conftest import Door
from tests.ledger.test_deferrals import carry_out, left_behind

CLAIMS = OpenGround.CLAIMS


def locked(ledger: Ledger, *, closed: bool = True) -> str:
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    ledger.lock_rest(request_id, "shop", at=AT)
    if closed:
        left_behind(ledger, request_id=request_id, asked_only=True, ask_at=later(days=365))
    return request_id


@pytest.mark.parametrize("word", list(RestWord))
def test_it_takes_two_people(ledger: Ledger, word: RestWord) -> None:
    request_id, ground = locked(ledger), CLAIMS if word is RestWord.OPEN else None
    assert not ledger.say_of_rest(request_id, word, ground=ground, by="s-1", at=AT)
    for same in ("s-1", " S-1", ""):
        with pytest.raises(LedgerRefusal, match="second person"):
            ledger.say_of_rest(request_id, word, ground=ground, by=same, at=AT)
    left = ledger.deferral(request_id)
    assert left
    assert not left.due(later(days=9000)), "on the word of one nothing is done"

    assert ledger.say_of_rest(request_id, word, ground=ground, by="s-2", at=later(days=1))

    left = ledger.deferral(request_id)
    assert left
    assert left.due(later(days=1))
    said = ledger.rest_said(request_id)[word]
    assert (said.asked_by, said.agreed_by, said.ground) == ("s-1", "s-2", ground)
    with pytest.raises(LedgerRefusal, match="already"):
        ledger.say_of_rest(request_id, word, ground=ground, by="s-3", at=AT)
    assert ledger.verify().sound


def test_the_second_person_agrees_to_the_same_ground(ledger: Ledger) -> None:
    request_id = locked(ledger)
    ledger.say_of_rest(request_id, RestWord.OPEN, ground=CLAIMS, by="s-1", at=AT)
    with pytest.raises(LedgerRefusal, match="another ground"):
        ledger.say_of_rest(request_id, RestWord.OPEN, ground=OpenGround.MISTAKE, by="s-2", at=AT)
    assert not ledger.request(request_id).rests_opened


def test_to_keep_it_takes_back_what_one_has_asked_for_and_nothing_that_two_have_said(ledger: Ledger) -> None:
    request_id = locked(ledger)
    ledger.say_of_rest(request_id, RestWord.ERASE, by="s-1", at=AT)
    ledger.keep_rest(request_id, by="s-3", ask_at=later(days=500), at=AT)
    assert ledger.rest_said(request_id) == {}
    left = ledger.deferral(request_id)
    assert left
    assert left.ask_at == later(days=500)

    for by in ("s-1", "s-2"):
        ledger.say_of_rest(request_id, RestWord.ERASE, by=by, at=AT)
    with pytest.raises(LedgerRefusal, match="place a hold"):
        ledger.keep_rest(request_id, by="s-3", ask_at=later(days=900), at=AT)
    with pytest.raises(LedgerRefusal, match="future"):
        ledger.keep_rest(request_id, by="s-3", ask_at=AT, at=AT)


def test_what_is_not_locked_or_not_left_is_refused_and_no_secret_hold_told_by_it(ledger: Ledger) -> None:
    """Of an erasure that left something because of a hold the same is said as of one that left nothing."""
    ledger.place_hold(ANNA, "a court case", at=AT, by="s-9")
    held = left_behind(ledger)
    for word, says in ((RestWord.OPEN, "nothing of this request is locked"), (RestWord.ERASE, "left nothing")):
        with pytest.raises(LedgerRefusal, match=says):
            ledger.say_of_rest(held, word, by="s-1", at=AT)
    with pytest.raises(LedgerRefusal, match="without an end"):
        ledger.keep_rest(held, by="s-1", ask_at=later(days=9), at=AT)
    with pytest.raises(LedgerRefusal, match="is open"):
        ledger.say_of_rest(locked(ledger, closed=False), RestWord.ERASE, by="s-1", at=AT)


def test_of_an_open_request_its_own_run_is_told(ledger: Ledger, door: Door) -> None:
    request_id = locked(ledger, closed=False)
    for by in ("s-1", "s-2"):
        ledger.say_of_rest(request_id, RestWord.OPEN, ground=CLAIMS, by=by, at=AT)
    assert ledger.request(request_id).rests_opened
    assert (request_id,) in door("SELECT request_id FROM outbox WHERE kind = 'wake'")
    left_behind(ledger, request_id=request_id, asked_only=True, ask_at=later(days=365))
    left = ledger.deferral(request_id)
    assert left
    assert not left.due(later(days=9000)), "it is opened, and opens no request for that"


def test_what_was_opened_stays_open_whoever_carries_on_with_it(ledger: Ledger) -> None:
    request_id = locked(ledger)
    for by in ("s-1", "s-2"):
        ledger.say_of_rest(request_id, RestWord.OPEN, ground=CLAIMS, by=by, at=AT)
    second = carry_out(ledger, request_id)
    left_behind(ledger, request_id=second, not_before=later(days=9), ask_at=later(days=365))
    third = carry_out(ledger, second)
    assert [ledger.request(one).rests_opened for one in (second, third)] == [True, True]
