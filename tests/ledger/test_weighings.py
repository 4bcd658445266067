"""What is weighed is said once, by whom and on what evidence is sealed, and a refusal leaves nothing."""

from datetime import timedelta
from typing import Any

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.letters import LetterKind
from rights.request import Phase, Right
from rights.weighing import Matter, Outcome
from starter.exits import Failure
from starter.weigh import refuse_unfit
from tests.ledger.builders import AT, later, opened_id
from tests.ledger.conftest import Door


def on_desk(ledger: Ledger, matter: Matter = Matter.OBJECTION) -> str:
    request_id = opened_id(ledger, Phase.DECIDING, right=Right.OBJECTION)
    ledger.open_weighing(request_id, matter, at=AT, due_at=later(days=21))
    return request_id


def test_it_lies_on_a_desk_once_with_a_day_of_its_own(ledger: Ledger, door: Door) -> None:
    request_id = on_desk(ledger)

    assert not ledger.open_weighing(request_id, Matter.OBJECTION, at=later(days=1), due_at=later(days=30))

    assert door("SELECT code, due_on FROM tasks") == [("weigh", (AT + timedelta(days=21)).date())]
    weighing = ledger.weighing(request_id)
    assert weighing is not None
    assert (weighing.due_at, weighing.outcome) == (later(days=21), None)


def test_it_is_said_once_and_the_letter_is_in_the_same_commit(ledger: Ledger, door: Door) -> None:
    request_id = on_desk(ledger)

    def weigh(**more: Any) -> bool:
        evidence = "Anna is a public person"
        return ledger.weigh(
            request_id, Outcome.OVERRIDDEN, by="privacy", evidence=evidence, ground="legal_claims", **more
        )

    assert weigh(at=AT, approved_by="counsel", letter=LetterKind.ANSWER_OBJECTION, said=b"{}")
    assert not weigh(at=later(days=1), approved_by="counsel")
    with pytest.raises(LedgerRefusal, match="said to be overridden"):
        ledger.weigh(request_id, Outcome.UPHELD, by="privacy", evidence="x", at=AT)

    assert door("SELECT kind FROM letters") == [("answer_objection",)]
    assert door("SELECT ruling, settled_at FROM tasks WHERE code = 'weigh'") == [("done", AT)]
    assert "public person" not in str(door("SELECT body FROM entries"))
    assert b"public person" in (ledger.unseal(request_id, "file", "weighing") or b"")


@pytest.mark.parametrize(
    ("matter", "outcome"), [(Matter.OBJECTION, Outcome.ANNULLED), (Matter.DECISION, Outcome.OVERRIDDEN)]
)
def test_an_outcome_of_another_matter_is_refused_and_leaves_nothing(
    ledger: Ledger, door: Door, matter: Matter, outcome: Outcome
) -> None:
    request_id = on_desk(ledger, matter)
    before = door("SELECT count(*) FROM entries")

    with pytest.raises(LedgerRefusal, match="write one of"):
        ledger.weigh(request_id, outcome, by="privacy", evidence="x", at=AT)

    assert door("SELECT count(*) FROM entries") == before
    assert ledger.unseal(request_id, "file", "weighing") is None


def test_nothing_is_weighed_of_a_request_that_is_withdrawn_or_asks_for_nothing_of_it(ledger: Ledger) -> None:
    other = opened_id(ledger)
    request_id = on_desk(ledger)
    ledger.withdraw(request_id, at=AT)

    for one, why in ((other, "nothing of this request"), (request_id, "withdrawn")):
        with pytest.raises(LedgerRefusal, match=why):
            ledger.weigh(one, Outcome.UPHELD, by="privacy", evidence="x", at=AT)


@pytest.mark.parametrize("word", ["retry", "give_up", "done"])
def test_no_ruling_takes_it_off_the_desk(ledger: Ledger, word: str) -> None:
    request_id = on_desk(ledger)
    (task,) = ledger.tasks(request_id=request_id)

    with pytest.raises(LedgerRefusal, match="habeas objection weigh"):
        ledger.rule(request_id, task.id, word, at=AT)  # type: ignore[arg-type]


def test_that_it_is_late_is_noted_once(ledger: Ledger) -> None:
    request_id = on_desk(ledger)

    assert ledger.note_weighing_late(request_id, at=later(days=22))
    assert not ledger.note_weighing_late(request_id, at=later(days=23))


@pytest.mark.parametrize(
    ("scope", "ground", "fits"),
    [
        ("marketing", "gdpr_21_1", False),
        ("research", "gdpr_21_1", False),
        ("legitimate_interest", "gdpr_21_1", True),
        ("marketing", "gdpr_12_5_excessive", True),
    ],
)
def test_an_objection_to_marketing_is_not_refused_because_something_outweighs_it(
    ledger: Ledger, scope: str, ground: str, fits: bool
) -> None:
    """GDPR Art. 21(3): absolute, by the door of decisions as by that of weighing."""
    details = f'{{"scope":"{scope}"}}'.encode()
    request_id = opened_id(ledger, Phase.LOCATING, right=Right.OBJECTION, confirmed=True, details=details)

    if fits:
        refuse_unfit(ledger, request_id, ground)
        return
    with pytest.raises(Failure, match="does not outweigh"):
        refuse_unfit(ledger, request_id, ground)
