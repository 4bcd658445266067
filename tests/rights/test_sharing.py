"""A map that leaves open whose a row is, is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from rights.advice import advice
from rights.mapdiff import diff
from tests.rights.builders import a_collection, a_map, a_system

FIELDS: dict[str, Any] = {
    "id": {},
    "sender": {"strategy": "null"},
    "recipient": {"strategy": "null"},
    "body": {"category": "free_text", "strategy": "null"},
}


def shared(field: str, shared: str | None = "redact", **more: Any) -> dict[str, Any]:
    return {"field": field, "to": "customers.id", "kind": "shared", "shared": shared, **more}


def messages(*links: dict[str, Any], **changes: Any) -> dict[str, Any]:
    fields = {**FIELDS, **changes.pop("fields", {})}
    return {"key": ["id"], "fields": fields, "links": list(links) or [shared("sender")], **changes}


def refused(**collections: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        a_system(collections={"customers": a_collection(), **collections})
    return "\n".join(error["msg"] for error in caught.value.errors())


def test_a_followed_shared_link_leads_somewhere() -> None:
    system = a_system(collections={"customers": a_collection(), "messages": messages()})

    assert [link.followed for link in system.collections["messages"].links] == [True]


@pytest.mark.parametrize(
    ("said", "collection"),
    [
        ("shared: keep belongs to kind: shared", messages({"field": "sender", "to": "customers.id", "shared": "keep"})),
        (
            "fields of a link belong to one with shared",
            messages({"field": "sender", "to": "customers.id", "fields": ["body"]}),
        ),
        ("names 'ghost', which is not under fields", messages(shared("sender", fields=["ghost"]))),
        ("say different things under shared", messages(shared("sender"), shared("recipient", "keep"))),
        (
            "the link by 'recipient' says that a row is one person's",
            messages(shared("sender"), {"field": "recipient", "to": "customers.id"}),
        ),
        ("'body' says that a row is one person's", messages(fields={"body": {"identity": "email"}})),
        (
            "names 'recipient', which is that of another link",
            messages(shared("sender", fields=["recipient"]), shared("recipient")),
        ),
        (
            "'sender' tells whose a shared row is and cannot be generalised",
            messages(fields={"sender": {"strategy": "generalise", "to": "prefix:1"}}),
        ),
        (
            "shared: redact leaves rows behind, so the field 'body' needs a strategy",
            messages(shared("sender", fields=["body"]), fields={"body": {"category": "free_text"}}),
        ),
        ("'body' yields what several people may share", messages(fields={"body": {"yields": "thread"}})),
        (
            "its rows are shared and links lead back to it",
            messages(shared("sender"), {**shared("recipient"), "to": "messages.id"}),
        ),
    ],
)
def test_what_leaves_open_whose_a_row_is_is_refused(said: str, collection: dict[str, Any]) -> None:
    assert said in refused(messages=collection)


def test_what_hangs_on_shared_rows_is_shared_too() -> None:
    files = {"key": ["id"], "fields": {"id": {}, "message": {}}, "links": [{"field": "message", "to": "messages.id"}]}

    assert "the link to 'messages.id' is unique, and rows there are shared" in refused(messages=messages(), files=files)


def test_whom_a_kept_row_points_to_stays_as_a_clean_shell() -> None:
    """A row that is redacted lets go of the person; one that is kept does not."""
    people = a_collection(fields={"email": {"category": "contact", "identity": "email"}})
    with pytest.raises(ValidationError, match="'messages' keeps rows that point here"):
        a_system(
            collections={
                "customers": people,
                "messages": messages(shared("sender", "keep"), shared("recipient", "keep")),
            }
        )

    a_system(collections={"customers": people, "messages": messages(shared("sender"), shared("recipient"))})


def test_two_unique_links_to_the_same_people_are_worth_a_look() -> None:
    twice = messages({"field": "sender", "to": "customers.id"}, {"field": "recipient", "to": "customers.id"})
    for links, codes in ((twice, ["two_people"]), (messages(shared("sender"), shared("recipient")), [])):
        found = [*advice(a_map(a_system(collections={"customers": a_collection(), "messages": links})))]

        assert [one.code for one in found if one.code == "two_people"] == codes
        assert all("sender and by recipient" in one.what for one in found if one.code == "two_people")


def test_a_change_of_what_becomes_of_them_is_told() -> None:
    people = a_collection(fields={"email": {"category": "contact", "identity": "email", "strategy": "anonymise"}})
    old, new = (
        a_map(a_system(collections={"customers": people, "messages": messages(*links)}))
        for links in (
            [shared("sender", "keep"), shared("recipient", "keep", fields=["body"])],
            [shared("sender"), shared("recipient")],
        )
    )

    told = {f"{change.field}: {change.text}".removeprefix(": ") for change in diff(old, new)}

    assert told == {
        "rows that are somebody else's too are rewritten for this person's part, where before they are kept",
        "body: it is nobody's in a row that is somebody else's too, where before it was of whom recipient leads to",
    }
