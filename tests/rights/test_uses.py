"""What restricted data may be used for is the law's list, and each use names what it covers and its end."""

from datetime import date
from typing import Final

import pytest

from rights.lawfile import read_law, shipped
from rights.uses import UseError, UseGround, UsesLaw, check_use, uses_law
from rights.yamlfile import FileErrors

DAY: Final = date(2026, 3, 2)
LOCKED: Final = ("shop.customers", "shop.orders")


def test_RES_02_the_grounds_are_those_of_article_18_2_and_each_has_its_source() -> None:
    law = uses_law()
    assert set(law.grounds) == {"consent", "claims", "protection", "public_interest"}
    assert all("18(2)" in ground.source and ground.shows and ground.tells_source for ground in law.grounds.values())
    assert [name for name, ground in law.grounds.items() if ground.tells == "always"] == ["consent"]


@pytest.mark.parametrize(
    ("regimes", "article"),
    [
        (["eu-gdpr"], "GDPR Art. 18(2)"),
        (["uk-gdpr", "eu-gdpr"], "UK GDPR Art. 18(2), GDPR Art. 18(2)"),
        (["br-lgpd"], "GDPR Art. 18(2), taken as the measure"),
    ],
)
def test_RES_02_a_use_stands_under_the_law_of_its_request(regimes: list[str], article: str) -> None:
    assert uses_law().article(regimes) == article


@pytest.mark.parametrize(
    ("covers", "until", "evidence", "why"),
    [
        ((), DAY, "the claim", "covers what is restricted"),
        (("shop.customers", "crm.people"), DAY, "the claim", "covers what is restricted"),
        (LOCKED, date(2026, 3, 1), "the claim", "has an end"),
        (LOCKED, DAY, " \n", "which claim"),
    ],
)
def test_RES_02_no_more_than_is_restricted_for_no_longer_than_is_said_and_not_without_evidence(
    covers: tuple[str, ...], until: date, evidence: str, why: str
) -> None:
    with pytest.raises(UseError, match=why):
        check_use(covers, LOCKED, until, DAY, ground=UseGround.CLAIMS, evidence=evidence)
    check_use(LOCKED[:1], LOCKED, DAY, DAY, ground=UseGround.CLAIMS, evidence="the claim")


@pytest.mark.parametrize(
    ("old", "new"), [("  consent:", "  consents:"), ("tells: always", "tells: seldom"), ("\nlaws:", "\nlawz:")]
)
def test_a_slip_in_the_file_is_refused(old: str, new: str) -> None:
    with pytest.raises(FileErrors):
        read_law(UsesLaw, "restriction_uses.yaml", shipped("restriction_uses.yaml").replace(old, new, 1))
