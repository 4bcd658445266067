"""A parent's refusal and consent, as a person types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rights.suppression import Scope, Source
from starter.desk import desk, now
from tests.starter.conftest import PERSON, Deployment, one_sentence

MANDATE = """kind: parent
law: coppa
scope: [objection]
signed: 2026-02-01
answer_to: person
age: 9
"""


@pytest.fixture
def refusal(deployment: Deployment, tmp_path: Path) -> str:
    """A refusal that waits for a parent; its id."""
    details = tmp_path / "details.yaml"
    details.write_text("scope: collection\n")
    return deployment.open("--details", str(details), "--signed-in", "second_factor", right="objection")


def test_CHI_04_a_parents_mandate_carries_a_refusal_and_nothing_that_is_said_at_the_door(
    deployment: Deployment, refusal: str, tmp_path: Path
) -> None:
    is_proven = "SELECT confirmed_at IS NOT NULL FROM requests WHERE id = %s"
    assert deployment.rows(is_proven, [refusal]) == [(False,)], "signed in with a second factor, and no parent yet"
    words = ("request", "open", "objection", "--details", str(tmp_path / "details.yaml"), "--confirmed-by", "desk")
    attested = deployment(*words, "--identities", "-", given=f"email={PERSON}")
    assert attested.code == 2
    assert one_sentence(attested.err)
    assert "only a parent refuses further collection" in attested.err
    assert deployment("suppression", "list", "--json").json == {"identities": {}}

    (tmp_path / "mandate.yaml").write_text(MANDATE)
    mandate = str(tmp_path / "mandate.yaml")
    done = deployment("identity", "mandate", refusal, "--by", "desk", "--details", mandate, "--json")
    assert (done.code, done.json) == (0, {"proven": True})
    assert deployment.rows(is_proven, [refusal]) == [(True,)]
    assert deployment("identity", "service", refusal, "kept", "--by", "desk", "--json").json == {"service": "kept"}


def test_CHI_04_a_list_is_asked_at_sign_up_and_import_until_a_parent_consents_anew(
    deployment: Deployment, refusal: str
) -> None:
    with desk() as at:
        at.ledger.suppress(refusal, at.ledger.identities(refusal), (Scope.COLLECTION,), source=Source.PERSON, at=now())
    rows = f"email\nfree@example.org\n{PERSON.upper()}\n"
    for use in ("import", "collection", "marketing"):
        done = deployment("suppress", "check", "-", "--scope", use, given=rows)
        assert (done.code, done.out) == (1, "2 collection\n"), use
    assert deployment("suppression", "screen", "-", "--scope", "sale", "--json", given=PERSON).json == {"lines": [1]}

    signed_up = deployment("suppression", "clear", "--by", "form", "--identity", "email=-", given=PERSON)
    assert signed_up.code == 5
    assert one_sentence(signed_up.err)
    assert "only a parent's new consent ends that" in signed_up.err
    words = ("suppression", "consent", "--by", "privacy desk", "--identity", "email=-", "--json")
    assert deployment(*words, "--way", "a_tick", given=PERSON).code == 2
    assert deployment(*words, "--way", "signed_form", given=PERSON).json == {"ended": 1}
    assert deployment("suppress", "check", "-", "--scope", "import", given=rows).code == 0
