"""A map that could make the engine miss or destroy something is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rights.datamap import Collection, DataMap, Field, Retention, Strategy, System
from tests.rights.builders import a_collection, a_map, a_system

RULE = {"ground": "tax law", "after": "placed_at", "period": "P10Y"}


def _linked(to: str = "customers.id", kind: str = "unique", **changes: Any) -> dict[str, Any]:
    fields = {"id": {}, "customer_id": {}, "placed_at": {}, **changes.pop("fields", {})}
    link = {"field": "customer_id", "to": to, "kind": kind}
    return {"key": ["id"], "fields": fields, "links": [link], **changes}


def _refused(**collections: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        a_system(collections=collections)
    return "\n".join(error["msg"] for error in caught.value.errors())


@pytest.mark.parametrize("kind", ["shared", "hint"])
def test_a_collection_that_only_a_weak_link_leads_to_is_refused(kind: str) -> None:
    assert "orders: no identity leads here" in _refused(customers=a_collection(), orders=_linked(kind=kind))


@pytest.mark.parametrize("kind", ["unique", "shared", "hint"])
def test_collections_that_link_to_one_another_stand_together_and_none_is_left_out(kind: str) -> None:
    customers = a_collection(fields={"last": {}}, links=[{"field": "last", "to": "orders.id", "kind": kind}])
    lines = _linked("orders.id", links=[{"field": "customer_id", "to": "orders.id"}, {"field": "id", "to": "lines.id"}])

    system = a_system(
        collections={"notes": _linked("lines.id"), "lines": lines, "orders": _linked(), "customers": customers}
    )

    assert [set(group) for group in system.groups] == [{"orders", "customers"}, {"lines"}, {"notes"}]
    assert [name for name in system.collections if system.circular(name)] == ["lines", "orders", "customers"]


def test_a_collection_whose_texts_are_searched_needs_no_identity_and_leads_on() -> None:
    notes = {"key": ["id"], "fields": {"id": {}, "body": {"search": True}}}

    system = a_system(collections={"customers": a_collection(), "notes": notes, "files": _linked("notes.id")})

    assert system.searches
    assert "no field holds an identity" in _refused(notes=notes)


def test_a_row_of_several_people_is_not_searched() -> None:
    fields = {"id": {}, "customer_id": {}, "body": {"search": True}}
    notes = _linked(
        fields=fields, links=[{"field": "customer_id", "to": "customers.id", "kind": "shared", "shared": "ask"}]
    )

    assert "'body' is searched" in _refused(customers=a_collection(), notes=notes)


def test_an_identity_is_compared_and_not_searched() -> None:
    both = a_collection(fields={"email": {"identity": "email", "search": True}})

    assert "search belongs to a text that may mention anybody" in _refused(customers=both)


def test_a_circle_that_no_identity_leads_into_is_refused() -> None:
    a, b = _linked("b.id"), _linked("a.id")

    assert "no identity leads here" in _refused(customers=a_collection(), a=a, b=b)


@pytest.mark.parametrize(
    ("derived", "said"),
    [
        ({"of": "ghost", "path": "$.a"}, "is read from 'ghost', which is not under fields"),
        ({"of": "id"}, "use that field itself, or add path or when"),
        ({"of": []}, "name the field it is read from"),
        ({"of": ["id", "placed_at"], "path": "$.a"}, "path leads into one field"),
        ({"of": ["id", "placed_at"], "identity": "email"}, "an identity is one value"),
        ({"of": "id", "path": "a.b"}, "write $.user.id"),
        ({"of": "id", "when": {"ghost": "x"}}, "is read from 'ghost', which is not under fields"),
        ({"of": "id", "path": "$.a'; DROP TABLE x"}, "path is a place in a JSON document"),
    ],
)
def test_what_is_derived_says_from_what(derived: dict[str, Any], said: str) -> None:
    assert said in _refused(customers=a_collection(), orders=_linked(derived={"owner": derived}))


def test_a_link_compares_as_many_columns_as_it_is_compared_with() -> None:
    derived = {"pair": {"of": ["id", "customer_id"]}, "each": {"of": "placed_at", "path": "$[*]"}}
    orders = _linked(derived=derived)

    said = _refused(customers=a_collection(), orders=orders, lines=_linked("orders.pair"))
    assert "the link compares 1 columns with 2 of 'orders.pair'" in said
    said = _refused(customers=a_collection(), orders=orders, lines=_linked("orders.each"))
    assert "leads to a list: link from the list to the row instead" in said


def test_a_row_that_stays_may_not_tell_whose_it_is_by_what_is_derived() -> None:
    orders = _linked(erase="redact", derived={"mail": {"of": "placed_at", "path": "$.mail", "identity": "email"}})

    assert "'mail' tells whose they are, so 'placed_at' needs a strategy" in _refused(
        customers=a_collection(), orders=orders
    )


@given(st.permutations(["customers", "orders", "lines", "parts", "notes"]))
def test_parents_come_first_and_nobody_is_left_out(names: list[str]) -> None:
    collections = {
        "customers": a_collection(),
        "orders": _linked(),
        "lines": _linked("orders.id"),
        "parts": _linked("lines.id"),
        "notes": _linked("customers.id"),
    }
    system = a_system(collections={name: collections[name] for name in names})

    order = system.parents_first

    assert sorted(order) == sorted(names)
    for name, collection in system.collections.items():
        for link in collection.links:
            assert order.index(link.target[0]) < order.index(name)


def test_a_row_that_stays_needs_a_strategy_for_every_personal_field() -> None:
    said = _refused(customers=a_collection(erase="redact"))

    assert "the field 'email' needs a strategy" in said


def test_a_personal_key_in_a_row_that_stays_has_to_be_kept_on_a_ground() -> None:
    """Else the row would be called anonymised while its key names the person."""
    fields = {"email": {"category": "contact", "identity": "email"}}

    said = _refused(customers={"key": ["email"], "fields": fields, "erase": "redact"})

    assert "the field 'email' needs a strategy: retain with a ground" in said


def test_what_kept_rows_point_to_needs_a_strategy_for_every_personal_field() -> None:
    said = _refused(customers=a_collection(), orders=_linked(retention=[RULE]))

    assert "collections.customers: 'orders' keeps rows that point here" in said


def test_shells_reach_up_through_collections_that_keep_nothing_themselves() -> None:
    said = _refused(customers=a_collection(), orders=_linked(), lines=_linked("orders.id", retention=[RULE]))

    assert "collections.customers: 'orders' keeps rows that point here" in said


def test_what_kept_rows_point_to_is_not_rewritten_under_them() -> None:
    """Else the shell would be cut off from what it is kept for, and be found as left behind for ever."""
    customers = a_collection(fields={"email": {"identity": "email", "strategy": "null"}})

    said = _refused(customers=customers, orders=_linked("customers.email", retention=[RULE]))

    assert "'orders' keeps rows that point to 'email', so it cannot be rewritten" in said


def test_a_row_that_loses_its_own_link_may_leave_its_parent_rewritten() -> None:
    customers = a_collection(fields={"email": {"identity": "email", "strategy": "null"}})
    orders = _linked("customers.email", erase="redact", fields={"customer_id": {"strategy": "null"}})

    assert a_system(collections={"customers": customers, "orders": orders}).collections["orders"].links


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"retention": [{**RULE, "after": "born"}]}, "retention counts from 'born', which is not under fields"),
        ({"retention": [{**RULE, "minimise": ["note"]}]}, "minimise names 'note': give that field a strategy"),
        ({"retention": [{**RULE, "minimise": ["missing"]}]}, "minimise names 'missing'"),
        (
            {
                "retention": [{**RULE, "minimise": ["placed_at"]}],
                "fields": {"placed_at": {"strategy": "generalise", "to": "year"}, "note": {}},
            },
            "minimise names 'placed_at', which a term is counted from: take it out",
        ),
        ({"erase": "retain"}, "erase: retain needs a ground"),
        ({"fields": {"id": {"strategy": "null"}, "note": {}}}, "'id' is part of the key and cannot be rewritten"),
        ({"links": [{"field": "missing", "to": "customers.id"}]}, "a link uses 'missing'"),
        ({"key": []}, "key is empty"),
        ({"key": ["number"]}, "key names 'number'"),
    ],
)
def test_a_collection_that_cannot_stand_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Collection.model_validate(_linked(**{"fields": {"note": {"category": "free_text"}}, **changes}))

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"strategy": "constant"}, "strategy constant needs a value"),
        ({"strategy": "generalise"}, "strategy generalise needs to"),
        ({"strategy": "generalise", "to": "prefix:0"}, "strategy generalise needs to"),
        ({"strategy": "retain"}, "strategy retain needs a ground"),
        ({"strategy": "null", "value": "x"}, "value belongs to strategy: constant only"),
        ({"identity": "E-Mail"}, "lower-case word"),
    ],
)
def test_a_field_that_cannot_stand_is_refused(field: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Field.model_validate(field)


@pytest.mark.parametrize(
    ("field", "casefold"),
    [
        ({"identity": "email"}, True),
        ({"identity": "email", "match": "exact"}, False),
        ({"identity": "customer_id"}, False),
        ({"identity": "login", "match": "casefold"}, True),
    ],
)
def test_addresses_ignore_case_unless_the_map_says_exact(field: dict[str, Any], casefold: bool) -> None:
    assert Field.model_validate(field).casefold is casefold


@pytest.mark.parametrize("period", ["", "P", "10Y", "P10", "P1H", "PT1H", "P-1Y", "P1Y ", "P1.5Y", "P1D1Y"])
def test_a_period_that_is_not_one_is_refused(period: str) -> None:
    with pytest.raises(ValidationError, match="ISO 8601"):
        Retention.model_validate({**RULE, "period": period})


@pytest.mark.parametrize("period", ["P201Y", "P2401M", "P99999999W", "P80000D", "P" + "9" * 50 + "Y"])
def test_a_period_beyond_any_calendar_is_refused(period: str) -> None:
    with pytest.raises(ValidationError, match="longer than 200 years"):
        Retention.model_validate({**RULE, "period": period})


@given(st.integers(0, 199), st.integers(0, 11), st.integers(0, 50), st.integers(0, 300))
def test_a_period_is_so_many_months_and_days(years: int, months: int, weeks: int, days: int) -> None:
    rule = Retention.model_validate({**RULE, "period": f"P{years}Y{months}M{weeks}W{days}D"})

    assert (rule.months, rule.days) == (years * 12 + months, weeks * 7 + days)


STRATEGIES: list[dict[str, Any]] = [
    {},
    {"strategy": None},
    {"strategy": "constant", "value": 0},
    {"strategy": "constant", "value": False},
    {"strategy": "constant", "value": "gone"},
    {"strategy": "generalise", "to": "year"},
    {"strategy": "pseudonym"},
    {"strategy": "retain", "ground": "proof"},
]


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.sampled_from(STRATEGIES), max_size=6))
def test_a_map_written_down_and_read_back_is_the_same(fields: dict[str, dict[str, Any]]) -> None:
    fields = {f"f_{name}": field for name, field in fields.items()}
    before = a_map(a_system(collections={"customers": a_collection(fields=fields)}))

    after = DataMap.restore(before.canonical())

    assert (after, after.digest) == (before, before.digest)


def test_the_digest_tells_maps_apart_and_ignores_their_order() -> None:
    shop, crm = a_system(), a_system(system="crm")

    assert a_map(shop, crm).digest == a_map(crm, shop).digest
    assert a_map(shop).digest != a_map(crm).digest
    assert a_map(shop).digest != a_map(a_system(mode="auto")).digest


def test_the_kinds_by_which_somebody_is_found() -> None:
    crm = a_system(system="crm", collections={"people": a_collection(fields={"nr": {"identity": "crm_number"}})})

    assert a_map(a_system(), crm).identity_kinds == ("crm_number", "email")


def test_nothing_is_destroyed_until_an_operator_turns_it_on() -> None:
    assert a_system().mode == "observe"


def test_a_bare_null_is_a_strategy_and_no_strategy_is_none() -> None:
    assert Field.model_validate({"strategy": None}).strategy is Strategy.NULL
    assert Field.model_validate({}).strategy is None


def test_a_map_cannot_be_changed_once_it_is_read() -> None:
    system: System = a_system()

    with pytest.raises(ValidationError):
        system.mode = "auto"  # type: ignore[assignment, misc]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        (Field(), {}),
        (Field(identity="email"), {"email": True}),
        (Field(identity="email", match="exact"), {"email": False}),
        (Field(identity="login", match="casefold"), {"login": True}),
        (Field(identity="phone", sharing="shared"), {}),
        (Field(identity="device", sharing="hint"), {}),
        (Field(yields="object_key"), {"object_key": False}),
        (Field(yields="email"), {"email": True}),
        (
            Field(identity="customer_number", yields="vendor_customer"),
            {"customer_number": False, "vendor_customer": False},
        ),
    ],
)
def test_what_a_field_tells_other_systems_of_and_whether_case_counts(field: Field, told: dict[str, bool]) -> None:
    assert field.told == told


@pytest.mark.parametrize("sharing", ["shared", "hint"])
def test_what_several_people_may_have_yields_nothing(sharing: str) -> None:
    fields = {"id": {}, "email": {"identity": "email"}, "household": {"yields": "household", "sharing": sharing}}

    assert f"sharing: {sharing} is followed nowhere" in _refused(customers=a_collection(fields=fields))


def test_a_system_is_looked_into_again_for_what_it_told_only_where_that_may_find_more() -> None:
    customers = a_collection(
        fields={"id": {"identity": "customer"}, "email": {"identity": "email"}, "scan": {"yields": "document"}}
    )
    letters = a_collection(fields={"id": {}, "to": {"identity": "email"}})
    documents = a_collection(fields={"id": {"identity": "document"}})
    system = a_system(collections={"customers": customers, "letters": letters, "documents": documents})

    kinds = ("customer", "email", "document", "unknown")
    assert [kind for kind in kinds if system.finds_more_by(kind)] == ["email", "document"]
    assert not a_system(collections={"customers": customers}).finds_more_by("document")
