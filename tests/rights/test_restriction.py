"""What a restriction is about: systems, collections, categories; and what is locked with it in whole records."""

from typing import Any

import pytest

from rights.datamap import DataMap
from rights.details import read_details
from rights.mapfile import read_map
from rights.request import Right
from rights.restriction import Extent, RestrictionDetails, locked_by
from rights.yamlfile import FileErrors

MAP = {
    "shop": """
system: shop
owner: us
connector: memory
backups: none
collections:
  customers:
    key: [id]
    fields: {id: {}, email: {category: user.contact.email, identity: email}, iban: {category: payment}}
  orders:
    key: [id]
    links: [{field: customer_id, to: customers.id}]
    fields: {id: {}, customer_id: {}, note: {category: free_text}}
""",
    "crm": """
system: crm
owner: us
connector: memory
backups: none
collections:
  people: {key: [id], fields: {id: {}, email: {category: user.contact.email, identity: email}}}
""",
}


def a_map() -> DataMap:
    return read_map(MAP)


@pytest.mark.parametrize(
    ("asked", "locked"),
    [
        ({}, {"shop": ("customers", "orders"), "crm": ("people",)}),
        ({"systems": ("crm",)}, {"crm": ("people",)}),
        ({"collections": ("shop.orders",)}, {"shop": ("orders",)}),
        ({"systems": ("crm",), "collections": ("shop.orders",)}, {"shop": ("orders",), "crm": ("people",)}),
        ({"categories": ("payment",)}, {"shop": ("customers",)}),
        ({"categories": ("user.contact",)}, {"shop": ("customers",), "crm": ("people",)}),
        ({"systems": ("shop",), "categories": ("free_text", "payment")}, {"shop": ("customers", "orders")}),
        ({"collections": ("shop.orders",), "categories": ("payment",)}, {}),
    ],
)
def test_what_is_named_is_locked_and_nothing_else(asked: dict[str, Any], locked: dict[str, tuple[str, ...]]) -> None:
    extent = Extent(**asked)

    found = {name: extent.locks(system) for name, system in a_map().systems.items()}

    assert {name: names for name, names in found.items() if names} == locked


def test_what_is_locked_beyond_what_was_asked_is_named() -> None:
    (shop,) = locked_by(Extent(categories=("payment",)), a_map().systems.values())

    assert shop.collections == ("customers",)
    assert shop.beyond == {"customers": ("user.contact.email",)}, "keys say nothing"
    (orders,) = locked_by(Extent(collections=("shop.orders",)), a_map().systems.values())
    assert orders.beyond == {}, "who asks for whole collections gets no more than that"
    assert locked_by(Extent(), a_map().systems.values()) == (), "everything is everything"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"systems": ("shopp",)}, "systems: the data map has no such system: write some of crm, shop"),
        ({"collections": ("orders",)}, "collections: the data map has no such collection: write SYSTEM.COLLECTION"),
        ({"collections": ("shop.order",)}, "collections: the data map has no such collection"),
        ({"categories": ("user.cont",)}, "categories: no field of the data map is of such a category"),
        (
            {"systems": ("crm",), "categories": ("payment",)},
            "nothing under the systems and collections named",
        ),
    ],
)
def test_what_the_map_does_not_have_is_refused_at_the_door(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RestrictionDetails.model_validate({"ground": "claims", **asked}).require(a_map())


@pytest.mark.parametrize(
    ("ground", "article"), [("accuracy", "a"), ("unlawful", "b"), ("claims", "c"), ("objection", "d")]
)
def test_RES_01_each_ground_of_article_18_is_one_that_a_request_can_name(ground: str, article: str) -> None:
    details = read_details(Right.RESTRICTION, "details.yaml", f"ground: {ground}")

    assert isinstance(details, RestrictionDetails)
    assert details.ground.article == f"GDPR Art. 18(1)({article})"


@pytest.mark.parametrize("text", ["ground: because", "systems: [shop]"])
def test_RES_01_without_one_of_them_nothing_is_asked_for(text: str) -> None:
    with pytest.raises(FileErrors, match="ground"):
        read_details(Right.RESTRICTION, "details.yaml", text)
