"""The demo's own check of all but the shop's database: full dumps before and after, and the parcel against them.

The one rule: nothing of the engine is used. Mailbox and vendors are read by clients of the demo's own and by the
stand-in's back door, and whose a thing is, is decided here a second time, by hand.
"""

import email
import gzip
import hashlib
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.policy import default
from email.utils import getaddresses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starter.company.letters import ACCOUNT
from starter.company.uploads import BUCKET
from starter.demo.check import Finding, Person
from starter.stack import Mail, Vendors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NOT_THERE: Final = {b"\\Noselect", b"\\NonExistent"}
"""What the server says of a name that is only the beginning of others."""
_ADDRESSED: Final = ("from", "sender", "reply-to", "to", "cc", "bcc")


@dataclass(frozen=True, slots=True)
class Thing:
    """One message, version of an object, user or contact."""

    content: str
    """What it says, as text."""
    marks: frozenset[str]
    """Whose it is: e-mail addresses in small letters, customer numbers."""
    body: bytes = b""
    """Its bytes, where it is a file."""


@dataclass(frozen=True)
class Inventory:
    """All that a system holds, each thing by a key that tells it from every other."""

    system: str
    unit: str
    things: Mapping[str, Thing]
    rest: str = ""
    """What the system keeps besides, as text."""

    def own(self, who: Person) -> dict[str, Thing]:
        """What belongs to a person."""
        return {key: thing for key, thing in self.things.items() if not thing.marks.isdisjoint(who.marks)}


# What is there.


def mailbox(mail: Mail) -> Inventory:
    """Every message of every folder, with its number, flags, time and bytes."""
    client = mail.login(ACCOUNT)
    client.normalise_times = False
    things = {}
    try:
        for traits, _, folder in client.list_folders():
            if _NOT_THERE & {*traits}:
                continue
            opened = client.select_folder(folder, readonly=True)
            wanted = ["BODY.PEEK[]", "FLAGS", "INTERNALDATE"]
            for uid, told in client.fetch(client.search(), wanted).items() if opened[b"EXISTS"] else ():
                flags = sorted(flag.decode() for flag in told[b"FLAGS"] if flag != b"\\Recent")
                key = f"{folder}/{opened[b'UIDVALIDITY']}/{uid}"
                things[key] = _letter(f"{flags} {told[b'INTERNALDATE']}", told[b"BODY[]"])
    finally:
        client.logout()
    return Inventory("mailbox", "message", things)


def _letter(about: str, raw: bytes) -> Thing:
    message = email.message_from_bytes(raw, policy=default)
    addressed = [str(value) for name in _ADDRESSED for value in message.get_all(name, [])]
    told = [about, *(f"{name}: {value}" for name, value in message.items())]
    told += [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return Thing("\n".join(told), frozenset(address.casefold() for _, address in getaddresses(addressed)), raw)


def bucket(door: "S3Client") -> Inventory:
    """Every version with its bytes, every delete marker, every upload that never ended."""
    things = {}
    for page in door.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        for version in page.get("Versions", ()):
            key, ident = version["Key"], version["VersionId"]
            answer = door.get_object(Bucket=BUCKET, Key=key, VersionId=ident)
            about = f"{version['LastModified']} {version['IsLatest']} {answer['ContentType']} {answer['Metadata']}"
            body = answer["Body"].read()
            text = body.decode(errors="replace")
            things[f"{key}@{ident}"] = Thing(f"{key} {about}\n{text}", _whose(key), body)
        for marker in page.get("DeleteMarkers", ()):
            key = marker["Key"]
            about = f"{key} deleted {marker['LastModified']} {marker['IsLatest']}"
            things[f"{key}@{marker['VersionId']}"] = Thing(about, _whose(key))
    for found in door.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET):
        for upload in found.get("Uploads", ()):
            key, ident = upload["Key"], upload["UploadId"]
            parts = door.list_parts(Bucket=BUCKET, Key=key, UploadId=ident).get("Parts", ())
            sizes = [(part["PartNumber"], part["Size"], part["ETag"]) for part in parts]
            things[f"{key}@upload {ident}"] = Thing(f"{key} unfinished {sizes}", _whose(key))
    return Inventory("bucket", "stored version", things)


def _whose(key: str) -> frozenset[str]:
    """A folder is named by the customer's number; who a photo belongs to only the shop's database knows."""
    first, _, rest = key.partition("/")
    return frozenset({rest.partition("/")[0] if first == "customers" else key})


def amplitude(vendors: Vendors) -> Inventory:
    """Every user with all events."""
    held = vendors.dump("amplitude")
    users = {key: Thing(_canonical(user), frozenset({user["user_id"]})) for key, user in held.pop("users").items()}
    return Inventory("Amplitude", "user", users, json.dumps(held))


def mailchimp(vendors: Vendors) -> Inventory:
    """Every contact of every audience."""
    held = vendors.dump("mailchimp")
    contacts = {
        f"{audience}/{key}": Thing(_canonical(contact), frozenset({contact["email_address"].casefold()}))
        for audience, members in held.pop("members").items()
        for key, contact in members.items()
    }
    return Inventory("Mailchimp", "contact", contacts, json.dumps(held))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


# Before and after.


def check_erased(before: Inventory, after: Inventory, who: Person) -> Iterator[Finding]:
    """Whether exactly what belongs to the person is gone."""
    name, unit, own = before.system, before.unit, before.own(who)
    others = before.things.keys() - own.keys()
    wrong = {
        f"there was no {unit} of the person to erase": int(not own),
        f"a {unit} of the person is left": len(after.own(who)),
        f"a {unit} of somebody else is gone": len(others - after.things.keys()),
        f"a {unit} of somebody else changed": sum(
            after.things[key] != before.things[key] for key in others & after.things.keys()
        ),
        f"a {unit} has appeared": len(after.things.keys() - before.things.keys()),
        "the person's e-mail, name or phone is written somewhere else": len(_traces(after, who)),
    }
    problems = [f"{name}: {what} ({number})" for what, number in wrong.items() if number]
    yield from (Finding(False, problem) for problem in problems)
    if not problems:
        yield Finding(True, f"{name}: {_plural(len(own), unit)} of the person gone, {len(others):,} others the same")


def _traces(after: Inventory, who: Person) -> list[str]:
    """Texts that hold something by which the person would be recognised; not those where it is part of a longer word,
    as in an address that ends alike."""
    words = "|".join(re.escape(trait) for trait in who.traits)
    told = re.compile(rf"(?<![\w.+-])({words})(?![\w-])", re.IGNORECASE)
    texts = [thing.content for thing in after.things.values()] + [after.rest]
    return [text for text in texts if told.search(text)]


def check_untouched(before: Inventory, after: Inventory, who: Person) -> Iterator[Finding]:
    """Whether looking for a person changed nothing of theirs."""
    own = before.own(who)
    if not own or any(after.things.get(key) != thing for key, thing in own.items()):
        yield Finding(False, f"{before.system}: the access request changed something, or there was nothing to find")


def _plural(number: int, unit: str) -> str:
    return f"{number:,} {unit}" + ("" if number == 1 else "s")


# The parcel.


def check_parcel(held: Sequence[Inventory], who: Person, parcel: Path) -> Iterator[Finding]:
    """Whether the parcel holds exactly what bucket, mailbox and vendors hold of the person."""
    objects, mail, users, contacts = held
    with zipfile.ZipFile(parcel) as bag:
        files = {name.split("/data/", 1)[1]: bag.read(name) for name in bag.namelist() if "/data/" in name}
    for system, inventory in (("files/objects", objects), ("support/messages", mail)):
        given = [_digest(body) for name, body in files.items() if name.startswith(f"{system}/files/")]
        own = [_digest(thing.body) for thing in inventory.own(who).values() if thing.body]
        said = f"parcel: {_plural(len(own), inventory.unit)} of the {inventory.system} as files, byte for byte"
        yield Finding(bool(own) and Counter(given) == Counter(own), said)
    events = [
        _canonical(json.loads(line))
        for name, body in files.items()
        if name.endswith(".jsonl.gz")
        for line in gzip.decompress(body).splitlines()
    ]
    there = [_canonical(event) for user in users.own(who).values() for event in json.loads(user.content)["events"]]
    yield Finding(
        Counter(events) == Counter(there), f"parcel: {_plural(len(there), 'event')} that Amplitude holds, all of them"
    )
    rows = [json.loads(line) for line in files.get("newsletter/members.jsonl", b"").splitlines()]
    listed = {f"{row['list_id']}/{row['id']}" for row in rows}
    yield Finding(
        listed == contacts.own(who).keys() and len(listed) == len(rows),
        f"parcel: {_plural(len(rows), 'contact')} of Mailchimp, and nobody else's",
    )


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
