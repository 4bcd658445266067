"""A value put into a request or an expression stays a value, whatever it is."""

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.http import template
from connectors.http.template import MissingError

TEXTS = st.text(alphabet=st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(TEXTS.filter(lambda text: text not in {"", ".", ".."}))
@example("../../admin")
@example("1?all=true#")
@example("%2e%2e/%2f")
@example("{row.other}")
def test_a_value_in_a_path_is_one_part_of_it(value: str) -> None:
    path = template.path("/users/{row.id}/tickets", {"row": {"id": value, "other": "x"}})

    parts = urlsplit("https://vendor.example" + path)
    assert (parts.query, parts.fragment) == ("", "")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "users", value, "tickets"]


@pytest.mark.parametrize("value", ["", ".", "..", None, [], [""]])
def test_a_path_without_a_value_is_refused(value: object) -> None:
    with pytest.raises(MissingError, match=r"^row\.id$"):
        template.path("/users/{row.id}", {"row": {"id": value}})


@given(TEXTS)
@example("a\r\nauthorization: Basic eA==")
def test_a_value_in_a_header_is_one_line_or_refused(value: str) -> None:
    scope = {"secret": {"token": value}}

    if value.isascii() and value.isprintable():
        assert template.header("Bearer {secret.token}", scope) == f"Bearer {value}"
    else:
        with pytest.raises(MissingError, match=r"^secret\.token$"):
            template.header("Bearer {secret.token}", scope)


@given(JSON.filter(lambda value: value is not None))
def test_a_whole_value_keeps_its_type_in_a_body(value: object) -> None:
    body = template.typed({"ids": "{rows.id}", "list": ["{rows.id}", 1]}, {"rows": {"id": value}})

    assert json.loads(json.dumps(body)) == {"ids": value, "list": [value, 1]}


@given(TEXTS)
def test_text_around_a_value_makes_it_text(value: str) -> None:
    assert template.typed("<{row.id}>", {"row": {"id": value}}) == f"<{value}>"


def test_a_value_that_may_be_missing_leaves_its_key_out() -> None:
    body = {"userId": "{row.user_id?}", "clientId": "{row.client_id?}"}

    assert template.typed(body, {"row": {"user_id": "7", "client_id": None}}) == {"userId": "7"}


@given(JSON.filter(lambda value: value is not None), TEXTS)
@example("`] || [`", "x")
@example("' || '1'=='1", "x")
@example("\\`\\", "x")
def test_a_value_in_an_expression_is_compared_and_nothing_else(value: Any, other: str) -> None:
    entries = [{"id": value}, {"id": [other, "other"]}]

    found = template.searched("[?id == {row.id}]", entries, {"row": {"id": value}})

    assert found == [entry for entry in entries if entry["id"] == value and type(entry["id"]) is type(value)]


def test_an_expression_of_another_shape_finds_nothing() -> None:
    assert template.searched("length(jobs)", {"jobs": 3}, {}) is None


@given(st.dictionaries(st.sampled_from(["a", "b"]), TEXTS, min_size=1))
def test_a_query_comes_out_as_it_went_in(values: dict[str, str]) -> None:
    query = template.typed({name: f"{{row.{name}}}" for name in values}, {"row": values})

    assert dict(parse_qsl(urlencode(query), keep_blank_values=True)) == values
