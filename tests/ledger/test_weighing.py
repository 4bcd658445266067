"""Decisions in the ledger: four eyes, one at a time, in force once all that is needed was said."""

import base64
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta

import pytest

from ledger.errors import LedgerRefusal
from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel
from ledger.proposals import Decision
from rights.codes import Code
from rights.decision import Decided, DecisionError, Element, Exempt, Needs, Role, Word, check, law
from rights.letters import Particulars
from rights.ownlaw import adopt, read_own_law
from rights.request import ALLOWED, Conclusion, Phase, Right
from tests.conftest import Database
from tests.ledger.builders import AT, close_one, enter, later, opened_id
from tests.ledger.conftest import Door
from tests.rights.ownlaw import CODE, LAST, LAW

REFUSED = Decided(word=Word.REFUSE, ground="gdpr_12_5_excessive")
TEXTS = {Element.REASON: "zqwhy", Element.OBJECTIVE: "zqobjective", Element.SUBJECTIVE: "zqsubjective"}
UNTIL = ("working_until", "file_until", "parcel_until", "disputed_until")
WAYS = {
    Phase.LOCATING: (Phase.LOCATING,),
    Phase.CONFIRMING: (Phase.CONFIRMING,),
    Phase.DECIDING: (Phase.DECIDING,),
    Phase.COOLING: (Phase.COOLING,),
    Phase.APPROVING: (Phase.LOCATING, Phase.APPROVING),
    Phase.FULFILLING: (Phase.LOCATING, Phase.FULFILLING),
    Phase.VERIFYING: (Phase.LOCATING, Phase.FULFILLING, Phase.VERIFYING),
    Phase.TELLING: (Phase.LOCATING, Phase.TELLING),
}


def proposed(ledger: Ledger, request_id: str, decided: Decided = REFUSED, *, by: str = "s-31") -> Decision:
    row = ledger.request(request_id)
    needs = check(decided, row.right, row.regimes, TEXTS)
    return ledger.propose(request_id, decided, needs, TEXTS, by=by, consult_until=later(days=3), at=AT)


def test_a_refusal_needs_the_officer_to_be_asked_and_counsel_to_approve(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    decision = proposed(ledger, request_id)

    assert decision.missing == (Role.DPO, Role.COUNSEL)
    with pytest.raises(LedgerRefusal, match="is asked first"):
        ledger.speak(decision.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)
    with pytest.raises(LedgerRefusal, match="does not need the word of delegate"):
        ledger.speak(decision.id, Role.DELEGATE, "approve", by="s-17", substitute=False, at=AT)
    ledger.speak(decision.id, Role.DPO, "dissent", by="s-04", substitute=False, at=AT, note="zqdissent")
    assert ledger.request(request_id).decided is None
    spoken = ledger.speak(decision.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=later(hours=1))

    assert spoken.state == "in_force"
    assert ledger.request(request_id).decided == REFUSED
    assert ledger.gate(request_id).refused
    assert ledger.evidence(spoken) == TEXTS
    assert door("SELECT code, ruling FROM tasks ORDER BY code") == [
        ("consultation", "dissent"),
        ("decision", "in_force"),
        ("post_out", None),
    ]
    said = str(door("SELECT body FROM entries"))
    assert not [text for text in (*TEXTS.values(), "zqdissent") if text in said]


NOT_ALL = Decided(word=Word.REFUSE, ground="other_refusal")


@pytest.mark.parametrize(
    ("decided", "texts", "kind", "provision"),
    [
        (REFUSED, TEXTS, "excessive_refusal", "GDPR Art. 12(5)"),
        (NOT_ALL, {Element.REASON: "zqwhy", Element.LAW: "zq s. 3"}, "refusal", "zq s. 3"),
    ],
)
def test_a_refusal_in_force_is_told_once_with_ground_provision_and_reasons(
    ledger: Ledger, door: Door, decided: Decided, texts: dict[Element, str], kind: str, provision: str
) -> None:
    """GDPR Art. 12(4): without delay, and why; C-526/24: both elements."""
    request_id = opened_id(ledger, Phase.LOCATING)
    ledger.seal(request_id, "working", REPLY, Channel("email", "anna@example.org").sealed(), at=AT)
    row = ledger.request(request_id)
    needs = check(decided, row.right, row.regimes, texts)
    decision = ledger.propose(request_id, decided, needs, texts, by="s-31", consult_until=later(days=3), at=AT)
    ledger.speak(decision.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    assert door("SELECT count(*) FROM letters") == [(0,)], "what is proposed is told to nobody"

    ledger.speak(decision.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)

    assert door("SELECT kind, number, state FROM letters") == [(kind, 0, "queued")]
    said = Particulars.model_validate_json(ledger.unseal(request_id, "file", f"letter/{kind}/0") or b"")
    assert (said.ground, said.reason) == (decided.ground, "zqwhy")
    assert said.provision is not None
    assert provision in said.provision
    assert (said.abuse_objective, said.abuse_subjective) == (
        texts.get(Element.OBJECTIVE),
        texts.get(Element.SUBJECTIVE),
    )
    ledger.close(
        request_id,
        Conclusion.REFUSED,
        books={},
        at=AT,
        letter=None,
        ending=None,
        **dict.fromkeys(UNTIL, later(days=30)),
    )
    assert door("SELECT count(*) FROM letters") == [(1,)]


def test_a_refusal_on_another_ground_after_the_first_is_another_letter(ledger: Ledger, door: Door) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    for _ in range(2):
        decision = proposed(ledger, request_id)
        ledger.speak(decision.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
        ledger.speak(decision.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)

    assert door("SELECT kind, number FROM letters ORDER BY number") == [
        ("excessive_refusal", 0),
        ("excessive_refusal", 1),
    ]


def test_who_proposes_says_no_other_word(ledger: Ledger) -> None:
    decision = proposed(ledger, opened_id(ledger, Phase.LOCATING), by="s-17")

    for role, word in ((Role.DPO, "agree"), (Role.COUNSEL, "approve")):
        with pytest.raises(LedgerRefusal, match="somebody else has to look at it"):
            ledger.speak(decision.id, role, word, by="s-17", substitute=False, at=AT)  # type: ignore[arg-type]


def test_an_officer_who_does_not_answer_is_noted_and_keeps_nobody_waiting(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    decision = proposed(ledger, request_id)

    assert not ledger.lapse_consultation(request_id, at=later(days=2))
    assert ledger.lapse_consultation(request_id, at=later(days=3))
    assert not ledger.lapse_consultation(request_id, at=later(days=4))
    with pytest.raises(LedgerRefusal, match="dpo has spoken already"):
        ledger.speak(decision.id, Role.DPO, "dissent", by="s-04", substitute=False, at=later(days=4))
    ledger.speak(decision.id, Role.COUNSEL, "approve", by="s-18", substitute=True, at=later(days=4))

    said = ledger.decision(decision.id).said
    assert [(one.role, one.word, one.by, one.substitute) for one in said] == [
        (Role.DPO, "lapsed", "", False),
        (Role.COUNSEL, "approve", "s-18", True),
    ]


def test_nothing_is_destroyed_while_a_decision_is_weighed_and_after_a_refusal(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    decision = proposed(ledger, request_id)

    with pytest.raises(FenceRefused) as weighed:
        enter(ledger, request_id)
    ledger.speak(decision.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    ledger.speak(decision.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)
    with pytest.raises(FenceRefused) as refused:
        enter(ledger, request_id)

    assert (weighed.value.code, refused.value.code) == (Code.DECISION, Code.NOT_GRANTED)


def test_a_dropped_decision_leaves_the_request_as_it_was(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    decision = proposed(ledger, request_id)

    ledger.drop_decision(decision.id, by="s-31", at=AT)

    assert not ledger.gate(request_id).closed
    assert enter(ledger, request_id)
    with pytest.raises(LedgerRefusal, match="the decision is dropped"):
        ledger.speak(decision.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)


def test_a_later_decision_replaces_the_one_in_force(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    first = ledger.propose(
        request_id,
        Decided(word=Word.GRANT, ground="gdpr_17_1_a"),
        Needs(approvers=(), consult=False),
        {},
        by="s-31",
        consult_until=None,
        at=AT,
    )
    assert first.state == "in_force"
    part = Decided(word=Word.IN_PART, parts=(Exempt(category="contact", ground="gdpr_17_3_e"),))
    second = proposed(ledger, request_id, part)
    ledger.speak(second.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)

    assert {one.id: one.state for one in ledger.decisions_of(request_id)} == {
        first.id: "replaced",
        second.id: "in_force",
    }
    assert ledger.request(request_id).decided == part


@pytest.mark.parametrize("phase", WAYS)
def test_what_has_begun_is_not_decided_any_more_and_nothing_is_left_of_the_attempt(
    ledger: Ledger, door: Door, phase: Phase
) -> None:
    request_id = opened_id(ledger, *WAYS[phase])
    before = door("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM outbox), (SELECT count(*) FROM vault)")

    if phase in ALLOWED["decide"]:
        assert proposed(ledger, request_id).state == "proposed"
        return
    with pytest.raises(LedgerRefusal, match=f"the request is {phase}"):
        proposed(ledger, request_id)
    now = door("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM outbox), (SELECT count(*) FROM vault)")
    assert now == before


def both(words: list[Callable[[], object]]) -> list[object]:
    """Say both at once; what came of each."""
    line = threading.Barrier(len(words))

    def say(word: Callable[[], object]) -> object:
        line.wait()
        try:
            return word()
        except LedgerRefusal as refusal:
            return str(refusal)

    with ThreadPoolExecutor(len(words)) as pool:
        return list(pool.map(say, words))


def test_of_two_who_propose_at_once_one_wins_and_the_other_is_told(
    ledger: Ledger, make_ledger: Callable[[str], Ledger], tables: Database, door: Door
) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    other = make_ledger(tables.url)

    came = both([lambda: proposed(ledger, request_id, by="s-31"), lambda: proposed(other, request_id, by="s-32")])

    won = [one for one in came if isinstance(one, Decision)]
    told = [one for one in came if isinstance(one, str)]
    assert len(won) == 1
    assert told == [f"decision {won[0].id} is being weighed: approve it or drop it first"]
    assert door("SELECT count(*) FROM decisions") == [(1,)]


def test_of_two_who_approve_at_once_one_wins_and_the_other_is_told(
    ledger: Ledger, make_ledger: Callable[[str], Ledger], tables: Database, door: Door
) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    decision = proposed(ledger, request_id)
    ledger.speak(decision.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    other = make_ledger(tables.url)

    def approve(at: Ledger, by: str) -> Callable[[], object]:
        return lambda: at.speak(decision.id, Role.COUNSEL, "approve", by=by, substitute=by == "s-18", at=AT)

    came = both([approve(ledger, "s-17"), approve(other, "s-18")])

    assert [one for one in came if isinstance(one, str)] == ["the decision is in force: nothing is left to say on it"]
    assert door("SELECT count(*) FROM decision_words WHERE role = 'counsel'") == [(1,)]


def test_a_task_of_a_decision_is_answered_by_no_ruling(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING)
    proposed(ledger, request_id)
    for task in ledger.tasks(request_id=request_id):
        with pytest.raises(LedgerRefusal, match="is not ruled on"):
            ledger.rule(request_id, task.id, "retry", at=AT)


def test_the_journal_still_fits_the_rows(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING, right=Right.ACCESS)
    decision = proposed(ledger, request_id)
    ledger.lapse_consultation(request_id, at=later(days=3))
    ledger.speak(decision.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=later(days=3))
    ledger.close(
        request_id,
        Conclusion.REFUSED,
        books={},
        at=later(days=3),
        working_until=later(days=30),
        file_until=later(days=30),
        parcel_until=later(days=30),
        disputed_until=later(days=30) + timedelta(days=1),
    )

    assert ledger.verify().sound


def test_what_is_erased_in_part_is_not_refused_as_if_nothing_were_done(ledger: Ledger) -> None:
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING)
    enter(ledger, request_id)
    ledger.move(request_id, Phase.LOCATING, at=AT)  # as a ruling after a change of the map does

    with pytest.raises(LedgerRefusal, match="carried out already"):
        proposed(ledger, request_id)
    assert ledger.decisions_of(request_id) == ()


def test_COM_11_a_limit_that_ends_while_it_is_weighed_is_not_approved(ledger: Ledger, door: Door) -> None:
    """On the first day after it, by the clock of the place: an hour before midnight in UTC it is that day in Berlin."""
    code = "de_bdsg_35_3"
    limit = law().grounds[code].limit
    assert limit is not None
    last = datetime.combine(limit.until, time(22, 30), UTC)
    request_id = opened_id(ledger, Phase.LOCATING)
    decided = Decided(word=Word.IN_PART, parts=(Exempt(category="contact", ground=code),))
    needs = check(decided, Right.ERASURE, ["eu-gdpr"], TEXTS, limit.until)
    made = ledger.propose(request_id, decided, needs, TEXTS, by="s-31", consult_until=later(days=3), at=AT)
    ledger.speak(made.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)

    with pytest.raises(LedgerRefusal, match=f"after {limit.until}"):
        ledger.speak(made.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=last + timedelta(hours=1))
    assert door("SELECT state FROM decisions") == [("proposed",)]
    assert door("SELECT count(*) FROM decision_words WHERE role = 'counsel'") == [(0,)]
    ledger.speak(made.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=last)
    assert door("SELECT state FROM decisions") == [("in_force",)]


def test_COM_11_what_was_decided_by_the_operators_own_law_is_shown_after_that_file_has_gone(
    ledger: Ledger, door: Door
) -> None:
    own = read_own_law("law.yaml", LAW)
    request_id = opened_id(ledger, Phase.LOCATING, right=Right.ACCESS)
    decided = Decided(word=Word.REFUSE, ground=CODE)
    part = Decided(word=Word.IN_PART, parts=(Exempt(category="contact", ground=CODE),))
    adopt(own)
    try:
        with pytest.raises(DecisionError):
            check(decided, Right.ACCESS, ["eu-gdpr"], TEXTS, LAST)
        needs = check(part, Right.ACCESS, ["eu-gdpr"], TEXTS, LAST)
        made = ledger.propose(request_id, part, needs, TEXTS, by="s-31", consult_until=later(days=3), at=AT)
    finally:
        adopt(None)
    ledger.speak(made.id, Role.DPO, "agree", by="s-04", substitute=False, at=AT)
    ledger.speak(made.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=AT)
    close_one(ledger, request_id, at=later(days=1))

    said = json.loads(base64.b64decode(json.loads(ledger.signed_statement(request_id))["payload"]))["predicate"]
    assert said["decision"]["grounds"] == [{"code": CODE, "provision": "Art. 99 of Law 1/2020 (Portugal)"}]
    assert own.digest in said["rulesets"]
    assert ledger.record(request_id).laws[own.digest] == LAW
    assert door("SELECT count(*) FROM rulesets WHERE digest = %s", own.digest) == [(1,)]
