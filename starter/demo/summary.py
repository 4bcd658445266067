"""What the demo says at its end: the two requests, how sure each system is of the erasure, and what was checked.

The one rule: what is a stand-in is called one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from ledger.standing import Standing
from rights.plan import Operation
from rights.receipt import Certainty, Outcome, Receipt, newest
from starter.demo.check import Finding
from starter.demo.follow import SLOW, is_accepted
from starter.local import Local
from starter.pages import concluded
from starter.show import Cell, Page, Text, Tone, day, minute
from starter.stack import Vendors
from starter.systems import add_systems

WORDS: Final = {
    Certainty.ACCEPTED: "the system has taken the work on",
    Certainty.COMPLETED: "it says that the work is done",
    Certainty.VERIFIED: "we looked again, by a path that the erasure did not cut, and found only what is kept",
    Certainty.ATTESTED: "a person says so, or a term is over: where nobody can look; no system here",
}


BY_KEY: Final = {
    SLOW: "the customer's number",
    "files": "the customer's number, and the keys of photos in a column",
}


def summary(standing: Standing, parcel: Path | None = None, page_of_parcel: Path | None = None) -> Page:
    """One request: its dates, and what became of the data in each system."""
    row, zone = standing.request, standing.request.clock.zone
    took = f"{(row.closed_at - row.clock.received_at).total_seconds():.1f} s after receipt" if row.closed_at else ""
    page = Page().heading(f"The {row.right} request")
    page.pairs(
        (
            ("conclusion", concluded(row)),
            ("received", minute(row.clock.received_at, zone)),
            ("due", f"{day(row.clock.internal_due, zone)}, by law {day(row.clock.legal_due, zone)}"),
            ("closed", f"{minute(row.closed_at, zone)}, {took}"),
            ("parcel", str(parcel) if parcel else None),
            ("look at it", page_of_parcel.as_uri() if page_of_parcel else None),
            ("opened with", f"habeas parcel open {row.id} --out {parcel.name}" if parcel else None),
        )
    )
    add_systems(page, standing)
    return page


def certainty(standing: Standing, vendors: Vendors) -> Page:
    """How sure each system's erasure is, and since when."""
    since = standing.request.clock.received_at
    erased = newest(standing.receipts, Operation.ERASE)
    seen = newest(standing.receipts, Operation.VERIFY)
    page = Page().heading("How sure the erasure is, system by system, and how long after receipt")
    page.grid(
        ("system", "accepted", "completed", "verified"),
        (
            (
                name,
                _after(since, next((r for r in standing.receipts if _of(r, name) and is_accepted(r)), None)),
                _after(since, receipt if receipt.outcome.settled else None),
                _after(since, seen.get(name), "good"),
            )
            for name, receipt in sorted(erased.items())
        ),
    )
    page.line("")
    page.pairs((str(word), meaning) for word, meaning in WORDS.items())
    page.line("")
    for job in vendors.dump("amplitude")["jobs"]:
        asked = ", ".join(sorted({one["requested_on_day"] for one in job["amplitude_ids"]}))
        said = f"Amplitude's deletion job was asked for on {asked} and was due on {job['day']}."
        page.line(f"{said} Its stand-in's clock now says {vendors.now:%Y-%m-%d}.", indent=2)
    return page


def _of(receipt: Receipt, system: str) -> bool:
    return receipt.step.system == system and receipt.step.operation is Operation.ERASE


def _after(since: datetime, receipt: Receipt | None, tone: Tone = "") -> Text:
    return Cell(f"{(receipt.at - since).total_seconds():.1f} s", tone) if receipt else Cell("–", "quiet")


def found_by_key(standings: Iterable[Standing]) -> Page:
    """What a key found in the database led to."""
    page = Page().heading("Found by a key that the database gave")
    page.line(
        "The people gave an e-mail address. What follows knows nobody by one, and was looked into again.", indent=2
    )
    page.grid(
        ("request", "system", "by the address", "by the key", "the key"),
        (
            (str(standing.request.right), system, "0", f"{looks[-1].tally.found:,}", key)
            for standing in standings
            for system, key in BY_KEY.items()
            if len(looks := _looks(standing, system)) > 1 and looks[0].outcome is Outcome.NOTHING_HELD
        ),
        numbers=("by the address", "by the key"),
    )
    return page


def _looks(standing: Standing, system: str) -> list[Receipt]:
    return [r for r in standing.receipts if r.step.system == system and r.step.operation is Operation.LOCATE]


def checked(findings: Sequence[Finding]) -> Page:
    """Each thing that was checked, with its tick or cross."""
    page = Page().heading("Checked by full dumps before and after, over connections of the demo's own")
    for finding in findings:
        page.mark(finding.ok, finding.said, indent=2)
    return page


def farewell(ok: bool, seconds: float, phases: str) -> Page:
    """The last words."""
    page = Page()
    if not ok:
        return page.heading(Cell("Something is not as it should be: see the lines marked ✗.", "bad"))
    page.heading(Cell(f"All is as it should be, in {seconds:.1f} s.", "good"))
    page.line(Cell(f"{phases[0].upper()}{phases[1:]}.", "quiet"))
    page.line(
        "Real: PostgreSQL, the object store, the mail server, Temporal and the worker. Stand-ins on this machine: "
        "Amplitude and Mailchimp, made from their documents; their clock was moved by 31 days."
    )
    page.line("Next: habeas demo --keep leaves it running, to look at the Temporal UI; habeas dev keeps its state.")
    return page


def still_running(local: Local) -> Page:
    """Where to look while it is kept."""
    page = Page().heading("Still running, until Ctrl-C")
    return page.pairs((("Temporal UI", local.temporal.ui_url), ("use it", f"habeas -C {local.home} request list")))
