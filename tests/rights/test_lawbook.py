"""All files of law have a reader, and all are read at a start."""

import re
from importlib import resources

import pytest

from rights import clockwork, decision, fees, holdlaw, identity, metrics, recipients, weighing, withheld
from rights.lawbook import READERS, check_law, topics
from rights.lawfile import Strict, read_law, shipped
from rights.regimes import SHIPPED, regime
from rights.request import Right


def test_every_file_of_law_that_ships_has_a_reader() -> None:
    there = {file.name for file in (resources.files("rights") / "law").iterdir() if file.name.endswith(".yaml")}

    assert there
    assert set(READERS) == there == topics()


def test_what_ships_can_be_read() -> None:
    check_law()


@pytest.mark.parametrize(
    ("file", "model", "name"),
    [
        ("extensions.yaml", clockwork._Extensions, "ca-pipeda"),
        ("fees.yaml", fees.FeeLaw, "uk-gdpr"),
        ("grounds.yaml", decision.Grounds, "uk-gdpr"),
        ("holds.yaml", holdlaw._HoldLaw, "us-va"),
        ("identity.yaml", identity.IdentityLaw, "us-va"),
        ("limits.yaml", decision.Limits, "uk-gdpr"),
        ("records.yaml", metrics.Records, "us-co"),
        ("review.yaml", weighing._Reviews, "uk-gdpr"),
        ("transfers.yaml", recipients._Transfers, "eu-gdpr"),
        ("withheld.yaml", withheld._Law, "us-ca-ccpa"),
    ],
)
def test_a_law_that_is_misspelled_is_refused_where_it_stands(file: str, model: type[Strict], name: str) -> None:
    text, found = re.subn(rf"\b{name}\b(?=[\],:])", f"{name}x", shipped(file), count=1)
    assert found, "it is there to be misspelled"
    line = text[: text.index(f"{name}x")].count("\n") + 1

    with pytest.raises(ValueError, match=rf"(?m)^{file}:{line}: .*'{name}x' is no regime"):
        read_law(model, file, text)


def test_the_laws_say_which_of_them_give_the_rights_that_not_all_do() -> None:
    give = {right: {name for name in SHIPPED if right in regime(name).rights} for right in Right}

    # An opt-out is of the laws of American states, and no objection is; California's own gives nothing else.
    states = {name for name in SHIPPED if name.startswith("us-")}
    assert give[Right.OPT_OUT] == states - {"us-ca-ccpa"}
    assert regime("us-ca-optout").rights == (Right.OPT_OUT,)
    assert not give[Right.OBJECTION] & states
    assert give[Right.CONSENT_WITHDRAWAL] == {"br-lgpd", "ca-pipeda", "ca-qc", "eu-gdpr", "id-pdp", "uk-gdpr"}
    assert give[Right.DECISION_REVIEW] == {"br-lgpd", "eu-gdpr", "id-pdp", "kr-pipa", "tr-kvkk", "uk-gdpr"}
