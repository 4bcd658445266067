"""`habeas hold`: place, confirm, review, release, and what holds ask of people.

The one rule: a reason is sealed and never printed, and whom a hold is about is not shown either.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.commands.deferred import add_system_holds, deferred, held_by_systems_of, listed
from starter.commands.options import By, Identities, Identity, Json, NoteFile, RequestId, ToldFile
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from ledger.holds import Hold
    from rights.holds import Scope
    from starter.show import Page

holds = typer.Typer(no_args_is_help=True, help="Legal holds: nothing of what they cover is destroyed.")

HoldId = Annotated[str, typer.Argument(metavar="HOLD", help="The hold's id.", show_default=False)]


def _several(what: str, metavar: str) -> Any:
    return typer.Option(what, metavar=metavar, show_default=False, help=_HELP[what])


_HELP = {
    "--system": "Only data of this system. May be given again.",
    "--collection": "Only this collection. May be given again.",
    "--category": "Only collections with a field of this category of the data map. May be given again.",
}


@holds.command()
def place(
    by: By,
    identity: Identity = None,
    identities: Identities = None,
    reason_file: Annotated[
        str | None,
        typer.Option(
            "--reason-file", metavar="FILE", help="Why, from a file or - ; kept sealed. Required.", show_default=False
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="WORD", help="litigation, claim, regulator, preservation or audit.")
    ] = "litigation",
    authority: Annotated[
        str,
        typer.Option(
            "--authority", metavar="WORD", help="On whose word: counsel, court, regulator, law_enforcement or board."
        ),
    ] = "counsel",
    system: Annotated[list[str] | None, _several("--system", "NAME")] = None,
    collection: Annotated[list[str] | None, _several("--collection", "SYSTEM.COLLECTION")] = None,
    category: Annotated[list[str] | None, _several("--category", "NAME")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="DATE",
            help="Only rows of this day and later, where the map says by which column (retention); else all of them.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="DATE",
            help="Only rows of this day and earlier, by the same column; a row without a date is held.",
            show_default=False,
        ),
    ] = None,
    disclosure: Annotated[
        str,
        typer.Option(
            "--disclosure",
            metavar="WORD",
            help="The person is told: tell, after (a day) or counsel_text (by counsel).",
        ),
    ] = "tell",
    tell_from: Annotated[
        str | None,
        typer.Option("--tell-from", metavar="DATE", help="after: the day it may be told from.", show_default=False),
    ] = None,
    review_on: Annotated[
        str | None,
        typer.Option("--review-on", metavar="DATE", help="When to review it.", show_default="90 days"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Let nothing be destroyed of what a hold covers, at once.

    A second person confirms it within three days; while nobody does it stays in force, and is asked for again.

    Example: habeas hold place --by s-17 --identities people.txt --reason-file matter.txt --collection shop.orders
    """
    from rights.holds import Authority, Disclosure, Reason, Terms
    from rights.subject import parse_identities
    from starter.desk import desk, now
    from starter.holding import hold_document, scope_of
    from starter.inputs import identity_pairs, maybe_day, read_text
    from starter.show import answer
    from starter.submit import MAX_TEXT

    if identities == "-" and reason_file == "-":
        raise Failure(Exit.USAGE, "--identities and --reason-file cannot both read standard input")
    text = read_text(reason_file, "--reason-file").strip() if reason_file else ""
    if not 1 <= len(text) <= MAX_TEXT or "\0" in text:
        raise Failure(Exit.USAGE, f"--reason-file must give a plain text of 1 to {MAX_TEXT:,} characters")
    kind = _one_of(disclosure, Disclosure, "--disclosure")
    if (kind == Disclosure.AFTER) != (tell_from is not None):
        raise Failure(Exit.USAGE, "--tell-from goes with --disclosure after, and that with --tell-from")
    people = parse_identities(identity_pairs(identity or (), identities))
    with desk() as at:
        days = maybe_day(since, "--since"), maybe_day(until, "--until")
        scope = scope_of(at.data_map, system or (), collection or (), category or (), *days)
        terms = Terms(
            scope=scope,
            reason=Reason(_one_of(reason, Reason, "--reason")),
            authority=Authority(_one_of(authority, Authority, "--authority")),
            disclosure=Disclosure(kind),
            tell_from=maybe_day(tell_from, "--tell-from"),
            review_on=maybe_day(review_on, "--review-on"),
        )
        hold = at.ledger.place_hold(people, text, at=now(), by=_person(by), terms=terms)
        answer(hold_document(hold), _line(hold), as_json=as_json)


@holds.command()
def confirm(hold: HoldId, by: By, as_json: Json = False) -> None:
    """Say, as a second person, that a hold is right.

    Example: habeas hold confirm 01kap30c2m6n8r1v5t9w4x7yzb --by s-21
    """
    from starter.desk import desk, now
    from starter.holding import hold_document
    from starter.inputs import ledger_id
    from starter.show import answer

    with desk() as at:
        stands = at.ledger.confirm_hold(ledger_id(hold, "hold"), by=_person(by), at=now())
        answer(hold_document(stands), _line(stands, "confirmed"), as_json=as_json)


@holds.command()
def review(
    hold: HoldId,
    by: By,
    until_day: Annotated[
        str, typer.Option("--until", metavar="DATE", help="When it is to be reviewed next.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Note that somebody has looked, and that a hold is still needed.

    Example: habeas hold review 01kap30c2m6n8r1v5t9w4x7yzb --by s-21 --until 2027-03-01
    """
    from starter.desk import desk, now
    from starter.holding import hold_document
    from starter.inputs import ledger_id, read_day
    from starter.show import answer

    with desk() as at:
        day = read_day(until_day, "--until")
        stands = at.ledger.review_hold(ledger_id(hold, "hold"), by=_person(by), review_on=day, at=now())
        answer(hold_document(stands), _line(stands, f"reviewed; again on {day}"), as_json=as_json)


@holds.command()
def release(
    hold: HoldId,
    by: By,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Let go of a hold: it takes two people, one after the other.

    What it stopped of open requests goes on by itself, unless another hold covers it. Those answered meanwhile are
    opened anew.

    Example: habeas hold release 01kap30c2m6n8r1v5t9w4x7yzb --by s-21
    """
    from datetime import timedelta

    from starter.desk import desk, now
    from starter.holding import hold_document
    from starter.inputs import ledger_id, read_text
    from starter.show import answer

    note = read_text(note_file, "--note-file").strip() if note_file else None
    hold_id = ledger_id(hold, "hold")
    with desk() as at:
        moment = now()
        until = moment + timedelta(days=at.settings.file_days)
        gone = at.ledger.release_hold(hold_id, by=_person(by), at=moment, file_until=until, note=note)
        stands = at.ledger.hold_standing(hold_id)
        said = "" if gone else "its release waits for a second person: habeas hold release"
        answer(hold_document(stands), _line(stands, said), as_json=as_json)


@holds.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those that were released too.")] = False, as_json: Json = False
) -> None:
    """List holds, and whether each is in force; and what systems hold by themselves.

    Example: habeas hold list --all
    """
    from starter.desk import desk
    from starter.holding import hold_document
    from starter.show import Cell, Page, answer, minute

    with desk() as at:
        found = [at.ledger.hold_standing(h.id) for h in at.ledger.holds(in_force_only=not all_)]
        page = Page()
        if found:
            page.grid(
                ("hold", "placed", "reason", "told", "review", "stands"),
                (
                    (
                        Cell(h.id, "strong"),
                        minute(h.placed_at, at.zone),
                        str(h.terms.reason),
                        _told(h),
                        str(h.terms.review_on or ""),
                        Cell(f"{h}{'' if _settled(h) else ', not confirmed'}", "" if h.in_force else "warn"),
                    )
                    for h in found
                ),
            )
        else:
            page.line("no hold")
        theirs = held_by_systems_of(at.ledger)
        add_system_holds(page, theirs)
        said = {"holds": [hold_document(h) for h in found], "of_systems": listed(theirs)}
        answer(said, page, as_json=as_json)


@holds.command()
def show(hold: HoldId, as_json: Json = False) -> None:
    """Show a hold: what it covers, on whose word, who has confirmed it, and when it is to be reviewed.

    Example: habeas hold show 01kap30c2m6n8r1v5t9w4x7yzb
    """
    from starter.desk import desk
    from starter.holding import hold_document
    from starter.inputs import ledger_id
    from starter.show import Page, answer, minute

    with desk() as at:
        found = at.ledger.hold_standing(ledger_id(hold, "hold"))
        scope = found.terms.scope
        named = (*scope.systems, *scope.collections, *scope.categories)
        page = Page().heading(f"Hold {found.id}")
        page.pairs(
            (
                ("stands", str(found)),
                ("covers", (", ".join(named) or "everything, in every system") + _days(scope)),
                ("reason", f"{found.terms.reason}; the words are sealed"),
                ("authority", str(found.terms.authority)),
                ("the person is told", _told(found)),
                ("placed", f"{minute(found.placed_at, at.zone)} by {found.placed_by or 'nobody named'}"),
                (
                    "confirmed",
                    f"{minute(found.confirmed_at, at.zone)} by {found.confirmed_by}" if found.confirmed_at else None,
                ),
                (
                    "to be confirmed by",
                    minute(found.confirm_by, at.zone) if found.confirm_by and not _settled(found) else None,
                ),
                ("release asked for by", found.release_by if found.released_at is None else None),
                ("review on", str(found.terms.review_on or "")),
            )
        )
        answer(hold_document(found), page, as_json=as_json)


@holds.command()
def tasks(as_json: Json = False) -> None:
    """What holds ask of people; agents who work on requests do not see it.

    Example: habeas hold tasks
    """
    from rights.holds import DESK_SAYS
    from starter.desk import desk
    from starter.show import Cell, Page, answer, minute

    with desk() as at:
        found = at.ledger.hold_tasks()
        page = Page()
        for one in found:
            due = f", due {minute(one.due_at, at.zone)}" if one.due_at else ""
            level = f", asked {one.level + 1} times" if one.level else ""
            about = f" for request {one.about}" if one.about else ""
            page.line(Cell(f"{one.code}{about}{due}{level}: hold {one.hold_id}", "warn"))
            page.line(DESK_SAYS[one.code], indent=2)
        if not found:
            page.line(Cell("no hold waits for anybody", "good"))
        answer({"tasks": [one.model_dump(mode="json") for one in found]}, page, as_json=as_json)


holds.command("deferred")(deferred)


@holds.command("answer")
def answer_(
    request: RequestId,
    by: By,
    text_file: ToldFile,
    as_json: Json = False,
) -> None:
    """Note that counsel has answered a request that a secret hold touches.

    The engine sends nothing of its own then, and the request goes on to its end.

    Example: habeas hold answer 01kap2v7q4m8w3x9yd5tgh6jzr --by s-7 --text-file letter.txt
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text
    from starter.show import Cell, Page, answer
    from starter.submit import MAX_TEXT

    text = read_text(text_file, "--text-file").strip()
    if not 1 <= len(text) <= MAX_TEXT or "\0" in text:
        raise Failure(Exit.USAGE, f"--text-file must give a plain text of 1 to {MAX_TEXT:,} characters")
    with desk() as at:
        new = at.ledger.answer_for(ledger_id(request, "request"), by=_person(by), text=text, at=now())
    page = Page().line(Cell("noted: answered by counsel", "good"))
    answer({"answered": True, "new": new}, page, as_json=as_json)


def _line(hold: "Hold", said: str = "") -> "Page":
    from starter.show import Cell, Page

    page = Page().line(Cell(f"hold {hold.id}: {hold}", "good" if hold.in_force or hold.released_at else "warn"))
    return page.line(said) if said else page


def _told(hold: "Hold") -> str:
    from rights.holds import Disclosure

    match hold.terms.disclosure:
        case Disclosure.TELL:
            return "in the answer"
        case Disclosure.AFTER:
            return f"not before {hold.terms.tell_from}"
    return "by counsel alone"


def _settled(hold: "Hold") -> bool:
    return hold.confirmed_at is not None or hold.released_at is not None


def _days(scope: "Scope") -> str:
    match scope.since, scope.until:
        case None, None:
            return ""
        case None, until:
            return f", of {until} and earlier"
        case since, None:
            return f", of {since} and later"
        case since, until:
            return f", of {since} to {until}"


def _one_of(word: str, kinds: Any, option: str) -> str:
    if word not in set(kinds):
        raise Failure(Exit.USAGE, f"{option} is one of {', '.join(kinds)}")
    return word


def _person(by: str) -> str:
    from starter.inputs import role

    return role(by, "--by")
