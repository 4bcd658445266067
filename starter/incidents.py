"""Incidents as documents and as pages.

The one rule: codes, names of the map, ids, numbers and times; none of the words that anybody wrote.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from rights.breachfacts import Facts, Part, draft
from rights.incidentlaw import incident_law
from rights.incidents import SEES_TO, Incident, Waits
from starter.show import Cell, Page, minute

if TYPE_CHECKING:
    from starter.desk import Desk

SAYS: Final[Mapping[Waits, str]] = {
    Waits.ADVICE: "the data protection officer advises: habeas incident advise",
    Waits.NOTIFY: "notify the authority, and note it: habeas incident facts, then notify",
    Waits.TELL: "tell the people, and note it: habeas incident told",
    Waits.CLOSE: "say what came of it, and close it: habeas incident close",
}


def incident_document(incident: Incident, at: datetime) -> dict[str, Any]:
    """An incident as JSON."""
    late = incident.late_by
    return {
        **incident.model_dump(mode="json", exclude={"reminded"}),
        "due_at": incident.due_at.isoformat(),
        "hours_of": list(incident_law().within(incident.regimes).regimes),
        "risk": incident.risk(at),
        "overdue": incident.overdue(at),
        "late_by_seconds": int(late.total_seconds()) if late else None,
        "waits_for": [{"what": one, "who": SEES_TO[one]} for one in incident.waits_for()],
    }


def incident_page(incident: Incident, at: datetime) -> Page:
    """An incident to be read."""
    page, law = Page().heading(f"Incident {incident.id}"), incident_law()
    whose = law.within(incident.regimes)
    late = incident.late_by
    page.pairs(
        (
            ("kind", f"{incident.kind}: {law.kinds[incident.kind].says}"),
            ("opened", f"{minute(incident.opened_at, incident.zone)} by {incident.opened_by} ({incident.origin})"),
            ("known since", minute(incident.aware_at, incident.zone)),
            ("authority by", _due(incident, at)),
            ("hours", f"{incident.hours}, {whose.source}" if whose.regimes else f"{incident.hours}: our default"),
            ("systems", ", ".join(incident.systems) or None),
            ("requests", ", ".join(incident.requests) or None),
            ("parcels", ", ".join(incident.parcels) or None),
            ("stand still", Cell(", ".join(incident.stopped), "warn") if incident.stopped else None),
            ("advice", f"{incident.threat}, by {incident.advised_by}" if incident.threat else None),
            (
                "notified",
                f"{minute(incident.notified_at, incident.zone)} by {incident.notified_by}"
                if incident.notified_at
                else None,
            ),
            ("late by", Cell(_hours(late), "bad") if late else None),
            (
                "people",
                f"{incident.told_how}: {law.people[incident.told_how].says}, {minute(incident.told_at, incident.zone)}"
                if incident.told_how and incident.told_at
                else None,
            ),
            ("closed", minute(incident.closed_at, incident.zone) if incident.closed_at else None),
        )
    )
    for one in incident.waits_for():
        page.line(Cell(f"{one} ({SEES_TO[one]}): {SAYS[one]}", "warn"))
    if incident.closed_at:
        page.line(Cell("nothing is left to do", "good"))
    return page


def incidents_document(found: Sequence[Incident], at: datetime) -> dict[str, Any]:
    """Many as JSON."""
    return {"incidents": [incident_document(one, at) for one in found]}


def incidents_page(found: Sequence[Incident], at: datetime) -> Page:
    """Many to be read."""
    return add_incidents(Page(), found, at) if found else Page().line(Cell("no incident", "good"))


def add_incidents(page: Page, found: Sequence[Incident], at: datetime) -> Page:
    """What incidents wait for, and who sees to it, on a page of tasks."""
    if not found:
        return page
    return page.grid(
        ("incident", "kind", "known since", "authority by", "waits for"),
        (
            (
                Cell(one.id, "strong"),
                str(one.kind),
                minute(one.aware_at, one.zone),
                _due(one, at),
                ", ".join(f"{what} ({SEES_TO[what]})" for what in one.waits_for()) or "nothing",
            )
            for one in found
        ),
    )


def incident_facts(at: "Desk", incident: Incident) -> Facts:
    """What the ledger knows for the notice to the authority."""
    parts = []
    for request_id in incident.requests:
        standing = at.ledger.standing(request_id)
        packed = [event for event in standing.events if event.kind == "parcel"]
        parts.append(
            Part(
                right=standing.request.right,
                receipts=standing.receipts,
                parcel_rows=int(packed[-1].body["rows"]) if packed else None,
                about_parcel=request_id in incident.parcels,
            )
        )
    people = at.ledger.how_many_people(incident.requests)
    return draft(incident, parts, people, at.data_map, dpo=at.settings.office.dpo)


def facts_page(facts: Facts, zone: str) -> Page:
    """The draft to be read, and copied into the authority's form."""
    page = Page().heading(f"Incident {facts.incident}: for the authority (Art. 33(3))")
    page.pairs(
        (
            ("nature", f"{facts.kind}: {facts.says}"),
            ("breaks", ", ".join(facts.breaks) or Cell("a person has to say", "warn")),
            ("known since", minute(facts.aware_at, zone)),
            ("people", f"at least {facts.people}" if facts.people is not None else Cell("a person has to say", "warn")),
            ("asked for", ", ".join(f"{right} {n}" for right, n in facts.requests.items()) or None),
            ("records", f"about {facts.records:,}" if facts.records is not None else Cell("not known", "warn")),
            ("data", ", ".join(facts.data) or Cell("not known", "warn")),
            ("where", ", ".join(facts.collections or facts.systems) or None),
            ("contact", facts.dpo or Cell("set letters.dpo in the settings", "bad")),
            ("threat", str(facts.threat) if facts.threat else Cell("the officer has not advised yet", "warn")),
            ("measures", "what it names stands still" if facts.stopped else None),
            ("lifted", minute(facts.lifted_at, zone) if facts.lifted_at else None),
        )
    )
    page.grid(("about", "a person answers"), ((Cell(name, "strong"), text) for name, text in facts.asks.items()))
    return page


def _due(incident: Incident, at: datetime) -> Cell:
    said = minute(incident.due_at, incident.zone)
    if not incident.owes_notice:
        return Cell(said, "quiet")
    left = incident.due_at - at
    if left < timedelta(0):
        return Cell(f"{said}, {_hours(-left)} ago", "bad")
    return Cell(f"{said}, in {_hours(left)}", "warn")


def _hours(span: timedelta) -> str:
    """A span in hours and minutes."""
    minutes = int(span.total_seconds()) // 60
    return f"{minutes // 60} h {minutes % 60} min"
