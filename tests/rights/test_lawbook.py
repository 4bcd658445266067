"""All files of law have a reader, and all are read at a start."""

from importlib import resources

from rights.lawbook import READERS, check_law, topics
from rights.regimes import SHIPPED, regime
from rights.request import Right


def test_every_file_of_law_that_ships_has_a_reader() -> None:
    there = {file.name for file in (resources.files("rights") / "law").iterdir() if file.name.endswith(".yaml")}

    assert there
    assert set(READERS) == there == topics()


def test_what_ships_can_be_read() -> None:
    check_law()


def test_the_laws_say_which_of_them_give_the_rights_that_not_all_do() -> None:
    give = {right: {name for name in SHIPPED if right in regime(name).rights} for right in Right}

    # An opt-out is of the laws of American states, and no objection is; California's own gives nothing else.
    states = {name for name in SHIPPED if name.startswith("us-")}
    assert give[Right.OPT_OUT] == states - {"us-ca-ccpa"}
    assert regime("us-ca-optout").rights == (Right.OPT_OUT,)
    assert not give[Right.OBJECTION] & states
    assert give[Right.CONSENT_WITHDRAWAL] == {"br-lgpd", "ca-pipeda", "ca-qc", "eu-gdpr", "id-pdp", "uk-gdpr"}
    assert give[Right.DECISION_REVIEW] == {"br-lgpd", "eu-gdpr", "id-pdp", "kr-pipa", "tr-kvkk", "uk-gdpr"}
