"""`habeas rectification`: what a person disputes, and what is decided on it.

The one rule: values are shown masked; a field is decided on once.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.commands.options import By, Json, MaybeBy, NoteFile, ReasonFile, RequestId, WhyShown
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from ledger.ledger import Ledger
    from rights.rectification import RectificationDetails

rectifications = typer.Typer(no_args_is_help=True, help="Rectifications: see what is disputed, decide on it.")


@rectifications.command()
def show(request: RequestId, as_json: Json = False) -> None:
    """Show what is disputed, each field with its number, what it is to say, and what stood there before; masked.

    Example: habeas rectification show 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from activities.corrections import disputed
    from rights.audience import mask
    from rights.rectification import Accuracy
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.show import Page, answer

    with desk() as at:
        request_id = ledger_id(request, "request")
        details = _details(at.ledger, request_id)
        decided = at.ledger.accuracy(request_id)
        settled = decided or Accuracy()
        fields: list[dict[str, Any]] = []
        for one in details.fields:
            old = disputed(at.ledger, request_id, one.system).get(one.collection, {})
            was = [value for row in old.values() for value in row.get(one.field, ())]
            word = "accepted" if one.number in settled.accepted else settled.refused.get(one.number)
            fields.append(
                {
                    "number": one.number,
                    "field": f"{one.system}.{one.collection}.{one.field}",
                    "to_say": mask(details.corrections[one.at].values[one.field]),
                    "said": [mask(value) for value in dict.fromkeys(was)],
                    "decided": word and str(word),
                }
            )
        document = {
            "request_id": request_id,
            "fields": fields,
            "statement": bool(details.statement),
            "evidence": bool(details.evidence),
            "restrict": details.restrict,
            "decided": decided is not None,
        }
        page = Page().grid(
            ("no.", "field", "to say", "said before", "decided"),
            [
                (str(f["number"]), f["field"], f["to_say"], ", ".join(f["said"]), f["decided"] or "not yet")
                for f in fields
            ],
            numbers=("no.",),
        )
        if details.statement:
            page.line("a statement goes with the data: habeas rectification statement prints it")
        answer(document, page, as_json=as_json)


@rectifications.command()
def statement(request: RequestId, reason: WhyShown = "handling", by: MaybeBy = None, as_json: Json = False) -> None:
    """Print the person's own statement, to be put with the data.

    Example: habeas rectification statement 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    import sys

    from rights.reveals import Revealed
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.revealing import on_record
    from starter.show import out_json

    with desk() as at:
        request_id = ledger_id(request, "request")
        details = _details(at.ledger, request_id)
        if details.statement:
            on_record(at, request_id, Revealed.VALUES, reason, by)
        text = details.statement
    if not text:
        raise Failure(Exit.NOT_FOUND, "the person has given no statement")
    if as_json:
        out_json({"statement": text})
        return
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


@rectifications.command()
def note(
    request: RequestId,
    statement_file: Annotated[
        str | None,
        typer.Option(
            "--statement-file",
            metavar="FILE",
            help="The person's own statement on it; it replaces one given before.",
            show_default=False,
        ),
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="The person takes back what they said of it.")] = False,
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Show what stays noted as disputed after a refusal; put a statement with it, or take it back for the person.

    Every later copy for the person has it, and so has what recipients are told, until it is taken back.

    Example: habeas rectification note 01kap2v7q4m8w3x9yd5tgh6jzr --statement-file statement.txt --by s-17
    """
    from rights.rectification import LONGEST, Noted
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_role, read_text
    from starter.show import Page, answer

    who = maybe_role(by, "--by") or ""
    if (statement_file or withdraw) and not who:
        raise Failure(Exit.USAGE, "say who enters it: --by STAFF")
    if statement_file and withdraw:
        raise Failure(Exit.USAGE, "what is taken back has no statement: give one of --statement-file and --withdraw")
    text = read_text(statement_file, "--statement-file") if statement_file else ""
    if statement_file and not (text.strip() and len(text) <= LONGEST):
        raise Failure(Exit.USAGE, f"--statement-file gives a statement of 1 to {LONGEST:,} characters")
    with desk() as at:
        request_id = ledger_id(request, "request")
        at.ledger.request(request_id)
        if text:
            at.ledger.say_of_dispute(request_id, text, by=who, at=now())
        if withdraw:
            at.ledger.withdraw_dispute(request_id, by=who, at=now())
        noted = at.ledger.dispute(request_id) or Noted(request_id=request_id, fields=())
    fields = [f"{one.system}.{one.collection}.{one.field}" for one in noted.fields]
    page = Page().line("nothing is noted as disputed" if not fields else f"disputed: {', '.join(fields)}")
    if noted.statement:
        page.line("with the person's own statement")
    document = {"request_id": request_id, "fields": fields, "statement": bool(noted.statement)}
    answer(document, page, as_json=as_json)


@rectifications.command()
def remade(request: RequestId, by: By, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Enter that what was worked out from corrected data was made anew, or does not rest on what was wrong.

    The task `worked_out` names it, by what the data map says under `worked_out_from`. The note is kept sealed.

    Example: habeas rectification remade 01kap2v7q4m8w3x9yd5tgh6jzr --by 'credit desk'
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role
    from starter.show import Cell, Page, answer

    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        at.ledger.remade(ledger_id(request, "request"), note=note, by=role(by, "--by"), at=now())
    answer({"entered": True}, Page().line(Cell("it is on record as made anew", "good")), as_json=as_json)


@rectifications.command()
def decide(
    request: RequestId,
    accept: Annotated[
        str,
        typer.Option("--accept", metavar="NUMBERS", help="Fields that are corrected: 1,2, all or none."),
    ] = "none",
    refuse: Annotated[
        list[str] | None,
        typer.Option(
            "--refuse",
            metavar="NUMBERS=GROUND",
            help="Fields that are not: 3=accurate. Grounds: accurate, unproven, opinion, record. May be given again.",
            show_default=False,
        ),
    ] = None,
    reason_file: ReasonFile = None,
    approved_by: Annotated[
        str | None,
        typer.Option(
            "--approved-by", metavar="STAFF", help="Who approves a refusal: counsel or delegate.", show_default=False
        ),
    ] = None,
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Decide on every field: corrected, or not and on which ground.

    Example: habeas rectification decide 01kap2v7q4m8w3x9yd5tgh6jzr --accept 1 --refuse 2=accurate --reason-file why.txt
    --by s-17 --approved-by counsel
    """
    from rights.rectification import Accuracy, Approver, Refusal
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_role, read_text
    from starter.show import Cell, Page, answer, plural

    grounds, approvers = [g.value for g in Refusal], [a.value for a in Approver]
    if approved_by is not None and approved_by not in approvers:
        raise Failure(Exit.USAGE, f"--approved-by takes one of {', '.join(approvers)}")
    refused: dict[int, Refusal] = {}
    for text in refuse or ():
        numbers, _, ground = text.partition("=")
        if ground not in grounds:
            raise Failure(Exit.USAGE, f"--refuse is written NUMBERS=GROUND, with a ground of {', '.join(grounds)}")
        refused |= dict.fromkeys(_numbers(numbers, "--refuse"), Refusal(ground))
    reason = read_text(reason_file, "--reason-file") if reason_file else None
    who = maybe_role(by, "--by")
    with desk() as at:
        request_id = ledger_id(request, "request")
        details = _details(at.ledger, request_id)
        every = tuple(one.number for one in details.fields)
        accepted = every if accept == "all" else () if accept == "none" else _numbers(accept, "--accept")
        decided = Accuracy(
            accepted=accepted, refused=refused, approved_by=Approver(approved_by) if approved_by else None
        )
        try:
            decided.require(details.fields)
        except ValueError as error:
            raise Failure(Exit.USAGE, str(error)) from None
        systems = [one.system for one in details.fields]
        fresh = at.ledger.decide_accuracy(request_id, decided, systems=systems, at=now(), reason=reason, by=who)
    said = f"{plural(len(accepted), 'field')} to be corrected, {len(refused)} refused"
    line = Cell(said if fresh else f"{said}; decided so before", "good")
    answer({"accepted": list(accepted), "refused": refused, "new": fresh}, Page().line(line), as_json=as_json)


def _details(ledger: "Ledger", request_id: str) -> "RectificationDetails":
    from rights.rectification import RectificationDetails

    details = ledger.details(request_id, ledger.request(request_id).right)
    if not isinstance(details, RectificationDetails):
        raise Failure(Exit.NOT_FOUND, "this is no rectification, or what it said is destroyed already")
    return details


def _numbers(text: str, option: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 6 for part in parts):
        raise Failure(Exit.USAGE, f"{option} takes numbers such as 1,2")
    return tuple(dict.fromkeys(int(part) for part in parts))
