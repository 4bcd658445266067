"""What a person may take elsewhere: provided or observed, on consent or for a contract, by machine; nothing unsaid."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.advice import advice
from rights.datamap import System
from rights.plan import make_plan
from rights.portable import NotPorted, Why, basis, ported
from rights.request import Right
from tests.rights.builders import AS_OF, a_collection, a_map, a_system


def shop(connector: str = "memory", **collection: Any) -> System:
    body = {
        "lawful_basis": "Contract, GDPR Art. 6(1)(b)",
        "origin": "provided",
        "fields": {
            "id": {},
            "email": {"identity": "email", "category": "contact"},
            "clicks": {"category": "behavior", "origin": "observed"},
            "score": {"category": "profile", "origin": "derived"},
            "bureau": {"category": "profile", "origin": "third_party"},
        },
    }
    return a_system(connector=connector, collections={"people": a_collection(**{**body, **collection})})


def test_provided_and_observed_data_goes_along_and_the_rest_is_named_with_its_reason() -> None:
    taken = ported(shop(), "people")
    assert taken.fields == ("id", "email", "clicks")
    assert taken.left == (NotPorted(field="score", why=Why.DERIVED), NotPorted(field="bureau", why=Why.THIRD_PARTY))


def test_what_the_map_does_not_say_is_left_out_and_warned_of() -> None:
    system = shop(origin=None)
    assert ported(system, "people").fields == ("id", "clicks"), "the key holds the rows together"
    assert NotPorted(field="email", why=Why.UNSTATED) in ported(system, "people").left
    (said,) = [a for a in advice(a_map(system)) if a.code == "origin_unsaid"]
    assert "email" in said.what


@pytest.mark.parametrize("text", ["Legitimate interests, Art. 6(1)(f)", "", "No contract", "contractors", "Legal duty"])
def test_on_another_basis_nothing_goes_along(text: str) -> None:
    taken = ported(shop(lawful_basis=text), "people")
    assert not taken.anything
    assert {one.why for one in taken.left} == {Why.BASIS}


def test_what_people_keep_by_hand_does_not_go_along() -> None:
    taken = ported(shop(connector="manual"), "people")
    assert not taken.anything
    assert {one.why for one in taken.left} == {Why.BY_HAND}


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Consent, GDPR Art. 6(1)(a)", "consent"),
        ("explicit consent", "consent"),
        ("Art. 9(2)(a)", "consent"),
        ("Einwilligung", "consent"),
        ("contract", "contract"),
        ("Vertrag (Art. 6 Abs. 1 lit. b DSGVO)", "contract"),
        ("GDPR Art. 6(1)(b)", "contract"),
        ("Legal obligation that follows from a contract", None),
    ],
)
def test_a_basis_is_what_the_text_begins_with(text: str, known: str | None) -> None:
    assert basis(text) == known


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["provided", "observed", "derived", "third_party", None])
    ),
    st.sampled_from(["provided", "observed", "derived", "third_party", None]),
    st.sampled_from(["Consent", "Contract", "Legitimate interests"]),
)
def test_each_field_either_goes_along_or_is_named_and_nothing_derived_ever_goes(
    origins: dict[str, str | None], everywhere: str | None, basis_: str
) -> None:
    fields: dict[str, Any] = {"id": {}, "email": {"identity": "email"}}
    fields |= {name: {"category": "x", "origin": said} for name, said in origins.items()}
    system = shop(origin=everywhere, lawful_basis=basis_, fields=fields)

    taken = ported(system, "people")

    assert {*taken.fields} | {one.field for one in taken.left} == {*fields}
    assert not {*taken.fields} & {one.field for one in taken.left}
    for name in taken.fields:
        said = origins.get(name) or everywhere
        assert said in {"provided", "observed"} or (name == "id" and said is None)
        assert basis_ != "Legitimate interests"


def test_a_plan_of_portability_exports_no_more_and_never_what_is_withheld() -> None:
    system = shop(
        fields={
            "id": {},
            "email": {"identity": "email", "category": "contact"},
            "pw": {"category": "user.authorization.password"},
            "score": {"category": "profile", "origin": "derived"},
        }
    )
    (work,) = make_plan(Right.PORTABILITY, a_map(system), AS_OF, "eu-gdpr").of("shop").works
    assert work.export == ("id", "email")
    assert [one.field for one in work.withheld] == ["pw"]
    (nothing,) = make_plan(Right.PORTABILITY, a_map(shop(lawful_basis="")), AS_OF, "eu-gdpr").of("shop").works
    assert (nothing.export, nothing.left_out, nothing.files) == ((), True, False)


def test_ACC_02_a_copy_has_what_was_worked_out_and_what_others_said_too() -> None:
    system = shop(lawful_basis="")
    (copy,) = make_plan(Right.ACCESS, a_map(system), AS_OF, "eu-gdpr").of("shop").works
    assert copy.export == ("id", "email", "clicks", "score", "bureau")
