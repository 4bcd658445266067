"""Mentions: rows that are not known to be a person's, in which a text says what the person is known by.

The one rule: a mention changes nothing by itself; it is counted, shown masked, and a person decides whose the row is.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from connectors.errors import NeedsHuman
from connectors.fates import key_of
from connectors.protocol import Candidate, Look
from connectors.strategies import text as text_of
from connectors.words import Words
from rights.audience import excerpt, mask
from rights.codes import Code
from rights.datamap import Collection
from rights.receipt import Count, Tally

READ: Final = 20_000
"""Characters of a text in which the mention is looked for again, to be shown. Of what stands further on it is only said
that it is there."""

SHOWN: Final = 100
"""Rows shown of a collection; the others are asked about once these are ruled on."""


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a search of one collection's texts has found."""

    collection: str
    rows: int = 0
    candidates: tuple[Candidate, ...] = ()
    """The first of them, by key."""
    searched: bool = True


def counted(look: Look, found: Iterable[Mentions]) -> Look:
    """A look with the number of mentions in each collection."""
    seen = {mentions.collection: mentions for mentions in found}

    def count(of: Count) -> Count:
        mentions = seen.get(of.collection, Mentions(of.collection))
        return of.model_copy(update={"mentions": mentions.rows, "searched": mentions.searched})

    return replace(look, tally=Tally(counts=tuple(map(count, look.tally.counts))))


def refuse_mentions(found: Iterable[Mentions], tally: Tally) -> None:
    """Put on a person's desk what mentions the person.

    Raises:
        NeedsHuman: MENTIONS, with the first rows of each collection, or NOT_SEARCHED.
    """
    open_ = [mentions for mentions in found if mentions.rows or not mentions.searched]
    if said := [mentions.collection for mentions in open_ if mentions.rows]:
        candidates = tuple(one for mentions in open_ for one in mentions.candidates)
        raise NeedsHuman(Code.MENTIONS, said[0], tally=tally, candidates=candidates)
    if open_:
        raise NeedsHuman(Code.NOT_SEARCHED, open_[0].collection, tally=tally)


def mentioning(collection: Collection, words: Words) -> Callable[[Mapping[str, object]], bool]:
    """A test whether a searched text of a row mentions the person, for connectors that hold rows in Python."""
    return lambda row: any(words.find(text) is not None for _, text in _texts(collection, row))


def mentions_among(name: str, collection: Collection, words: Words, rows: Iterable[Mapping[str, object]]) -> Mentions:
    """Which of some rows mention the person."""
    test = mentioning(collection, words)
    found = sorted((key_of(collection.key, row), tuple(_texts(collection, row))) for row in rows if test(row))
    shown = (
        candidate(name, tuple(zip(collection.key, key, strict=True)), texts, words) for key, texts in found[:SHOWN]
    )
    return Mentions(name, len(found), tuple(shown), searched=not words.too_many or not collection.searched)


def _texts(collection: Collection, row: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for field in collection.searched:
        value = row.get(field)
        yield field, json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else text_of(value)


def candidate(
    collection: str, key: Sequence[tuple[str, str]], texts: Sequence[tuple[str, str | None]], words: Words
) -> Candidate:
    """A row as an agent is asked about it: its key as far as it tells nothing, and the masked surroundings of what was
    found.

    Args:
        collection: the collection's name.
        key: the key's fields with their values.
        texts: the searched fields with their first `READ` characters.
        words: what was looked for.
    """
    shown: dict[str, object] = {field: value if _opaque(value) else mask(value) for field, value in key}
    for field, text in texts:
        if text is not None:
            span = words.find(text)
            if span is not None:
                shown[field] = excerpt(text, *span)
            elif len(text) >= READ:
                shown[field] = "(far on in a long text)"
    return Candidate(collection, tuple(value for _, value in key), shown=shown)


def _opaque(value: str) -> bool:
    """Whether a key is a number or a UUID: without it nobody could find the row, and it tells nothing of anybody."""
    return re.fullmatch(r"[0-9]{1,19}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value) is not None
