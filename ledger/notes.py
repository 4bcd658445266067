"""Free texts that people typed: sealed in the vault, with a salted digest in the journal.

The one rule: the journal can prove which text was given, and cannot be used to guess one: the salt goes when the text
goes.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection

from ledger.ids import new_id
from ledger.store import Store
from ledger.vault import Sealed

_SALT_BYTES: Final = 16


class Note(NamedTuple):
    """A text on its way into the request's file."""

    values: tuple[Sealed, ...]
    """What is to be sealed: the text with its salt, or nothing."""
    said: Mapping[str, str]
    """What the journal is to say of it."""


def make_note(name: str, text: str | None) -> Note:
    """Prepare a text to be kept under a name; no text makes an empty note."""
    if not text:
        return Note((), {})
    salt = secrets.token_hex(_SALT_BYTES)
    data = orjson.dumps({"salt": salt, "text": text})
    return Note((Sealed("file", name, data),), {"note": name, "note_digest": note_digest(salt, text)})


def keep_note(
    store: Store, connection: Connection, request_id: str, name: str, text: str | None, at: datetime
) -> Mapping[str, str]:
    """Seal a text in a request's file, if there is one; what the journal is to say of it."""
    note = make_note(name, text)
    for value in note.values:
        key = store._vault.key(connection, request_id, value.purpose)
        store._vault.put(connection, request_id, key, value, at)
    return note.said


def keep_word(
    store: Store, connection: Connection, request_id: str, text: str | None, at: datetime
) -> Mapping[str, str]:
    """The same for what somebody has to say to a decision: one of many, so under a name of its own."""
    return keep_note(store, connection, request_id, f"note/{new_id(at)}", text, at)


def by_whom(by: str | None) -> Mapping[str, str]:
    """Whose word it is, as the journal says it: nothing where nobody was named."""
    return {"by": by} if by else {}


def note_digest(salt: str, text: str) -> str:
    """SHA-256 over salt and text, hex."""
    return hashlib.sha256(f"{salt}\0{text}".encode()).hexdigest()


def note_text(data: bytes) -> str:
    """The text of an unsealed note."""
    text: str = orjson.loads(data)["text"]
    return text
