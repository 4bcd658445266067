"""Correcting values in JSON and JSON Lines, by the places in the text that they take.

The one rule: a text is parsed to see what it says, and only the characters of a value that is corrected are replaced:
numbers keep their digits, members their order, and whoever compares the files sees one change.
"""

import json
import re
from collections.abc import Iterator, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

from connectors.s3.cells import BOM, Cell, Misshapen, Said, decoded, lines, refuse_long
from rights.codes import Code


class Number(str):
    """A number as it is written."""

    __slots__ = ()


Span = tuple[int, int]
_PARSER: Final = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=Number)
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SPACE: Final = re.compile(r"[ \t\n\r]*")


def rewrite_lines(chunks: Iterator[bytes], cells: Sequence[Cell], said: Said) -> Iterator[bytes]:
    """JSON Lines: each line is a value of its own; empty ones stay."""
    for line in lines(chunks, said):
        yield mended(decoded(line), cells, said).encode() if line != BOM and line.strip() else line


def rewrite_document(chunks: Iterator[bytes], cells: Sequence[Cell], said: Said) -> Iterator[bytes]:
    """JSON: the file is one value."""
    whole = bytearray()
    for chunk in chunks:
        whole += chunk
        refuse_long(len(whole), said)
    body = bytes(whole)
    if body.startswith(BOM):
        yield BOM
        body = body[len(BOM) :]
    yield mended(decoded(body), cells, said).encode()


def mended(text: str, cells: Sequence[Cell], said: Said) -> str:
    """A text of JSON with its cells corrected."""
    try:
        parsed = _PARSER.decode(text)
        due = [cell for cell in cells if _differs(parsed, cell, said)]
        changes = [change for cell in due for change in _changes(text, cell, said)]
    except (ValueError, RecursionError, IndexError):
        raise Misshapen from None
    for (start, end), new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _differs(parsed: Any, cell: Cell, said: Said) -> bool:
    differs = False
    for value in _values(parsed, cell.path):
        if isinstance(value, list | dict):
            raise said.refuse(cell.field, "a list or an object stands there", Code.NOT_RECTIFIABLE)
        differs |= said.note(cell.field, _text(value), cell.value)
    return differs


def _values(parsed: Any, path: Sequence[str]) -> Iterator[Any]:
    """What stands at a place; of a list, in each of what it lists."""
    if not path:
        yield parsed
    elif isinstance(parsed, list):
        for one in parsed:
            yield from _values(one, path)
    elif isinstance(parsed, dict) and path[0] in parsed:
        yield from _values(parsed[path[0]], path[1:])


def _changes(text: str, cell: Cell, said: Said) -> Iterator[tuple[Span, str]]:
    _, found = _spans(text, 0, cell.path)
    for start, end in found:
        old = _PARSER.decode(text[start:end])
        if not isinstance(old, list | dict) and _text(old) != cell.value:
            yield (start, end), _written(old, cell, said, ascii_only=text.isascii())


def _spans(text: str, at: int, path: Sequence[str]) -> tuple[int, list[Span]]:
    """Where the value that begins at a place ends, and where in it what a path leads to stands."""
    at = _skip(text, at)
    if not path or text[at] not in "[{":
        _, end = _PARSER.raw_decode(text, at)
        return end, [] if path else [(at, end)]
    found: list[Span] = []
    closing = "]" if text[at] == "[" else "}"
    at = _skip(text, at + 1)
    while text[at] != closing:
        rest: Sequence[str] | None = path
        if closing == "}":
            name, at = scanstring(text, at + 1)
            at = _skip(text, at) + 1  # the colon
            rest = path[1:] if name == path[0] else None
        if rest is None:
            _, at = _PARSER.raw_decode(text, _skip(text, at))
        else:
            at, some = _spans(text, at, rest)
            found += some
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return at + 1, found


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None  # noqa: S101 - it matches nothing, too
    return match.end()


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _written(old: Any, cell: Cell, said: Said, *, ascii_only: bool) -> str:
    """The new value as JSON, of the type that stands there."""
    new = cell.value
    if new is None:
        return "null"
    if isinstance(old, Number):
        if not _NUMBER.fullmatch(new):
            raise said.refuse(cell.field, "a number stands there")
        return new
    if isinstance(old, bool):
        if new not in {"true", "false"}:
            raise said.refuse(cell.field, "true or false stands there")
        return new
    return json.dumps(new, ensure_ascii=ascii_only)
