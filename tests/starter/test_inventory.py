"""The demo's own check of bucket, mailbox and vendors: on real servers, it notices what was left or taken too much."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from starter.company import Company
from starter.company.letters import ACCOUNT
from starter.company.uploads import BUCKET
from starter.demo import ASKS_ACCESS, ASKS_ERASURE, check, inventory
from starter.demo.inventory import Inventory
from starter.stack import Mail, Objects, Vendors


def photo(customer: int) -> str:
    """Its key, by the shop's own rule."""
    return f"uploads/{hashlib.md5(f'photo{customer}'.encode(), usedforsecurity=False).hexdigest()}.png"


HUGO = check.Person(
    ASKS_ERASURE, ("hugo.ivanov@example.org", "Hugo Ivanov"), {"customers": frozenset({"407"})}, frozenset({photo(407)})
)
UMUT = check.Person(
    ASKS_ACCESS,
    ("umut.ulrich@example.org", "Umut Ulrich"),
    {"customers": frozenset({"1019"})},
    frozenset({photo(1019)}),
)
NOBODY = check.Person("nobody@example.org", ("nobody@example.org",), {})


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    """Mailbox and vendors as the demo starts with them; a test puts back what it takes."""
    company = Company(Mail(), Objects(), Vendors())
    try:
        company.start()
        company.fill("test")
        yield company
    finally:
        company.close()


def failures(before: Inventory, after: Inventory, who: check.Person = HUGO) -> list[str]:
    return [finding.said for finding in inventory.check_erased(before, after, who) if not finding.ok]


def remove(company: Company, keys: list[str]) -> None:
    client = company.mail.login(ACCOUNT)
    for key in keys:
        folder, _, uid = key.rsplit("/", 2)
        client.select_folder(folder)
        client.delete_messages([int(uid)])
        client.uid_expunge([int(uid)])
    client.logout()


def test_each_folder_and_account_is_read_and_both_people_are_there(company: Company) -> None:
    mailbox = inventory.mailbox(company.mail)

    assert {key.rsplit("/", 2)[0] for key in mailbox.own(HUGO)} == {
        "INBOX", "Sent", "Trash", "Archive/Reklamationen März",
    }  # fmt: skip
    assert any("not-hugo.ivanov@example.org" in thing.marks for thing in mailbox.things.values())
    assert len(mailbox.own(UMUT)) == 4
    for held in (inventory.amplitude(company.vendors), inventory.mailchimp(company.vendors)):
        assert held.own(HUGO)
        assert held.own(UMUT)
        assert len(held.things) >= 500


def test_letters_that_are_gone_are_told_from_those_that_are_left_or_somebody_elses(company: Company) -> None:
    before = inventory.mailbox(company.mail)
    own = list(before.own(HUGO))
    alike = next(key for key, thing in before.things.items() if "not-hugo.ivanov@example.org" in thing.marks)

    assert failures(before, before)[0] == "mailbox: a message of the person is left (4)"
    remove(company, own[:-1])
    assert "mailbox: a message of the person is left (1)" in failures(before, inventory.mailbox(company.mail))
    remove(company, own[-1:])
    assert failures(before, inventory.mailbox(company.mail)) == []
    assert failures(before, inventory.mailbox(company.mail), NOBODY) == [
        "mailbox: there was no message of the person to erase (1)",
        "mailbox: a message of somebody else is gone (4)",
    ]
    remove(company, [alike])
    assert failures(before, inventory.mailbox(company.mail)) == ["mailbox: a message of somebody else is gone (1)"]


def test_a_letter_that_was_moved_or_opened_is_a_change(company: Company) -> None:
    before = inventory.mailbox(company.mail)
    first, second = list(before.own(UMUT))[:2]
    client = company.mail.login(ACCOUNT)
    for key, flags in ((first, [b"\\Seen"]), (second, [b"\\Flagged"])):
        client.select_folder(key.rsplit("/", 2)[0])
        client.set_flags([int(key.rsplit("/", 1)[1])], [*flags, b"\\Answered"])
    client.logout()
    after = inventory.mailbox(company.mail)

    assert "mailbox: a message of somebody else changed (2)" in failures(before, after, NOBODY)
    assert not next(inventory.check_untouched(before, after, UMUT)).ok


def test_each_version_marker_and_upload_that_is_left_in_the_bucket_is_noticed(company: Company) -> None:
    """What a plain DELETE leaves, which only hides; and what belongs to somebody whose number begins alike."""
    door = company.objects.client()
    before = inventory.bucket(door)
    own = before.own(HUGO)
    kinds = {key.partition("@")[0]: key.partition("@")[2] for key in own}
    assert set(kinds) == {
        "customers/407/portrait.png", "customers/407/Rücksendung 4071.txt", "customers/407/old address.txt",
        "customers/407/film.mp4", photo(407),
    }  # fmt: skip
    assert any(key.startswith("customers/4070/") for key in before.things.keys() - own.keys())

    for key in own:
        if "@upload " not in key:
            door.delete_object(Bucket=BUCKET, Key=key.partition("@")[0])
    left = failures(before, inventory.bucket(door))
    assert any(said.startswith("bucket: a stored version of the person is left") for said in left)

    for page in door.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        for one in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
            if one["Key"].startswith("customers/407/") or one["Key"] == photo(407):
                door.delete_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])
    assert failures(before, inventory.bucket(door)) == ["bucket: a stored version of the person is left (1)"]
    upload = kinds["customers/407/film.mp4"].removeprefix("upload ")
    door.abort_multipart_upload(Bucket=BUCKET, Key="customers/407/film.mp4", UploadId=upload)
    assert failures(before, inventory.bucket(door)) == []

    door.put_object(Bucket=BUCKET, Key="customers/4070/portrait.png", Body=b"another")
    assert failures(before, inventory.bucket(door)) == [
        "bucket: a stored version of somebody else changed (1)", "bucket: a stored version has appeared (1)",
    ]  # fmt: skip


def test_a_user_left_or_forgotten_in_a_text_at_a_vendor_is_noticed(company: Company) -> None:
    before = inventory.mailchimp(company.vendors)
    own = before.own(HUGO)
    gone = Inventory(before.system, before.unit, {k: t for k, t in before.things.items() if k not in own})
    half = Inventory(before.system, before.unit, {k: t for k, t in before.things.items() if k != next(iter(own))})
    noted = Inventory(before.system, before.unit, gone.things, json.dumps({"note": "Hugo Ivanov called"}))

    assert failures(before, gone) == []
    assert "Mailchimp: a contact of the person is left (1)" in failures(before, half)
    assert failures(before, noted) == [
        "Mailchimp: the person's e-mail, name or phone is written somewhere else (1)",
    ]


def test_what_vendors_really_do_is_noticed(company: Company) -> None:
    """By their own back door: a person who is seen again after an erasure is left, and somebody new has appeared."""
    before = inventory.amplitude(company.vendors)
    company.vendors.seed([{"id": "407", "email": ASKS_ERASURE}, {"id": "999999"}], ["amplitude"])
    after = inventory.amplitude(company.vendors)

    assert "Amplitude: a user has appeared (1)" in failures(before, after)
    assert "Amplitude: a user of the person is left (1)" in failures(before, after)


def test_a_parcel_that_lacks_or_adds_something_is_noticed(company: Company, tmp_path: Path) -> None:
    held = (
        inventory.bucket(company.objects.client()),
        inventory.mailbox(company.mail), inventory.amplitude(company.vendors), inventory.mailchimp(company.vendors),
    )  # fmt: skip
    objects, letters, users, contacts = (list(one.own(UMUT).items()) for one in held)
    uploads = [thing.body for _, thing in objects if thing.body]
    events = [event for _, user in users for event in json.loads(user.content)["events"]]
    rows = [dict(zip(("list_id", "id"), key.split("/"), strict=True)) for key, _ in contacts]

    def said(uploads: list[bytes], bodies: list[bytes], events: list[object], rows: list[dict[str, str]]) -> list[bool]:
        with zipfile.ZipFile(tmp_path / "parcel.zip", "w") as bag:
            for number, body in enumerate(uploads):
                bag.writestr(f"habeas-x/data/files/objects/files/{number}.png", body)
            for number, body in enumerate(bodies):
                bag.writestr(f"habeas-x/data/support/messages/files/{number}.eml", body)
            lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)
            bag.writestr("habeas-x/data/analytics/users/files/1.jsonl.gz", gzip.compress(lines))
            text = "".join(json.dumps(row) + "\n" for row in rows)
            bag.writestr("habeas-x/data/newsletter/members.jsonl", text)
        return [finding.ok for finding in inventory.check_parcel(held, UMUT, tmp_path / "parcel.zip")]

    bodies = [letter.body for _, letter in letters]
    assert said(uploads, bodies, events, rows) == [True] * 4
    assert said(uploads[1:], bodies[1:], events[1:], rows[1:]) == [False] * 4
    more = [*uploads, b"another"], [*bodies, b"another"], [*events, {}], [*rows, {"list_id": "x", "id": "y"}]
    assert said(*more) == [False] * 4
