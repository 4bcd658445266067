"""Cooling-off in the ledger: nothing passes the fence, one token stops it, two agents let it go on."""

import re
from collections.abc import Callable

import pytest

from ledger.errors import LedgerRefusal
from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel
from ledger.proofcodes import Reached
from rights.codes import Code
from rights.letterkinds import LetterKind
from rights.letterlaw import sayings
from rights.letters import Particulars
from rights.request import Phase, Right
from rights.subject import Identity
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
    assert [task.code for task in ledger.tasks()] == [Code.STOPPED], "and no notice to post: an address is known"
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


def test_every_channel_on_file_is_told_how_to_stop_it_each_once(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger, confirmed=True)
    ledger.seal(request_id, "working", REPLY, Channel("email", "anna.berg@EXAMPLE.org").sealed(), at=AT)
    reach = [Reached("email", "new@example.net", AT), Reached("phone", "+49 30 1234", AT), Reached("post", "A\nB", AT)]
    ledger.keep_reach(request_id, reach, doubt=False, at=AT)

    for _ in range(2):
        ledger.cool(request_id, UNTIL, at=AT, sms="{digits}@sms.example")

    written = door("SELECT kind, number, channel, state FROM letters ORDER BY number")
    assert written == [("cooling_off_notice", n, f"channel/cooling/{n}", "queued") for n in range(4)]
    places = [ledger.unseal(request_id, "working", f"channel/cooling/{n}") for n in range(4)]
    assert {Channel.unsealed(place).address for place in places if place} == {
        "anna.berg@EXAMPLE.org",
        "new@example.net",
        "49301234@sms.example",
        "A\nB",
    }
    sealed = [ledger.unseal(request_id, "file", f"letter/cooling_off_notice/{number}") for number in range(4)]
    said = {Particulars.model_validate_json(one or b"") for one in sealed}
    assert [(one.stop_until, one.stop_token) for one in said] == [(UNTIL, token(ledger, request_id))]
    assert ledger.stop(said.pop().stop_token or "", at=later(hours=1)), "and the token in it stops the erasure"


@pytest.mark.parametrize("mail", [True, False])
def test_where_nobody_can_be_written_to_a_person_posts_the_notice(ledger: Ledger, door: Door, mail: bool) -> None:
    somebody = (Identity("customer_id", "4711"), *(() if mail else ANNA))
    request_id = opened_id(ledger, identities=somebody, confirmed=True)

    ledger.cool(request_id, UNTIL, at=AT, mail=mail)

    assert door("SELECT code, about, due_on FROM tasks") == [
        (Code.POST_OUT.value, "cooling_off_notice", later(days=1).date())
    ]
    assert door("SELECT number, channel, state FROM letters") == [(0, None, "to_post")]


def test_an_erasure_that_waits_for_nothing_is_told_of_in_no_notice(ledger: Ledger, door: Door) -> None:
    ledger.cool(opened_id(ledger, confirmed=True), AT, at=AT)

    assert door("SELECT count(*) FROM letters") == [(0,)]


def test_ERA_15_who_says_nothing_a_second_time_has_it_carried_out(ledger: Ledger, door: Door) -> None:
    """11 CCR 7020(d), 7004: a second confirmation may be asked for online; none is, so none can stand in the way."""
    request_id = cooling(ledger)
    said = {one.element for one in sayings(LetterKind.COOLING_OFF_NOTICE, "us-ca-ccpa", None, None)}
    assert {"stop_link", "after_stop"} <= said
    assert not {element for element in said if "confirm" in element}, "it says how to stop it, and asks for nothing"

    assert ledger.cool(request_id, UNTIL, at=UNTIL).cooling == "over"
    ledger.move(request_id, Phase.LOCATING, at=UNTIL)

    assert enter(ledger, request_id), "without another word of anybody"
    assert door("SELECT code FROM tasks WHERE request_id = %s AND code IN ('cooling', 'identity')", request_id) == []
