"""How things are printed: calm tables on a terminal, plain lines elsewhere, JSON on request.

The one rule: what a command prints is a `Page` or one JSON document; no command prints by itself. A value of a person
never comes here unmasked.
"""

import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Tone = Literal["", "good", "warn", "bad", "quiet", "strong"]

_STYLE: Final[dict[Tone, str]] = {
    "": "",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "quiet": "bright_black",
    "strong": "bold",
}

MARK: Final[dict[Tone, str]] = {"good": "✓", "warn": "!", "bad": "✗"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and how it is meant."""

    text: str
    tone: Tone = ""


Text = Cell | str


def cell(value: Text) -> Cell:
    """A cell of what may be a bare text."""
    return value if isinstance(value, Cell) else Cell(value)


@dataclass(frozen=True, slots=True)
class _Heading:
    text: Cell


@dataclass(frozen=True, slots=True)
class _Line:
    text: Cell
    indent: int


@dataclass(frozen=True, slots=True)
class _Mark:
    ok: bool
    text: str
    indent: int


@dataclass(frozen=True, slots=True)
class _Pairs:
    pairs: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True)
class _Grid:
    columns: tuple[str, ...]
    numbers: frozenset[str]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass
class Page:
    """What is printed, piece by piece; each method adds one and gives the page back."""

    blocks: list[_Heading | _Line | _Mark | _Pairs | _Grid] = field(default_factory=list)

    def heading(self, text: Text) -> Self:
        """A line that opens a part."""
        self.blocks.append(_Heading(cell(text)))
        return self

    def line(self, text: Text, *, indent: int = 0) -> Self:
        """A sentence, or a command to copy."""
        self.blocks.append(_Line(cell(text), indent))
        return self

    def mark(self, ok: bool, text: str, *, indent: int = 0) -> Self:
        """A finding, with a tick or a cross before it."""
        self.blocks.append(_Mark(ok, text, indent))
        return self

    def pairs(self, pairs: Iterable[tuple[str, Text | None]]) -> Self:
        """Names and what they stand for; a pair whose text is None is left out."""
        self.blocks.append(_Pairs(tuple((name, cell(t)) for name, t in pairs if t is not None)))
        return self

    def grid(self, columns: Sequence[str], rows: Iterable[Sequence[Text]], *, numbers: Iterable[str] = ()) -> Self:
        """A table; the columns named in `numbers` are set flush right."""
        body = tuple(tuple(cell(value) for value in row) for row in rows)
        self.blocks.append(_Grid(tuple(columns), frozenset(numbers), body))
        return self


def out(page: Page) -> None:
    """Print a page on standard output."""
    if sys.stdout.isatty():
        screen().print(render(page))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in plain(page)))
        sys.stdout.flush()


def out_pieces(pieces: Iterable[str]) -> None:
    """Print what comes piece by piece on standard output."""
    for piece in pieces:
        sys.stdout.write(piece)
    sys.stdout.flush()


def out_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON document, indented for a person on a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(document, indent=indent, default=jsonable, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def answer(document: Mapping[str, Any] | Sequence[Any], page: Page, *, as_json: bool) -> None:
    """Print the one or the other."""
    if as_json:
        out_json(document)
    else:
        out(page)


def screen() -> "Console":
    """The terminal, for what Rich draws over time."""
    from rich.console import Console

    return Console(highlight=False)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show on a terminal that something goes on; elsewhere say nothing."""
    if not sys.stdout.isatty():
        yield
        return
    with screen().status(text, spinner="dots", spinner_style="green"):
        yield


def render(page: Page) -> "RenderableType":
    """A page as Rich draws it."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text as Styled

    def styled(value: Cell) -> Styled:
        return Styled(value.text, style=_STYLE[value.tone])

    parts: list[RenderableType] = []
    for block in page.blocks:
        if isinstance(block, _Heading):
            parts += [Styled(), Styled(block.text.text, style=_STYLE[block.text.tone] or "bold")]
        elif isinstance(block, _Line):
            parts.append(Padding(styled(block.text), (0, 0, 0, block.indent)))
        elif isinstance(block, _Mark):
            tone: Tone = "good" if block.ok else "bad"
            text = Styled.assemble((f"{MARK[tone]} ", _STYLE[tone]), (block.text, "" if block.ok else _STYLE[tone]))
            parts.append(Padding(text, (0, 0, 0, block.indent)))
        elif isinstance(block, _Pairs):
            grid = Table.grid(padding=(0, 3, 0, 0))
            grid.add_column(style=_STYLE["quiet"], no_wrap=True)
            grid.add_column(overflow="fold")
            for name, value in block.pairs:
                grid.add_row(name, styled(value))
            parts.append(Padding(grid, (0, 0, 0, 2)))
        else:
            table = Table(box=None, padding=(0, 2, 0, 0), header_style=_STYLE["quiet"], pad_edge=False)
            for column in block.columns:
                right = column in block.numbers
                table.add_column(column, justify="right" if right else "left", overflow="fold")
            for row in block.rows:
                table.add_row(*(styled(value) for value in row))
            parts.append(Padding(table, (0, 0, 0, 2)))
    return Group(*parts)


def plain(page: Page) -> list[str]:
    """A page as lines for a file or a pipe: nothing is wrapped, coloured or cut."""
    lines: list[str] = []
    for block in page.blocks:
        if isinstance(block, _Heading):
            lines += ["", block.text.text]
        elif isinstance(block, _Line):
            lines.append(" " * block.indent + block.text.text)
        elif isinstance(block, _Mark):
            lines.append(f"{' ' * block.indent}{MARK['good' if block.ok else 'bad']} {block.text}")
        elif isinstance(block, _Pairs):
            wide = max((len(name) for name, _ in block.pairs), default=0)
            lines += [f"  {name:<{wide}}  {value.text}" for name, value in block.pairs]
        else:
            lines += _plain_grid(block)
    return lines


def _plain_grid(grid: _Grid) -> list[str]:
    rows = [grid.columns, *(tuple(value.text for value in row) for row in grid.rows)]
    wide = [max(len(row[n]) for row in rows) for n in range(len(grid.columns))]
    return list(laid_out(grid.columns, grid.numbers, wide, rows))


def laid_out(
    columns: Sequence[str], numbers: Collection[str], wide: Sequence[int], rows: Iterable[Sequence[str]]
) -> Iterator[str]:
    """The lines of a table whose columns are so wide, those of `numbers` set flush right."""
    for row in rows:
        texts = [
            f"{text:>{width}}" if name in numbers else f"{text:<{width}}"
            for name, text, width in zip(columns, row, wide, strict=True)
        ]
        yield f"  {'  '.join(texts)}".rstrip()


def day(moment: datetime | date | None, zone: str | None = None) -> str:
    """A day, in the controller's zone."""
    if moment is None:
        return ""
    if isinstance(moment, datetime) and zone:
        moment = moment.astimezone(ZoneInfo(zone))
    return f"{moment:%Y-%m-%d}"


def minute(moment: datetime | None, zone: str | None = None) -> str:
    """A time to the minute, in the controller's zone, with the zone's short name."""
    if moment is None:
        return ""
    local = moment.astimezone(ZoneInfo(zone) if zone else None)
    return f"{local:%Y-%m-%d %H:%M %Z}"


def age(length: timedelta) -> str:
    """A length of time as people say it: its largest whole unit."""
    minutes = max(0, int(length.total_seconds() // 60))
    for size, unit in ((24 * 60, "day"), (60, "hour")):
        if minutes >= size:
            return plural(minutes // size, unit)
    return plural(minutes, "minute")


def plural(number: int, one: str, many: str = "") -> str:
    """``1 row``, ``2 rows``, ``12,345 rows``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def jsonable(value: Any) -> Any:
    """How JSON shows one of our values."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
