"""A draft as YAML for a person to correct.

The one rule: a line that rests on a guess ends in `# ?` and the reason; a line that starts with `# QUESTION` waits for
an answer. Nothing else is a comment but the head.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from connectors.sql.discovery.draft import BACKUPS, CollectionDraft, Draft, FieldDraft, link_body

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_WORDS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_ ./()-]*\Z")
_MEANT: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "~"})
_HEAD: Final = """\
# A draft, made from what the database says of itself. It validates as it stands, in mode observe: nothing is destroyed.
# A line that ends in "# ?" rests on a guess, with its reason: correct it, or take the comment out.
# QUESTION: the owner, and each collection's purpose, lawful_basis, recipients and storage are yours to write.
"""


def page(draft: Draft) -> str:
    """The draft's text."""
    return "".join(f"{line}\n" for line in _lines(draft))


def _lines(draft: Draft) -> Iterator[str]:
    yield from _HEAD.rstrip().splitlines()
    yield f"system: {_text(draft.system)}"
    yield f"owner: {_text(draft.owner)}"
    yield "connector: sql"
    yield "mode: observe"
    yield "# QUESTION: how old do backups get (P35D), and what is done until then so that nobody uses them?"
    yield f"backups: {_mapping(BACKUPS)}   # ? the database does not say; none if there are none"
    if draft.description:
        yield f"description: {_text(draft.description)}"
    yield "connection:"
    yield f"  reader: {_text(draft.reader)}"
    yield f"  # writer: env:...   # for erasing; a role of its own (docs/{draft.manual})"
    if not draft.collections:
        yield "# QUESTION: no table looks like people. Name one here, with identity: at the field that names them."
        yield "collections: {}"
    else:
        yield "collections:"
    for collection in draft.collections:
        yield ""
        yield from _collection(collection)
    if draft.unreached:
        yield ""
        yield "# QUESTION: no link leads to these tables, which seem to hold personal data. Which do they belong to?"
        yield from (f"#   {line}" for line in draft.unreached)
    if draft.notes:
        yield ""
        yield "# Left out:"
        yield from (f"#   {_safe(line)}" for line in draft.notes)


def _collection(collection: CollectionDraft) -> Iterator[str]:
    yield f"  {_text(collection.name)}:   # ? {_safe(collection.about)}"
    yield f"    key: {_list(collection.key)}"
    if collection.links:
        yield "    links:"
        for link, to in collection.links:
            yield f"      - {_mapping(link_body(link, to))}" + (
                "" if link.followed and link.enforced else f"   # ? {_safe(link.reason)}"
            )
    for aside in collection.asides:
        yield f"    # not linked: {_safe(aside)}"
    if collection.why_erase:
        yield f"    erase: {collection.erase}   # ? {_safe(collection.why_erase)}"
    if collection.retain_after:
        after = collection.retain_after
        yield f"    # QUESTION: does a law say how long these rows are kept, counted from {_safe(after)}? Then:"
        yield "    # retention:"
        yield f"    #   - {{ground: tax law, after: {_text(after)}, period: P10Y, from: end_of_year}}"
    yield "    fields:"
    for name, field in collection.fields.items():
        yield from _field(name, field)


def _field(name: str, field: FieldDraft) -> Iterator[str]:
    notes = [note for note in (field.reason, field.doubt and f"LOOK: {field.doubt}") if note]
    comment = f"   # ? {_safe('; '.join(notes))}" if notes else ""
    yield f"      {_text(name)}: {_mapping(field.body)}{comment}"


def _mapping(body: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in body.items()) + "}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else "null" if value == "null" else _text(str(value))


def _list(names: Iterable[str]) -> str:
    return "[" + ", ".join(_text(name) for name in names) + "]"


def _text(text: str) -> str:
    """A text as YAML reads it back, quoted only where it has to be."""
    if (_PLAIN.match(text) or _WORDS.match(text) or re.match(r"(env|file):[\w./-]+\Z", text)) and (
        text.lower() not in _MEANT and not text.endswith(" ") and not re.match(r"[0-9.]+(e[0-9]+)?\Z|0x", text)
    ):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _safe(text: str) -> str:
    """A text in a comment: one line, whatever a name holds."""
    return "".join(c if c.isprintable() else " " for c in text)
