"""What a parent may ask for under a law that gives parents rights of their own: COPPA."""

import re
from datetime import date
from typing import Any

import pytest

from rights.lawfile import shipped
from rights.mandates import Mandate, MandateRefusal
from rights.objections import ObjectionDetails, is_immediate, is_weighed, needs_parent, stop_of
from rights.parents import COPPA, parent_laws, read_parents
from rights.regimes import SHIPPED
from rights.request import Right
from rights.suppression import ALL_USES, Scope, bars
from rights.yamlfile import FileErrors

TODAY = date(2026, 6, 1)
TEXT = shipped("parents.yaml")


def mandate(right: Right = Right.ERASURE, **said: Any) -> Mandate:
    body = {"kind": "parent", "scope": [right], "signed": "2026-05-01", "answer_to": "representative", "age": 9}
    return Mandate.model_validate({**body, "law": COPPA, **said})


@pytest.mark.parametrize("kind", ["parent", "guardian"])
@pytest.mark.parametrize(
    ("right", "provision"),
    [
        (Right.ACCESS, "16 CFR 312.6(a)(1), (3)"),
        (Right.ERASURE, "16 CFR 312.6(a)(2)"),
        (Right.OBJECTION, "16 CFR 312.6(a)(2)"),
    ],
)
def test_CHI_04_a_parent_reviews_deletes_and_refuses_more_under_coppa_itself(
    kind: str, right: Right, provision: str
) -> None:
    mine = mandate(right, kind=kind)
    mine.carry(right, TODAY)
    assert mine.asked_under == {"law": "coppa", "article": provision}
    assert not mine.to_confirm, "the child confirms nothing"


@pytest.mark.parametrize(
    ("right", "said", "why"),
    [
        (Right.ERASURE, {"age": 13}, "children under 13"),
        (Right.ERASURE, {"age": None, "kind": "guardian"}, "write the age"),
        (Right.ERASURE, {"kind": "lawyer"}, "of kind parent or guardian"),
        (Right.ERASURE, {"country": "FR"}, "a law of US"),
        (Right.RECTIFICATION, {}, "gives no right of rectification"),
    ],
)
def test_what_coppa_does_not_give_is_asked_under_another_law(right: Right, said: dict[str, Any], why: str) -> None:
    with pytest.raises(MandateRefusal, match=why):
        mandate(right, **said).carry(right, TODAY)


def test_CHI_04_coppa_sets_no_number_of_days_and_none_is_made_up() -> None:
    law = parent_laws().laws[COPPA]
    assert not re.search(r"\d", law.term)
    assert COPPA not in SHIPPED, "a regime is a clock"
    assert not re.search(r"(?m)^\s+(days|months|answer):", TEXT)


def test_CHI_04_a_refusal_is_of_every_use_needs_a_parent_and_is_weighed_against_nothing() -> None:
    details = ObjectionDetails(scope="collection")
    assert needs_parent(details)
    assert not is_weighed(details)
    assert not is_immediate(Right.OBJECTION, details), "nobody's bare word keeps a child out"
    assert set(stop_of(details).scopes) == {Scope.COLLECTION, *ALL_USES}
    assert stop_of(details).remembered == (Scope.COLLECTION,)
    assert all(bars(Scope.COLLECTION, use) for use in ("import", *Scope))
    assert not bars(Scope.MARKETING, "import")
    with pytest.raises(ValueError, match="leave purposes out"):
        ObjectionDetails(scope="collection", purposes=("Newsletter",))


def test_a_law_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="write one of coppa"):
        mandate(law="copa")


@pytest.mark.parametrize(
    ("was", "written", "says"),
    [
        ("    under_age: 13\n", "    under: 13\n", r"parents.yaml:\d+: laws.coppa"),
        ("    refuses: [collection]", "    refuses: []", r"parents.yaml:\d+: laws.coppa: an objection under it"),
        ("    refuses: [collection]", "    days: 30\n    refuses: [collection]", r"'days' is not a key here"),
    ],
)
def test_a_slip_in_the_table_is_refused_with_its_line(was: str, written: str, says: str) -> None:
    assert was in TEXT
    with pytest.raises(FileErrors, match=says):
        read_parents("parents.yaml", TEXT.replace(was, written, 1))
