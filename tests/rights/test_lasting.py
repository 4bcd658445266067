"""What of a request is kept when the person is forgotten: codes and words of the map, and no other."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.datamap import DataMap
from rights.detail import Details
from rights.details import details_of
from rights.lasting import lasting
from rights.mapfile import read_map
from rights.objections import ConsentWithdrawalDetails, ObjectionDetails, OptOutDetails, stop_of
from rights.rectification import RectificationDetails, Wanted
from rights.request import Right
from rights.restriction import Ground, RestrictionDetails
from rights.suppression import Scope

MAP = """
system: shop
owner: commerce
connector: sql
backups: none
collections:
  customers:
    purpose: Newsletter
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}}
"""
SHOP = DataMap.of(read_map({"shop.yaml": MAP}).systems)


@given(st.text(min_size=1, max_size=40).filter(lambda text: text.strip() and "anna" not in text.lower()))
def test_no_word_that_somebody_typed_is_kept(typed: str) -> None:
    word = f"Anna {typed}"
    correction = Wanted(system="shop", collection="customers", values={"email": word})
    said: list[Details] = [
        ObjectionDetails(scope="marketing", purposes=(word, "newsletter"), reasons=word),
        ConsentWithdrawalDetails(purposes=(word,), categories=("CONTACT", word)),
        RestrictionDetails(ground=Ground.CLAIMS, note=word),
        RectificationDetails(corrections=(correction,), statement=word, evidence=word),
    ]

    kept = [lasting(one, SHOP) for one in said]

    assert all(kept)
    assert "Anna" not in "".join(filter(None, kept))


def test_what_is_kept_asks_for_the_same_in_the_words_of_the_map() -> None:
    objection = ObjectionDetails(scope="research", purposes=("NEWSLETTER",), reasons="I am ill")
    opt_out = OptOutDetails(of=(Scope.SALE, Scope.SHARING))
    consent = ConsentWithdrawalDetails(categories=("Contact",))

    def kept(right: Right, details: Details) -> Details:
        return details_of(right, (lasting(details, SHOP) or "").encode())

    assert stop_of(kept(Right.OBJECTION, objection)).purposes == ("Newsletter",)
    assert stop_of(kept(Right.OPT_OUT, opt_out)) == stop_of(opt_out)
    assert stop_of(kept(Right.CONSENT_WITHDRAWAL, consent)).purposes == ("contact",)
    correction = Wanted(system="shop", collection="customers", values={"email": "x"})
    assert json.loads(lasting(RectificationDetails(corrections=(correction,)), SHOP) or "") == {}


@pytest.mark.parametrize(
    "details",
    [ObjectionDetails(scope="marketing", purposes=("no such",)), ConsentWithdrawalDetails(purposes=("no such",))],
)
def test_what_the_map_does_not_know_does_not_become_everything(details: Details) -> None:
    assert lasting(details, SHOP) is None
