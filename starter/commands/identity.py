"""`habeas identity`: finding out whether the asker is the person.

The one rule: an agent sees `proven` or `not proven`, and nothing that depends on whether anybody is known.
"""

from typing import Annotated, Final

import typer

from starter.commands.options import By, Json, MaybeBy, NoteFile, Proves, RequestId, WhyShown
from starter.exits import Exit, Failure

identities = typer.Typer(no_args_is_help=True, help="Find out whether the asker is the person: proven, or not proven.")

PLACES: Final = ("given", "file", "another", "post")
_RUNGS: Final = ("signed_in", "second_factor", "in_person", "document", "attested")
_MOST_PAPER: Final = 10_000_000
"""Bytes of a scan. A page in colour has a tenth."""

Paper = Annotated[
    str | None,
    typer.Option("--paper", metavar="FILE", help="A scan of the paper; kept sealed.", show_default=False),
]


@identities.command()
def status(request: RequestId, as_json: Json = False) -> None:
    """Show whether the asker is proven, and what may be asked next.

    Example: habeas identity status 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.proving import status_document, status_page
    from starter.show import answer

    with desk() as at:
        row = at.ledger.request(ledger_id(request, "request"))
        document = status_document(row, at.ledger.identity_state(row.id))
        answer(document, status_page(document, at.zone), as_json=as_json)


@identities.command()
def call(request: RequestId, as_json: Json = False) -> None:
    """Print the script for a telephone call.

    The code is read back during the call; nothing else is asked or told before it says 'proven'.

    Example: habeas identity call 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.proving import script
    from starter.show import answer, plain

    with desk() as at:
        page = script(at.ledger.request(ledger_id(request, "request")))
        answer({"script": plain(page)}, page, as_json=as_json)


@identities.command("send-code")
def send_code(
    request: RequestId,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="PLACE",
            help="given (the address in the request), file (a channel on file), another (another one), or post; "
            "without it, the next step of the ladder.",
            show_default=False,
        ),
    ] = None,
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Have a code sent.

    Whether anybody gets it is not told: the answer is the same for people who are known and for people who are not.

    Example: habeas identity send-code 01kap2v7q4m8w3x9yd5tgh6jzr --to file --by s-17
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_role
    from starter.proving import code_goes
    from starter.show import Page, answer

    if to is not None and to not in PLACES:
        raise Failure(Exit.USAGE, f"--to takes one of {', '.join(PLACES)}")
    who = maybe_role(by, "--by")
    with desk() as at:
        request_id = ledger_id(request, "request")
        at.ledger.request(request_id)
        goes = code_goes(at.ledger.identity_state(request_id), to)
        number = at.ledger.ask_code(request_id, goes, at=now(), by=who)
        said = f"code {number} is on its way, if there is a way; have it read back and check it"
        answer({"to": goes, "number": number}, Page().line(said), as_json=as_json)


@identities.command("check-code")
def check_code(
    request: RequestId,
    code: Annotated[
        str, typer.Option("--code-file", metavar="FILE", help="The code as read out, from a file or -.")
    ] = "-",
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Check a code that was read back. Exit 0: proven; 6: not proven, for whatever reason.

    Example: habeas identity check-code 01kap2v7q4m8w3x9yd5tgh6jzr --code-file - --by s-17
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_role, read_text

    said, who = read_text(code, "--code-file"), maybe_role(by, "--by")
    with desk() as at:
        verdict_of(at.ledger.check_code(ledger_id(request, "request"), said, at=now(), by=who), as_json)


@identities.command("ask-points")
def ask_points(request: RequestId, as_json: Json = False) -> None:
    """List the data points that can be compared; the same whoever asks.

    Example: habeas identity ask-points 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.proving import POINTS, points_asked
    from starter.show import Page, answer

    with desk() as at:
        at.ledger.request(ledger_id(request, "request"))
        kinds = points_asked(at.data_map)
        if not kinds:
            raise Failure(Exit.REFUSED, "the data map has no directory, so there is nothing to compare with")
        page = Page().pairs((kind, POINTS[kind]) for kind in kinds)
        answer({"points": kinds}, page, as_json=as_json)


@identities.command("check-points")
def check_points(
    request: RequestId,
    points: Annotated[
        str, typer.Option("--points", metavar="FILE", help="Lines of KIND=VALUE as told, from a file or -.")
    ] = "-",
    declared: Annotated[
        bool, typer.Option("--declared", help="A signed declaration goes with them; it is in the request's file.")
    ] = False,
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Compare data points. Three times for a request, and six about one person in 30 days; which fit is told to nobody.

    By themselves they never release a copy under the GDPR.

    Example: habeas identity check-points 01kap2v7q4m8w3x9yd5tgh6jzr --points told.txt --by s-17
    """
    from starter.desk import desk, now
    from starter.inputs import identity_pairs, ledger_id, maybe_role

    pairs, who = identity_pairs((), points), maybe_role(by, "--by")
    with desk() as at:
        request_id = ledger_id(request, "request")
        at.ledger.check_points(request_id, pairs, at=now(), declared=declared, by=who)
        verdict_of(at.ledger.request(request_id).confirmed, as_json)


@identities.command()
def attest(
    request: RequestId,
    rung: Annotated[str, typer.Option("--rung", metavar="RUNG", help=f"{', '.join(_RUNGS)}.", show_default=False)],
    by: By,
    level: Annotated[
        int,
        typer.Option(
            "--assurance", min=0, max=4, metavar="LEVEL", help="attested: how sure, from 0 to 4.", show_default=False
        ),
    ] = 0,
    proves: Proves = None,
    paper: Paper = None,
    as_json: Json = False,
) -> None:
    """Say, by role, how the asker was seen to be the person, and of what that was given it is (--proves).

    in_person, document and attested at level 4 take two: run it again as another role. A document stands by itself for
    the numbers that it shows, and for nothing else. Its copy is destroyed at that ruling.

    Example: habeas identity attest 01kap2v7q4m8w3x9yd5tgh6jzr --rung in_person --proves email --by 'front desk'
    """
    from rights.identity import Rung
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role

    if rung not in _RUNGS:
        raise Failure(Exit.USAGE, f"--rung takes one of {', '.join(_RUNGS)}")
    scan = scan_of(paper) if paper else None
    with desk() as at:
        proven = at.ledger.attest(
            ledger_id(request, "request"),
            Rung(rung),
            by=role(by, "--by"),
            at=now(),
            level=level,
            paper=scan,
            vouches=proves or (),
        )
        verdict_of(proven, as_json)


@identities.command()
def document(
    request: RequestId,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where to write it; not there yet.")],
    reason: WhyShown = "handling",
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Write the copy of a document for the second look; it is gone with the ruling.

    Example: habeas identity document 01kap2v7q4m8w3x9yd5tgh6jzr --out look.pdf
    """
    import os

    from rights.reveals import Revealed
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.revealing import on_record
    from starter.show import Page, answer

    with desk() as at:
        request_id = ledger_id(request, "request")
        scan = at.ledger.paper(request_id)
        if scan is None:
            raise Failure(Exit.NOT_FOUND, "no copy of a document waits for a second look, or no longer")
        on_record(at, request_id, Revealed.PROOFS, reason, by)
    try:
        file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        raise Failure(Exit.USAGE, "the file of --out is there already, or cannot be made: name another") from None
    with os.fdopen(file, "wb") as sink:
        sink.write(scan)
    answer({"file": out, "size": len(scan)}, Page().line(f"written: {out}"), as_json=as_json)


@identities.command()
def refuse(
    request: RequestId,
    by: By,
    every: Annotated[
        bool, typer.Option("--all", help="Nor does anything else that somebody has said for them; codes stay.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say that what waits for a second look does not prove the asker: it counts for nothing, and its copy is destroyed.

    Without --all that is a document, a visit, or an attestation at level 4.

    Example: habeas identity refuse 01kap2v7q4m8w3x9yd5tgh6jzr --by 'front desk'
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role

    with desk() as at:
        at.ledger.refuse_proof(ledger_id(request, "request"), by=role(by, "--by"), at=now(), every=every)
        verdict_of(False, as_json)


@identities.command("leave-out")
def leave_out(
    request: RequestId,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="GIVEN...", help="What identity status names, such as phone, or email/2.", show_default=False
        ),
    ],
    by: By,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Take out of a request what nothing ties to who asks. Nothing is looked for by it.

    Example: habeas identity leave-out 01kap2v7q4m8w3x9yd5tgh6jzr phone --by 'support desk' --note-file why.txt
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role
    from starter.submit import MAX_TEXT

    text = read_text(note_file, "--note-file").strip() if note_file else ""
    if not text or len(text) > MAX_TEXT:
        raise Failure(Exit.USAGE, f"--note-file says why: it is missing, empty, or longer than {MAX_TEXT:,} characters")
    with desk() as at:
        proven = at.ledger.leave_out(ledger_id(request, "request"), what, by=role(by, "--by"), reason=text, at=now())
        verdict_of(proven, as_json)


# Small things.


def scan_of(source: str) -> bytes:
    """The scan of a paper.

    Raises:
        Failure: it cannot be read, is empty, or is too large.
    """
    from pathlib import Path

    try:
        with Path(source).open("rb") as file:
            data = file.read(_MOST_PAPER + 1)
    except (OSError, ValueError):
        raise Failure(Exit.USAGE, "the file of --paper cannot be read: name one that is there") from None
    if not data or len(data) > _MOST_PAPER:
        raise Failure(Exit.USAGE, f"a scan has 1 to {_MOST_PAPER:,} bytes: make it smaller")
    return data


def verdict_of(proven: bool, as_json: bool) -> None:
    """Answer whether the asker is proven, and end with 6 if not."""
    from starter.proving import verdict
    from starter.show import Page, answer

    answer({"proven": proven}, Page().line(verdict(proven=proven)), as_json=as_json)
    if not proven:
        raise typer.Exit(Exit.WAITING)
