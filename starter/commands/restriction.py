"""`habeas restriction`: what is locked away for whom it was asked, reviewed on its day, and lifted with notice.

The one rule: a restriction goes by the id of the request that asked for it, and nobody's is lifted who was not told.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.commands.options import Json, MaybeBy, NoteFile, ReasonFile

if TYPE_CHECKING:
    from ledger.standing import Standing
    from rights.restriction import Restriction

restrictions = typer.Typer(no_args_is_help=True, help="Restrictions: see, review, have lifted.")

Restricting = Annotated[str, typer.Argument(metavar="REQUEST", help="The request that restricts.", show_default=False)]


@restrictions.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Also those that are lifted.")] = False,
    as_json: Json = False,
) -> None:
    """List restrictions, the one to be reviewed first first.

    Example: habeas restriction list --all
    """
    from starter.desk import desk
    from starter.show import Page, answer, day

    with desk() as at:
        found = at.ledger.restrictions(in_force_only=not every)
        rows = [
            (one.request_id, one.ground, one.stage, day(one.since, at.zone), day(one.review_on, at.zone))
            for one in found
        ]
        page = Page().grid(("request", "ground", "stage", "since", "review on"), rows)
        answer({"restrictions": [_document(one) for one in found]}, page, as_json=as_json)


@restrictions.command()
def show(request: Restricting, as_json: Json = False) -> None:
    """Show a restriction: its ground, its dates, and what is locked away in each system and how sure that is.

    Example: habeas restriction show 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.letter import locked_of
    from starter.show import Cell, Page, answer, day, minute

    with desk() as at:
        request_id = ledger_id(request, "request")
        found = _found(at.ledger.restriction(request_id))
        standing = at.ledger.standing(request_id)
        stand, locked = places(standing), [one.model_dump(mode="json") for one in locked_of(standing)]
        page = Page()
        page.pairs(
            (
                ("ground", f"{found.ground} ({found.ground.article})"),
                ("stage", str(found.stage)),
                ("since", minute(found.since, at.zone)),
                ("review on", day(found.review_on, at.zone)),
                ("to be lifted, because", str(found.lift_reason) if found.lift_reason else None),
                ("person told", minute(found.told_at, at.zone) if found.told_at else None),
                ("lifted from", minute(found.lift_on, at.zone) if found.lift_on else None),
                ("lifted", minute(found.lifted_at, at.zone) if found.lifted_at else None),
            )
        )
        columns = ("system", "state", "certainty", "rows")
        rows = [(one["system"], one["state"], one["certainty"] or "", f"{one['rows']:,}") for one in stand]
        page.grid(columns, rows, numbers=("rows",))
        for one in locked:
            page.line(f"in {one['system']} only: {', '.join(one['collections'])}")
            for name, more in one["beyond"].items():
                page.line(Cell(f"{name} is locked by whole records, and with it: {', '.join(more)}", "warn"), indent=2)
        answer({**_document(found), "systems": stand, "locked": locked}, page, as_json=as_json)


@restrictions.command()
def review(
    request: Restricting,
    until: Annotated[
        str,
        typer.Option("--until", metavar="DATE", help="When it is to be reviewed next.", show_default=False),
    ],
    by: MaybeBy = None,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Note that a restriction was reviewed and is still needed.

    A lifting that was asked for is called off, unless it has begun.

    Example: habeas restriction review 01kap2v7q4m8w3x9yd5tgh6jzr --until 2027-09-01 --by s-17
    """
    from datetime import datetime, time
    from zoneinfo import ZoneInfo

    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_role, read_day, read_text
    from starter.show import Cell, Page, answer, day

    note, who = read_text(note_file, "--note-file") if note_file else None, maybe_role(by, "--by")
    with desk() as at:
        review_on = datetime.combine(read_day(until, "--until"), time(), ZoneInfo(at.zone))
        request_id = ledger_id(request, "request")
        kept = at.ledger.review_restriction(request_id, at=now(), review_on=review_on, note=note, by=who)
        said = Cell(f"kept; to be reviewed again on {day(kept.review_on, at.zone)}", "good")
        answer(_document(kept), Page().line(said), as_json=as_json)


@restrictions.command()
def lift(
    request: Restricting,
    because: Annotated[
        str,
        typer.Option(
            "--because",
            metavar="REASON",
            help="verified, weighed, not_needed or asked.",
            show_default=False,
            autocompletion=lambda: ["verified", "weighed", "not_needed", "asked"],
        ),
    ],
    notice_days: Annotated[
        int | None,
        typer.Option(
            "--notice-days",
            metavar="DAYS",
            min=0,
            help="Days between telling the person and lifting, if not those of the settings.",
            show_default=False,
        ),
    ] = None,
    by: MaybeBy = None,
    reason_file: ReasonFile = None,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Have a restriction lifted: the person is told, the term runs from there, then everything is put back.

    Nothing is put back before the letter has gone out (GDPR Art. 18(3)).

    Example: habeas restriction lift 01kap2v7q4m8w3x9yd5tgh6jzr --because not_needed --by s-17
    """
    from datetime import timedelta

    from rights.restriction import Ended
    from starter.desk import desk, now
    from starter.exits import Exit, Failure
    from starter.inputs import ledger_id, maybe_role, read_text
    from starter.show import Cell, Page, answer

    words = [reason.value for reason in Ended]
    if because not in words:
        raise Failure(Exit.USAGE, f"--because takes one of {', '.join(words)}")
    note, who = read_text(note_file, "--note-file") if note_file else None, maybe_role(by, "--by")
    reason = read_text(reason_file, "--reason-file") if reason_file else None
    with desk() as at:
        days = at.settings.restriction_notice_days if notice_days is None else notice_days
        request_id, notice = ledger_id(request, "request"), timedelta(days=days)
        fresh = at.ledger.ask_to_lift(
            request_id, Ended(because), at=now(), notice=notice, told=reason, note=note, by=who
        )
        found = _found(at.ledger.restriction(request_id))
        said = "the person is told; it is lifted" if fresh else "it was to be lifted before; it is"
        line = Cell(f"{said} {found.notice_days} days after the letter has gone out", "good")
        answer({**_document(found), "new": fresh}, Page().line(line), as_json=as_json)


@restrictions.command()
def told(request: Restricting, by: MaybeBy = None, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Say that the person was told of the lifting in another way than by the letter, such as on the phone.

    The term runs from now.

    Example: habeas restriction told 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --note-file call.txt
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_role, read_text
    from starter.show import Cell, Page, answer, minute

    note, who = read_text(note_file, "--note-file") if note_file else None, maybe_role(by, "--by")
    with desk() as at:
        lift_on = at.ledger.told_of_lifting(ledger_id(request, "request"), at=now(), note=note, by=who)
        line = Cell(f"noted; it is lifted from {minute(lift_on, at.zone)} on", "good")
        answer({"lift_on": lift_on}, Page().line(line), as_json=as_json)


def _found(restriction: "Restriction | None") -> "Restriction":
    from starter.exits import Exit, Failure

    if restriction is None:
        raise Failure(Exit.NOT_FOUND, "no restriction goes by this id: habeas restriction list shows them")
    return restriction


def _document(one: "Restriction") -> dict[str, Any]:
    return {**one.model_dump(mode="json"), "article": one.ground.article, "stage": one.stage}


def places(standing: "Standing") -> list[dict[str, Any]]:
    """How each system stands: restricted, by_hand, not_restricted, nothing_held, open, lifted, still_restricted."""
    from rights.codes import Code
    from rights.plan import Operation
    from rights.receipt import Certainty, Outcome, Receipt, newest

    def state(receipt: Receipt) -> str:
        if receipt.code == Code.RULED_OUT:
            return "not_restricted" if receipt.step.operation is Operation.RESTRICT else "still_restricted"
        if receipt.outcome is Outcome.NOTHING_HELD:
            return "nothing_held"
        if not receipt.outcome.settled:
            return "open"
        if receipt.step.operation is Operation.LIFT:
            return "lifted"
        return "by_hand" if receipt.certainty is Certainty.ATTESTED else "restricted"

    return [
        {"system": name, "state": state(r), "certainty": r.certainty, "rows": r.tally.found, "code": r.code}
        for name, r in newest(standing.receipts, Operation.RESTRICT, Operation.LIFT).items()
    ]
