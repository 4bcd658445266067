"""What a copy never holds is decided by category and law, and named; a slip in the file is refused with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.advice import advice
from rights.plan import make_plan
from rights.regimes import SHIPPED
from rights.request import Right
from rights.withheld import every_item, items, read_withheld, withheld
from rights.yamlfile import FileErrors
from tests.rights.builders import AS_OF, a_collection, a_map, a_system

SECTION_7024_D = {
    "user.government_id.national_identification_number",
    "user.government_id.drivers_license_number",
    "user.government_id.passport_number",
    "user.financial.bank_account",
    "user.health_and_medical.insurance_beneficiary_id",
    "user.health_and_medical.record_id",
    "user.authorization.password",
    "pd:SecretText",
    "user.biometric.fingerprint",
}
"""11 CCR 7024(d): what a business shall not disclose in response to a request to know."""


@pytest.mark.parametrize("regime", sorted(SHIPPED))
def test_credentials_are_withheld_under_every_law(regime: str) -> None:
    for category in ("user.authorization.password", "https://w3id.org/dpv/pd#Password", "credentials"):
        found = withheld("secret", category, (regime,))
        assert found
        assert found.item == "credentials"


@pytest.mark.parametrize("category", sorted(SECTION_7024_D))
def test_california_withholds_all_that_its_rule_names(category: str) -> None:
    assert withheld("f", category, ("us-ca-ccpa",))


def test_the_gdpr_gives_a_person_their_own_numbers() -> None:
    assert not withheld("ssn", "user.government_id.national_identification_number", ("eu-gdpr",))
    assert withheld("ssn", "user.government_id.national_identification_number", ("eu-gdpr", "us-ca-ccpa")), (
        "where two laws apply, what either withholds is withheld"
    )


@given(st.text(max_size=40))
def test_a_category_covers_itself_and_what_lies_below_it_and_nothing_beside_it(below: str) -> None:
    (item, *_) = items(())
    assert item.covers("user.authorization")
    assert item.covers(f"user.authorization.{below}")
    assert not item.covers("user.authorizations")
    assert not item.covers(f"{below}.user.authorization")


def test_what_is_withheld_is_not_in_the_plan_and_is_named_there() -> None:
    people = a_collection(
        fields={
            "id": {},
            "email": {"identity": "email", "category": "user.contact.email"},
            "pw": {"category": "user.authorization.password"},
            "ssn": {"category": "user.government_id.national_identification_number"},
        }
    )
    data_map = a_map(a_system(collections={"people": people}))

    (california,) = make_plan(Right.ACCESS, data_map, AS_OF, "us-ca-ccpa").of("shop").works
    (europe,) = make_plan(Right.ACCESS, data_map, AS_OF, "eu-gdpr").of("shop").works

    assert california.export == ("id", "email")
    assert [(one.field, one.item) for one in california.withheld] == [
        ("pw", "credentials"),
        ("ssn", "social_security_number"),
    ]
    assert europe.export == ("id", "email", "ssn")
    assert [one.field for one in europe.withheld] == ["pw"]


@pytest.mark.parametrize("column", ["password_hash", "userPassword", "api_key", "TOTP_SECRET", "security_answer"])
def test_a_column_that_looks_like_a_credential_is_warned_of_until_its_category_says_so(column: str) -> None:
    def told(**about: object) -> list[str]:
        fields = {"id": {}, "email": {"identity": "email"}, column: about}
        return [a.code for a in advice(a_map(a_system(collections={"people": a_collection(fields=fields)})))]

    assert "withheld_unsaid" in told(category="account")
    assert "withheld_unsaid" in told()
    assert "withheld_unsaid" not in told(category="user.authorization.credentials")
    assert "withheld_unsaid" not in told(export=False)


@pytest.mark.parametrize("column", ["pin_board", "secretary", "id", "passwordless_login_enabled_note", "saltlake"])
def test_a_column_that_only_sounds_like_one_is_not(column: str) -> None:
    assert not any(item.looks_like(column) for of in every_item().values() for item in of)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("everywhere: []\nregimes:\n  eu-gpdr: []\n", 3),
        ("everywhere:\n  - item: a\n    says: b\n    source: c\n    categories: []\nregimes: {}\n", 5),
        ("everywhere:\n  - item: a\n    says: b\n    sauce: c\n    source: c\n    categories: [d]\nregimes: {}\n", 4),
        ("everywhere: []\n", 1),
    ],
)
def test_a_slip_in_the_file_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(FileErrors) as refused:
        read_withheld("withheld.yaml", text)
    assert refused.value.errors[0].line == line
