"""The directory: one system, and of its map only what says how people are reached."""

import pytest
from pydantic import ValidationError

from rights.datamap import DataMap, System
from rights.directory import contact_map, contact_works
from rights.mapfile import MapErrors, read_map

DIRECTORY = """
system: crm
owner: sales
connector: memory
directory: true
collections:
  customers:
    key: [id]
    fields:
      id: {}
      email: {identity: email, category: contact, channel: email, changed: moved, strategy: anonymise}
      name: {category: name, strategy: constant, value: gone}
      moved: {}
    erase: redact
  addresses:
    key: [id]
    fields: {id: {}, customer: {}, street: {category: contact, channel: post}, code: {category: secret}}
    links: [{field: customer, to: customers.id}]
  notes:
    key: [id]
    fields: {id: {}, customer: {}, body: {search: true}}
    links: [{field: customer, to: customers.id}]
"""


def crm(text: str = DIRECTORY) -> System:
    return read_map({"crm.yaml": text}).systems["crm"]


def test_a_directorys_map_is_cut_down_to_contacts_and_what_leads_to_them() -> None:
    part = contact_map(crm())

    assert {name: set(c.fields) for name, c in part.collections.items()} == {
        "customers": {"id", "email", "moved"},
        "addresses": {"id", "customer", "street"},
    }
    assert {work.collection: work.export for work in contact_works(part)} == {
        "customers": ("email", "moved"),
        "addresses": ("street",),
    }
    assert not part.erases


def test_there_is_one_directory() -> None:
    with pytest.raises(MapErrors, match=r"b.yaml:5: directory: 'crm' is the directory already"):
        read_map({"a.yaml": DIRECTORY, "b.yaml": DIRECTORY.replace("system: crm", "system: desk")})
    assert DataMap.of({"crm": crm()}).directory == crm()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("directory: true\n", "", "channel belongs to the directory"),
        ("changed: moved", "changed: nothing", "'nothing', which is not under fields"),
        ("channel: email, changed", "changed", "it belongs to a field with channel"),
        ("identity: email,", "identity: email, sharing: shared,", "proves nobody"),
    ],
)
def test_a_directory_that_could_reach_the_wrong_person_is_refused(old: str, new: str, said: str) -> None:
    with pytest.raises(MapErrors, match=said):
        crm(DIRECTORY.replace(old, new))


def test_a_directory_without_contacts_is_refused() -> None:
    with pytest.raises(MapErrors, match="no field says how people are reached"):
        read_map({"a.yaml": DIRECTORY.replace(", channel: email, changed: moved", "").replace(", channel: post", "")})


def test_a_map_without_a_directory_has_the_digest_it_always_had() -> None:
    plain = System.model_validate(
        {
            "system": "a",
            "owner": "b",
            "connector": "memory",
            "collections": {"c": {"key": ["id"], "fields": {"id": {}, "e": {"identity": "email"}}}},
        }
    )
    assert "directory" not in DataMap.of({"a": plain}).canonical()
    assert "channel" not in DataMap.of({"a": plain}).canonical()
    with pytest.raises(ValidationError):
        plain.model_validate({**plain.model_dump(), "lookups_per_minute": 0})
