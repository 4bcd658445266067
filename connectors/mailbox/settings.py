"""What a map says about a mailbox, and what of it cannot be done.

The one rule: what a map asks for and this connector cannot do is refused when it is built, with what to write instead.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from connectors.options import file, flag, known, number, one_of, only, text, words
from rights.datamap import Collection, Erase, Field, Strategy, System

KEY: Final = ("folder", "uidvalidity", "uid", "digest")
"""What tells one message from every other. `digest` alone tells it wherever it is moved."""
HEADER_FIELDS: Final = ("message_id", "date", "received", "from", "to", "cc", "bcc", "reply_to", "subject")
FIELDS: Final = (*KEY, *HEADER_FIELDS, "flags", "size", "text", "attachments", "file")
"""Fields that a map may name, besides those that hold an identity."""
DATES: Final = ("date", "received")

SIDES: Final = ("from", "to", "any")
REVIEWS: Final = ("third_parties", "everything", "nothing")

_SYSTEM: Final = ("timeout", "batch", "plaintext", "ca_file")
_COLLECTION: Final = ("theirs", "include", "exclude", "in_text", "own", "review", "locked_folder")

TIMEOUT_S: Final = 60
"""A search through some 100,000 messages takes seconds, or half a minute when nothing of it is cached; servers that
need longer say so meanwhile."""
BATCH: Final = 500
"""Messages that one fence lets through: a batch takes a second or two, so a hold in the middle binds soon."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of a system with this connector, and of its collection."""

    collection: str
    addressed: tuple[str, ...]
    """The fields whose identity is looked for among a message's addresses."""
    in_text: tuple[str, ...] = ()
    """The fields whose identity is looked for in a message's words; a find is a question, never an answer."""
    theirs: str = "any"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    review: str = "third_parties"
    locked_folder: str = ""
    timeout: int = TIMEOUT_S
    batch: int = BATCH
    plaintext: bool = False
    ca_file: str = ""

    @property
    def longest(self) -> timedelta:
        """How long after entering a fence a call can still take effect: one limit for sending all of its commands, one
        for the answer, and one for a server that goes on after we have hung up."""
        return timedelta(seconds=3 * self.timeout)

    @classmethod
    def read(cls, system: System) -> Self:
        """Take a system's options.

        Raises:
            ValueError: one is unknown or wrong; the text says what to write.
        """
        name, collection = only(system, "a mailbox", "messages", "other folders of the same account")
        options, choices = dict(system.options), dict(collection.options)
        known("options", options, _SYSTEM)
        known(f"collections.{name}.options", choices, _COLLECTION)
        in_text = words(choices, "in_text")
        _fields(name, collection, in_text)
        return cls(
            collection=name,
            addressed=tuple(field for field in collection.identities if field not in in_text),
            in_text=in_text,
            theirs=one_of(choices, "theirs", SIDES, "any"),
            include=words(choices, "include"),
            exclude=words(choices, "exclude"),
            own=tuple(word.casefold().removeprefix("@") for word in words(choices, "own")),
            review=one_of(choices, "review", REVIEWS, "third_parties"),
            locked_folder=text(choices, "locked_folder"),
            timeout=number(options, "timeout", TIMEOUT_S, 1, 600),
            batch=number(options, "batch", BATCH, 1, 10_000),
            plaintext=flag(options, "plaintext"),
            ca_file=file(options, "ca_file"),
        )


def _fields(name: str, collection: Collection, in_text: tuple[str, ...]) -> None:
    where = f"collections.{name}"
    if collection.key != KEY:
        raise ValueError(f"{where}: key is [{', '.join(KEY)}]")
    if collection.erase is Erase.REDACT:
        raise ValueError(f"{where}: a message cannot be rewritten: use erase: delete or retain")
    for field, about in collection.fields.items():
        _field(where, field, about)
    for field in in_text:
        found = collection.identities.get(field)
        if found is None:
            raise ValueError(f"{where}: in_text names '{field}', which is no field with an identity")
        if found.sharing == "unique":
            raise ValueError(f"{where}: words in a text prove nothing: write sharing: shared at '{field}'")
    for rule in collection.retention:
        if rule.after not in DATES:
            raise ValueError(f"{where}: a term counts from date or received: write after: date")


def _field(where: str, name: str, about: Field) -> None:
    if about.identity is None and name not in FIELDS:
        raise ValueError(f"{where}: '{name}' is no field of a message: write one of: {', '.join(FIELDS)}")
    if about.identity is not None and name in FIELDS:
        raise ValueError(f"{where}: the identity needs a field of its own, such as address; '{name}' is taken")
    if about.strategy not in {None, Strategy.DELETE}:
        raise ValueError(f"{where}: a message cannot be rewritten: leave out strategy at '{name}'")
    if about.yields and name != "message_id":
        raise ValueError(f"{where}: only message_id yields an identity: leave out yields at '{name}'")
