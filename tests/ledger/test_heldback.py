"""What people do beside the engine asks for holds, too: by hand, by lifting, by renaming a system."""

from datetime import date, timedelta
from typing import Any

import pytest

from ledger.errors import LedgerRefusal
from ledger.heldback import HeldBack
from ledger.holds import Hold
from ledger.ledger import Ledger
from rights.codes import Code
from rights.holds import HOUSE, Disclosure, Scope, Terms
from rights.plan import Operation
from rights.request import Phase, Right
from rights.restriction import Ended, Ground
from tests.ledger.builders import ANNA, AT, OTTO, a_step, a_tally, later, opened_id
from tests.ledger.conftest import Door

SECRET = Terms(disclosure=Disclosure.COUNSEL_TEXT)


def task(ledger: Ledger, code: Code = Code.MANUAL, operation: Operation = Operation.ERASE) -> tuple[str, str]:
    """A request with something on a person's desk."""
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    return request_id, ledger.open_task(request_id, a_step(request_id, operation).key, code, "shop", at=AT)


def place(ledger: Ledger, terms: Terms = Terms(), who: Any = ANNA[:1]) -> Hold:  # noqa: B008 - frozen
    return ledger.place_hold(who, "matter", at=later(hours=1), by="s-17", terms=terms)


def release(ledger: Ledger, hold: Hold) -> None:
    for who in ("s-17", "s-21"):
        ledger.release_hold(hold.id, by=who, at=later(hours=3), file_until=later(days=9))


@pytest.mark.parametrize("code", [Code.MANUAL, Code.UNSUPPORTED])
def test_what_lay_on_a_desk_before_a_hold_is_not_called_done_under_it(ledger: Ledger, door: Door, code: Code) -> None:
    request_id, mine = task(ledger, code)
    hold = place(ledger)
    before = door("SELECT count(*) FROM entries")

    with pytest.raises(HeldBack, match="a hold covers this person") as refused:
        ledger.rule(request_id, mine, "done", at=later(hours=2))

    assert (refused.value.code, ledger.held_back(request_id, "shop", at=later(hours=2))) == (Code.HOLD, Code.HOLD)
    assert door("SELECT ruling FROM tasks") == [(None,)]
    assert door("SELECT count(*) FROM entries") == before, "a refused word leaves nothing"
    assert ledger.held_back(request_id, "crm", at=later(hours=2)) is Code.HOLD, "it is on everything"
    release(ledger, hold)
    assert ledger.rule(request_id, mine, "done", at=later(hours=4))


def test_one_that_must_stay_secret_is_not_spoken_of(ledger: Ledger) -> None:
    request_id, mine = task(ledger)
    place(ledger, SECRET)

    with pytest.raises(HeldBack) as refused:
        ledger.rule(request_id, mine, "done", at=later(hours=2))

    assert refused.value.code is Code.QUEUED
    assert "hold" not in str(refused.value).replace("calling", "")


@pytest.mark.parametrize(
    ("terms", "who", "operation"),
    [
        (Terms(scope=Scope(systems=("crm",))), ANNA[:1], Operation.ERASE),
        (Terms(), OTTO, Operation.ERASE),
        # Nothing is lost where somebody puts a statement beside the data, or stops a newsletter by hand.
        (Terms(), ANNA[:1], Operation.SUPPRESS),
    ],
)
def test_what_no_hold_is_about_is_done_as_ever(ledger: Ledger, terms: Terms, who: Any, operation: Operation) -> None:
    request_id, mine = task(ledger, operation=operation)
    place(ledger, terms, who)

    assert ledger.rule(request_id, mine, "done", at=later(hours=2))


def test_a_scope_that_covers_nothing_there_by_the_map_stops_nothing(ledger: Ledger) -> None:
    request_id, mine = task(ledger)
    place(ledger, Terms(scope=Scope(categories=("health",))))

    with pytest.raises(HeldBack):
        ledger.rule(request_id, mine, "done", at=later(hours=2))
    assert ledger.rule(request_id, mine, "done", at=later(hours=2), covers=lambda scope, system: False)


def restricted(ledger: Ledger) -> str:
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.RESTRICTION, confirmed=True)
    ledger.begin_restriction(request_id, Ground.CLAIMS, at=AT, review_on=later(days=90))
    step = a_step(request_id, Operation.RESTRICT)
    limits: dict[str, Any] = {"limit": timedelta(seconds=30), "max_people_per_hour": 5, "operation": Operation.RESTRICT}
    intent = ledger.enter_fence(request_id, "shop", step.key, planned={}, look=a_tally(), at=AT, **limits)
    ledger.exit_fence(intent, a_tally(), at=AT)
    return request_id


@pytest.mark.parametrize(("terms", "code"), [(Terms(), Code.HOLD), (SECRET, Code.QUEUED)])
def test_nobody_is_told_of_a_lifting_that_a_hold_would_stop(
    ledger: Ledger, door: Door, terms: Terms, code: Code
) -> None:
    request_id = restricted(ledger)
    hold = place(ledger, terms)

    with pytest.raises(HeldBack) as refused:
        ledger.ask_to_lift(request_id, Ended.ASKED, at=later(hours=2), notice=timedelta(days=7))

    assert refused.value.code is code
    assert door("SELECT count(*) FROM letters") == [(0,)]
    found = ledger.restriction(request_id)
    assert found is not None
    assert found.lift_asked_at is None
    release(ledger, hold)
    assert ledger.ask_to_lift(request_id, Ended.ASKED, at=later(hours=4), notice=timedelta(days=7))


def test_the_systems_that_holds_in_force_name_are_known(ledger: Ledger) -> None:
    place(ledger)
    assert ledger.held_places() == {}, "one on everything is bound to no name"
    gone = place(ledger, Terms(scope=Scope(systems=("shop", HOUSE), collections=("crm.contacts",))))
    place(ledger, Terms(scope=Scope(collections=("shop.orders",), since=date(2024, 1, 1))))

    assert ledger.held_places() == {"crm": 1, "shop": 2}
    release(ledger, gone)
    assert ledger.held_places() == {"shop": 1}


def test_a_ruling_that_nobody_waits_for_is_refused_before_any_hold_is_asked(ledger: Ledger) -> None:
    request_id, mine = task(ledger, Code.LEFT_BEHIND)
    place(ledger)

    with pytest.raises(LedgerRefusal, match="not done by saying so"):
        ledger.rule(request_id, mine, "done", at=later(hours=2))
