"""`habeas incident`: personal data breaches, real or suspected.

The one rule: what anybody writes of one is kept sealed; here are codes, ids and times.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.options import By, Json, NoteFile, Seat
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from datetime import datetime

    from rights.incidents import Incident

incidents = typer.Typer(no_args_is_help=True, help="Personal data breaches: what stands still, and who is told.")

IncidentId = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id.", show_default=False)]
_REASON = typer.Option("--reason-file", metavar="FILE", help="Why, from a file or - ; kept sealed.", show_default=False)
_SENT = typer.Option(
    "--text-file", metavar="FILE", help="What was written, from a file or - ; kept sealed.", show_default=False
)


@incidents.command("open")
def open_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="wrong_recipient, access, alteration, loss or residue.", show_default=False
        ),
    ],
    by: By,
    request: Annotated[
        list[str] | None,
        typer.Option("--request", metavar="REQUEST", help="It stands still. May be given again.", show_default=False),
    ] = None,
    parcel: Annotated[
        list[str] | None,
        typer.Option(
            "--parcel",
            metavar="REQUEST",
            help="It is about this request's parcel; the request stands still. May be given again.",
            show_default=False,
        ),
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option(
            "--system",
            metavar="NAME",
            help="A system of the data map that it happened in. May be given again.",
            show_default=False,
        ),
    ] = None,
    aware: Annotated[
        str | None,
        typer.Option(
            "--aware",
            metavar="WHEN",
            help="Since when it is known, such as 2026-11-20T14:30; now unless given.",
            show_default=False,
        ),
    ] = None,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Open an incident: the requests it names stand still, and 72 hours run from when it was known.

    Example: habeas incident open access --request 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --note-file what.txt
    """
    from ledger.incidents import About
    from rights.incidentlaw import Kind
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role

    if kind not in set(Kind):
        raise Failure(Exit.USAGE, f"KIND is one of {', '.join(Kind)}")
    if not (request or parcel or system):
        raise Failure(Exit.USAGE, "say what it is about: --request, --parcel or --system")
    about = About(
        requests=tuple(ledger_id(one, "request") for one in request or ()),
        parcels=tuple(dict.fromkeys(ledger_id(one, "request") for one in parcel or ())),
        systems=tuple(dict.fromkeys(system or ())),
    )
    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        if set(about.systems) - set(at.data_map.systems):
            raise Failure(Exit.USAGE, "--system is a system of the data map: habeas map check lists them")
        opened = at.ledger.open_incident(
            Kind(kind),
            about,
            aware_at=_moment(aware, "--aware", at.zone, now()),
            regime=at.settings.regime,
            zone=at.zone,
            by=role(by, "--by"),
            note=note,
            at=now(),
        )
        show_incident(opened.incident, as_json, in_flight=opened.in_flight)


@incidents.command()
def advise(
    incident: IncidentId,
    threat: Annotated[str, typer.Argument(metavar="THREAT", help="unlikely, risk or high.", show_default=False)],
    by: Seat,
    reason_file: Annotated[str, _REASON],
    as_json: Json = False,
) -> None:
    """Enter the data protection officer's advice: what it is likely to mean for people.

    unlikely: the authority need not be told. risk: it is. high: the people are told as well.

    Example: habeas incident advise 01kap2v7q4m8w3x9yd5tgh6jzr risk --by s-9 --reason-file why.txt
    """
    from rights.approvers import Approvers
    from rights.decision import Role
    from rights.incidents import Threat
    from starter.desk import desk, now
    from starter.inputs import ledger_id, staff_id

    if threat not in set(Threat):
        raise Failure(Exit.USAGE, f"THREAT is one of {', '.join(Threat)}")
    reason = _text(reason_file, "--reason-file", "say why")
    with desk() as at:
        staff, approvers = staff_id(by), at.settings.approvers or Approvers()
        if approvers.seat(Role.DPO) is None:
            raise Failure(Exit.USAGE, "nobody is named as dpo: set approvers.dpo in the settings first")
        if approvers.acts_as(staff, Role.DPO) is None:
            raise Failure(Exit.REFUSED, "this takes the data protection officer, or who stands in: approvers.dpo")
        found = ledger_id(incident, "incident")
        show_incident(at.ledger.advise_incident(found, Threat(threat), reason=reason, by=staff, at=now()), as_json)


@incidents.command()
def notify(
    incident: IncidentId,
    by: By,
    on: Annotated[
        str | None,
        typer.Option(
            "--notified-at",
            metavar="WHEN",
            help="When it went out, such as 2026-11-20T14:30; now unless given.",
            show_default=False,
        ),
    ] = None,
    text_file: Annotated[str | None, _SENT] = None,
    reason_file: Annotated[
        str | None,
        typer.Option(
            "--reason-file",
            metavar="FILE",
            help="Why it was later than the law gives; kept sealed.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Note that the authority was notified; again for what is known only later.

    Later than the hours of the law it takes the reasons for the delay (--reason-file). Nothing is sent by this.

    Example: habeas incident notify 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --text-file notice.txt
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role

    if text_file == "-" and reason_file == "-":
        raise Failure(Exit.USAGE, "--text-file and --reason-file cannot both read standard input")
    text = read_text(text_file, "--text-file") if text_file else None
    reason = _text(reason_file, "--reason-file", "say why it is late") if reason_file else None
    with desk() as at:
        after = at.ledger.notify_of_incident(
            ledger_id(incident, "incident"),
            _moment(on, "--notified-at", at.zone, now()),
            by=role(by, "--by"),
            text=text,
            reason=reason,
            at=now(),
        )
        show_incident(after, as_json)


@incidents.command()
def told(
    incident: IncidentId,
    by: By,
    text_file: Annotated[str, _SENT],
    how: Annotated[
        str,
        typer.Option("--how", metavar="HOW", help="each, public, unintelligible or averted (GDPR Art. 34)."),
    ] = "each",
    as_json: Json = False,
) -> None:
    """Note that the people were told, or on which ground they are not.

    Example: habeas incident told 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --text-file letter.txt
    """
    from rights.incidentlaw import How
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role

    if how not in set(How):
        raise Failure(Exit.USAGE, f"--how is one of {', '.join(How)}")
    text = _text(text_file, "--text-file", "give what was written, or why nobody is told")
    with desk() as at:
        found = ledger_id(incident, "incident")
        show_incident(at.ledger.told_of_incident(found, How(how), by=role(by, "--by"), text=text, at=now()), as_json)


@incidents.command()
def lift(incident: IncidentId, by: By, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Let what stands still for an incident go on; the incident stays open.

    Example: habeas incident lift 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role

    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        found = ledger_id(incident, "incident")
        show_incident(at.ledger.lift_incident(found, by=role(by, "--by"), note=note, at=now()), as_json)


@incidents.command()
def close(
    incident: IncidentId,
    by: By,
    note_file: Annotated[
        str,
        typer.Option(
            "--note-file", metavar="FILE", help="What came of it and what was done; kept sealed.", show_default=False
        ),
    ],
    as_json: Json = False,
) -> None:
    """Close an incident that waits for nothing else; what stands still for it goes on.

    Example: habeas incident close 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17 --note-file what.txt
    """
    from datetime import timedelta

    from starter.desk import desk, now
    from starter.inputs import ledger_id, role

    note = _text(note_file, "--note-file", "say what came of it, and what was done (GDPR Art. 33(5))")
    with desk() as at:
        after = at.ledger.close_incident(
            ledger_id(incident, "incident"),
            by=role(by, "--by"),
            note=note,
            file_until=now() + timedelta(days=at.settings.file_days),
            at=now(),
        )
        show_incident(after, as_json)


@incidents.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those that are closed too.")] = False, as_json: Json = False
) -> None:
    """List incidents, what each waits for, and until when the authority has to know.

    Example: habeas incident list
    """
    from starter.desk import desk, now
    from starter.incidents import incidents_document, incidents_page
    from starter.show import answer

    with desk() as at:
        found = at.ledger.incidents(open_only=not all_)
        answer(incidents_document(found, now()), incidents_page(found, now()), as_json=as_json)


@incidents.command()
def show(incident: IncidentId, as_json: Json = False) -> None:
    """Show an incident: its hours, what stands still, and what is left to do.

    Example: habeas incident show 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id

    with desk() as at:
        show_incident(at.ledger.incident(ledger_id(incident, "incident")), as_json)


@incidents.command()
def facts(incident: IncidentId, as_json: Json = False) -> None:
    """Draft what the authority is told, from the ledger; what only a person knows stays a question.

    Example: habeas incident facts 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.incidents import facts_page, incident_facts
    from starter.inputs import ledger_id
    from starter.show import answer

    with desk() as at:
        found = incident_facts(at, at.ledger.incident(ledger_id(incident, "incident")))
        answer(found.model_dump(mode="json"), facts_page(found, at.zone), as_json=as_json)


def _moment(text: str | None, option: str, zone: str, now: "datetime") -> "datetime":
    """A moment that was typed, of the controller's zone if it names none; now, if nothing was."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(Exit.USAGE, f"{option} is a time such as 2026-11-20T14:30") from None
    if len(text.strip()) <= len("2026-11-20"):
        raise Failure(Exit.USAGE, f"{option} is a time such as 2026-11-20T14:30: hours count, so a day is not enough")
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def _text(source: str, option: str, otherwise: str) -> str:
    from starter.inputs import read_text

    text = read_text(source, option).strip()
    if not text:
        raise Failure(Exit.USAGE, f"{option} is empty: {otherwise}")
    return text


def show_incident(incident: "Incident", as_json: bool, *, in_flight: int | None = None) -> None:
    """Print an incident; `in_flight`: calls that may still be running, of one that was opened."""
    from starter.desk import now
    from starter.incidents import incident_document, incident_page
    from starter.show import Cell, answer, plural

    document, page = incident_document(incident, now()), incident_page(incident, now())
    if in_flight is not None:
        document |= {"in_flight": in_flight}
        if in_flight:
            page.line(Cell(f"{plural(in_flight, 'call')} may still be running; none begins any more", "warn"))
    answer(document, page, as_json=as_json)
