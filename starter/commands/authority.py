"""`habeas authority`: demands of authorities for people's data.

The one rule: whom a demand is about is never shown, and nothing is handed over that two people have not decided on.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.options import (
    By,
    Identities,
    Identity,
    Json,
    NoteFile,
    Replace,
    Seat,
    Year,
)
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from rights.authorities import Demand
    from rights.decision import Role
    from settings import Settings

authorities = typer.Typer(no_args_is_help=True, help="Demands of authorities for people's data.")

DemandId = Annotated[str, typer.Argument(metavar="DEMAND", help="The demand's id.", show_default=False)]


@authorities.command()
def receive(
    by: By,
    details: Annotated[
        str,
        typer.Option(
            "--details",
            metavar="FILE",
            help="What is demanded, by whom and until when, as YAML, from a file or - ; docs/authorities.md has one.",
            show_default=False,
        ),
    ],
    identity: Identity = None,
    identities: Identities = None,
    as_json: Json = False,
) -> None:
    """Take in what an authority demands.

    What it says in words, and whom it is about, is kept sealed.

    Example: habeas authority receive --by s-17 --details demand.yaml --identities people.txt
    """
    from rights.authorities import require
    from rights.demandfile import Said
    from rights.subject import parse_identities
    from rights.yamlfile import read
    from starter.desk import desk, now
    from starter.inputs import identity_pairs, read_text, role

    if identities == "-" and details == "-":
        raise Failure(Exit.USAGE, "--identities and --details cannot both read standard input")
    text = read_text(details, "--details")
    said = read(Said, "--details", text, "a demand is a list of key: value", personal=True)
    people = parse_identities(identity_pairs(identity or (), identities))
    with desk() as at:
        require(at.data_map, said.demanded)
        if unknown := {one.kind for one in people} - set(at.data_map.identity_kinds):
            raise Failure(Exit.USAGE, f"no system of the data map knows {len(unknown)} of the kinds of identity given")
        giver = at.register.recipients.get(said.exporter) if said.exporter else None
        if said.exporter and (giver is None or giver.role == "authority"):
            raise Failure(Exit.USAGE, "exporter: the register of recipients names nobody so who could have given data")
        settings, person = at.settings, role(by, "--by")
        made = at.ledger.receive_demand(said, people, regime=settings.regime, zone=at.zone, by=person, at=now())
        show_demand(made, as_json)


@authorities.command()
def check(
    demand: DemandId,
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="One that authority show lists.", show_default=False)
    ],
    answer: Annotated[str, typer.Argument(metavar="ANSWER", help="yes or no.", show_default=False)],
    by: By,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Enter the answer to a question that the law has before anything is handed over.

    authenticated is answered with yes only of an authority of the register, whose contact was known before.

    Example: habeas authority check 01kap2v7q4m8w3x9yd5tgh6jzr competent yes --by s-17 --note-file why.txt
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role

    if answer not in {"yes", "no"}:
        raise Failure(Exit.USAGE, "ANSWER is yes or no")
    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        before = at.ledger.demand(ledger_id(demand, "demand"))
        known = at.register.recipients.get(before.authority)
        after = at.ledger.answer_question(
            before.id,
            question,
            met=answer == "yes",
            known_contact=known is not None and known.role == "authority" and known.country == before.country,
            by=role(by, "--by"),
            note=note,
            at=now(),
        )
        show_demand(after, as_json)


@authorities.command()
def decide(
    demand: DemandId,
    word: Annotated[
        str, typer.Argument(metavar="WORD", help="disclose, in_part, refuse or challenge.", show_default=False)
    ],
    ground: Annotated[
        str,
        typer.Option("--ground", metavar="GROUND", help="A ground that authority show lists.", show_default=False),
    ],
    by: Seat,
    reason_file: Annotated[
        str,
        typer.Option("--reason-file", metavar="FILE", help="Why, from a file or - ; kept sealed.", show_default=False),
    ],
    collection: Annotated[
        list[str] | None,
        typer.Option(
            "--collection",
            metavar="SYSTEM.COLLECTION",
            help="in_part: only this collection of those demanded. May be given again.",
            show_default=False,
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="CATEGORY",
            help="in_part: no field of this category of the data map, and no file. May be given again.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="Only rows of this day and later.", show_default=False),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="Only rows of this day and before.", show_default=False),
    ] = None,
    undated: Annotated[
        bool, typer.Option("--undated", help="Of a range of days: rows of which nobody knows the day go as well.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say the first word on a demand, as counsel or delegate.

    It is in force once the other of the two has approved it; in an emergency at once.

    Example: habeas authority decide 01kap2v7q4m8w3x9yd5tgh6jzr in_part --ground legal_obligation --by s-17
    --reason-file why.txt --collection shop.orders
    """
    from rights.authorities import Scope, categories_known
    from rights.authoritylaw import Word
    from starter.demandletters import cannot_cut, days_of
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_day, read_text

    if word not in set(Word):
        raise Failure(Exit.USAGE, f"WORD is one of {', '.join(Word)}")
    reason = read_text(reason_file, "--reason-file").strip()
    if not reason:
        raise Failure(Exit.USAGE, "--reason-file is empty: say why")
    with desk() as at:
        staff, seat = _seat(at.settings, by)
        before = at.ledger.demand(ledger_id(demand, "demand"))
        if not categories_known(at.data_map, without or ()):
            raise Failure(Exit.USAGE, "--without names a category that no field of the data map has")
        places = tuple(collection or (before.demanded if Word(word).gives else ()))
        days = days_of(maybe_day(since, "--from"), maybe_day(until, "--until"))
        if Word(word).gives:
            days = days or before.dates
        scope = Scope(collections=places, without=tuple(without or ()), days=days, undated=undated)
        if set(places) <= set(before.demanded) and (lost := scope.undatable(at.data_map)):
            raise Failure(Exit.USAGE, cannot_cut(lost[0], undated=undated))
        after = at.ledger.decide_demand(
            before.id, Word(word), ground, scope, reason=reason, by=staff, seat=seat, at=now()
        )
        show_demand(after, as_json)


@authorities.command()
def approve(demand: DemandId, by: Seat, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Say the second word, as the other of counsel and delegate; of an emergency it is the look afterwards.

    Example: habeas authority approve 01kap2v7q4m8w3x9yd5tgh6jzr --by s-21
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text

    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        staff, seat = _seat(at.settings, by)
        after = at.ledger.approve_demand(ledger_id(demand, "demand"), by=staff, seat=seat, note=note, at=now())
        show_demand(after, as_json)


@authorities.command("object")
def object_(
    demand: DemandId,
    by: Seat,
    reason_file: Annotated[
        str,
        typer.Option("--reason-file", metavar="FILE", help="Why, from a file or - ; kept sealed.", show_default=False),
    ],
    as_json: Json = False,
) -> None:
    """Say that what the other of counsel and delegate has decided in an emergency is unsound.

    What has not been handed over stays here, and is decided anew by two; what has been is on record as that.

    Example: habeas authority object 01kap2v7q4m8w3x9yd5tgh6jzr --by s-21 --reason-file why.txt
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text

    reason = read_text(reason_file, "--reason-file").strip()
    if not reason:
        raise Failure(Exit.USAGE, "--reason-file is empty: say why")
    with desk() as at:
        staff, seat = _seat(at.settings, by)
        found = ledger_id(demand, "demand")
        show_demand(at.ledger.object_to_emergency(found, reason=reason, by=staff, seat=seat, at=now()), as_json)


@authorities.command()
def disclose(
    demand: DemandId,
    by: By,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the ZIP goes.", show_default=False)],
    replace: Replace = False,
    as_json: Json = False,
) -> None:
    """Take out what was sealed for an authority, to hand it over; it is on record from then on.

    The register of recipients is asked first. Only you can read the file.

    Example: habeas authority disclose 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --out handed-over.zip
    """
    from rights.reckoning import local_day
    from starter.desk import desk, now
    from starter.handingout import take_out
    from starter.inputs import ledger_id, role

    with desk() as at:
        who, found = role(by, "--by"), at.ledger.demand(ledger_id(demand, "demand"))
        if not found.gives or not found.sealed_at:
            raise Failure(Exit.REFUSED, "nothing is sealed for this authority yet: habeas authority show says why")
        refused = at.register.refuses(found.authority, local_day(now(), found.zone), [found.regime])
        if refused:
            raise Failure(Exit.REFUSED, f"nothing may be sent to this authority: {refused.says}")
        after = take_out(
            at,
            found.id,
            found.digest,
            out,
            lambda: at.ledger.hand_over(found.id, by=who, at=now()),
            replace=replace,
            what="parcel",
        )
        show_demand(after, as_json)


@authorities.command()
def gag(
    demand: DemandId,
    state: Annotated[
        str, typer.Argument(metavar="GAG", help="none (lifted), until (a day) or open.", show_default=False)
    ],
    by: By,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="until: the last day it is in force.", show_default=False),
    ] = None,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Note that it was forbidden to tell the person, for longer or shorter, or that it is not any more.

    Example: habeas authority gag 01kap2v7q4m8w3x9yd5tgh6jzr until --until 2027-03-01 --by s-17 --note-file order.txt
    """
    from rights.demandfile import Gag
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_day, read_text, role

    if state not in set(Gag) or (state == Gag.UNTIL) is (until is None):
        raise Failure(Exit.USAGE, f"GAG is one of {', '.join(Gag)}; --until goes with until, and that with --until")
    note = read_text(note_file, "--note-file") if note_file else None
    day = maybe_day(until, "--until")
    with desk() as at:
        found = ledger_id(demand, "demand")
        after = at.ledger.change_gag(found, Gag(state), day, by=role(by, "--by"), note=note, at=now())
        show_demand(after, as_json)


@authorities.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False, as_json: Json = False
) -> None:
    """List demands, what each waits for, and which are late.

    Example: habeas authority list
    """
    from starter.authorities import demands_document, demands_page
    from starter.desk import desk, now
    from starter.show import answer

    with desk() as at:
        found = at.ledger.demands(open_only=not all_)
        answer(demands_document(found, now()), demands_page(found, now()), as_json=as_json)


@authorities.command()
def show(demand: DemandId, as_json: Json = False) -> None:
    """Show a demand: its questions and their answers, the grounds there are, and how it stands.

    Example: habeas authority show 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id

    with desk() as at:
        show_demand(at.ledger.demand(ledger_id(demand, "demand")), as_json)


@authorities.command()
def count(year: Year = None, as_json: Json = False) -> None:
    """Count a year's demands by country and kind, and what became of them: what may be published.

    Example: habeas authority count --year 2026
    """
    from rights.reckoning import local_day
    from rights.transparency import transparency
    from starter.authorities import counts_document, counts_page
    from starter.desk import desk, now
    from starter.show import answer

    with desk() as at:
        of = year or local_day(now(), at.zone).year - 1
        counts = transparency(at.ledger.demands(), of)
        answer(counts_document(counts, of), counts_page(counts, of), as_json=as_json)


def show_demand(demand: "Demand", as_json: bool) -> None:
    """Show how a demand stands."""
    from starter.authorities import demand_document, demand_page
    from starter.desk import now
    from starter.show import answer

    answer(demand_document(demand, now()), demand_page(demand, now()), as_json=as_json)


def _seat(settings: "Settings", by: str) -> "tuple[str, Role]":
    """Who speaks, and in which of the two seats."""
    from rights.approvers import Approvers
    from rights.authorities import SEATS
    from starter.inputs import staff_id

    staff, approvers = staff_id(by), settings.approvers or Approvers()
    for seat in SEATS:
        if approvers.seat(seat) is None:
            raise Failure(Exit.USAGE, f"nobody is named as {seat}: set approvers.{seat} in the settings first")
        if approvers.acts_as(staff, seat) is not None:
            return staff, seat
    raise Failure(Exit.REFUSED, "this takes counsel or delegate, or who stands in for them: approvers in the settings")
