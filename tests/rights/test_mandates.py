"""Who may ask for somebody else."""

from datetime import date

import pytest
from pydantic import ValidationError

from rights.identity import identity_law
from rights.lawfile import shipped
from rights.mandates import (
    Kind,
    Mandate,
    MandateRefusal,
    deceased_law,
    read_deceased,
    read_mandate,
)
from rights.minors import needs_guardian
from rights.recipients import Refused, Register, read_register
from rights.request import Right
from rights.yamlfile import FileErrors

TODAY = date(2026, 6, 1)


def mandate(**said: object) -> Mandate:
    body = {"kind": "lawyer", "scope": ["access"], "signed": "2026-05-01", "answer_to": "representative", **said}
    return Mandate.model_validate(body)


def test_COM_08_a_mandate_carries_the_rights_of_its_scope_while_it_is_in_force() -> None:
    mandate(expires="2026-06-01").carry(Right.ACCESS, TODAY)
    with pytest.raises(MandateRefusal, match="does not cover erasure"):
        mandate().carry(Right.ERASURE, TODAY)
    with pytest.raises(MandateRefusal, match="expired"):
        mandate(expires="2026-05-31").carry(Right.ACCESS, TODAY)
    with pytest.raises(MandateRefusal, match="in the future"):
        mandate(signed="2026-06-02").carry(Right.ACCESS, TODAY)


def test_an_authorised_agent_is_confirmed_by_the_person_and_an_attorney_is_not() -> None:
    assert mandate(kind="agent").to_confirm
    assert not mandate(kind="attorney").to_confirm


def test_every_kind_of_mandate_has_its_law() -> None:
    assert set(identity_law().mandates) == {str(kind) for kind in Kind}


@pytest.mark.parametrize(("age", "guarded"), [(0, True), (12, True), (13, False), (16, False), (17, False)])
def test_CHI_05_teenagers_from_13_on_ask_in_their_own_name(age: int, guarded: bool) -> None:
    assert needs_guardian(age) is guarded
    parent = mandate(kind="parent", age=age)
    if guarded:
        parent.carry(Right.ACCESS, TODAY)
    else:
        with pytest.raises(MandateRefusal, match="in their own name"):
            parent.carry(Right.ACCESS, TODAY)


def survivor(country: str, relation: str, *, died: str = "2024-02-29", scope: str = "access") -> Mandate:
    return mandate(kind="survivor", country=country, relation=relation, died=died, scope=[scope])


def test_COM_13_who_may_ask_for_the_dead_is_said_by_country() -> None:
    survivor("FR", "heir").carry(Right.ACCESS, TODAY)
    survivor("it", "family").carry(Right.ACCESS, TODAY)
    with pytest.raises(MandateRefusal, match="may not ask for portability"):
        survivor("FR", "heir", scope="portability").carry(Right.PORTABILITY, TODAY)
    with pytest.raises(MandateRefusal, match="10 years"):
        survivor("DK", "heir", died="2016-05-31").carry(Right.ACCESS, TODAY)
    survivor("DK", "heir", died="2016-06-01").carry(Right.ACCESS, TODAY)


@pytest.mark.parametrize("country", ["US", "GB", "CH", "ZZ"])
def test_where_the_law_of_the_dead_is_not_sure_it_is_off(country: str) -> None:
    with pytest.raises(MandateRefusal, match="not sure, so it is off"):
        survivor(country, "heir").carry(Right.ACCESS, TODAY)


def test_every_country_says_where_its_row_is_from_and_none_of_low_confidence_is_on() -> None:
    for law in deceased_law().countries.values():
        assert law.source
        assert law.enabled is False or law.confidence != "low"
    with pytest.raises(FileErrors, match=r"d.yaml:\d+: countries.US: a reading of low confidence"):
        read_deceased(
            "d.yaml",
            shipped("deceased.yaml").replace(
                "    confidence: low\n    enabled: false\n    may: {app", "    confidence: low\n    may: {app"
            ),
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: lawyer\nscope: []\nsigned: 2026-01-01\nanswer_to: person\n", "scope is empty"),
        ("kind: lawyer\nscope: [access]\nsigned: 2026-01-01\nanswer_to: nobody\n", r"m.yaml:4: answer_to"),
        ("kind: lawyer\nscope: [access]\nanswer_to: person\n", "'signed' is missing"),
        ("kind: parent\nscope: [access]\nsigned: 2026-01-01\nanswer_to: person\n", "age is missing"),
        ("kind: survivor\nscope: [access]\nsigned: 2026-01-01\nanswer_to: person\n", "says country, relation and died"),
        (
            "kind: lawyer\ncountry: FR\nscope: [access]\nsigned: 2026-01-01\nanswer_to: person\n",
            "country belongs to kind: survivor, or parent",
        ),
        (
            "kind: lawyer\nAnna Berg: x\nscope: [access]\nsigned: 2026-01-01\nanswer_to: person\n",
            r"^m.yaml:2: the file: a key here is not known: take it out$",  # which may be somebody's name
        ),
    ],
)
def test_a_slip_in_a_mandate_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(FileErrors, match=said):
        read_mandate("m.yaml", text)


AGENTS = """
recipients:
  agents:
    name: Example Agents Ltd
    country: US
    role: controller
    basis: {kind: contract, document: agreement 9, since: 2026-01-01}
    transfer: {mechanism: scc, module: 1, document: clauses of 2026, review_on: 2027-01-01}
    gets: [shop]
    told_by: {email: privacy@agents.example}
"""


def test_TRF_02_a_copy_for_a_firm_abroad_goes_only_where_the_register_says_so() -> None:
    abroad = {"firm": {"country": "US", "recipient": "agents"}}
    register = read_register("recipients.yaml", AGENTS)

    def refused(known: Register = register, regime: str = "eu-gdpr", **said: object) -> Refused | None:
        return mandate(**abroad | said).copy_refused(known, TODAY, [regime])

    assert refused() is None
    assert refused(Register()) is Refused.UNKNOWN, "closed unless it names it"
    assert refused(firm={"country": "US", "recipient": "others"}) is Refused.UNKNOWN
    assert refused(firm={"country": "CN", "recipient": "agents"}) is Refused.UNKNOWN, "that is another place"
    for old, new, why in (
        ("mechanism: scc", "mechanism: dpf", None),
        ("{mechanism: scc, module: 1, document: clauses of 2026, review_on: 2027-01-01}", "{}", Refused.NO_TRANSFER),
        ("review_on: 2027-01-01", "review_on: 2026-05-31", Refused.REVIEW_OVERDUE),
        ("since: 2026-01-01", "since: 2026-06-02", Refused.NO_BASIS),
    ):
        assert refused(read_register("recipients.yaml", AGENTS.replace(old, new))) is why
    # At home, for a natural person, for the person themselves, and once it is over: no transfer.
    assert refused(Register(), firm={"country": "IE", "recipient": "agents"}) is None
    assert refused(Register(), regime="uk-gdpr", firm={"country": "IE", "recipient": "agents"}) is Refused.UNKNOWN
    for said in ({"firm": None}, {"answer_to": "person"}, {"expires": "2026-05-31"}):
        assert refused(Register(), **said) is None
    for slip in ({"country": "US"}, {"recipient": "agents"}, {"country": "usa", "recipient": "agents"}):
        with pytest.raises(ValidationError):
            mandate(firm=slip)
