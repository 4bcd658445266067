"""`habeas review`: going through a copy that may be about other people, before it is delivered.

The one rule: nothing is shown unmasked, and what is taken out is kept as places, never as a text.
"""

from typing import Annotated

import typer

from starter.commands.options import Json, MaybeBy, RequestId, WhyShown
from starter.exits import Exit, Failure

reviews = typer.Typer(no_args_is_help=True, help="Copies that may be about other people: read, redact, release.")

_MOST = 200
"""Rows shown at a time."""


@reviews.command("list")
def list_(as_json: Json = False) -> None:
    """List the copies that wait for somebody to go through them, and what was taken out so far.

    Example: habeas review list
    """
    from starter.desk import desk
    from starter.review import waiting
    from starter.show import Cell, Page, answer, minute

    page, documents = Page(), []
    with desk() as at:
        for wait in waiting(at):
            made = at.ledger.redactions(wait.request_id)
            places = [f"{system}.{name}" for system, names in wait.collections.items() for name in names]
            page.line(Cell(f"{wait.request_id}: {', '.join(places)}", "warn"))
            for one in made:
                said = f"{len(one.marks)} places" if one.marks else "put back"
                page.line(f"{one.id}  {minute(one.at, at.zone)}  {said}", indent=2)
            documents.append(
                {
                    "request_id": wait.request_id,
                    "collections": places,
                    "redactions": [
                        {"id": one.id, "at": one.at, "by": one.by, "places": len(one.marks)} for one in made
                    ],
                }
            )
    if not documents:
        page.line(Cell("no copy waits for a review", "good"))
    answer({"reviews": documents}, page, as_json=as_json)


@reviews.command()
def show(
    request: RequestId,
    collection: Annotated[
        str | None,
        typer.Option("--collection", metavar="SYSTEM.COLLECTION", help="Only this one.", show_default=False),
    ] = None,
    after: Annotated[int, typer.Option("--after", min=0, metavar="N", help="Only rows after the N first.")] = 0,
    reason: WhyShown = "handling",
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Show the rows to go through: each word masked and numbered, and the key that leads to the row in its system.

    Example: habeas review show 01kap2v7q4m8w3x9yd5tgh6jzr --collection shop.messages
    """
    from itertools import islice

    from rights.reveals import Revealed
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.revealing import on_record
    from starter.review import files, shown, under_review
    from starter.show import Page, answer

    page = Page()
    with desk() as at:
        wait = under_review(at, ledger_id(request, "request"))
        on_record(at, wait.request_id, Revealed.VALUES, reason, by)
        rows = list(islice(shown(at, wait, collection), after, after + _MOST))
        named = list(islice(files(at, wait), _MOST))
    for row in rows:
        key = " ".join(f"{name}={value}" for name, value in row.key.items())
        page.heading(f"{row.system}.{row.collection} row {row.row}  {key}")
        for name, text in row.fields.items():
            page.line(f"{name}: {text}", indent=2)
    if named:
        page.heading("files")
        page.grid(("in", "file", "called"), ((f"{s}.{c}", str(n), name) for s, c, n, name in named))
    if len(rows) == _MOST:
        page.line(f"more: --after {after + _MOST}")
    document = {
        "request_id": wait.request_id,
        "rows": [row._asdict() for row in rows],
        "files": [{"system": s, "collection": c, "file": n, "name": name} for s, c, n, name in named],
    }
    answer(document, page, as_json=as_json)


@reviews.command()
def redact(
    request: RequestId,
    collection: Annotated[
        str, typer.Option("--collection", metavar="SYSTEM.COLLECTION", help="Where.", show_default=False)
    ],
    row: Annotated[int | None, typer.Option("--row", min=1, metavar="N", help="This row.", show_default=False)] = None,
    field: Annotated[
        str | None,
        typer.Option("--field", metavar="FIELD", help="This field: of --row, or of all rows.", show_default=False),
    ] = None,
    words: Annotated[
        str | None,
        typer.Option("--words", metavar="A-B", help="Only these words of the field, by number.", show_default=False),
    ] = None,
    text_file: Annotated[
        str | None,
        typer.Option(
            "--text-file",
            metavar="FILE",
            help="A text, from a file or - : wherever it stands. It is kept nowhere.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        int | None, typer.Option("--file", min=1, metavar="N", help="This file.", show_default=False)
    ] = None,
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Take something out of a copy: a row, a field, words, wherever a text stands, or a file.

    The copy says how much was taken out, and never what.

    Example: habeas review redact 01kap2v7q4m8w3x9yd5tgh6jzr --collection shop.messages --row 3 --field body --words 4-7
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_role, read_text
    from starter.review import marks_for, under_review
    from starter.show import Cell, Page, answer, plural

    text = read_text(text_file, "--text-file") if text_file is not None else None
    with desk() as at:
        wait = under_review(at, ledger_id(request, "request"))
        marks = marks_for(at, wait, collection, row=row, field=field, words=words, text=text, file=file)
        made = at.ledger.redact(wait.request_id, marks, at=now(), by=maybe_role(by, "--by") or "")
    said = f"taken out: {plural(len(marks), 'place')}; to put back: habeas review restore {wait.request_id} {made}"
    answer({"redaction": made, "places": len(marks)}, Page().line(Cell(said, "good")), as_json=as_json)


@reviews.command()
def restore(
    request: RequestId,
    redaction: Annotated[str, typer.Argument(metavar="REDACTION", help="Its id.", show_default=False)],
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Put back what was taken out by mistake.

    Example: habeas review restore 01kap2v7q4m8w3x9yd5tgh6jzr 01kap30c2m6n8r1v5t9w4x7yzb
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_role
    from starter.show import Cell, Page, answer

    who = maybe_role(by, "--by")
    with desk() as at:
        at.ledger.restore(ledger_id(request, "request"), ledger_id(redaction, "redaction"), at=now(), by=who)
    answer({"restored": redaction}, Page().line(Cell("put back", "good")), as_json=as_json)


@reviews.command()
def release(request: RequestId, by: MaybeBy = None, as_json: Json = False) -> None:
    """Let a copy be delivered: somebody has gone through it.

    Example: habeas review release 01kap2v7q4m8w3x9yd5tgh6jzr --by 'privacy desk'
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_role
    from starter.review import under_review
    from starter.show import Cell, Page, answer

    role = maybe_role(by, "--by")
    if role is None:
        raise Failure(Exit.USAGE, "--by says who has gone through the copy, by role, such as 'privacy desk'")
    with desk() as at:
        wait = under_review(at, ledger_id(request, "request"))
        at.ledger.release(wait.request_id, wait.exports, at=now(), note=role)
    answer({"released": wait.request_id}, Page().line(Cell("released: the copy is packed", "good")), as_json=as_json)
