"""`habeas suppress`: lists held against what people have had stopped, and the keys of our own list.

The one rule: what is printed is the number of a line, a scope and a count; no value of anybody.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TextIO

import typer

from starter.commands.options import Json, Out
from starter.exits import Exit, Failure

suppress = typer.Typer(
    no_args_is_help=True, help="Lists before they are imported or written to, and our own list's keys."
)

Use = Annotated[
    str,
    typer.Option(
        "--scope",
        metavar="SCOPE",
        help="What the list is for: import (nobody who was erased comes back), deletion (nobody is deleted who waits "
        "for a copy), or a scope such as marketing.",
    ),
]
Kind = Annotated[str, typer.Option("--kind", metavar="KIND", help="What the values are: email, phone, customer_id ...")]


@suppress.command()
def check(
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A CSV with a heading, in UTF-8; - is standard input.")
    ] = "-",
    column: Annotated[str, typer.Option("--column", metavar="NAME", help="The column with the values.")] = "email",
    kind: Kind = "email",
    use: Use = "marketing",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Print the numbers of the rows that may not be used.

    The file is read as a stream, so it may be of any size; the rows that may be used are written to --out. What cannot
    be read as an identity is barred as well. Exit 0 if every row may be used, 1 if some may not.

    Example: habeas suppress check customers.csv --column mail --scope import --out clean.csv
    """
    import csv
    from contextlib import ExitStack

    from starter.desk import desk, now
    from starter.screening import Missing, NotRead, Tallied, screen_csv
    from starter.show import Page, answer

    _refuse_use(use)
    tallied = Tallied()
    with desk() as at, ExitStack() as stack:
        writer = None
        if out is not None:
            writer = csv.writer(stack.enter_context(_sink(out, source)))
        try:
            for number, row, verdict in screen_csv(at.ledger, _lines(source), column, kind, use, at=now()):
                if number:
                    tallied.add(verdict)
                if not verdict.barred and writer:
                    writer.writerow(row)
                if verdict.barred and not as_json:
                    sys.stdout.write(f"{number} {' '.join(verdict.why)}\n")
        except Missing:
            raise Failure(Exit.USAGE, "the heading of the CSV has no column of the name in --column") from None
        except NotRead as error:
            raise Failure(Exit.USAGE, str(error)) from None
    if as_json:
        document = {"rows": tallied.rows, "barred": tallied.barred, "why": dict(tallied.why)}
        answer(document, Page(), as_json=True)
    if tallied.barred:
        raise typer.Exit(Exit.BAD)


@suppress.command()
def table(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="The table with the list: schema.table or table.")],
    url: Annotated[
        str, typer.Option("--url", metavar="SECRET", help="The PostgreSQL database it is in: env:NAME or file:/path.")
    ],
    into: Annotated[
        str, typer.Option("--into", metavar="TABLE", help="The table that is filled with the values that are barred.")
    ] = "habeas_barred",
    column: Annotated[str, typer.Option("--column", metavar="NAME", help="The column with the values.")] = "email",
    kind: Kind = "email",
    use: Use = "marketing",
    as_json: Json = False,
) -> None:
    """Fill a table in the campaign's own database, and print the statement that joins against it.

    The column is read as a stream and compared here, so no key and no token goes there. Whoever reads the table
    meanwhile sees what was in it before, or all that is new. Run it before each mailing.

    Example: habeas suppress table subscribers --url env:CAMPAIGN_URL --scope marketing
    """
    import psycopg

    from connectors.registry import resolve
    from starter.desk import desk, load_env, now
    from starter.screening import join_sql, screen_table
    from starter.show import Cell, Page, answer, plural

    _refuse_use(use)
    load_env()
    conninfo = resolve(url).replace("postgresql+psycopg://", "postgresql://")
    with desk() as at:
        try:
            tallied = screen_table(at.ledger, conninfo, name, column, into, kind, use, at=now())
        except psycopg.OperationalError:
            raise Failure(Exit.AWAY, "the database of --url does not answer, or refuses the login") from None
        except psycopg.Error:
            raise Failure(
                Exit.USAGE, "the table or column is not there, or this login may not read it or make the other"
            ) from None
    said = join_sql(name, column, into)
    page = Page().line(Cell(f"{plural(tallied.rows, 'value')}, {tallied.barred} barred", "strong"))
    for line in said.splitlines():
        page.line(line)
    document = {"values": tallied.rows, "barred": tallied.barred, "why": dict(tallied.why), "sql": said}
    answer(document, page, as_json=as_json)


@suppress.command("rotate-key")
def rotate_key(as_json: Json = False) -> None:
    """Put a new key in force, and bring every token of our own list under it.

    Tokens are turned without knowing whom they stand for; whoever holds an old key can do nothing with the list
    afterwards. What is cut off goes on by itself within the hour.

    Example: habeas suppress rotate-key
    """
    from starter.desk import desk, now
    from starter.show import Cell, Page, answer, plural

    with desk() as at:
        number = at.ledger.rotate_tokens(at=now())
        renewed = at.ledger.renew_tokens(at=now())
    page = Page().line(Cell(f"key {number} is in force; {plural(renewed, 'token')} brought under it", "good"))
    answer({"key": number, "renewed": renewed}, page, as_json=as_json)


def _refuse_use(use: str) -> None:
    from rights.suppression import Scope
    from starter.screening import DELETION, IMPORT

    if use not in {IMPORT, DELETION, *Scope}:
        raise Failure(Exit.USAGE, f"--scope takes one of {IMPORT}, {DELETION}, {', '.join(Scope)}")


def _sink(out: Path, source: str) -> TextIO:
    """The file of --out, that only its owner reads: there are addresses in it."""
    import os

    from starter.revealing import own_file

    if source != "-" and out.exists() and Path(source).exists() and out.samefile(source):
        raise Failure(Exit.USAGE, "--out is the list itself, which would be lost: name another file")
    try:
        return os.fdopen(own_file(out), "w", newline="", encoding="utf-8")
    except OSError:
        raise Failure(Exit.USAGE, "--out: the file cannot be written there") from None


def _lines(source: str) -> Iterator[str]:
    """The lines of a file or of standard input, one by one."""
    from starter.screening import lines_of

    if source == "-":
        yield from lines_of(sys.stdin)
        return
    try:
        with Path(source).open(newline="", encoding="utf-8") as file:
            yield from lines_of(file)
    except OSError:
        raise Failure(Exit.USAGE, "FILE cannot be read: name one that is there") from None
