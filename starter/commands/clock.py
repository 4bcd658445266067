"""`habeas clock`: what moves the clock of a request, entered by those who have asked, heard, or sent a notice.

The one rule: a clock is moved by what has happened, with its day, and what the law does not allow is refused.
"""

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.options import By, Json, NoteFile, On, RequestId
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from rights.clockwork import ClockEvent
    from starter.desk import Desk

clocks = typer.Typer(no_args_is_help=True, help="Stop a request's clock, let it go on, extend its term.")

What = Annotated[
    str,
    typer.Option("--for", metavar="WHAT", help="identity (a proof of it) or clarification.", show_default=False),
]


@clocks.command()
def show(request: RequestId, as_json: Json = False) -> None:
    """Show every clock of a request, and what has moved it.

    Example: habeas clock show 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.clocks import clocks_document, clocks_page
    from starter.desk import desk, now
    from starter.inputs import ledger_id
    from starter.show import answer

    with desk() as at:
        request_id = ledger_id(request, "request")
        row, events = at.ledger.request(request_id), at.ledger.clock_events(request_id)
        answer(clocks_document(row, events, now()), clocks_page(row, events, now()), as_json=as_json)


@clocks.command()
def pause(
    request: RequestId, what: What, by: By, on: On = None, note_file: NoteFile = None, as_json: Json = False
) -> None:
    """Enter that the person was asked for something without which the request cannot go on.

    Whether that stops the clock, the law says: habeas clock show tells what has become of it.

    Example: habeas clock pause 01kap2v7q4m8w3x9yd5tgh6jzr --for identity --by 'support desk' --on 2026-11-20
    """
    from rights.clockwork import Turn

    turn = {"identity": Turn.IDENTITY_ASKED, "clarification": Turn.CLARIFICATION_ASKED}.get(what)
    _turn(request, turn, on, by, note_file, as_json)


@clocks.command()
def resume(
    request: RequestId, what: What, by: By, on: On = None, note_file: NoteFile = None, as_json: Json = False
) -> None:
    """Enter that what the person was asked for has come.

    Example: habeas clock resume 01kap2v7q4m8w3x9yd5tgh6jzr --for identity --by 'support desk'
    """
    from rights.clockwork import Turn

    turn = {"identity": Turn.IDENTITY_RECEIVED, "clarification": Turn.CLARIFICATION_RECEIVED}.get(what)
    _turn(request, turn, on, by, note_file, as_json)


@clocks.command()
def acknowledge(request: RequestId, by: By, on: On = None, as_json: Json = False) -> None:
    """Enter that the receipt was acknowledged to the person.

    Example: habeas clock acknowledge 01kap2v7q4m8w3x9yd5tgh6jzr --by 'support desk'
    """
    from rights.clockwork import Turn

    _turn(request, Turn.ACKNOWLEDGED, on, by, None, as_json)


@clocks.command()
def extend(
    request: RequestId,
    by: By,
    ground: Annotated[
        str | None,
        typer.Option(
            "--ground",
            metavar="GROUND",
            help="The law's ground; leave it out to see which there are.",
            show_default=False,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="DATE",
            help="The day on which the person was sent the notice with its reasons; today unless given.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="DATE", help="Where the law lets you name the day: that day.", show_default=False
        ),
    ] = None,
    send: Annotated[
        bool,
        typer.Option(
            "--send",
            help="Have the notice sent, with the note as its reasons; the term is extended once it is.",
            show_default=False,
        ),
    ] = False,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Extend the term: once the person was sent the notice of it, or by having it sent.

    A notice that was sent too late extends nothing, and neither does a ground that the law does not know.

    Example: habeas clock extend 01kap2v7q4m8w3x9yd5tgh6jzr --by dpo --ground complexity --send --note-file reasons.txt
    """
    from rights.clockwork import ClockEvent, Turn, extension_grounds
    from starter.desk import desk
    from starter.inputs import maybe_day

    with desk() as at:
        if ground is None:
            laws = at.ledger.request(_id(request)).regimes
            known = {code: words for law in laws for code, words in extension_grounds(law).items()}
            listed = "; ".join(f"{code} ({words})" for code, words in sorted(known.items()))
            raise Failure(Exit.USAGE, f"--ground is one of: {listed}")
        if send and on:
            raise Failure(
                Exit.USAGE, "--send is for a notice still to be sent, --on for the day of one that was: give one"
            )
        event = ClockEvent(turn=Turn.EXTENDED, day=_day(on, at), ground=ground, until=maybe_day(until, "--until"))
        if send:
            _send(at, request, event, by, note_file, as_json)
            return
        _enter(at, request, event, by, note_file, as_json)


@clocks.command()
def receipt(
    request: RequestId,
    received_at: Annotated[
        str,
        typer.Option(
            "--received-at",
            metavar="WHEN",
            help="When it really came in: 2026-11-20 or 2026-11-20T14:30.",
            show_default=False,
        ),
    ],
    by: By,
    approved_by: Annotated[
        str,
        typer.Option(
            "--approved-by", metavar="STAFF", help="Who has approved it; somebody else than --by.", show_default=False
        ),
    ],
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Correct when a request came in. Both times are kept.

    Example: habeas clock receipt 01kap2v7q4m8w3x9yd5tgh6jzr --received-at 2026-11-20 --by 'mail room' --approved-by
    'privacy desk'
    """
    from rights.approvers import same_person
    from rights.clockwork import ClockEvent, Turn
    from rights.reckoning import local_day
    from starter.desk import desk, now
    from starter.inputs import received

    if same_person(by) == same_person(approved_by):
        raise Failure(
            Exit.USAGE, "--approved-by is somebody else than --by: two people stand for another day of receipt"
        )
    with desk() as at:
        moment = received(received_at, at.zone, now())
        event = ClockEvent(turn=Turn.RECEIPT_CORRECTED, day=local_day(moment, at.zone), received_at=moment)
        _enter(at, request, event, by, note_file, as_json, approved_by)


# Small things.


def _send(at: "Desk", request: str, event: "ClockEvent", by: str, note_file: str | None, as_json: bool) -> None:
    from starter.desk import now
    from starter.inputs import read_text, role
    from starter.show import Page, answer

    note = read_text(note_file, "--note-file") if note_file else None
    said = {"said": role(by, "--by")}
    letter, due = at.ledger.send_extension(_id(request), event, at=now(), note=note, by=said)
    page = Page().line(f"the notice is letter {letter}; once it is sent, the term ends on {due}")
    answer({"letter": letter, "extended_due": due}, page, as_json=as_json)


def _id(text: str) -> str:
    from starter.inputs import ledger_id

    return ledger_id(text, "request")


def _day(text: str | None, at: "Desk") -> date:
    from rights.reckoning import local_day
    from starter.desk import now
    from starter.inputs import maybe_day

    return maybe_day(text, "--on") or local_day(now(), at.zone)


def _turn(request: str, turn: "object | None", on: str | None, by: str, note_file: str | None, as_json: bool) -> None:
    from rights.clockwork import ClockEvent, Turn
    from starter.desk import desk

    if not isinstance(turn, Turn):
        raise Failure(Exit.USAGE, "--for is identity or clarification")
    with desk() as at:
        _enter(at, request, ClockEvent(turn=turn, day=_day(on, at)), by, note_file, as_json)


def _enter(
    at: "Desk",
    request: str,
    event: "ClockEvent",
    by: str,
    note_file: str | None,
    as_json: bool,
    approved_by: str | None = None,
) -> None:
    from starter.clocks import clocks_document, clocks_page
    from starter.desk import now
    from starter.inputs import maybe_role, read_text
    from starter.show import answer

    request_id = _id(request)
    note = read_text(note_file, "--note-file") if note_file else None
    said = {"said": maybe_role(by, "--by"), "approved": maybe_role(approved_by, "--approved-by")}
    at.ledger.turn_clock(request_id, event, at=now(), note=note, by={how: role for how, role in said.items() if role})
    row, events = at.ledger.request(request_id), at.ledger.clock_events(request_id)
    answer(clocks_document(row, events, now()), clocks_page(row, events, now()), as_json=as_json)
