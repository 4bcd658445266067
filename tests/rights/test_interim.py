"""An interim answer says what is done and how surely, and tells nobody of a hold."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.audience import State, Told, interim
from rights.codes import Code
from rights.deadlines import start_clock
from rights.plan import Operation, Step
from rights.receipt import Certainty, Count, Kept, Outcome, Receipt, Tally
from rights.regimes import regime
from rights.request import Right

AT = datetime(2026, 3, 20, 9, tzinfo=UTC)
TAX = Kept(ground="tax law", until=date(2034, 12, 31), rows=3)


def receipt(operation: Operation, outcome: Outcome = Outcome.DONE, *, found: int = 0, **more: object) -> Receipt:
    kept = more.pop("kept", ())
    count = Count.model_validate({"collection": "orders", "found": found, "kept": kept})
    step = Step(request_id="r", system="shop", operation=operation)
    return Receipt.model_validate({"step": step, "outcome": outcome, "tally": Tally(counts=(count,)), "at": AT} | more)


def told(*receipts: Receipt, right: Right = Right.ERASURE) -> Told:
    (one,) = interim(right, ["shop"], receipts)
    return one


LOOK = receipt(Operation.LOCATE, found=18)
ERASED = receipt(Operation.ERASE, certainty=Certainty.COMPLETED, found=18)


def test_what_was_not_looked_at_is_outstanding() -> None:
    assert told().state is State.OUTSTANDING


def test_nothing_found_is_said_only_if_every_look_says_so() -> None:
    none = receipt(Operation.LOCATE, Outcome.NOTHING_HELD)

    assert told(none).state is State.NOTHING_FOUND
    assert told(LOOK, none).state is State.OUTSTANDING


@pytest.mark.parametrize("before", [Outcome.NEEDS_HUMAN, Outcome.UNSUPPORTED, Outcome.HELD])
def test_a_look_that_could_not_tell_does_not_outlast_one_that_found_nothing(before: Outcome) -> None:
    """Credentials that were put right, or rows that were ruled to be somebody else's."""
    unsure, none = receipt(Operation.LOCATE, before), receipt(Operation.LOCATE, Outcome.NOTHING_HELD)

    assert told(unsure, none).state is State.NOTHING_FOUND
    assert told(none, unsure).state is State.OUTSTANDING
    assert told(receipt(Operation.LOCATE, before, found=1), none).state is State.OUTSTANDING


def test_a_vendor_that_took_the_work_on_is_not_done() -> None:
    pending = receipt(
        Operation.ERASE, Outcome.PENDING, certainty=Certainty.ACCEPTED, check_after_seconds=86_400, found=18
    )

    one = told(LOOK, pending)

    assert (one.state, one.certainty, one.ask_again, one.found) == (
        State.ACCEPTED,
        Certainty.ACCEPTED,
        date(2026, 3, 21),
        18,
    )


def test_a_step_that_only_waits_for_its_turn_is_outstanding() -> None:
    queued = receipt(Operation.ERASE, Outcome.PENDING, code=Code.QUEUED, check_after_seconds=600)

    assert told(LOOK, queued).state is State.OUTSTANDING


def test_done_is_as_sure_as_its_last_word_and_names_what_is_kept() -> None:
    seen = receipt(Operation.VERIFY, Outcome.RETAINED, certainty=Certainty.VERIFIED, found=3, kept=(TAX,))

    assert (told(LOOK, ERASED).state, told(LOOK, ERASED).certainty) == (State.DONE, Certainty.COMPLETED)
    assert (told(LOOK, ERASED, seen).certainty, told(LOOK, ERASED, seen).kept) == (Certainty.VERIFIED, (TAX,))


def test_what_comes_back_is_outstanding_again() -> None:
    seen = receipt(Operation.VERIFY, certainty=Certainty.VERIFIED)
    left = receipt(Operation.VERIFY, Outcome.PENDING, certainty=Certainty.VERIFIED, found=2, code=Code.LEFT_BEHIND)

    assert told(LOOK, ERASED, left).state is State.OUTSTANDING
    assert told(LOOK, ERASED, seen, LOOK).state is State.OUTSTANDING


def test_a_pseudonym_is_not_done_and_named_as_kept() -> None:
    count = Count(collection="orders", found=2, pseudonymised=2)
    keyed = ERASED.model_copy(update={"outcome": Outcome.RETAINED, "tally": Tally(counts=(count,))})
    seen = receipt(Operation.VERIFY, certainty=Certainty.VERIFIED)

    one = told(LOOK, keyed, seen)
    (kept,) = one.kept

    assert one.state is State.OUTSTANDING
    assert (kept.rows, "pseudonym" in kept.ground) == (2, True)


RECEIPTS = st.lists(
    st.builds(
        receipt,
        st.sampled_from([Operation.LOCATE, Operation.ERASE, Operation.VERIFY, Operation.EXPORT, Operation.SUPPRESS]),
        st.sampled_from(Outcome),
        found=st.integers(0, 3),
        certainty=st.one_of(st.none(), st.sampled_from(Certainty)),
        code=st.sampled_from(["", "hold", "busy", "credentials"]),
    ),
    max_size=6,
)


@given(RECEIPTS, st.sampled_from([Right.ERASURE, Right.ACCESS]))
def test_a_hold_changes_nothing_of_what_the_person_is_told(receipts: list[Receipt], right: Right) -> None:
    other = [
        r.model_copy(update={"outcome": Outcome.NEEDS_HUMAN if r.outcome is Outcome.HELD else r.outcome, "code": ""})
        for r in receipts
    ]

    assert told(*receipts, right=right) == told(*other, right=right)


@given(RECEIPTS)
def test_erased_is_said_only_of_what_a_look_found_gone_last(receipts: list[Receipt]) -> None:
    one = told(*receipts)

    if (one.state, one.certainty) == (State.DONE, Certainty.VERIFIED):
        *_, last = [r for r in receipts if r.step.operation in {Operation.ERASE, Operation.VERIFY}]
        assert last.outcome.settled
        assert last.certainty is Certainty.VERIFIED


@given(
    st.integers(1_577_836_800, 2_208_988_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from(["Europe/Berlin", "America/Los_Angeles", "UTC"]),
    st.sets(st.dates(date(2020, 1, 1), date(2040, 12, 31)), max_size=20),
)
def test_an_interim_answer_is_due_three_working_days_before(received: datetime, zone: str, free: set[date]) -> None:
    clock = start_clock(regime("eu-gdpr"), received, zone, free)

    due = clock.interim_due.astimezone(ZoneInfo(zone))
    end = clock.internal_due.astimezone(ZoneInfo(zone)).date()

    days = [due.date() + timedelta(days=n) for n in range((end - due.date()).days)]
    assert sum(day.weekday() < 5 and day not in free for day in days) == 3
    assert (due.weekday() < 5, due.date() in free, due.hour, due.minute) == (True, False, 0, 0)
