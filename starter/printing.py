"""A report in the form that was asked for, piece by piece: what the command line prints and the API sends.

The one rule: the register is written as it is read, so its length costs no memory; and in whichever form it comes, the
same report is the same, byte for byte.
"""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from tempfile import TemporaryFile
from typing import Final, Literal, NamedTuple

from rights.metrics import Line
from rights.reports import Period, Stamp
from starter.numbers import LINE_COLUMNS, line_cells
from starter.reporting import REPORTS, Report, Sources, document_of, document_pieces, register_lines
from starter.reports import page_of, stamped
from starter.show import laid_out, out, out_pieces, plain, plural
from starter.tables import csv_of, csv_pieces

_SENT: Final = 64 * 1024
"""Characters that are sent at once."""


class Streamed(NamedTuple):
    """The register, whose lines are read as they are taken."""

    stamp: Stamp
    lines: Iterator[Line]


def made(of: Sources, name: str, period: Period, head: int | None, *, for_counsel: bool = False) -> Report | Streamed:
    """A report by its name.

    Raises:
        LedgerRefusal: the journal has no such entry.
    """
    if name == "register":
        return Streamed(*register_lines(of, period, head))
    return REPORTS[name](of, period, head, for_counsel=for_counsel)


def printed(report: Report | Streamed, form: Literal["json", "csv"]) -> Iterator[str]:
    """It as JSON or CSV."""
    if isinstance(report, Streamed):
        return document_pieces(*report) if form == "json" else csv_pieces(*report)
    return iter((document_of(report) if form == "json" else csv_of(report),))


def sent(pieces: Iterable[str]) -> Iterator[bytes]:
    """Pieces as a server sends them: none is too small to be worth it."""
    waiting: list[str] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= _SENT:
            yield "".join(waiting).encode()
            waiting, length = [], 0
    if waiting:
        yield "".join(waiting).encode()


def show(report: Report | Streamed, zone: str) -> None:
    """Print it as tables."""
    if isinstance(report, Streamed):
        out_pieces(table_pieces(*report, zone))
    else:
        out(page_of(report, zone))


def table_pieces(stamp: Stamp, lines: Iterable[Line], zone: str) -> Iterator[str]:
    """The register as a table. How wide a column is shows only at its end, so lines wait in a file without a name;
    there is nothing of a person in them."""
    wide, number = [len(name) for name in LINE_COLUMNS], 0
    with TemporaryFile("w+", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, line in enumerate(lines, 1):  # noqa: B007 - how many there were
            cells = line_cells(line)
            writer.writerow(cells)
            wide = [max(pair) for pair in zip(wide, map(len, cells), strict=True)]
        file.seek(0)
        page = stamped(stamp, zone).line(f"{plural(number, 'line')} since {stamp.period.first}")
        grid = laid_out(LINE_COLUMNS, {"days"}, wide, chain([LINE_COLUMNS], csv.reader(file)))
        yield from (f"{line}\n" for line in chain(plain(page), grid))
