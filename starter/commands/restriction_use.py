"""`habeas restriction use`: restricted data used on a ground of GDPR Art. 18(2), and still restricted.

The one rule: it takes two people, a ground that something shows, and an end; nothing is unlocked.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.commands.options import By, Json, NoteFile, Replace, ToldFile
from starter.commands.restriction import Restricting, places

if TYPE_CHECKING:
    from ledger.standing import Standing
    from rights.datamap import DataMap
    from rights.uses import Use

commands = typer.Typer(help="Use what is restricted.")

UseId = Annotated[str, typer.Argument(metavar="USE", help="The use's id.", show_default=False)]


@commands.command()
def use(
    request: Restricting,
    ground: Annotated[
        str,
        typer.Option(
            "--ground",
            metavar="GROUND",
            help="consent, claims, protection or public_interest.",
            show_default=False,
            autocompletion=lambda: ["consent", "claims", "protection", "public_interest"],
        ),
    ],
    evidence_file: Annotated[
        str,
        typer.Option(
            "--evidence-file",
            metavar="FILE",
            help="What shows the ground, from a file or - ; sealed.",
            show_default=False,
        ),
    ],
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="The last day of the use.", show_default=False)],
    by: By,
    to: Annotated[
        str,
        typer.Option(
            "--recipient", metavar="RECIPIENT", help="Who gets the copy, as in the register; own: your own people."
        ),
    ] = "own",
    collection: Annotated[
        list[str] | None,
        typer.Option(
            "--collection",
            metavar="SYSTEM.COLLECTION",
            help="Only this of what is restricted. May be given again; left out: all of it.",
            show_default=False,
        ),
    ] = None,
    new_purpose: Annotated[
        bool,
        typer.Option(
            "--new-purpose", help="It is another purpose than the data was collected for: the person is told."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask to use what is restricted, without lifting it: a sealed copy, for somebody, until a day (GDPR Art. 18(2)).

    A second person approves it (restriction use-approve); the restriction itself stays as it is.

    Example: habeas restriction use 01kap2v7q4m8w3x9yd5tgh6jzr --ground claims --evidence-file claim.txt
    --until 2027-03-01 --by s-17
    """
    from rights.reckoning import local_day
    from rights.uses import OWN, UseError, UseGround, check_use, uses_law
    from starter.desk import desk, now
    from starter.exits import Exit, Failure
    from starter.inputs import ledger_id, read_day, read_text, role

    if ground not in set(UseGround):
        raise Failure(Exit.USAGE, f"--ground takes one of {', '.join(UseGround)}")
    evidence, last = read_text(evidence_file, "--evidence-file"), read_day(until, "--until")
    with desk() as at:
        request_id, who = ledger_id(request, "request"), role(by, "--by")
        standing, row = at.ledger.standing(request_id), at.ledger.request(request_id)
        today = local_day(now(), at.zone)
        if to != OWN and (refused := at.register.refuses(to, today, row.regimes)):
            raise Failure(Exit.REFUSED, f"nothing may be sent to this recipient: {refused.says}")
        restricted = _restricted(standing, at.data_map)
        covers = tuple(dict.fromkeys(collection or restricted))
        try:
            check_use(covers, restricted, last, today, ground=UseGround(ground), evidence=evidence)
        except UseError as error:
            raise Failure(Exit.REFUSED, str(error)) from None
        made = at.ledger.ask_to_use(
            request_id,
            UseGround(ground),
            covers,
            article=uses_law().article(row.regimes),
            until=last,
            zone=at.zone,
            recipient=to,
            new_purpose=new_purpose,
            evidence=evidence,
            by=who,
            at=now(),
        )
        _show([made], as_json, one=True)


@commands.command("use-approve")
def use_approve(use: UseId, by: By, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Approve a use as a second person: the copy is sealed then. To refuse it: restriction use-end --because refused.

    Example: habeas restriction use-approve 01kap2v7q4m8w3x9yd5tgh6jzr --by s-21
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role

    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        after = at.ledger.approve_use(ledger_id(use, "use"), by=role(by, "--by"), note=note, at=now())
        _show([after], as_json, one=True)


@commands.command("use-told")
def use_told(use: UseId, by: By, text_file: ToldFile, as_json: Json = False) -> None:
    """Note that the person was told of a use, in these words.

    Example: habeas restriction use-told 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --text-file letter.txt
    """
    from starter.desk import desk, now
    from starter.exits import Exit, Failure
    from starter.inputs import ledger_id, read_text, role

    text = read_text(text_file, "--text-file").strip()
    if not text:
        raise Failure(Exit.USAGE, "--text-file is empty: give what was written")
    with desk() as at:
        after = at.ledger.told_of_use(ledger_id(use, "use"), by=role(by, "--by"), text=text, at=now())
        _show([after], as_json, one=True)


@commands.command("use-take")
def use_take(
    use: UseId,
    by: By,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the ZIP goes.", show_default=False)],
    replace: Replace = False,
    as_json: Json = False,
) -> None:
    """Take out the sealed copy of a use, to hand it to whom it is for; each time is on record.

    The register of recipients is asked first. Only you can read the file.

    Example: habeas restriction use-take 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --out for-counsel.zip
    """
    from rights.reckoning import local_day
    from rights.uses import OWN
    from starter.desk import desk, now
    from starter.exits import Exit, Failure
    from starter.handingout import take_out
    from starter.inputs import ledger_id, role

    with desk() as at:
        who, found = role(by, "--by"), at.ledger.use(ledger_id(use, "use"))
        if found.sealed_at is None or found.over(now()):
            raise Failure(Exit.REFUSED, "there is no copy to take out (any more): habeas restriction uses says why")
        regimes = at.ledger.request(found.request_id).regimes
        if found.recipient != OWN and (
            refused := at.register.refuses(found.recipient, local_day(now(), found.zone), regimes)
        ):
            raise Failure(Exit.REFUSED, f"nothing may be sent to this recipient: {refused.says}")
        after = take_out(
            at,
            found.id,
            found.digest,
            out,
            lambda: at.ledger.hand_over_used(found.id, by=who, at=now()),
            replace=replace,
            what="copy",
        )
        _show([after], as_json, one=True)


@commands.command("use-end")
def use_end(
    use: UseId,
    because: Annotated[
        str,
        typer.Option("--because", metavar="REASON", help="refused, consent_withdrawn or done.", show_default=False),
    ],
    by: By,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """End a use before its last day: nothing is taken out any more, and the copy's key is destroyed.

    Example: habeas restriction use-end 01kap2v7q4m8w3x9yd5tgh6jzr --because consent_withdrawn --by s-17
    """
    from rights.uses import UseEnded
    from starter.desk import desk, now
    from starter.exits import Exit, Failure
    from starter.inputs import ledger_id, read_text, role

    if because not in set(UseEnded):
        raise Failure(Exit.USAGE, f"--because takes one of {', '.join(UseEnded)}")
    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        found = ledger_id(use, "use")
        after = at.ledger.end_use(found, UseEnded(because), by=role(by, "--by"), note=note, at=now())
        _show([after], as_json, one=True)


@commands.command()
def uses(
    request: Annotated[
        str | None, typer.Argument(metavar="REQUEST", help="Of this restriction; left out: of all.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List uses of restricted data: on which ground, for whom, until when, and what each waits for.

    Example: habeas restriction uses 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id

    with desk() as at:
        _show(at.ledger.uses(ledger_id(request, "request") if request else None), as_json)


def _restricted(standing: "Standing", data_map: "DataMap") -> tuple[str, ...]:
    """The collections that the engine has locked away, as SYSTEM.COLLECTION."""
    from starter.letter import locked_of

    only = {one.system: one.collections for one in locked_of(standing)}
    names = [str(one["system"]) for one in places(standing) if one["state"] == "restricted"]
    return tuple(
        f"{name}.{collection}"
        for name in names
        if name in data_map.systems
        for collection in only.get(name, tuple(data_map.systems[name].collections))
    )


def _show(found: "list[Use]", as_json: bool, *, one: bool = False) -> None:
    from starter.desk import now
    from starter.show import Cell, Page, answer

    documents = [_document(use) for use in found]
    page = Page().grid(
        ("use", "request", "ground", "for", "until", "waits for"),
        [
            (
                Cell(use.id, "strong"),
                use.request_id,
                use.ground,
                use.recipient,
                f"{use.until:%Y-%m-%d}",
                use.waits_for(now()) or (use.ended or "over"),
            )
            for use in found
        ],
    )
    for use in found:
        if use.trouble and not use.over(now()):
            page.line(Cell(f"{use.id} could not be sealed: {use.trouble}, {use.trouble_at}", "warn"))
    answer(documents[0] if one else {"uses": documents}, page, as_json=as_json)


def _document(use: "Use") -> dict[str, Any]:
    from rights.uses import uses_law
    from starter.desk import now

    return {
        **use.model_dump(mode="json"),
        "says": uses_law().grounds[use.ground].says,
        "waits_for": use.waits_for(now()),
        "owes_notice": use.owes_notice,
    }
