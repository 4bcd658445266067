"""Nothing leaves without a basis in force and a way that reaches the country; a register with a slip is refused."""

from datetime import date, timedelta

import pytest

from rights.recipients import Mechanism, Recipient, Refused, Register, read_register
from rights.yamlfile import FileErrors

DAY = date(2026, 11, 26)


def one(country: str = "DE", **more: object) -> Recipient:
    body = {
        "name": "Acme Mail GmbH",
        "country": country,
        "basis": {"kind": "contract", "document": "DPA 17", "since": date(2024, 1, 1)},
        "gets": ["shop.orders", "newsletter"],
        "told_by": {"email": "privacy@acme.example"},
        **more,
    }
    return Recipient.model_validate(body)


def refused(recipient: Recipient, day: date = DAY, regimes: tuple[str, ...] = ("eu-gdpr",)) -> Refused | None:
    return Register(recipients={"acme": recipient}).refuses("acme", day, regimes)


SCC = {"mechanism": "scc", "module": 2, "document": "SCC 3", "review_on": DAY + timedelta(days=30)}


@pytest.mark.parametrize(
    ("country", "transfer", "why"),
    [
        ("DE", {}, None),
        ("JP", {"mechanism": "adequacy"}, None),
        ("JP", {}, Refused.NO_TRANSFER),
        ("IN", {"mechanism": "adequacy"}, Refused.NO_TRANSFER),
        ("US", {"mechanism": "adequacy"}, Refused.NO_TRANSFER),
        ("US", {"mechanism": "dpf"}, None),
        ("IN", {"mechanism": "dpf"}, Refused.NO_TRANSFER),
        ("IN", SCC, None),
        ("IN", {**SCC, "review_on": DAY}, None),
        ("IN", {**SCC, "review_on": DAY - timedelta(days=1)}, Refused.REVIEW_OVERDUE),
        ("CN", {"mechanism": "derogation", "ground": "b", "review_on": DAY}, None),
    ],
)
def test_data_goes_abroad_only_by_a_way_that_reaches_the_country(
    country: str, transfer: dict[str, object], why: Refused | None
) -> None:
    assert refused(one(country, transfer=transfer)) == why


def test_of_several_laws_each_has_to_let_it_go() -> None:
    assert refused(one("DE"), regimes=("uk-gdpr",)) is Refused.NO_TRANSFER
    assert refused(one("DE", transfer={"mechanism": "adequacy"}), regimes=("uk-gdpr", "eu-gdpr")) is None
    assert refused(one("IN"), regimes=("us-ca-ccpa",)) is None, "a law that limits no transfer asks for none"


@pytest.mark.parametrize("until", [None, DAY, DAY - timedelta(days=1), DAY + timedelta(days=1)])
@pytest.mark.parametrize("since", [DAY, DAY - timedelta(days=1), DAY + timedelta(days=1)])
def test_a_basis_holds_from_its_first_day_to_its_last(since: date, until: date | None) -> None:
    basis = {"kind": "contract", "document": "DPA 17", "since": since, "until": until}
    inside = since <= DAY and (until is None or until >= DAY)
    assert refused(one(basis=basis)) == (None if inside else Refused.NO_BASIS)


def test_who_is_not_in_the_register_gets_nothing() -> None:
    assert Register().refuses("acme", DAY, ("eu-gdpr",)) is Refused.UNKNOWN


def test_a_change_concerns_those_who_have_the_collection() -> None:
    register = Register(recipients={"acme": one(), "other": one(gets=["crm"])})
    assert set(register.told_of({"shop": ["orders"]})) == {"acme"}
    assert set(register.told_of({"newsletter": ["members"], "crm": ["people"]})) == {"acme", "other"}
    assert register.told_of({"shop": ["customers"]}) == {}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"mechanism": "scc"}, "needs document and review_on"),
        ({"mechanism": "scc", "document": "x", "review_on": "2027-01-01"}, "needs its module"),
        ({"mechanism": "derogation"}, "needs its ground"),
        ({"mechanism": "pigeon"}, "Input should be"),
    ],
)
def test_a_register_with_a_slip_is_refused_with_its_line(changed: dict[str, str], why: str) -> None:
    lines = "".join(f"      {key}: {value}\n" for key, value in changed.items())
    text = (
        "recipients:\n  acme:\n    name: Acme\n    country: IN\n"
        "    basis: {kind: contract, document: DPA 17, since: 2024-01-01}\n"
        f"    gets: [shop]\n    told_by: {{system: newsletter}}\n    transfer:\n{lines}"
    )
    with pytest.raises(FileErrors, match=why) as caught:
        read_register("recipients.yaml", text)
    assert caught.value.errors[0].line >= 8


def test_every_mechanism_is_judged() -> None:
    for mechanism in Mechanism:
        transfer = {**SCC, "mechanism": mechanism, "ground": "a"}
        assert refused(one("IN", transfer=transfer)) in {None, Refused.NO_TRANSFER}


def test_PRO_04_a_contract_names_the_processors_of_a_processor_and_the_proof_it_owes() -> None:
    host = {"name": "Host Ltd", "country": "IE"}
    acme = one(processors=[host], proof="certificate")
    assert acme.owes == ("processors", "certificate")
    assert one().owes == ()
    for wrong in ({"processors": [host]}, {"proof": "report"}):
        with pytest.raises(ValueError, match="of a contract with a processor"):
            one(role="controller", **wrong)
    with pytest.raises(ValueError, match="country"):
        one(processors=[{"name": "Host Ltd"}])
