"""`habeas recipient`: to whom data is given, whether it may be, and what they were told.

The one rule: what the register says is shown as it is; of a request, no identity is.
"""

from typing import Annotated

import typer

from starter.commands.options import By, Json, NoteFile, On, RequestId, WithProcessors
from starter.exits import Exit, Failure

recipients = typer.Typer(no_args_is_help=True, help="The recipients of data, and what they were told.")


@recipients.command("list")
def list_(
    request: Annotated[
        str | None,
        typer.Option(
            "--request",
            metavar="REQUEST",
            help="What they were told in a request, and have answered.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the recipients of the register; with --request, what each was told and has answered.

    Example: habeas recipient list --request 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.recipients import notices_document, notices_page, register_document, register_page
    from starter.show import answer

    with desk() as at:
        if request is None:
            answer(register_document(at.register), register_page(at.register), as_json=as_json)
            return
        told = at.ledger.notices(ledger_id(request, "request"))
        answer(notices_document(told, at.register), notices_page(told, at.register), as_json=as_json)


@recipients.command()
def check(
    days: Annotated[
        int,
        typer.Option(
            "--days", metavar="DAYS", min=0, max=3650, help="Also what is due for review within so many days."
        ),
    ] = 30,
    as_json: Json = False,
) -> None:
    """Check to whom nothing may be sent today, whose basis or transfer ends soon, and what contracts that are over owe.

    Exit 1 if somebody of the register may be sent nothing, or has not confirmed in time, at the end of its contract,
    that everything is erased or given back.

    Example: habeas recipient check --days 60
    """
    from rights.reckoning import local_day
    from starter.desk import desk, now
    from starter.recipients import checked_document, checked_page, look_over
    from starter.show import answer

    with desk() as at:
        found = look_over(at.register, local_day(now(), at.zone), [at.settings.regime], days, at.ledger.contract_ends())
        answer(checked_document(found), checked_page(found), as_json=as_json)
    if any(one.refused or one.owed for one in found):
        raise typer.Exit(Exit.BAD)


@recipients.command()
def answered(
    request: RequestId,
    recipient: Annotated[
        str, typer.Argument(metavar="RECIPIENT", help="Its name in the register.", show_default=False)
    ],
    answer: Annotated[
        str,
        typer.Argument(
            metavar="ANSWER", help="confirmed, confirmed_alone, refused, impossible or no_answer.", show_default=False
        ),
    ],
    by: By,
    on: On = None,
    with_processors: WithProcessors = False,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Enter what a recipient has answered to what it was told in a request.

    confirmed_alone: it confirms for itself, and not for its own processors, or without the proof that it owes; that
    stays open. impossible: telling it has proved impossible, or would take disproportionate effort; --note-file says
    why.

    Example: habeas recipient answered 01kap2v7q4m8w3x9yd5tgh6jzr mailchimp confirmed --by 'support desk' --on
    2026-11-20
    """
    from ledger.notices import Answer
    from rights.reckoning import local_day
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_day, read_text, role
    from starter.show import Cell, Page
    from starter.show import answer as put

    if answer not in set(Answer):
        raise Failure(Exit.USAGE, f"ANSWER is one of {', '.join(Answer)}")
    note = read_text(note_file, "--note-file") if note_file else None
    day = maybe_day(on, "--on")
    with desk() as at:
        count = at.ledger.answered(
            ledger_id(request, "request"),
            recipient,
            Answer(answer),
            on=day or local_day(now(), at.zone),
            at=now(),
            note=note,
            by=role(by, "--by"),
            of_processors=with_processors,
        )
    put({"answer": answer, "notices": count}, Page().line(Cell(f"{recipient}: {answer}", "good")), as_json=as_json)


@recipients.command()
def published(request: RequestId, by: By, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Enter what was done so that links to erased data that had been public, and copies of it, go elsewhere, too.

    The controllers that the register names are told by themselves (GDPR Art. 17(2)). --note-file says which further
    steps were taken, or why none was reasonable; it is kept sealed.

    Example: habeas recipient published 01kap2v7q4m8w3x9yd5tgh6jzr --by 'web desk' --note-file steps.txt
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role
    from starter.show import Cell, Page
    from starter.show import answer as put

    if note_file is None:
        raise Failure(Exit.USAGE, "--note-file: say which steps were taken, or why none was reasonable")
    note = read_text(note_file, "--note-file")
    with desk() as at:
        at.ledger.steps_taken(ledger_id(request, "request"), note=note, by=role(by, "--by"), at=now())
    put({"entered": True}, Page().line(Cell("the steps taken are on record", "good")), as_json=as_json)
