"""`habeas letter`: what was written to whom is in the vault; here are the states and times of letters.

The one rule: a letter's text and address are shown only when asked for by name, with --text.
"""

from pathlib import Path
from typing import Annotated

import typer

from starter.commands.options import Json, MaybeBy, NoteFile, OfRequest, RequestId, WhyShown

letters = typer.Typer(no_args_is_help=True, help="Letters: what was sent, what came back, what is to be posted.")

LetterId = Annotated[
    str, typer.Argument(metavar="LETTER", help="The letter's id: REQUEST.kind.number.", show_default=False)
]


@letters.command()
def outbox(
    request: OfRequest = None,
    as_json: Json = False,
) -> None:
    """List letters and how they stand, the oldest first.

    Example: habeas letter outbox --request 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.outbox import letter_document, letters_page, told
    from starter.show import answer

    with desk() as at:
        found = told(at, at.ledger.letters(ledger_id(request, "request") if request else None))
        document = {"letters": [letter_document(letter) for letter in found]}
        answer(document, letters_page(found, at.zone), as_json=as_json)


@letters.command()
def show(
    letter: LetterId,
    text: Annotated[bool, typer.Option("--text", help="Also print the letter itself, as it was sent.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write it there as PDF, to be printed and posted.", show_default=False
        ),
    ] = None,
    reason: WhyShown = "handling",
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Show how a letter stands, and with --text what it says.

    Without --text or --out nothing personal is shown; with them it is on record that somebody has read it.

    Example: habeas letter show 01kap2v7q4m8w3x9yd5tgh6jzr.refusal.0 --text
    """
    from rights.reveals import Revealed
    from starter.desk import desk
    from starter.letterpress import put_letter
    from starter.outbox import letter_document, letter_id, letter_page, rendered_now, text_of
    from starter.revealing import on_record
    from starter.show import answer

    with desk() as at:
        found = at.ledger.letter(letter_id(letter))
        if (text or out) and found.request_id:
            on_record(at, found.request_id, Revealed.LETTER, reason, by)
        if out:
            put_letter(rendered_now(at, found), "pdf", out)
        said = text_of(at, found) if text else None
        document = letter_document(found) | ({"text": said} if text else {})
        answer(document, letter_page(found, said, at.zone), as_json=as_json)


@letters.command()
def resend(letter: LetterId, by: MaybeBy = None, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Send a letter again, as another mail.

    Only one that came back, was not taken, or may not have gone out.

    Example: habeas letter resend 01kap2v7q4m8w3x9yd5tgh6jzr.refusal.0
    """
    from starter.desk import desk, now
    from starter.inputs import maybe_role, read_text
    from starter.outbox import letter_document, letter_id, letter_page
    from starter.show import answer

    note, who = read_text(note_file, "--note-file") if note_file else None, maybe_role(by, "--by")
    with desk() as at:
        name = letter_id(letter)
        at.ledger.resend_letter(name, at=now(), note=note, by=who)
        found = at.ledger.letter(name)
        answer(letter_document(found), letter_page(found, None, at.zone), as_json=as_json)


@letters.command("expect")
def expect(
    request: RequestId,
    what: Annotated[
        str, typer.Option("--what", metavar="WHAT", help="What is to come in, such as mandate.", show_default=False)
    ],
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="Until when it is waited for.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Wait for something to come in by post.

    A task with that date; rule 'done --on DATE' on it when it is here.

    Example: habeas letter expect 01kap2v7q4m8w3x9yd5tgh6jzr --what mandate --until 2026-12-15
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_day
    from starter.outbox import code_word
    from starter.show import Page, answer

    day, word = read_day(until, "--until"), code_word(what)
    with desk() as at:
        at.ledger.expect_post(ledger_id(request, "request"), word, day, at=now())
    answer({"what": word, "until": day}, Page().line(f"{word} is waited for until {day}"), as_json=as_json)
