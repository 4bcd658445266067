"""`habeas ledger`, `habeas parcel` and `habeas explain`: evidence and deliveries.

The one rule: a parcel is decrypted to a file of its reader's own.
"""

from pathlib import Path
from typing import Annotated

import typer

from starter.commands.options import By, Json, MaybeBy, NoteFile, Replace, RequestId, WhyShown
from starter.exits import Exit, Failure

ledger = typer.Typer(no_args_is_help=True, help="The journal, and the proof that nobody changed it.")
parcels = typer.Typer(no_args_is_help=True, help="What is handed over after an access request.")


@ledger.command()
def verify(as_json: Json = False) -> None:
    """Prove that the journal is whole.

    Walks every entry and compares with the signed checkpoints and the requests' rows. Exit 1 if anything was edited,
    removed, reordered or cut; a ledger restored from a backup shows as cut.

    Example: habeas ledger verify
    """
    from starter.desk import desk
    from starter.show import Cell, Page, answer, plural

    with desk() as at:
        verdict = at.ledger.verify()
    page = Page()
    summary = f"{plural(verdict.entries, 'entry', 'entries')}, {plural(verdict.checkpoints, 'signed checkpoint')}"
    if verdict.sound:
        page.line(Cell(f"sound: {summary}", "good"))
        if verdict.entries and not verdict.checkpoints:
            page.line(Cell("no checkpoint was compared, so a cut tail would not show", "warn"))
    else:
        page.line(Cell(f"damaged: {plural(len(verdict.findings), 'finding')} in {summary}", "bad"))
        page.grid(
            ("what", "entry", "finding"),
            ((Cell(str(f.what), "bad"), str(f.seq or ""), f.text) for f in verdict.findings),
        )
        if verdict.like_a_restore:
            page.line(
                "If the ledger was restored from a backup, this is what was lost with it: 'After a restore' in "
                "docs/running.md says what to do. If it was not, somebody has cut the journal: keep ledger and "
                "checkpoints as they are, and find out who."
            )
    answer({**verdict.model_dump(mode="json"), "sound": verdict.sound}, page, as_json=as_json)
    if not verdict.sound:
        raise typer.Exit(Exit.BAD)


def explain(request: RequestId, as_json: Json = False) -> None:
    """Explain every date, decision and count.

    Each as rule, fact and arithmetic, computed again from the ledger.

    Example: habeas explain 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk, now
    from starter.explain import explain as reasons
    from starter.explain import page
    from starter.inputs import ledger_id
    from starter.show import answer

    with desk() as at:
        standing = at.ledger.standing(ledger_id(request, "request"))
    lines = reasons(standing, now())
    document = {"request_id": standing.request.id, "lines": [line.model_dump() for line in lines]}
    answer(document, page(standing, lines), as_json=as_json)


@parcels.command("open")
def open_(
    request: RequestId,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where the ZIP goes.", show_default="REQUEST.zip")
    ] = None,
    replace: Replace = False,
    reason: WhyShown = "handling",
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Decrypt a parcel into an ordinary ZIP.

    Only you can read the file, and it is on record that it was opened. Where it is for a firm abroad, the register of
    recipients is asked first.

    Example: habeas parcel open 01kap2v7q4m8w3x9yd5tgh6jzr --out copy.zip
    """
    from activities.parcels import open_parcel
    from activities.store import FileStore
    from rights.reckoning import local_day
    from rights.reveals import Revealed
    from starter.desk import desk, now
    from starter.inputs import ledger_id
    from starter.revealing import on_record
    from starter.show import Cell, Page, answer

    request_id = ledger_id(request, "request")
    target = out or Path(f"{request_id}.zip")
    with desk() as at:
        row, mandate = at.ledger.request(request_id), at.ledger.mandate(request_id)
        if stopped := row.incident:
            raise Failure(Exit.REFUSED, f"an incident has this parcel stand still: habeas incident show {stopped}")
        today = local_day(now(), row.clock.zone)
        if mandate and (refused := mandate.copy_refused(at.register, today, row.regimes)):
            raise Failure(
                Exit.REFUSED,
                f"the copy is for a firm abroad, and nothing may be sent to it: {refused.says} (its name and country "
                "stand in the mandate)",
            )
        packed = [e for e in at.ledger.standing(request_id).events if e.kind == "parcel"]
        if not packed:
            raise Failure(
                Exit.NOT_FOUND, "this request has no parcel, or none yet: habeas request show says how it stands"
            )
        key = at.ledger.case_key(request_id, "parcel")
        if key is None:
            raise Failure(Exit.NOT_FOUND, "the parcel's key was destroyed on its day, so nothing can open it any more")
        on_record(at, request_id, Revealed.PARCEL, reason, by)
        try:
            opened = open_parcel(
                FileStore(at.settings.parcels),
                request_id,
                key,
                target,
                digest=str(packed[-1].body["digest"]),
                replace=replace,
            )
        except FileExistsError:
            raise Failure(
                Exit.USAGE, "there is a file of that name already: name another with --out, or say --replace"
            ) from None
        except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError):
            raise Failure(Exit.USAGE, "the file of --out cannot be written: name one in a directory of yours") from None
    page = Page().line(Cell(f"opened: {target}", "good"))
    page.pairs(
        (
            ("size", f"{opened.size:,} bytes"),
            ("SHA-256", opened.digest),
            ("start with", "data/index.html inside; it opens offline"),
        )
    )
    answer({"file": str(target), "size": opened.size, "sha256": opened.digest}, page, as_json=as_json)


@parcels.command()
def report(request: RequestId, by: By, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Say that a parcel went to the wrong person, or holds somebody else's data.

    An incident is opened at once (habeas incident): nobody opens the parcel any more, the request stands still, and the
    hours to tell the authority run from now.

    Example: habeas parcel report 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --note-file what.txt
    """
    from ledger.incidents import About
    from rights.incidentlaw import Kind
    from rights.incidents import Origin
    from starter.commands.incident import show_incident
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role

    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        opened = at.ledger.open_incident(
            Kind.WRONG_RECIPIENT,
            About(parcels=(ledger_id(request, "request"),)),
            aware_at=now(),
            regime=at.settings.regime,
            zone=at.zone,
            by=role(by, "--by"),
            note=note,
            at=now(),
            origin=Origin.PARCEL,
        )
        show_incident(opened.incident, as_json, in_flight=opened.in_flight)
