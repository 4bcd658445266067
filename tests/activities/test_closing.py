"""How requests end, by right: the conclusion, the letter that tells of it, and what that letter says agree."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from activities.closing import ClosingActivities
from activities.facts import ParcelFacts
from activities.opening import Ask
from activities.store import FileStore
from activities.tools import Tools
from activities.writing import Writer
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel
from rights.codes import Code
from rights.decision import Decided, Element, Role, Word, check
from rights.identity import Unreached
from rights.letterkinds import ANSWERS, RESULTS, TOLD_BEFORE, LetterKind, Result, answer_kind
from rights.letterlaw import results_of, sayings
from rights.letters import Authority, Office
from rights.mapfile import read_map
from rights.plan import Operation, make_plan
from rights.receipt import Certainty, Outcome, Receipt
from rights.rectification import Accuracy, Approver, RectificationDetails, Refusal, Wanted
from rights.regimes import regime
from rights.request import Conclusion, Phase, Right
from tests.ledger.builders import AT, a_clock, a_receipt, a_step, enter, later, opened_id
from tests.ledger.conftest import Door
from tests.ledger.test_minors import reported
from tests.world import shop_map

OFFICE = Office(
    controller="Example Ltd",
    dpo="dpo@example.com",
    automated_decisions="We make none.",
    authorities={"eu-gdpr": Authority(name="The authority", contact="authority@example.org")},
)
MAP = read_map({"shop": shop_map()})
TWO = RectificationDetails(
    corrections=(Wanted(system="shop", collection="customers", values={"full_name": "A", "phone": None}),)
)


def opened(ledger: Ledger, right: Right, phase: Phase = Phase.LOCATING, **more: Any) -> str:
    request = opened_id(ledger, phase, right=right, **{"confirmed": True, **more})
    ledger.seal(request, "working", REPLY, Channel("email", "anna@example.org").sealed(), at=AT)
    return request


def look(ledger: Ledger, request: str, outcome: Outcome = Outcome.DONE, **found: int) -> None:
    ledger.keep_receipt(a_receipt(a_step(request, Operation.LOCATE), outcome, at=AT, **found))


def given_up(ledger: Ledger, request: str, operation: Operation, system: str = "shop") -> None:
    step = a_step(request, operation, system=system)
    ledger.keep_receipt(Receipt(step=step, outcome=Outcome.NEEDS_HUMAN, code=Code.RULED_OUT, at=AT))


def copied(ledger: Ledger, right: Right) -> str:
    request = opened(ledger, right)
    look(ledger, request, customers=1)
    ledger.keep_receipt(a_receipt(a_step(request, Operation.EXPORT), customers=1))
    ledger.keep_parcel(request, "0" * 64, 10, 1, at=AT)
    return request


def copied_in_part(ledger: Ledger, right: Right) -> str:
    request = copied(ledger, right)
    ledger.keep_receipt(a_receipt(a_step(request, Operation.LOCATE, system="crm"), people=1))
    given_up(ledger, request, Operation.EXPORT, "crm")
    return request


def never_packed(ledger: Ledger, right: Right) -> str:
    """Everything was exported, and packing it was given up."""
    request = opened(ledger, right)
    look(ledger, request, customers=1)
    ledger.keep_receipt(a_receipt(a_step(request, Operation.EXPORT), customers=1))
    given_up(ledger, request, Operation.EXPORT, "parcel")
    return request


def acted(ledger: Ledger, right: Right) -> str:
    """Done in the one system that there is, by hand."""
    operation = {
        Right.ERASURE: Operation.ERASE,
        Right.RESTRICTION: Operation.RESTRICT,
        Right.RECTIFICATION: Operation.RECTIFY,
    }.get(right, Operation.SUPPRESS)
    details = TWO.model_dump_json().encode() if right is Right.RECTIFICATION else None
    request = opened(ledger, right, details=details)
    if operation is not Operation.SUPPRESS:
        look(ledger, request, customers=1)
    if right is Right.RECTIFICATION:
        ledger.decide_accuracy(request, Accuracy(accepted=(1, 2)), systems=["shop"], at=AT)
    receipt = a_receipt(a_step(request, operation))
    ledger.keep_receipt(receipt.model_copy(update={"certainty": Certainty.ATTESTED}))
    return request


def given_up_on(ledger: Ledger, right: Right) -> str:
    operation = Operation.ERASE if right is Right.ERASURE else Operation.SUPPRESS
    request = opened(ledger, right)
    if operation is Operation.ERASE:
        look(ledger, request, customers=1)
    given_up(ledger, request, operation)
    return request


def corrected(ledger: Ledger, *, accepted: bool) -> str:
    request = opened(ledger, Right.RECTIFICATION, details=TWO.model_dump_json().encode())
    look(ledger, request, customers=1)
    refused = {2: Refusal.ACCURATE} if accepted else {1: Refusal.ACCURATE, 2: Refusal.RECORD}
    decided = Accuracy(accepted=(1,) if accepted else (), refused=refused, approved_by=Approver.COUNSEL)
    reason = "It is so in the register."
    ledger.decide_accuracy(request, decided, systems=["shop"], at=AT, reason=reason, by="desk")
    if accepted:
        ledger.keep_receipt(a_receipt(a_step(request, Operation.RECTIFY)))
    return request


def nothing_held(ledger: Ledger, right: Right) -> str:
    request = opened(ledger, right)
    look(ledger, request, Outcome.NOTHING_HELD)
    return request


def nothing_held_in_the_end(ledger: Ledger, right: Right) -> str:
    """The first look could not tell: its credentials were refused, or it was open whose rows these are."""
    request = opened(ledger, right)
    look(ledger, request, Outcome.NEEDS_HUMAN)
    step = a_step(request, Operation.LOCATE, round=1)
    ledger.keep_receipt(a_receipt(step, Outcome.NOTHING_HELD))
    return request


def taken_back(ledger: Ledger, right: Right) -> str:
    request = opened(ledger, right)
    ledger.withdraw(request, at=AT)
    return request


def refused(ledger: Ledger, right: Right) -> str:
    request = opened(ledger, right)
    texts = {Element.REASON: "We owe it to the court.", Element.LAW: "A law s. 3"}
    decided = Decided(word=Word.REFUSE, ground="other_refusal")
    needs = check(decided, right, ["eu-gdpr"], texts)
    made = ledger.propose(request, decided, needs, texts, by="s-31", consult_until=later(days=3), at=AT)
    ledger.speak(made.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    ledger.speak(made.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)
    return request


def unproven(ledger: Ledger, right: Right) -> str:
    return opened(ledger, right, Phase.CONFIRMING, confirmed=False)


def by_categories(ledger: Ledger, right: Right) -> str:
    request = unproven(ledger, right)
    ledger.keep_reach(request, [], doubt=False, at=AT)
    ledger.lapse(request, Unreached.CATEGORIES, at=AT)
    look(ledger, request, customers=1)
    ledger.tell_categories(request, at=AT)
    return request


class End(NamedTuple):
    """A way to end: what leads to it, and what is to come of it."""

    begin: Callable[[Ledger], str]
    conclusion: Conclusion
    letter: LetterKind | None


def of(begin: Callable[[Ledger, Right], str], right: Right) -> Callable[[Ledger], str]:
    return lambda ledger: begin(ledger, right)


_COPIES = (Right.ACCESS, Right.PORTABILITY)
_ACTS = (
    Right.ERASURE,
    Right.RESTRICTION,
    Right.RECTIFICATION,
    Right.OBJECTION,
    Right.OPT_OUT,
    Right.CONSENT_WITHDRAWAL,
)
_LOCATED = (*_COPIES, Right.ERASURE, Right.RESTRICTION, Right.RECTIFICATION)
ENDS: dict[str, End] = {
    **{f"{r} whole": End(of(copied, r), Conclusion.ANSWERED, ANSWERS[r]) for r in _COPIES},
    **{f"{r} in part": End(of(copied_in_part, r), Conclusion.IN_PART, ANSWERS[r]) for r in _COPIES},
    **{f"{r} not packed": End(of(never_packed, r), Conclusion.NOT_DONE, ANSWERS[r]) for r in _COPIES},
    **{f"{r} done": End(of(acted, r), Conclusion.ANSWERED, ANSWERS[r]) for r in _ACTS},
    **{
        f"{r} given up": End(of(given_up_on, r), Conclusion.IN_PART, ANSWERS[r])
        for r in (Right.ERASURE, Right.OBJECTION, Right.OPT_OUT, Right.CONSENT_WITHDRAWAL)
    },
    "rectification in part": End(
        lambda ledger: corrected(ledger, accepted=True),
        Conclusion.IN_PART,
        LetterKind.ANSWER_RECTIFICATION,
    ),
    "rectification refused": End(
        lambda ledger: corrected(ledger, accepted=False),
        Conclusion.REFUSED,
        LetterKind.ANSWER_RECTIFICATION,
    ),
    **{f"{r} not held": End(of(nothing_held, r), Conclusion.NOTHING_HELD, LetterKind.NOTHING_HELD) for r in _LOCATED},
    **{
        f"{r} not held in the end": End(
            of(nothing_held_in_the_end, r), Conclusion.NOTHING_HELD, LetterKind.NOTHING_HELD
        )
        for r in _LOCATED
    },
    **{f"{r} taken back": End(of(taken_back, r), Conclusion.WITHDRAWN, LetterKind.WITHDRAWN) for r in Right},
    **{f"{r} declined": End(of(refused, r), Conclusion.REFUSED, LetterKind.REFUSAL) for r in Right},
    **{f"{r} unproven": End(of(unproven, r), Conclusion.UNPROVEN, None) for r in _LOCATED},
    **{
        f"{r} by categories": End(of(by_categories, r), Conclusion.CATEGORIES, LetterKind.ANSWER_CATEGORIES)
        for r in _COPIES
    },
}


def test_the_letter_of_an_end_says_what_the_conclusion_does(ledger: Ledger, tmp_path: Path) -> None:
    tools = Tools(
        ledger=ledger,
        connectors={},
        data_map=MAP,
        store=FileStore(tmp_path),
        environment="test",
        office=OFFICE,
        mail=object(),  # type: ignore[arg-type] # that there is one is all that closing asks
    )
    wanted, came, texts = {}, {}, {}
    for name, end in ENDS.items():
        request = end.begin(ledger)
        ledger.pin_map(request, MAP, at=AT)
        closed = ClosingActivities(tools).close(Ask(request_id=request, as_of=AT))
        told = [one for one in ledger.letters(request) if one.kind not in {"acknowledgement", "lapse"}]
        came[name] = (closed.conclusion, [one.kind for one in told])
        wanted[name] = (end.conclusion, [end.letter.value] if end.letter else [])
        if name in _SAYS:
            texts[name] = " ".join(Writer(tools).render(told[0], later(days=1)).text.split())

    assert came == wanted, "one letter of each end, and no other"
    for name, words in _SAYS.items():
        assert [word for word in words if word not in texts[name]] == [], name
        assert "anna@" not in texts[name]


def test_CHI_02_nobody_is_told_that_they_have_taken_back_what_was_ruled_to_be_no_childs(
    ledger: Ledger, tmp_path: Path
) -> None:
    request = reported(ledger)
    ledger.seal(request, "working", REPLY, Channel("email", "anna@example.org").sealed(), at=AT)
    ledger.pin_map(request, MAP, at=AT)
    ledger.rule_not_child(request, by="privacy desk", at=AT, notice=timedelta(days=7))
    mail: Any = object()
    tools = Tools(
        ledger=ledger,
        connectors={},
        data_map=MAP,
        store=FileStore(tmp_path),
        environment="test",
        office=OFFICE,
        mail=mail,
    )

    closed = ClosingActivities(tools).close(Ask(request_id=request, as_of=AT))

    assert closed.conclusion is Conclusion.WITHDRAWN
    assert ledger.letters(request) == []


@pytest.mark.parametrize(("right", "act"), [(Right.ERASURE, Operation.ERASE), (Right.RECTIFICATION, Operation.RECTIFY)])
def test_a_look_from_before_it_was_opened_again_vouches_for_nothing(
    ledger: Ledger, tmp_path: Path, right: Right, act: Operation, door: Door
) -> None:
    details = TWO.model_dump_json().encode() if right is Right.RECTIFICATION else None
    request = opened(ledger, right, details=details)
    look(ledger, request, customers=1)
    if right is Right.RECTIFICATION:
        ledger.decide_accuracy(request, Accuracy(accepted=(1, 2)), systems=["shop"], at=AT)
    if act is Operation.ERASE:
        enter(ledger, request)
    ledger.keep_receipt(a_receipt(a_step(request, act), customers=1))
    seen = a_receipt(a_step(request, Operation.VERIFY))
    ledger.keep_receipt(seen.model_copy(update={"certainty": Certainty.VERIFIED}))
    ledger.pin_map(request, MAP, at=AT)
    tools = Tools(ledger=ledger, connectors={}, data_map=MAP, store=FileStore(tmp_path), environment="test")
    closing = ClosingActivities(tools)
    first = closing.close(Ask(request_id=request, as_of=AT))
    assert (first.conclusion, first.rows_erased) == (Conclusion.ANSWERED, act is Operation.ERASE)

    # A backup brings it back, and doing it once more is given up.
    ledger.reopen(request, {"shop": Code.RESTORED}, at=later(days=1))
    step = a_step(request, act, round=1)
    ledger.keep_receipt(Receipt(step=step, outcome=Outcome.NEEDS_HUMAN, code=Code.RULED_OUT, at=later(days=2)))

    closed = closing.close(Ask(request_id=request, as_of=later(days=2), again=True))
    assert closed.conclusion is Conclusion.IN_PART
    assert closed.rows_erased == 0
    told = orjson.loads(door("SELECT body FROM entries WHERE kind = 'closed' ORDER BY seq DESC LIMIT 1")[0][0])
    assert told["books"] in ({}, {"shop": []}), "no book says that it is gone"


def test_what_a_killed_worker_had_erased_before_a_withdrawal_is_counted_though_no_attempt_told_of_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    request = opened(ledger, Right.ERASURE)
    look(ledger, request, customers=1)
    ledger.keep_plan(request, 0, make_plan(Right.ERASURE, MAP, AT, ["eu-gdpr"]), at=AT)
    ledger.pin_map(request, MAP, at=AT)
    enter(ledger, request)
    ledger.withdraw(request, at=AT)
    seen = a_receipt(a_step(request, Operation.VERIFY), at=later(hours=1))
    ledger.keep_receipt(seen.model_copy(update={"certainty": Certainty.VERIFIED}))
    tools = Tools(ledger=ledger, connectors={}, data_map=MAP, store=FileStore(tmp_path), environment="test")

    closed = ClosingActivities(tools).close(Ask(request_id=request, as_of=later(hours=1)))

    assert (closed.conclusion, closed.rows_erased) == (Conclusion.WITHDRAWN, 1)


def test_looked_at_is_what_was_let_through_since_the_last_look_and_that_no_system_goes_on_with(
    ledger: Ledger, tmp_path: Path
) -> None:
    request = opened(ledger, Right.ERASURE)
    for system in ("cut", "seen", "again", "accepted"):
        enter(ledger, request, system=system, at=later(hours=1))
    for system, hours in (("seen", 2), ("again", 0)):
        ledger.keep_receipt(a_receipt(a_step(request, Operation.VERIFY, system=system), at=later(hours=hours)))
    going_on = a_receipt(a_step(request, Operation.ERASE, system="accepted"), Outcome.PENDING, at=later(hours=1))
    ledger.keep_receipt(going_on.model_copy(update={"certainty": Certainty.ACCEPTED}))
    tools = Tools(ledger=ledger, connectors={}, data_map=MAP, store=FileStore(tmp_path), environment="test")

    owed = ClosingActivities(tools).unaccounted(Ask(request_id=request, as_of=later(hours=3)))

    assert owed.systems == ("again", "cut")
    assert 0 < owed.busy_seconds <= 300, "what was let through may still be running"


_SAYS = {
    "rectification refused": ("We have not changed the data", "It is so in the register.", "You can complain to"),
    "access by categories": ("no copy comes with this letter", "shop, customers", "contact", "You can complain to"),
    "portability by categories": ("no copy comes with this letter", "shop, customers", "contact"),
}


@pytest.mark.parametrize("right", _COPIES)
def test_a_copy_that_was_not_made_is_promised_by_no_letter(right: Right) -> None:
    """GDPR Art. 12(4): that nothing comes, why, and where to complain."""
    said = [one.element for one in sayings(ANSWERS[right], "eu-gdpr", right, Result.NOT_DONE) if one.must]
    assert set(said) >= {"copy_not_made", "reason", "complaint", "remedy"}
    assert not {"access_given", "access_in_part", "portability_given", "statement_enclosed", "parcel"} & set(said)


def test_every_end_has_a_letter_that_can_say_it_or_none() -> None:
    for right, conclusion, decided in product(Right, Conclusion, (False, True)):
        kind, result = answer_kind(right, conclusion, decided=decided), RESULTS.get(conclusion)
        if conclusion is Conclusion.JOINED:
            assert kind is None, "the answer to the earlier request names both"
            continue
        assert kind is not None
        told = {Conclusion.UNPROVEN, Conclusion.PASSED_ON}
        before = conclusion in told or (conclusion is Conclusion.REFUSED and decided)
        assert (kind in TOLD_BEFORE) == before, (right, conclusion)
        if kind not in ANSWERS.values():
            assert results_of(kind) == (None,), (right, conclusion)
            continue
        # These have nothing to be weighed or checked on which alone they could be refused, and no copy.
        never = {Conclusion.NOT_DONE} if not right.copies else set()
        if right in {Right.ACCESS, Right.PORTABILITY, Right.ERASURE, Right.RESTRICTION}:
            never |= {Conclusion.REFUSED}
        assert (result in results_of(kind)) == (conclusion not in never), (right, conclusion)


def test_a_parcel_names_every_law_that_it_is_asked_under() -> None:
    facts = ParcelFacts.of("r", MAP, a_clock(), {}, regimes=("us-ca-ccpa", "eu-gdpr"))
    assert facts.law == f"{regime('us-ca-ccpa').title} and {regime('eu-gdpr').title}"
