"""The dates of a request as they are shown, and the calendars they are counted on."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rights.reckoning import Dates
from rights.regimes import Regime
from rights.terms import Term
from starter.exits import Exit, Failure
from starter.show import Cell, Page

YEARS: Final = 4
"""Years of a calendar that are read, from that of receipt on: no term is longer."""
_NAMES: Final = {
    "receipt_day": "day of receipt",
    "legal_due": "legal due date",
    "internal_due": "internal due date",
    "legal_due_unrolled": "before weekends and holidays",
    "acknowledge_by": "acknowledge by",
    "extension_notice_by": "notice of an extension by",
    "extended_legal_due": "extended legal due date",
    "extended_internal_due": "extended internal due date",
    "appeal_due": "appeal due",
    "appeal_max_due": "appeal at the latest",
}


def zone_of(name: str) -> str:
    """A time zone's name.

    Raises:
        Failure: there is no such zone.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise Failure(Exit.USAGE, "--tz: write a time zone by name, such as Europe/Berlin") from None
    return name


def public_holidays(calendar: str | None, first_year: int) -> set[date]:
    """The public holidays of a country, or of a part of one (`DE-BY`); none if no calendar is named.

    Raises:
        Failure: there is no such calendar.
    """
    if calendar is None:
        return set()
    import holidays  # loads slowly, and few commands need it

    country, _, part = calendar.partition("-")
    try:
        return set(holidays.country_holidays(country, subdiv=part or None, years=range(first_year, first_year + YEARS)))
    except NotImplementedError:
        raise Failure(Exit.USAGE, "--calendar: write a country, or a part of one, such as DE, DE-BY or US-CA") from None


def dates_document(law: Regime, dates: Dates, *, extended: bool, explained: bool) -> dict[str, Any]:
    """All dates as JSON; null where the law has none, or while the clock stands still."""
    document: dict[str, Any] = {"regime": law.regime, "version": law.version, "extended": extended}
    document |= {name: getattr(dates, name) for name in _NAMES}
    document["due"] = dates.extended_legal_due if extended and dates.extended_legal_due else dates.legal_due
    if explained:
        document["steps"] = [
            {"about": step.about, "result": step.result, "because": step.because} for step in dates.steps
        ]
    return document


def dates_page(law: Regime, dates: Dates, *, extended: bool, explained: bool) -> Page:
    """The same to be read."""
    page = Page().heading(f"{law.title}, as of {law.version}")
    if law.confidence != "high" or not law.enabled:
        off = "" if law.enabled else "; it is not enabled"
        page.line(Cell(f"our confidence in this reading is {law.confidence}{off}: have counsel look at it", "warn"))
    strong = "extended_legal_due" if extended and dates.extended_legal_due else "legal_due"
    page.pairs(
        (shown, Cell(f"{day}, a {day:%A}", "strong" if name == strong else ""))
        for name, shown in _NAMES.items()
        if (day := getattr(dates, name)) is not None
    )
    if dates.legal_due is None:
        page.line(Cell("the clock stands still until the answer has come: add when it was received", "warn"))
    if law.note:
        page.line(law.note)
    if explained:
        page.heading("How")
        page.grid(("what", "is", "because"), [(step.about, step.result, step.because) for step in dates.steps])
    return page


def laws_document(laws: Iterable[Regime]) -> dict[str, Any]:
    """The laws as JSON."""
    return {
        "regimes": [
            {
                "regime": law.regime,
                "title": law.title,
                "answer": str(law.answer),
                "extension": str(law.extension) if law.extension else None,
                "rights": list(law.rights),
                "confidence": law.confidence,
                "enabled": law.enabled,
                "source": law.source,
                "version": law.version,
            }
            for law in laws
        ]
    }


def laws_page(laws: Iterable[Regime]) -> Page:
    """The laws, one a line."""
    rows = [
        (
            law.regime,
            str(law.answer),
            f"+ {law.extension}" if isinstance(law.extension, Term) else law.extension or "",
            Cell(law.confidence if law.enabled else f"{law.confidence}, off", "" if law.enabled else "quiet"),
            law.title,
        )
        for law in laws
    ]
    return Page().grid(("regime", "answer", "extension", "confidence", "law"), rows)
