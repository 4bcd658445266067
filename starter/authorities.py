"""Authorities' demands as documents and as pages.

The one rule: codes, names of the map and numbers; not whom a demand is about, and none of its words.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rights.authorities import Demand, Waits
from rights.demanddays import Days
from rights.demandfile import Gag
from rights.transparency import Count
from starter.show import Cell, Page, minute

SAYS: Final[Mapping[Waits, str]] = {
    Waits.CHECK: "answer its questions: habeas authority check",
    Waits.DECIDE: "counsel or delegate decides: habeas authority decide",
    Waits.APPROVE: "the other of the two approves, or decides anew: habeas authority approve",
    Waits.RESOLVE: "the challenge is under way; what comes of it is decided anew: habeas authority decide",
    Waits.SEAL: "the engine seals what is handed over",
    Waits.HAND_OVER: "hand it over: habeas authority disclose",
    Waits.REVIEW: "a second person looks at the emergency: habeas authority check, then approve, or object",
    Waits.TELL: "the person may be told: once there is an answer a letter goes by itself, sooner habeas authority told",
    Waits.POST: "a letter cannot go by mail: print it (habeas authority letter), post it, then habeas authority told",
    Waits.LETTER: "a letter is on its way",
    Waits.GAG: "the person may not be told yet",
}


def demand_document(demand: Demand, at: datetime) -> dict[str, Any]:
    """A demand as JSON."""
    return {
        **demand.model_dump(mode="json"),
        "questions": {name: demand.answers.get(name) for name in demand.asked},
        "grounds": {name: list(ground.effects) for name, ground in demand.grounds.items()},
        "waits_for": list(demand.waits_for(at)),
        "overdue": demand.overdue(at),
    }


def demand_page(demand: Demand, at: datetime) -> Page:
    """A demand to be read."""
    page = Page().heading(f"Demand {demand.id}")
    named = ", ".join(demand.scope.collections) + (
        f"; without {', '.join(demand.scope.without)}" if demand.scope.without else ""
    )
    if demand.scope.days:
        named += f"; {_days(demand.scope.days)}{', and rows without a day' if demand.scope.undated else ''}"
    page.pairs(
        (
            ("authority", f"{demand.authority} ({demand.country})"),
            ("has sent", f"{demand.kind}, received {minute(demand.received_at, demand.zone)}"),
            ("wants", ", ".join(demand.demanded) + (f"; {_days(demand.dates)}" if demand.dates else "")),
            ("until", Cell(str(demand.due_on), "warn" if demand.overdue(at) else "")),
            ("circumstances", ", ".join(sorted(demand.circumstances)) or None),
            ("person may be told", _may_be_told(demand)),
            ("decided", f"{demand.word}, {demand.ground}, by {demand.decided_by}" if demand.word else None),
            ("approved", f"by {demand.approved_by}" if demand.approved_by else None),
            ("found unsound", Cell(f"by {demand.objected_by}", "bad") if demand.objected_by else None),
            ("hands over", named or None),
            ("sealed", f"{demand.digest}, {demand.size:,} bytes" if demand.sealed_at else None),
            ("rows", ", ".join(f"{place} {n}" for place, n in demand.rows.items()) or None),
            (
                "handed over",
                f"{minute(demand.handed_at, demand.zone)} by {demand.handed_by}" if demand.handed_at else None,
            ),
            ("told", f"{minute(demand.told_at, demand.zone)} by {demand.told_by}" if demand.told_at else None),
            ("letters", ", ".join(f"{whom}: {state}" for whom, state in sorted(demand.letters.items())) or None),
            ("exporter", demand.exporter or None),
            ("trouble", Cell(f"{demand.trouble} {demand.trouble_at}", "bad") if demand.trouble else None),
        )
    )
    page.grid(
        ("question", "answer", "asks", "provision"),
        (
            (Cell(name, "strong"), _answered(demand.answers.get(name)), check.asks, check.source)
            for name, check in demand.asked.items()
        ),
    )
    if demand.word is None:
        page.grid(
            ("ground", "to", "says", "provision"),
            (
                (Cell(name, "strong"), ", ".join(ground.effects), ground.says, ground.source)
                for name, ground in demand.grounds.items()
            ),
        )
    for one in demand.waits_for(at):
        page.line(Cell(f"{one}: {SAYS[one]}", "warn"))
    if demand.closed_at:
        page.line(Cell("nothing is left to do", "good"))
    return page


def demands_document(found: Sequence[Demand], at: datetime) -> dict[str, Any]:
    """Many as JSON."""
    return {"demands": [demand_document(one, at) for one in found]}


def demands_page(found: Sequence[Demand], at: datetime) -> Page:
    """Many to be read."""
    if not found:
        return Page().line("no demand of an authority")
    return Page().grid(
        ("demand", "authority", "kind", "until", "waits for"),
        (
            (
                Cell(one.id, "strong"),
                f"{one.authority} ({one.country})",
                str(one.kind),
                Cell(str(one.due_on), "warn" if one.overdue(at) else ""),
                ", ".join(one.waits_for(at)) or "nothing",
            )
            for one in found
        ),
    )


def counts_document(counts: Sequence[Count], year: int) -> dict[str, Any]:
    """A year's numbers as JSON."""
    return {"year": year, "demands": [one.model_dump(mode="json") for one in counts]}


def counts_page(counts: Sequence[Count], year: int) -> Page:
    """A year's numbers to be read."""
    if not counts:
        return Page().line(f"no demand of an authority came in in {year}")
    return Page().grid(
        ("country", "kind", "received", "authorities", "gagged", "emergencies", "unsound", "what became of them"),
        (
            (
                one.country,
                str(one.kind),
                str(one.received),
                str(one.authorities),
                str(one.gagged),
                str(one.emergencies),
                str(one.unsound),
                ", ".join(f"{name} {n}" for name, n in one.fates.items()),
            )
            for one in counts
        ),
        numbers=("received", "authorities", "gagged", "emergencies", "unsound"),
    )


def _days(days: Days) -> str:
    return " ".join(f"{word} {day}" for word, day in (("from", days.since), ("until", days.until)) if day)


def _answered(answer: bool | None) -> Cell:
    if answer is None:
        return Cell("open", "warn")
    return Cell("yes", "good") if answer else Cell("no", "bad")


def _may_be_told(demand: Demand) -> str:
    match demand.gag:
        case Gag.NONE:
            return "yes"
        case Gag.UNTIL:
            return f"after {demand.gag_until}"
    return "not before somebody lifts it"
