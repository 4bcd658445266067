"""What is weighed is said once, by whom and on what evidence is sealed, and a refusal leaves nothing."""

from datetime import timedelta
from typing import Any

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.datamap import DataMap, System
from rights.letterkinds import LetterKind
from rights.request import Phase, Right
from rights.suppression import Scope, Source
from rights.weighing import Matter, Outcome
from starter.exits import Failure
from starter.weigh import refuse_unfit, weigh_objection
from tests.ledger.builders import ANNA, AT, later, opened_id
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
        refuse_unfit(ledger, request_id, ground, AT)
        return
    with pytest.raises(Failure, match="does not outweigh"):
        refuse_unfit(ledger, request_id, ground, AT)


def test_OBJ_02_profiling_for_marketing_is_not_refused_as_a_part_of_profiling(ledger: Ledger, door: Door) -> None:
    """GDPR Art. 21(2), (3): nothing outweighs it; what is weighed is the rest, once that part has been stopped."""
    details = b'{"scope":"profiling"}'
    request_id = opened_id(ledger, Phase.DECIDING, right=Right.OBJECTION, details=details)
    ledger.pin_map(request_id, a_map(uses=["profiling", "marketing_profiling"]), at=AT)
    ledger.open_weighing(request_id, Matter.OBJECTION, at=AT, due_at=later(days=21))
    said = {"by": "privacy", "evidence": "fraud", "ground": "legal_claims", "reason": "fraud", "approved_by": "counsel"}

    with pytest.raises(Failure, match="scope: marketing_profiling"):
        weigh_objection(ledger, request_id, Outcome.OVERRIDDEN, at=AT, **said)
    with pytest.raises(Failure, match="scope: marketing_profiling"):
        refuse_unfit(ledger, request_id, "gdpr_21_1", AT)
    refuse_unfit(ledger, request_id, "gdpr_12_5_excessive", AT)
    assert door("SELECT outcome FROM weighings") == [(None,)]

    ledger.suppress(request_id, ANNA, [Scope.MARKETING_PROFILING], source=Source.PERSON, at=AT)
    assert weigh_objection(ledger, request_id, Outcome.OVERRIDDEN, at=AT, **said)
    assert door("SELECT outcome FROM weighings") == [("overridden",)]


def test_profiling_is_weighed_as_before_where_the_map_knows_none_for_marketing(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.DECIDING, right=Right.OBJECTION, details=b'{"scope":"profiling"}')
    ledger.pin_map(request_id, a_map(uses=["marketing", "profiling"]), at=AT)

    refuse_unfit(ledger, request_id, "gdpr_21_1", AT)


def a_map(**people: object) -> DataMap:
    base: dict[str, object] = {"key": ["id"], "fields": {"id": {}, "email": {"identity": "email"}}}
    shop = {"system": "shop", "owner": "x", "connector": "memory", "collections": {"people": base | people}}
    return DataMap(systems={"shop": System.model_validate(shop)}, digest="0" * 64)
