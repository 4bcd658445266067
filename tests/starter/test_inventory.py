"""The demo's own check of mailbox and vendors: on real servers, it notices what an erasure left or took too much."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from starter.company import Company
from starter.company.letters import ACCOUNT
from starter.demo import ASKS_ACCESS, ASKS_ERASURE, check, inventory
from starter.demo.inventory import Inventory
from starter.stack import Mail, Vendors

HUGO = check.Person(ASKS_ERASURE, ("hugo.ivanov@example.org", "Hugo Ivanov"), {"customers": frozenset({"407"})})
UMUT = check.Person(ASKS_ACCESS, ("umut.ulrich@example.org", "Umut Ulrich"), {"customers": frozenset({"1019"})})
NOBODY = check.Person("nobody@example.org", ("nobody@example.org",), {})


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    """Mailbox and vendors as the demo starts with them; a test puts back what it takes."""
    company = Company(Mail(), Vendors())
    try:
        company.start("test")
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
        inventory.mailbox(company.mail), inventory.amplitude(company.vendors), inventory.mailchimp(company.vendors),
    )  # fmt: skip
    letters, users, contacts = (list(one.own(UMUT).items()) for one in held)
    events = [event for _, user in users for event in json.loads(user.content)["events"]]
    rows = [dict(zip(("list_id", "id"), key.split("/"), strict=True)) for key, _ in contacts]

    def said(bodies: list[bytes], events: list[object], rows: list[dict[str, str]]) -> list[bool]:
        with zipfile.ZipFile(tmp_path / "parcel.zip", "w") as bag:
            for number, body in enumerate(bodies):
                bag.writestr(f"habeas-x/data/support/messages/files/{number}.eml", body)
            lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)
            bag.writestr("habeas-x/data/analytics/users/files/1.jsonl.gz", gzip.compress(lines))
            text = "".join(json.dumps(row) + "\n" for row in rows)
            bag.writestr("habeas-x/data/newsletter/members.jsonl", text)
        return [finding.ok for finding in inventory.check_parcel(*held, UMUT, tmp_path / "parcel.zip")]

    bodies = [letter.body for _, letter in letters]
    assert said(bodies, events, rows) == [True, True, True]
    assert said(bodies[1:], events[1:], rows[1:]) == [False, False, False]
    assert said([*bodies, b"another"], [*events, {}], [*rows, {"list_id": "x", "id": "y"}]) == [False, False, False]
