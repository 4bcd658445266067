"""Restrictions in the ledger: in force until lifted, and nobody's is lifted who was not told."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel, Letter, said_name
from rights.codes import Code
from rights.letters import Particulars
from rights.plan import Operation
from rights.request import Phase, Right
from rights.restriction import Ended, Ground, Stage
from tests.ledger.builders import ANNA, AT, OTTO, a_step, close_one, enter, later, open_one, opened_id
from tests.ledger.conftest import Door

WEEK = timedelta(days=7)


@pytest.fixture
def restricted(ledger: Ledger) -> str:
    """A request for which Anna's data is restricted, and which is answered and closed."""
    request_id = opened_id(ledger, Phase.LOCATING, right=Right.RESTRICTION)
    assert ledger.begin_restriction(request_id, Ground.CLAIMS, at=AT, review_on=later(days=90))
    ledger.seal(request_id, "working", "restricted/shop", b'{"request":"habeas-1"}', at=AT)
    close_one(ledger, request_id)
    return request_id


def stage(ledger: Ledger, request_id: str) -> Stage:
    found = ledger.restriction(request_id)
    assert found is not None
    return found.stage


def lift(ledger: Ledger, request_id: str) -> None:
    ledger.ask_to_lift(request_id, Ended.NOT_NEEDED, at=AT, notice=WEEK)
    ledger.told_of_lifting(request_id, at=AT)
    assert ledger.begin_lifting(request_id, at=later(days=7))
    ledger.lifted(request_id, at=later(days=7), working_until=later(days=37), file_until=later(days=1000))


def test_a_restriction_is_in_force_until_it_is_lifted(ledger: Ledger, restricted: str) -> None:
    assert [one.request_id for one in ledger.restrictions()] == [restricted]
    assert ledger.is_restricted(ANNA)
    assert not ledger.is_restricted(OTTO)

    lift(ledger, restricted)

    assert ledger.restrictions() == []
    assert not ledger.is_restricted(ANNA)
    assert stage(ledger, restricted) is Stage.LIFTED


def test_res04_nothing_is_lifted_before_the_person_is_told_and_the_term_has_run(
    ledger: Ledger, restricted: str
) -> None:
    assert not ledger.begin_lifting(restricted, at=later(days=400)), "nobody has asked for it"
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=AT, notice=WEEK)
    assert not ledger.begin_lifting(restricted, at=later(days=400)), "the person is not told"

    assert ledger.told_of_lifting(restricted, at=later(days=2)) == later(days=9)

    assert not ledger.begin_lifting(restricted, at=later(days=8.9))
    assert stage(ledger, restricted) is Stage.NOTICE
    assert ledger.begin_lifting(restricted, at=later(days=9))


def test_the_day_that_the_letter_names_is_one_of_the_requests_own_zone(ledger: Ledger, restricted: str) -> None:
    """West of Greenwich that of UTC is a day later in the evening: it would be lifted before the day that was told."""
    evening = AT.replace(hour=23, minute=30)  # half past midnight in Berlin
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=evening, notice=WEEK)
    (letter,) = ledger.letters(restricted)
    said = ledger.unseal(restricted, "file", said_name(letter.kind, letter.number))

    lift_on = ledger.told_of_lifting(restricted, at=evening)

    assert lift_on.astimezone(ZoneInfo("Europe/Berlin")).date() == date(2026, 3, 10)
    assert Particulars.model_validate_json(said or b"").lift_on == date(2026, 3, 10)


def test_the_term_runs_from_the_day_on_which_the_letter_was_posted(ledger: Ledger, restricted: str) -> None:
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=AT, notice=WEEK)
    (task,) = ledger.tasks(request_id=restricted)
    assert (task.code, task.about) == (Code.POST_OUT, "restriction_to_be_lifted")
    assert ledger.heard_of_lifting(restricted, at=later(days=1)) is None

    ledger.rule(restricted, task.id, "done", at=later(days=2))

    assert ledger.heard_of_lifting(restricted, at=later(days=3)) == later(days=9)
    assert ledger.tasks(request_id=restricted) == []


def test_res04_a_letter_that_came_back_has_told_nobody(ledger: Ledger, restricted: str) -> None:
    channel = Channel("email", "anna.berg@example.org").sealed()
    ledger.seal(restricted, "working", REPLY, channel, at=AT)
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=AT, notice=WEEK)

    def sent(days: float) -> Letter:
        (letter,) = ledger.letters_to_send(9)
        assert ledger.begin_sending(letter, b"text", at=later(days=days))
        assert ledger.letter_sent(letter, at=later(days=days))
        return letter

    first = sent(0)
    assert ledger.heard_of_lifting(restricted, at=AT) == later(days=7)
    assert ledger.letter_bounced(first.message_id, "5.1.1", at=later(days=1))
    assert not ledger.begin_lifting(restricted, at=later(days=400))
    assert ledger.heard_of_lifting(restricted, at=later(days=2)) is None
    assert stage(ledger, restricted) is Stage.TELLING

    ledger.resend_letter(first.id, at=later(days=3))
    sent(3)
    assert ledger.heard_of_lifting(restricted, at=later(days=3)) == later(days=10), "the term runs anew"
    assert not ledger.begin_lifting(restricted, at=later(days=9))
    assert ledger.begin_lifting(restricted, at=later(days=10))


def test_res04_whoever_was_told_otherwise_after_the_letter_came_back_is_told(ledger: Ledger, restricted: str) -> None:
    ledger.seal(restricted, "working", REPLY, Channel("email", "anna.berg@example.org").sealed(), at=AT)
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=AT, notice=WEEK)
    (letter,) = ledger.letters_to_send(9)
    assert ledger.begin_sending(letter, b"text", at=AT)
    assert ledger.letter_sent(letter, at=AT)
    assert ledger.heard_of_lifting(restricted, at=AT)
    assert ledger.letter_bounced(letter.message_id, "5.1.1", at=later(days=1))
    assert ledger.heard_of_lifting(restricted, at=later(days=2)) is None

    assert ledger.told_of_lifting(restricted, at=later(days=2)) == later(days=9)
    assert ledger.heard_of_lifting(restricted, at=later(days=3)) == later(days=9)
    assert ledger.begin_lifting(restricted, at=later(days=9))


def test_a_lifting_asked_for_again_is_told_again(ledger: Ledger, restricted: str) -> None:
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=AT, notice=WEEK)
    (first,) = ledger.tasks(request_id=restricted)
    ledger.rule(restricted, first.id, "done", at=AT)
    ledger.review_restriction(restricted, at=AT, review_on=later(days=60))

    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=later(days=60), notice=WEEK)

    assert ledger.heard_of_lifting(restricted, at=later(days=61)) is None
    assert len(ledger.tasks(request_id=restricted)) == 1


def test_asking_twice_is_once_and_does_not_begin_the_term_anew(ledger: Ledger, restricted: str) -> None:
    assert ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=AT, notice=WEEK)
    ledger.told_of_lifting(restricted, at=AT)

    assert not ledger.ask_to_lift(restricted, Ended.ASKED, at=later(days=3), notice=timedelta(0))
    assert ledger.told_of_lifting(restricted, at=later(days=3)) == later(days=7)


def test_a_review_keeps_the_restriction_until_its_lifting_has_begun(ledger: Ledger, restricted: str) -> None:
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=AT, notice=WEEK)
    ledger.told_of_lifting(restricted, at=AT)

    kept = ledger.review_restriction(restricted, at=later(days=1), review_on=later(days=60), note="they have sued")

    assert kept.stage is Stage.IN_FORCE
    assert not ledger.begin_lifting(restricted, at=later(days=8))
    assert ledger.liftings() == []
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=later(days=60), notice=timedelta(0))
    ledger.told_of_lifting(restricted, at=later(days=60))
    ledger.begin_lifting(restricted, at=later(days=60))
    with pytest.raises(LedgerRefusal, match="being lifted"):
        ledger.review_restriction(restricted, at=later(days=60), review_on=later(days=90))


def test_res06_a_review_that_is_due_is_asked_for_once(ledger: Ledger, restricted: str) -> None:
    assert ledger.ask_for_reviews(at=later(days=89)) == 0

    assert ledger.ask_for_reviews(at=later(days=90)) == 1
    assert ledger.ask_for_reviews(at=later(days=91)) == 0

    (task,) = ledger.tasks(request_id=restricted)
    assert task.code == "restriction_review"
    with pytest.raises(LedgerRefusal, match="habeas restriction review"):
        ledger.rule(restricted, task.id, "give_up", at=later(days=91))
    ledger.review_restriction(restricted, at=later(days=91), review_on=later(days=180))
    assert ledger.tasks(request_id=restricted) == []


def test_whom_it_is_about_is_kept_until_it_is_lifted_and_then_goes_on_its_day(
    ledger: Ledger, door: Door, restricted: str
) -> None:
    ledger.shred_due(later(days=3000))
    assert ledger.identities(restricted) == ANNA
    assert ledger.unseal(restricted, "working", "restricted/shop") is not None

    lift(ledger, restricted)

    ledger.shred_due(later(days=36))
    assert ledger.identities(restricted) == ANNA
    ledger.shred_due(later(days=38))
    with pytest.raises(LedgerRefusal):
        ledger.identities(restricted)


def test_other_requests_of_the_person_learn_where_the_data_is_locked_away(ledger: Ledger, restricted: str) -> None:
    theirs = open_one(ledger, right=Right.ERASURE).request_id
    strangers = open_one(ledger, OTTO, right=Right.ERASURE).request_id

    assert ledger.restricted_elsewhere(theirs, "shop") == [b'{"request":"habeas-1"}']
    assert ledger.restricted_elsewhere(theirs, "crm") == []
    assert ledger.restricted_elsewhere(strangers, "shop") == []
    assert ledger.restricted_elsewhere(restricted, "shop") == []
    lift(ledger, restricted)
    assert ledger.restricted_elsewhere(theirs, "shop") == []


def test_what_is_being_lifted_itself_keeps_nothing_of_another_locked(ledger: Ledger, restricted: str) -> None:
    other = opened_id(ledger, Phase.LOCATING, right=Right.RESTRICTION)
    assert len(ledger.restricted_elsewhere(other, "shop", lifting=False)) == 1
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=AT, notice=WEEK)
    ledger.told_of_lifting(restricted, at=AT)
    assert len(ledger.restricted_elsewhere(other, "shop", lifting=False)) == 1, "not before it begins"

    assert ledger.begin_lifting(restricted, at=later(days=7))

    assert ledger.restricted_elsewhere(other, "shop", lifting=False) == []
    assert len(ledger.restricted_elsewhere(other, "shop")) == 1, "a look goes there still"


def test_a_closed_request_lifts_and_does_nothing_else(ledger: Ledger, restricted: str) -> None:
    with pytest.raises(LedgerRefusal, match="closed"):
        enter(ledger, restricted)

    assert enter(ledger, restricted, operation=Operation.LIFT)


def test_a_hold_stops_a_lifting_too(ledger: Ledger, restricted: str) -> None:
    ledger.place_hold(ANNA, "a court case", at=AT)

    with pytest.raises(LedgerRefusal, match="hold"):
        enter(ledger, restricted, operation=Operation.LIFT)


def test_what_cannot_be_lifted_is_ruled_on_although_the_request_is_closed(ledger: Ledger, restricted: str) -> None:
    step = a_step(restricted, Operation.LIFT)
    task = ledger.open_task(restricted, step.key, Code.SCHEMA, "shop", at=AT)
    other = ledger.open_task(restricted, a_step(restricted).key, Code.SCHEMA, "shop", at=AT)

    assert ledger.rule(restricted, task, "retry", at=AT)
    with pytest.raises(LedgerRefusal, match="closed"):
        ledger.rule(restricted, other, "retry", at=AT)


def test_nothing_is_restricted_for_a_request_that_is_over(ledger: Ledger, restricted: str) -> None:
    gone = opened_id(ledger, Phase.LOCATING, right=Right.RESTRICTION)
    ledger.withdraw(gone, at=AT)

    for over in (restricted, gone):
        with pytest.raises(LedgerRefusal, match="closed or withdrawn"):
            ledger.begin_restriction(over, Ground.CLAIMS, at=AT, review_on=later(days=90))


def test_who_reviewed_and_lifted_a_restriction_stands_in_the_journal(ledger: Ledger, restricted: str) -> None:
    ledger.review_restriction(restricted, at=AT, review_on=later(days=90), by="s-1")
    ledger.ask_to_lift(restricted, Ended.NOT_NEEDED, at=AT, notice=WEEK, by="s-2")
    ledger.told_of_lifting(restricted, at=AT, by="s-3")

    said = [(e.kind, e.body["by"]) for e in ledger.standing(restricted).events if "by" in e.body]
    assert said == [
        ("restriction_reviewed", "s-1"),
        ("restriction_to_be_lifted", "s-2"),
        ("restriction_told", "s-3"),
    ]
