"""Cooling-off in the ledger: nothing passes the fence, one token stops it, two agents let it go on."""

import re
from collections.abc import Callable

import pytest

from ledger.errors import LedgerRefusal
from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from rights.codes import Code
from rights.request import Phase, Right
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, enter, later, opened_id
from tests.ledger.conftest import Door

UNTIL = later(hours=72)


def cooling(ledger: Ledger) -> str:
    request_id = opened_id(ledger, confirmed=True)
    ledger.cool(request_id, UNTIL, at=AT)
    ledger.move(request_id, Phase.COOLING, at=AT)
    return request_id


def token(ledger: Ledger, request_id: str) -> str:
    found = ledger.stop_token(request_id)
    assert found is not None
    return found


def test_nothing_is_destroyed_before_it_is_over(ledger: Ledger) -> None:
    request_id = cooling(ledger)

    with pytest.raises(FenceRefused) as refused:
        enter(ledger, request_id)
    assert refused.value.code is Code.COOLING
    assert ledger.cool(request_id, UNTIL, at=later(hours=71)).cooling == "running"
    assert ledger.cool(request_id, later(days=9), at=UNTIL).cooling == "over"
    ledger.move(request_id, Phase.LOCATING, at=UNTIL)
    assert enter(ledger, request_id)


def test_a_second_factor_waives_it_for_an_erasure_alone(ledger: Ledger, door: Door) -> None:
    erasure = opened_id(ledger, confirmed=True, second_factor=True)
    opened_id(ledger, confirmed=True, second_factor=True, right=Right.ACCESS)

    assert ledger.cool(erasure, UNTIL, at=AT).cooling == "waived"
    assert door("SELECT request_id FROM coolings") == [(erasure,)]


def test_the_token_names_nobody_and_stops_this_erasure_alone(ledger: Ledger, door: Door) -> None:
    one, other = cooling(ledger), cooling(ledger)
    key = token(ledger, one)

    assert re.fullmatch(rf"{one}\.[A-Za-z0-9_-]{{27}}", key)
    assert not any(identity.value in key for identity in ANNA)
    assert ledger.stop(key, at=later(hours=1))
    assert not ledger.stop(key, at=later(hours=2)), "safe to repeat"

    assert (ledger.gate(one).cooling, ledger.gate(other).cooling) == ("frozen", "running")
    assert [task.code for task in ledger.tasks()] == [Code.STOPPED]
    assert ("wake", one) in door("SELECT kind, request_id FROM outbox")
    with pytest.raises(FenceRefused):
        enter(ledger, one)
    assert ledger.cool(one, UNTIL, at=later(days=9)).cooling == "frozen", "time does not thaw it"


@pytest.mark.parametrize(
    "forge",
    [
        lambda one, other: f"{other.split('.')[0]}.{one.split('.')[1]}",
        lambda one, other: one[:-1] + ("A" if one[-1] != "A" else "B"),
        lambda one, other: one.split(".")[0],
        lambda one, other: "",
        lambda one, other: one + "\u202e",
    ],
)
def test_a_token_that_is_none_stops_nothing_and_learns_nothing(
    ledger: Ledger, door: Door, forge: Callable[[str, str], str]
) -> None:
    one, other = (token(ledger, cooling(ledger)) for _ in range(2))
    before = door("SELECT count(*) FROM entries")

    with pytest.raises(LedgerRefusal, match="this is no token that stops anything, or its time is over"):
        ledger.stop(forge(one, other), at=AT)
    assert door("SELECT count(*) FROM entries") == before


def test_the_token_ends_with_the_cooling_off(ledger: Ledger) -> None:
    request_id = cooling(ledger)
    key = token(ledger, request_id)

    with pytest.raises(LedgerRefusal, match="its time is over"):
        ledger.stop(key, at=UNTIL)
    ledger.cool(request_id, UNTIL, at=UNTIL)
    assert ledger.stop_token(request_id) is None


def test_another_tenants_key_makes_other_tokens(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database
) -> None:
    other = make_ledger(tables.url, tenant="other")
    key = token(ledger, cooling(ledger))

    with pytest.raises(LedgerRefusal):
        other.stop(key, at=AT)


def test_what_was_stopped_goes_on_by_the_word_of_two(ledger: Ledger) -> None:
    request_id = cooling(ledger)
    ledger.stop(token(ledger, request_id), at=AT)

    with pytest.raises(LedgerRefusal, match="two agents take it back"):
        ledger.withdraw(request_id, at=AT)
    assert not ledger.review(request_id, "release", by="s-31", at=AT)
    with pytest.raises(LedgerRefusal, match="a second one has to look"):
        ledger.review(request_id, "release", by="s-31", at=AT)
    assert not ledger.review(request_id, "withdraw", by="s-32", at=AT), "they do not agree: both words are void"
    assert not ledger.review(request_id, "release", by="s-32", at=AT)
    with pytest.raises(FenceRefused):
        enter(ledger, request_id)
    assert ledger.review(request_id, "release", by="s-33", at=AT)

    assert ledger.gate(request_id).cooling == "over"
    assert ledger.tasks() == []
    ledger.move(request_id, Phase.LOCATING, at=AT)
    assert enter(ledger, request_id)
    with pytest.raises(LedgerRefusal, match="not frozen"):
        ledger.review(request_id, "release", by="s-34", at=AT)


def test_two_agents_take_a_stopped_erasure_back(ledger: Ledger) -> None:
    request_id = cooling(ledger)
    ledger.stop(token(ledger, request_id), at=AT)
    ledger.review(request_id, "withdraw", by="s-31", at=AT)

    assert ledger.review(request_id, "withdraw", by="s-32", at=later(hours=1))

    assert ledger.request(request_id).withdrawn_at == later(hours=1)
    assert ledger.verify().sound
