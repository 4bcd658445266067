"""A parent refuses further collection: nobody else can, it stands on the list, and only a parent's consent ends it."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.remembering import Remembered
from ledger.requests import Ending
from rights.identity import Rung
from rights.mandates import Mandate
from rights.objections import ObjectionDetails, stop_of
from rights.request import Phase, Right
from rights.subject import Identity
from rights.suppression import Scope, Source
from starter.screening import IMPORT, screened
from tests.ledger.builders import ANNA, AT, OTTO, close_one, later, open_one
from tests.ledger.conftest import Door
from tests.ledger.test_minors import confirmed

REFUSAL = ObjectionDetails(scope="collection")


def refusal(ledger: Ledger) -> str:
    """A refusal of further collection that waits for whoever asks; its id."""
    made = open_one(ledger, right=Right.OBJECTION, details=REFUSAL.model_dump_json().encode(), by_parent=True)
    ledger.move(made.request_id, Phase.CONFIRMING, at=AT)
    return made.request_id


def mandate(right: Right = Right.OBJECTION, **said: Any) -> Mandate:
    body = {"kind": "parent", "scope": [right], "signed": "2026-02-01", "answer_to": "person", "age": 9}
    return Mandate.model_validate({**body, "law": "coppa", **said})


def refused(ledger: Ledger) -> str:
    """A refusal that was carried out on our list."""
    request = refusal(ledger)
    ledger.suppress(request, ANNA, stop_of(REFUSAL).remembered, source=Source.PERSON, at=AT)
    return request


def barred(ledger: Ledger, who: Iterable[Identity], use: str, days: float = 400) -> list[tuple[str, ...]]:
    return [v.why for one in who for v in screened(ledger, one.kind, [one.value], use, at=later(days=days))]


def test_CHI_04_nobody_but_a_parent_refuses_further_collection(ledger: Ledger, door: Door) -> None:
    request = refusal(ledger)
    assert ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"]) is False
    with pytest.raises(LedgerRefusal, match="mandate"):
        ledger.confirm_identity(request, at=AT, note="desk")
    for other in (mandate(law=""), mandate(kind="agent", age=None, law="")):
        with pytest.raises(LedgerRefusal, match="write law: coppa"):
            ledger.keep_mandate(request, other, by="desk", at=AT)
    with pytest.raises(LedgerRefusal, match="children under 13"):
        ledger.keep_mandate(request, mandate(age=13, law="coppa"), by="desk", at=AT)
    assert not confirmed(door, request)
    assert not ledger.suppressed(ANNA, at=later(days=1))

    assert ledger.keep_mandate(request, mandate(), by="desk", at=AT) is True
    assert confirmed(door, request)


def test_CHI_04_the_law_and_its_provision_are_on_record(ledger: Ledger, door: Door) -> None:
    for right in (Right.ACCESS, Right.ERASURE):
        request = open_one(ledger, right=right).request_id
        ledger.move(request, Phase.CONFIRMING, at=AT)
        assert ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["customer_id"]) is False
        ledger.keep_mandate(request, mandate(right), by="desk", at=AT)
        said = [json.loads(body) for (body,) in door("SELECT body FROM entries WHERE request_id = %s", request)]
        article = {Right.ACCESS: "16 CFR 312.6(a)(1), (3)", Right.ERASURE: "16 CFR 312.6(a)(2)"}[right]
        assert [(one["law"], one["article"]) for one in said if "law" in one] == [("coppa", article)]


@pytest.mark.parametrize("use", [IMPORT, *Scope])
def test_CHI_04_a_refusal_bars_sign_up_import_and_every_use_for_good(ledger: Ledger, use: str) -> None:
    refused(ledger)
    assert barred(ledger, ANNA, use) == [("collection",), ("collection",)]
    assert barred(ledger, OTTO, use) == [()]


def test_CHI_04_a_refusal_outlives_its_request_and_its_keys(ledger: Ledger, door: Door) -> None:
    request = refused(ledger)
    close_one(ledger, request, days=1)
    ledger.shred_due(later(days=2))
    assert door(
        "SELECT count(*) FROM case_keys WHERE case_id = %s AND purpose = 'working' AND wrapped IS NOT NULL", request
    ) == [(0,)]
    assert barred(ledger, ANNA, IMPORT) == [("collection",), ("collection",)]


def test_CHI_04_only_a_parents_new_consent_ends_it_and_nothing_else_with_it(ledger: Ledger, door: Door) -> None:
    before = open_one(ledger, right=Right.OBJECTION).request_id
    ledger.suppress(before, ANNA, (Scope.MARKETING,), source=Source.PERSON, at=AT)
    refused(ledger)
    with pytest.raises(LedgerRefusal, match="only a parent's new consent"):
        ledger.clear_suppression(ANNA[:1], at=later(days=1), by="sign-up form")
    with pytest.raises(KeyError):
        ledger.parent_consents(ANNA[:1], "coppa", "a_tick", at=later(days=1), by="sign-up form")
    assert ledger.parent_consents(OTTO, "coppa", "signed_form", at=later(days=1), by="desk") == 0
    assert barred(ledger, ANNA, IMPORT) == [("collection",), ("collection",)]

    # By any one of the identities it is ended for all of the child.
    assert ledger.parent_consents(ANNA[:1], "coppa", "signed_form", at=later(days=2), by="desk") == len(ANNA)

    assert barred(ledger, ANNA, IMPORT) == [(), ()]
    assert barred(ledger, ANNA, "marketing") == [("marketing",), ("marketing",)], "what was stopped before stays so"
    ((body,),) = door("SELECT body FROM entries WHERE kind = 'collection_permitted'")
    assert json.loads(body)["article"] == "16 CFR 312.5(b)(2)(i)"
    assert ledger.verify().sound


@pytest.mark.parametrize("known", [0, 1, 2])
def test_CHI_04_a_new_consent_ends_what_was_refused_again_by_whatever_of_the_child_is_known(
    ledger: Ledger, known: int
) -> None:
    """A parent has refused twice, or a replay has: the list says of each identity which of them came first. What were
    left of one would have the next replay stop everything once more."""
    more = (*ANNA[:1], Identity("account", "77"))
    for people in (ANNA, more):
        request = refusal(ledger)
        ledger.keep_mandate(request, mandate(), by="desk", at=AT)
        ledger.move(request, Phase.LOCATING, at=AT)
        ledger.suppress(request, people, stop_of(REFUSAL).remembered, source=Source.PERSON, at=AT)
        act = Remembered(people=people, details=REFUSAL.model_dump_json())
        close_one(ledger, request, ending=Ending(act=act))
    other = refusal(ledger)
    ledger.suppress(other, OTTO, stop_of(REFUSAL).remembered, source=Source.PERSON, at=AT)

    by = (*ANNA, more[1])[known]
    assert ledger.parent_consents([by], "coppa", "signed_form", at=later(days=1), by="desk") == len(ANNA) + 1
    assert ledger.suppressed([*ANNA, *more], at=later(days=1)) == []
    assert ledger.suppressed(OTTO, at=later(days=1)), "of another child nothing is ended"


def test_CHI_04_a_deletion_refuses_nothing_a_refusal_deletes_nothing_and_neither_ends_the_service(
    ledger: Ledger, door: Door
) -> None:
    """16 CFR 312.6(a)(2) names two things a parent may do, and (c) a third that the operator may."""
    deletion = open_one(ledger).request_id
    ledger.move(deletion, Phase.CONFIRMING, at=AT)
    ledger.keep_mandate(deletion, mandate(Right.ERASURE), by="desk", at=AT)
    with pytest.raises(LedgerRefusal, match="no question of this request"):
        ledger.note_service(deletion, ended=True, by="desk", at=AT)
    assert ledger.attest(deletion, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"]) is True
    assert not ledger.suppressed(ANNA, at=later(days=1))

    refused(ledger)
    assert door("SELECT count(*) FROM erasures") == [(0,)]
    assert door("SELECT count(*) FROM entries WHERE kind IN ('service_ended', 'service_kept')") == [(0,)]

    ledger.note_service(deletion, ended=False, by="desk", at=later(days=1))
    ((kind, body),) = door("SELECT kind, body FROM entries WHERE kind LIKE 'service_%%'")
    assert (kind, json.loads(body)["article"]) == ("service_kept", "16 CFR 312.6(c), 312.7")


def test_the_service_is_no_question_of_a_review_or_of_anybody_elses_request(ledger: Ledger) -> None:
    for right, under in ((Right.ACCESS, "coppa"), (Right.ERASURE, "")):
        request = open_one(ledger, right=right).request_id
        ledger.move(request, Phase.CONFIRMING, at=AT)
        ledger.keep_mandate(request, mandate(right, law=under), by="desk", at=AT)
        ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"])
        with pytest.raises(LedgerRefusal, match="no question of this request"):
            ledger.note_service(request, ended=True, by="desk", at=AT)
