"""The layout of letters: plain text and HTML of one document.

The one rule: all forms of a letter are laid out from the same spans, so none of them says what another does not.
"""

import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

WIDTH: Final = 76
"""Columns of plain text; mail is quoted and still fits in 80."""
_ISOLATE, _POP = "\u2068", "\u2069"
"""Around a value with letters that run from right to left, so that it does not turn what stands beside it."""


class Shape(Enum):
    """What a block is."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    ITEM = "item"


@dataclass(frozen=True, slots=True)
class Span:
    """Words of the catalogue, or a value that was put in, which may have line breaks."""

    text: str
    value: bool = False
    link: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading or an item."""

    shape: Shape
    spans: tuple[Span, ...]

    @property
    def is_item(self) -> bool:
        return self.shape is Shape.ITEM

    @property
    def is_heading(self) -> bool:
        return self.shape is Shape.HEADING


@dataclass(frozen=True, slots=True)
class Document:
    """A letter before it is laid out. Every text is clean: no controls, no marks."""

    language: str
    subject: str
    """Of the mail: one line, with the reference."""
    heading: str
    controller: str
    letterhead: tuple[str, ...]
    """The lines of the controller's address."""
    addressee: tuple[str, ...]
    written_on: date
    date: str
    reference: str
    blocks: tuple[Block, ...]
    page: str
    """``Page {page} of {pages}``"""


def turns(text: str) -> bool:
    """Whether a text has letters that run from right to left."""
    return any(unicodedata.bidirectional(char) in {"R", "AL", "AN"} for char in text)


def isolated(text: str) -> str:
    """A value for a text that runs from left to right."""
    return f"{_ISOLATE}{text}{_POP}" if turns(text) else text


def text_of(document: Document) -> str:
    """Plain text of `WIDTH` columns; an address to follow is never broken."""
    return "\n".join(_text_lines(document)).rstrip() + "\n"


def _text_lines(document: Document) -> Iterator[str]:
    yield from (document.controller, *document.letterhead, "")
    if document.addressee:
        yield from (*map(isolated, document.addressee), "")
    yield from (document.date, document.reference, "", document.heading, "")
    for block, after in zip(document.blocks, (*document.blocks[1:], None), strict=True):
        text = "".join(isolated(span.text) if span.value else span.text for span in block.spans)
        first, then = ("- ", "  ") if block.is_item else ("", "")
        for line in text.split("\n"):
            yield from textwrap.wrap(
                line,
                WIDTH,
                initial_indent=first,
                subsequent_indent=then,
                break_long_words=False,
                break_on_hyphens=False,
            ) or [""]
            first = then
        if block.is_heading:
            yield "-" * min(len(text), WIDTH)
        elif not (block.is_item and after is not None and after.is_item):
            yield ""


def html_of(document: Document) -> str:
    """One HTML page that loads nothing; each value is escaped, and isolated from the direction of what is around it."""
    return _template().render(document=document, parts=list(_parts(document.blocks)))


def _parts(blocks: tuple[Block, ...]) -> Iterator[tuple[str, list[Block]]]:
    """Blocks by the element that they become; items that follow each other make one list."""
    items: list[Block] = []
    for block in blocks:
        if block.is_item:
            items.append(block)
            continue
        if items:
            yield "list", items
            items = []
        yield ("heading" if block.is_heading else "paragraph"), [block]
    if items:
        yield "list", items


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("activities", "templates/letters"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("layout.html")
