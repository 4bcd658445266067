"""What a map says of a bucket: what is understood, and what is refused with what to write instead."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.s3 import build
from connectors.s3.places import Places
from connectors.s3.restriction import denies
from connectors.s3.template import Template
from rights.datamap import System
from tests.connectors.s3_bench import BY_MANIFEST, BY_TEMPLATE, system_of

SECRETS = {"reader": "AK:secret", "writer": "role"}


def system(text: str = BY_TEMPLATE, collection: dict[str, Any] | None = None, **options: Any) -> System:
    found = system_of(text, "uploads", "https://objects.shop.example")
    ((name, about),) = found.collections.items()
    changed = about.model_copy(update={"options": {**about.options, **(collection or {})}})
    chosen = {key: value for key, value in {**found.options, **options}.items() if value is not None}
    return found.model_copy(update={"options": chosen, "collections": {name: changed}})


@pytest.mark.parametrize(
    ("template", "advice"),
    [
        ("users/", "everybody's"),
        ("", "everybody's"),
        ("{user_id}", "whole key"),
        ("users/*/{user_id}", "no patterns"),
        ("{user_id}/{user_id}/", "one field in each"),
        ("users/{user_id", "place of an identity"),
        ("users/{user id}/", "place of an identity"),
        ("../{user_id}/", "without the parts"),
        ("users/{nobody}/", "no field with an identity"),
    ],
)
def test_a_template_that_could_take_too_much_is_refused(template: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice) as caught:
        build(system(collection={"keys": [template] if template else ["/"]}), SECRETS)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=8), st.text(max_size=8))
def test_no_value_reaches_what_another_has(first: str, second: str) -> None:
    folder, key = Template.read("users/{user_id}/"), Template.read("a/x{user_id}.png")

    for place in folder.keys(first):
        assert place.startswith("users/")
        assert place.count("/") == 2
        for other in folder.keys(second):
            same = {*folder.keys(first)} & {*folder.keys(second)}
            assert same or not (other + "anything").startswith(place)
    for place in key.keys(first):
        assert place.startswith("a/x")
        assert place.endswith(".png")
        assert place.count("/") == 1


def test_case_is_lowered_only_where_the_map_says_so() -> None:
    assert list(Template.read("u/{email:lower}/").keys("Anna@X.org")) == ["u/anna@x.org/"]
    assert list(Template.read("u/{email}/").keys("Anna@X.org")) == ["u/Anna@X.org/"]
    assert len(list(Template.read("u/{name}/").keys("Zoë"))) == 2, "in both forms of Unicode"


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"bucket": None}, "bucket is missing"),
        ({"bucket": "a b"}, "name of a bucket"),
        ({"endpoint": None}, "region is missing"),
        ({"endpoint": "http://objects.shop.example"}, "write https"),
        ({"endpoint": "http://127.0.0.1:9", "plaintext": False}, "write https"),
        ({"endpoint": "ftp://x"}, "address such as"),
        ({"batch": 1001}, "from 1 to 1,000"),
        ({"timeout": 0}, "from 1 to 600"),
        ({"restore_tier": "Fast"}, "one of: Bulk"),
        ({"restricted_tag": "a b"}, "tag's name"),
        ({"buckets": "x"}, "'buckets' is unknown"),
        ({"ca_file": "/nowhere/at/all"}, "names no file"),
    ],
)
def test_an_option_that_is_wrong_is_refused_with_what_to_write(options: dict[str, Any], advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        build(system(**options), SECRETS)


@pytest.mark.parametrize(
    ("choices", "advice"),
    [
        ({"manifest": "m.parquet"}, "one of: csv, jsonl"),
        ({"manifest": ""}, "nothing says where"),
        ({"folder": "x"}, "'folder' is unknown"),
    ],
)
def test_a_manifest_is_csv_or_json_lines(choices: dict[str, Any], advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        build(system(BY_MANIFEST, choices), SECRETS)


@pytest.mark.parametrize("secret", ["", "AK", "AK:", ":x", "AK:s:", "AK:s e"])
def test_a_credential_that_is_none_is_refused_and_not_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="ACCESS_KEY:SECRET_KEY") as caught:
        build(system(), {"reader": secret})
    assert "s e" not in str(caught.value)


def test_secrets_are_reader_and_writer() -> None:
    with pytest.raises(ValueError, match="reader is missing"):
        build(system(), {"writer": "role"})
    with pytest.raises(ValueError, match="'key' is unknown"):
        build(system(), {"key": "x"})
    assert "secret" not in repr(build(system(), SECRETS).reader)


@pytest.mark.parametrize(
    ("condition", "actions", "enough"),
    [
        ({"StringLike": {"s3:ExistingObjectTag/held": "*"}}, ["s3:GetObject", "s3:GetObjectVersion"], True),
        ({"Null": {"s3:ExistingObjectTag/held": "false"}}, "s3:*", True),
        ({"StringLike": {"s3:ExistingObjectTag/held": "*"}}, "s3:GetObject", False),
        ({"StringEquals": {"s3:ExistingObjectTag/held": "yes"}}, "s3:*", False),
        ({"StringLike": {"s3:ExistingObjectTag/other": "*"}}, "s3:*", False),
        ({}, "s3:*", False),
    ],
)
def test_a_policy_is_judged_by_what_it_says_outright(condition: object, actions: object, enough: bool) -> None:
    statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Condition": condition}
    policy = json.dumps({"Statement": [{**statement, "Resource": "arn:aws:s3:::uploads/*"}]})

    assert denies(policy, "held", "uploads") is enough
    assert not denies(policy.replace("Deny", "Allow"), "held", "uploads")
    assert not denies(policy.replace("uploads/*", "uploads/public/*"), "held", "uploads")
    assert not denies(policy, "held", "loads")
    assert not denies("", "held", "uploads")
    assert not denies("{", "held", "uploads")


@pytest.mark.parametrize(
    ("places", "advice"),
    [
        (["full_name"], "write FIELD = .json#NAME"),
        (["full_name = .json"], "write FIELD = .json#NAME"),
        (["full_name = .json#"], "write FIELD = .json#NAME"),
        (["full_name = .parquet#name"], "tag, metadata or an ending such as .csv"),
        (["full_name = metadata#X-Amz-Meta-Owner"], "in lower case"),
        (["full_name = .json#a", "full_name = .json#b"], "said twice"),
        (["full_name = tag#a", "user_id = tag#a"], "said twice"),
        (["nobody = .json#a"], "'nobody' has a place and is no field"),
        (["user_id = .json#id"], "a field of its own"),
        (["size = .json#size"], "a field of its own"),
    ],
)
def test_a_place_that_is_wrong_is_refused_with_what_to_write(places: list[str], advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        build(system(collection={"places": places}), SECRETS)


def test_the_longest_ending_that_fits_a_key_says_what_is_in_its_file() -> None:
    places = Places.read("here", ["name = .json#who.name", "name = orders.json#customer", "name = .csv#Full. Name"])

    assert places.of("users/1/a.json") == {"name": ("who", "name")}
    assert places.of("users/1/orders.json") == {"name": ("customer",)}
    assert places.of("users/1/x.csv") == {"name": ("Full. Name",)}, "a column may have a dot in its name"
    assert places.of("users/1/photo.png") == {}
