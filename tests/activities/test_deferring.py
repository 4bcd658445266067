"""What comes back goes by a request of its own, no further than what was left; where more is there, a person looks."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.closing import ClosingActivities
from activities.deferring import DeferringActivities
from activities.opening import Ask, OpeningActivities
from activities.planning import Planning, PlanningActivities
from activities.store import FileStore
from activities.tools import Tools
from ledger.ledger import Ledger
from rights.codes import Code
from rights.datamap import DataMap
from rights.journal import REPLAYED
from rights.plan import Operation
from rights.receipt import Outcome
from rights.recipients import Register
from rights.request import Conclusion, Phase
from rights.restwords import OpenGround, RestWord
from tests.activities.test_resting import decide
from tests.activities.test_telling import recipient
from tests.ledger.builders import ANNA, AT, a_map, a_receipt, a_step, later, opened_id, release
from tests.ledger.conftest import Door
from tests.ledger.test_deferrals import left_behind

Make = Callable[[DataMap], Tools]


@pytest.fixture
def make(ledger: Ledger, tmp_path: Path) -> Make:
    return lambda data_map: Tools(ledger, {}, data_map, FileStore(tmp_path), environment="test")


def two_systems() -> DataMap:
    """The shop's map with a second system."""
    shop = a_map().systems["shop"]
    return DataMap.of({"shop": shop, "crm": shop.model_copy(update={"system": "crm"})})


def carried_out(tools: Tools, request_id: str) -> str:
    """The request that a review opens."""
    reviewed = DeferringActivities(tools).review(Ask(request_id=request_id, as_of=later(days=900)))
    assert reviewed.over
    left = tools.ledger.deferral(request_id)
    assert left
    assert left.by_request
    return left.by_request


def asks_a_person(tools: Tools, request_id: str, **found: int) -> bool:
    """Whether a preview has to be approved once so many rows were found."""
    at = later(days=901)
    tools.ledger.move(request_id, Phase.LOCATING, at=at)
    tools.ledger.keep_receipt(a_receipt(a_step(request_id, Operation.LOCATE), Outcome.DONE, at=at, **found))
    planning = Planning(ask=Ask(request_id=request_id, as_of=at), round=0, holding=("shop",))
    return PlanningActivities(tools).plan(planning).needs_approval


def test_it_looks_every_month_and_on_the_very_day_of_a_date(ledger: Ledger, make: Make) -> None:
    deferring = DeferringActivities(make(a_map()))
    hold = ledger.place_hold(ANNA, "a court case", at=AT, by="s-9")
    request_id = left_behind(ledger, not_before=later(days=70))

    def next_days(days: float) -> float:
        reviewed = deferring.review(Ask(request_id=request_id, as_of=later(days=days)))
        assert not reviewed.over
        return reviewed.next_in_seconds / 86_400

    assert [next_days(0), next_days(30), next_days(60)] == [30, 30, 10]
    assert next_days(70) == 30, "the hold is there still"
    release(ledger, hold.id)
    assert deferring.review(Ask(request_id=request_id, as_of=later(days=70))).over
    assert deferring.review(Ask(request_id=request_id, as_of=later(days=70))).over, "and it was opened once"
    assert len(ledger.open_requests()) == 1


def test_it_is_about_the_systems_in_which_something_was_left_as_todays_map_has_them(ledger: Ledger, make: Make) -> None:
    tools = make(two_systems())
    made = carried_out(tools, left_behind(ledger))
    row = ledger.request(made)
    assert set(tools.pinned(row.map_digest).systems) == {"shop"}
    assert (row.confirmed, row.clock.received_at) == (True, later(days=900))
    assert not asks_a_person(tools, made, orders=3)


def test_recipients_hear_of_the_rest_when_it_goes_and_of_a_replay_once(ledger: Ledger, tmp_path: Path) -> None:
    """GDPR Art. 19: what was kept of an answered erasure was told to nobody then."""
    register = Register(recipients={"acme": recipient("shop.orders")})
    tools = Tools(ledger, {}, a_map(), FileStore(tmp_path), environment="test", register=register)
    rest = carried_out(tools, left_behind(ledger))
    anew = opened_id(ledger, assurance=REPLAYED, ground=REPLAYED, confirmed=True)
    ledger.pin_map(anew, tools.data_map, at=AT)

    def tells(request_id: str) -> bool:
        return OpeningActivities(tools)._facts(Ask(request_id=request_id, as_of=AT)).tells

    assert (tells(rest), tells(anew)) == (True, False)


@pytest.mark.parametrize(
    ("outcome", "code", "told"),
    [(Outcome.NEEDS_HUMAN, Code.RULED_OUT, ["answer_erasure"]), (Outcome.HELD, Code.HOLD, [])],
)
def test_whoever_was_told_until_when_it_stays_hears_that_it_was_given_up(
    ledger: Ledger, tmp_path: Path, outcome: Outcome, code: Code, told: list[str]
) -> None:
    """And nothing while a hold has it stay once more: they know that it does."""
    mail: Any = object()
    tools = Tools(ledger, {}, a_map(), FileStore(tmp_path), environment="test", mail=mail)
    rest = carried_out(tools, left_behind(ledger))
    for phase in (Phase.LOCATING, Phase.FULFILLING):
        ledger.move(rest, phase, at=later(days=901))
    ledger.keep_receipt(a_receipt(a_step(rest, Operation.LOCATE), orders=3))
    act = a_receipt(a_step(rest), outcome, orders=3)
    ledger.keep_receipt(act.model_copy(update={"code": code}))

    closed = ClosingActivities(tools).close(Ask(request_id=rest, as_of=later(days=902)))

    assert closed.conclusion is Conclusion.IN_PART
    assert [letter.kind for letter in ledger.letters(rest)] == told


def test_what_a_decision_has_left_out_of_the_first_request_stays_out_of_the_rest(
    ledger: Ledger, door: Door, make: Make
) -> None:
    tools = make(two_systems())
    request_id = left_behind(ledger)
    decide(door, request_id)

    row = ledger.request(carried_out(tools, request_id))

    assert row.decided == ledger.request(request_id).decided
    kept = tools.map_of(row).systems["shop"].collections["customers"]
    assert kept != tools.data_map.systems["shop"].collections["customers"]


@pytest.mark.parametrize("found", [{"orders": 4}, {"orders": 3, "customers": 1}])
def test_a_person_approves_where_more_is_there_than_was_left(ledger: Ledger, make: Make, found: dict[str, int]) -> None:
    tools = make(a_map())
    made = carried_out(tools, left_behind(ledger))
    assert asks_a_person(tools, made, **found), "somebody may have come back since"
    assert ledger.request(made).phase is Phase.APPROVING


def test_a_person_approves_where_the_earlier_request_has_left_something_once_more(ledger: Ledger, make: Make) -> None:
    tools = make(a_map())
    request_id = left_behind(ledger)
    made = carried_out(tools, request_id)
    ledger.reopen(request_id, {"shop": Code.RESTORED}, at=later(days=900))
    left_behind(ledger, request_id=request_id)

    assert asks_a_person(tools, made, orders=3), "nobody can tell any more how much this one was opened for"


def test_where_a_system_has_left_the_map_all_of_it_is_looked_into_and_a_person_approves(
    ledger: Ledger, make: Make
) -> None:
    renamed = a_map().systems["shop"].model_copy(update={"system": "shop2"})
    tools = make(DataMap.of({"shop2": renamed}))
    made = carried_out(tools, left_behind(ledger))
    assert ledger.request(made).map_digest == tools.data_map.digest
    at = later(days=901)
    ledger.move(made, Phase.LOCATING, at=at)
    ledger.keep_receipt(a_receipt(a_step(made, Operation.LOCATE, system="shop2"), Outcome.DONE, at=at, orders=1))
    planning = Planning(ask=Ask(request_id=made, as_of=at + timedelta(minutes=1)), round=0, holding=("shop2",))
    assert PlanningActivities(tools).plan(planning).needs_approval


def without_end(ledger: Ledger, door: Door) -> str:
    """An answered erasure with nothing left but what a decision keeps, which is locked away in the shop."""
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    decide(door, request_id)
    ledger.lock_rest(request_id, "shop", at=AT)
    return left_behind(ledger, request_id=request_id, asked_only=True, ask_at=later(days=365))


def test_ERA_03_somebody_is_asked_on_its_day_of_what_is_kept_without_an_end(
    ledger: Ledger, door: Door, make: Make
) -> None:
    deferring, request_id = DeferringActivities(make(a_map())), without_end(ledger, door)

    def review(days: float) -> float:
        reviewed = deferring.review(Ask(request_id=request_id, as_of=later(days=days)))
        assert not reviewed.over, "it does not go by itself, however long nobody says anything"
        return reviewed.next_in_seconds / 86_400

    def desk() -> list[str]:
        return [task.code for task in ledger.tasks(request_id=request_id)]

    assert (review(0), review(340), desk()) == (30, 25, [])
    assert [review(days) for days in (365, 366, 3000)] == [30, 30, 30]
    assert desk() == [Code.REST_REVIEW], "once, and until somebody answers"

    ledger.keep_rest(request_id, by="s-1", ask_at=later(days=3400), at=later(days=3001))
    assert desk() == []
    review(3399)
    assert desk() == []
    review(3400)
    assert desk() == [Code.REST_REVIEW]
    assert ledger.verify().sound


@pytest.mark.parametrize("word", list(RestWord))
def test_what_two_people_say_is_carried_out_by_a_request_of_its_own(
    ledger: Ledger, door: Door, make: Make, word: RestWord
) -> None:
    tools, request_id = make(a_map()), without_end(ledger, door)
    ground = OpenGround.CLAIMS if word is RestWord.OPEN else None
    for by in ("s-1", "s-2"):
        ledger.say_of_rest(request_id, word, ground=ground, by=by, at=AT)

    made = ledger.request(carried_out(tools, request_id))

    assert made.rests == ("shop",), "what is locked away is not lost from sight"
    assert made.rests_opened is (word is RestWord.OPEN)
    kept = tools.map_of(made).systems["shop"].collections["customers"]
    plain = tools.data_map.systems["shop"].collections["customers"]
    assert (kept == plain) is (word is RestWord.ERASE), "what goes now is left out by no decision any more"
    # What is left once more does not go on the word that has been carried out.
    again = left_behind(ledger, request_id=made.id, asked_only=True, ask_at=later(days=1300))
    left = ledger.deferral(again)
    assert left
    assert (left.due(later(days=9000)), left.asks(later(days=1300))) == (False, True)
    assert ledger.verify().sound


def test_under_a_hold_nothing_goes_on_two_peoples_word_and_what_they_open_is_opened(
    ledger: Ledger, door: Door, make: Make
) -> None:
    ledger.place_hold(ANNA, "a court case", at=AT, by="s-9")
    deferring, request_id = DeferringActivities(make(a_map())), without_end(ledger, door)
    for by in ("s-1", "s-2"):
        ledger.say_of_rest(request_id, RestWord.OPEN, ground=OpenGround.CLAIMS, by=by, at=AT)
    assert deferring.review(Ask(request_id=request_id, as_of=AT)).over

    other = without_end(ledger, door)
    for by in ("s-1", "s-2"):
        ledger.say_of_rest(other, RestWord.ERASE, by=by, at=AT)
    assert not deferring.review(Ask(request_id=other, as_of=later(days=3000))).over
