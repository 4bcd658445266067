"""`habeas request`: opening requests, seeing how they stand, deciding.

The one rule: identities go in and never come out; what tells candidates apart is shown masked.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from starter.commands.options import (
    AskedUnder,
    IdempotencyKey,
    Identities,
    Identity,
    Json,
    MaybeBy,
    NoteFile,
    Proves,
    ReceivedFile,
    RequestId,
)
from starter.exits import Exit, Failure

requests = typer.Typer(no_args_is_help=True, help="Open requests, see how they stand, decide on them.")

POLL: Final = 0.5
"""Seconds between two looks at the ledger while watching."""


@requests.command("open")
def open_(
    right: Annotated[
        str,
        typer.Argument(
            metavar="RIGHT",
            help="access, erasure, ...: habeas request rights lists them.",
            show_default=False,
            autocompletion=lambda: _rights(),
        ),
    ],
    identity: Identity = None,
    identities: Identities = None,
    text_file: ReceivedFile = None,
    details: Annotated[
        str | None,
        typer.Option(
            "--details",
            metavar="FILE",
            help="What the asker says beyond who they are, as YAML, from a file or - ; kept sealed. "
            "habeas request rights says what each right takes.",
            show_default=False,
        ),
    ] = None,
    idempotency_key: IdempotencyKey = None,
    confirmed_by: Annotated[
        str | None,
        typer.Option(
            "--confirmed-by",
            metavar="STAFF",
            help="Attests that the asker is the person, by all that is given: who has checked.",
            show_default=False,
        ),
    ] = None,
    signed_in: Annotated[
        str | None,
        typer.Option(
            "--signed-in",
            metavar="HOW",
            help="A system attests that the asker is signed in to their account: password or second_factor; with a "
            "second factor an erasure begins without waiting.",
            show_default=False,
        ),
    ] = None,
    assurance: Annotated[
        int | None,
        typer.Option(
            "--assurance",
            metavar="LEVEL",
            min=0,
            max=4,
            help="A system attests how sure it is of the asker: 0 to 4.",
            show_default=False,
        ),
    ] = None,
    proves: Proves = None,
    channel: Annotated[
        str | None,
        typer.Option(
            "--channel",
            metavar="CHANNEL",
            help="How it came in: phone, walk_in, letter, mail, web ...",
            show_default=False,
        ),
    ] = None,
    taken_by: Annotated[
        str | None,
        typer.Option("--taken-by", metavar="STAFF", help="Who took it; kept sealed.", show_default=False),
    ] = None,
    received_at: Annotated[
        str | None,
        typer.Option(
            "--received-at",
            metavar="WHEN",
            help="When it came in, if not now: 2026-11-20 or 2026-11-20T14:30.",
            show_default=False,
        ),
    ] = None,
    regime: AskedUnder = None,
    as_json: Json = False,
) -> None:
    """Receive a request.

    Prints its id and due dates; what was typed is never shown again.

    Example: habeas request open erasure --identities person.txt --confirmed-by 'support desk'
    """
    from ledger.eyes import ATTESTED_BY
    from rights.details import read_details
    from starter.desk import desk, now, rules
    from starter.inputs import identity_pairs, maybe_role, read_text, received, said_by_a_system
    from starter.show import Cell, Page, answer, day, minute
    from starter.submit import known_right, submit

    if [identities, text_file, details].count("-") > 1:
        raise Failure(Exit.USAGE, "only one of --identities, --text-file and --details can read standard input")
    pairs = identity_pairs(identity or (), identities)
    text = read_text(text_file, "--text-file") if text_file is not None else None
    said = None
    if details is not None:
        said = read_details(known_right(right), "--details", read_text(details, "--details"))
    role, taker = maybe_role(confirmed_by, "--confirmed-by"), maybe_role(taken_by, "--taken-by")
    arrival = _word(channel, "--channel")
    proof = said_by_a_system(signed_in, assurance, now())
    with desk() as at:
        opened = submit(
            at.ledger,
            at.data_map,
            rules(at.settings),
            right,
            pairs,
            received_at=received(received_at, at.zone, now()),
            confirmed=role is not None,
            idempotency_key=idempotency_key,
            text=text,
            details=said,
            proof=proof,
            proves=proves or (),
            regimes=regime or (),
        )
        if opened.new and (arrival or taker):
            at.ledger.arrived(opened.request_id, arrival or "unknown", by=taker, at=now())
        if role is not None and opened.new:
            at.ledger.seal(opened.request_id, "file", ATTESTED_BY, role.encode(), at=now())
        row = at.ledger.request(opened.request_id)
        document = {
            "id": row.id,
            "right": row.right,
            "new": opened.new,
            "received_at": row.clock.received_at,
            "internal_due": row.clock.internal_due,
            "legal_due": row.clock.legal_due,
            "zone": row.clock.zone,
            "also_asked": list(opened.also),
        }
        page = Page()
        page.line(Cell(f"{row.right} request {row.id} {'received' if opened.new else 'was received before'}", "good"))
        page.pairs(
            (
                ("received", minute(row.clock.received_at, at.zone)),
                ("due", day(row.clock.internal_due, at.zone)),
                ("due by law", day(row.clock.legal_due, at.zone)),
                ("its text may also ask for", ", ".join(opened.also) or None),
                ("follow it", f"habeas request watch {row.id}"),
            )
        )
        answer(document, page, as_json=as_json)


@requests.command()
def rights(as_json: Json = False) -> None:
    """List the rights that are carried out, and what each has to be told (--details).

    Example: habeas request rights
    """
    from rights.course import COURSES
    from rights.details import MODELS
    from rights.request import Right
    from starter.show import Page, answer

    rows = []
    for right in sorted(Right):
        fields = MODELS[right].model_fields if right in MODELS else {}
        told = ", ".join(
            f"{name}{'' if field.is_required() else ' (may be left out)'}" for name, field in fields.items()
        )
        rows.append((str(right), str(COURSES[right].act or "a person's work"), told or "nothing"))
    document = {"rights": [{"right": right, "operation": act, "details": told} for right, act, told in rows]}
    answer(document, Page().grid(("right", "in each system", "details"), rows), as_json=as_json)


@requests.command("list")
def list_(
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not closed.")] = False,
    right: Annotated[
        str | None, typer.Option("--right", metavar="RIGHT", help="Only of this right.", show_default=False)
    ] = None,
    phase: Annotated[
        str | None, typer.Option("--phase", metavar="PHASE", help="Only in this phase.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")] = 50,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="REQUEST", help="Older than this id: the next page.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """List requests, the newest first.

    Example: habeas request list --open --right erasure
    """
    from rights.request import Phase, Right
    from starter.desk import desk, now
    from starter.inputs import ledger_id
    from starter.pages import list_page, request_document
    from starter.show import answer

    wanted_right = Right(_one_of(right, [r.value for r in Right], "--right")) if right else None
    wanted_phase = Phase(_one_of(phase, [p.value for p in Phase], "--phase")) if phase else None
    with desk() as at:
        rows = at.ledger.requests(
            open_only=open_only,
            right=wanted_right,
            phase=wanted_phase,
            before=ledger_id(before, "request") if before else None,
            limit=limit,
        )
        document = {"requests": [request_document(row, now()) for row in rows]}
        answer(document, list_page(rows, now(), at.zone), as_json=as_json)


@requests.command()
def watch(request: RequestId, as_json: Json = False) -> None:
    """Follow a request as it goes on.

    Ends when it is closed (exit 0) or waits for a person (exit 6). With --json, one line per change.

    Example: habeas request watch 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.watch import follow

    with desk() as at:
        at.ledger.request(_id(request))
        waits = follow(at.ledger, _id(request), at.zone, as_json=as_json, every=POLL)
    if waits:
        raise typer.Exit(Exit.WAITING)


@requests.command("confirm-identity")
def confirm_identity(request: RequestId, by: MaybeBy = None, proves: Proves = None, as_json: Json = False) -> None:
    """Attest that the asker is the person.

    It is as good as 'identity attest --rung attested --assurance 3': of what was given, it stands for what is named
    with --proves, and it does not take the place of a mandate.

    Example: habeas request confirm-identity 01kap2v7q4m8w3x9yd5tgh6jzr --by 'support desk'
    """
    from starter.desk import desk, now
    from starter.inputs import maybe_role

    with desk() as at:
        request_id = at.ledger.request(_id(request)).id
        who = maybe_role(by, "--by")
        if who is None:
            raise Failure(Exit.USAGE, "--by is missing: say who has checked, such as 'support desk'")
        fresh = at.ledger.confirm_identity(request_id, at=now(), by=who, vouches=proves or ())
    decided("identity confirmed", fresh, as_json)


@requests.command()
def approve(request: RequestId, by: MaybeBy = None, as_json: Json = False) -> None:
    """Approve the preview of an erasure.

    Where the setting four_eyes says so, it is somebody else than who has vouched for the asker, or opened the request.

    Example: habeas request approve 01kap2v7q4m8w3x9yd5tgh6jzr --by 'privacy desk'
    """
    from starter.desk import desk, now
    from starter.inputs import maybe_role

    with desk() as at:
        who, four_eyes = maybe_role(by, "--by"), at.settings.four_eyes
        fresh = at.ledger.approve(_id(request), at=now(), by=who, four_eyes=four_eyes)
    decided("erasure approved", fresh, as_json)


@requests.command()
def withdraw(request: RequestId, by: MaybeBy = None, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Take a request back.

    No call that destroys anything starts after this.

    Example: habeas request withdraw 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --note-file mail.txt
    """
    from starter.desk import desk, now
    from starter.inputs import maybe_role, read_text
    from starter.show import Cell, Page, answer, plural

    note, who = read_text(note_file, "--note-file") if note_file else None, maybe_role(by, "--by")
    with desk() as at:
        flying = at.ledger.withdraw(_id(request), at=now(), note=note, by=who)
    if flying:
        said = Cell(f"withdrawn; taking effect: {plural(flying, 'call')} still in flight", "warn")
    else:
        said = Cell("withdrawn, and in force: nothing is destroyed any more", "good")
    answer({"withdrawn": True, "in_flight": flying}, Page().line(said), as_json=as_json)


# Small things.


def _id(text: str) -> str:
    from starter.inputs import ledger_id

    return ledger_id(text, "request")


def _rights() -> list[str]:
    from rights.request import Right

    return sorted(Right)


def _one_of(text: str, words: Sequence[str], option: str) -> str:
    if text not in words:
        raise Failure(Exit.USAGE, f"{option} takes one of {', '.join(words)}")
    return text


def _word(text: str | None, option: str) -> str | None:
    if text is not None and not re.fullmatch(r"[a-z][a-z_]{0,30}", text):
        raise Failure(Exit.USAGE, f"{option} takes a word such as phone, walk_in, letter, mail or web")
    return text


def decided(said: str, fresh: bool, as_json: bool) -> None:
    """Answer what was decided; `fresh`: it was not so before."""
    from starter.show import Cell, Page, answer

    words = said if fresh else f"{said} before: nothing to do"
    answer({"said": said, "new": fresh}, Page().line(Cell(words, "good")), as_json=as_json)
