"""The reports as pages for a terminal.

The one rule: each begins with what it was read from, so that what is copied out of it can be made again.
"""

from collections.abc import Mapping
from typing import Final

from rights.board import Board, Pace
from rights.deadlines import Risk
from rights.population import Population
from rights.reports import Stamp
from rights.ropa import WANTED, Activity, Ropa
from rights.yearly import Annual
from starter.numbers import lines_page
from starter.reporting import Recorded, Report
from starter.show import Cell, Page, minute, plural

MOST: Final = 50
"""Requests past their day that a page lists; CSV and JSON have all."""


def page_of(report: Report, zone: str) -> Page:
    """Any of them."""
    page = stamped(report.stamp, zone)
    match report:
        case Board():
            return _board(page, report)
        case Recorded():
            page.blocks += lines_page(report.stamp.period.first, report.lines).blocks
            return page
        case Annual():
            return _annual(page, report)
        case Ropa():
            return _ropa(page, report)
        case Population():
            return _population(page, report)


def stamped(stamp: Stamp, zone: str) -> Page:
    """The head: what a report was made from."""
    page = Page().heading(f"{_TITLES[stamp.report]}, {stamp.period.name}")
    return page.pairs(
        (
            ("journal entry", f"{stamp.head}, written {minute(stamp.as_of, zone)}" if stamp.as_of else "none yet"),
            ("its hash", stamp.digest),
            ("data map", stamp.data_map),
            ("register", stamp.register_digest),
            ("controller, zone", stamp.settings_digest),
            ("made by", f"habeas {stamp.program}"),
            ("again with", f"habeas report {stamp.report} --period {stamp.period.name} --head {stamp.head}"),
        )
    )


_TITLES: Final = {
    "board": "Report to the board",
    "register": "Register of requests",
    "annual-ccpa": "California, 11 CCR 7102",
    "ropa": "Record of processing activities (a draft, GDPR Art. 30)",
    "population": "Statistics of requests",
}


def _board(page: Page, report: Board) -> Page:
    page.heading("Requests received, and how fast they were answered")
    columns = ("right", "received", "waiting", "answered", "on time", "late", "share", "median", "p90")
    page.grid(columns, map(_pace, report.paces), numbers=columns[1:])
    page.line("share: on time, of those answered or late; what is not due yet is left out", indent=2)
    page.line("median, p90: days until the answer, of those answered; late ones that wait still are not in", indent=2)
    late = len(report.overdue)
    page.heading(f"Past the legal due date: {late:,} of {report.waiting:,} that wait")
    if late:
        page.grid(
            ("request", "right", "law", "received", "due", "days over", "waits for", "in"),
            (
                (one.request_id, one.right, ", ".join(one.regimes), str(one.received), str(one.due),
                 Cell(str(one.days_over), "bad"), one.cause.replace("_", " "), one.system)
                for one in report.overdue[:MOST]
            ),
            numbers=("days over",),
        )  # fmt: skip
        if late > MOST:
            page.line(f"{late - MOST:,} more: --json and --csv have all", indent=2)
        _counts(page, "By cause", report.causes)
    if report.late_in:
        _counts(page, "Answered late: where the request was when its day passed", report.late_in)
    _counts(page, f"Extended: {plural(report.extended, 'request')}", report.extensions)
    _counts(page, f"Refused, in whole or in part: {plural(report.refused, 'request')}", report.refusals)
    _counts(page, "Holds in force, by age", report.holds)
    if report.secret_holds is not None:
        _counts(page, "Holds that must stay secret, by age (for counsel only)", report.secret_holds)
    page.heading("Recipients that have not confirmed")
    page.grid(
        ("recipient", "missing", "overdue", "oldest"),
        ((one.recipient, str(one.missing), _loud(one.overdue), str(one.oldest)) for one in report.proofs),
        numbers=("missing", "overdue"),
    ) if report.proofs else page.line("none", indent=2)
    _unmapped(page, report)
    page.heading("What waits, by age in days and by how near its day is")
    risks = [str(risk).replace("_", " ") for risk in Risk]
    page.grid(
        ("age", *risks),
        ((age.days, *(_loud(age.risks[risk]) if risk is Risk.OVERDUE else str(age.risks[risk]) for risk in Risk))
         for age in report.ages),
        numbers=risks,
    )  # fmt: skip
    return page


def _pace(pace: Pace) -> tuple[Cell | str, ...]:
    return (
        pace.right or Cell("all", "strong"),
        *(f"{number:,}" for number in (pace.received, pace.waiting, pace.answered, pace.on_time)),
        _loud(pace.late),
        "" if pace.share is None else f"{pace.share:.1%}",
        "" if pace.days_median is None else f"{pace.days_median:g}",
        "" if pace.days_p90 is None else str(pace.days_p90),
    )


def _unmapped(page: Page, report: Board) -> None:
    page.heading("What no system of the data map reaches")
    matched = report.matched
    if matched is None:
        page.line(Cell("no comparison of the map with its systems is on record: set map_check_every", "warn"), indent=2)
    else:
        age = f"{matched.at:%Y-%m-%d}, {plural(matched.systems, 'system')}"
        other = "" if matched.data_map == report.stamp.data_map else ", of another map than today's"
        page.line(f"compared on {age}{other}", indent=2)
        page.grid(
            ("system", "there, and not in the map", "findings"),
            (
                (system, code.replace("_", " "), str(count))
                for system, codes in matched.unmapped.items()
                for code, count in codes.items()
            ),
            numbers=("findings",),
        )
    if report.unreached:
        page.line(f"recipients that are only written to: {', '.join(report.unreached)}", indent=2)


def _counts(page: Page, title: str, counts: Mapping[str, int]) -> None:
    page.heading(title)
    if counts:
        page.grid(("what", "number"), ((name, f"{count:,}") for name, count in counts.items()), numbers=("number",))


def _loud(number: int) -> Cell | str:
    return Cell(f"{number:,}", "bad") if number else "0"


def _annual(page: Page, report: Annual) -> Page:
    columns = ("kind", "received", "complied", "in part", "denied", "nothing held", "other", "open", "mean", "median")
    page.grid(
        (*columns, "of"),
        (
            (
                one.kind.replace("_", " "),
                *(f"{n:,}" for n in (one.received, one.complied, one.in_part, one.denied, one.nothing_held, one.other,
                                     one.open)),
                *("" if n is None else f"{n:g}" for n in (one.days_mean, one.days_median)),
                one.days_are,
            )
            for one in report.kinds
        ),
        numbers=columns[1:],
    )  # fmt: skip
    denied = [(one.kind, ground, str(count)) for one in report.kinds for ground, count in one.grounds.items()]
    if denied:
        page.heading("Denied, in whole or in part")
        page.grid(("kind", "ground", "requests"), denied, numbers=("requests",))
    return page


def _ropa(page: Page, report: Ropa) -> Page:
    who = report.controller
    page.pairs(
        (
            ("controller", who.name or Cell("not named: letters.controller in the settings", "warn")),
            ("address", ", ".join(who.address) or None),
            ("data protection officer", who.dpo or None),
        )
    )
    for one in report.activities:
        page.heading(f"{one.system}.{one.collection}")
        page.pairs(
            (
                ("purpose", one.purpose or None),
                ("lawful basis", one.lawful_basis or None),
                ("people", ", ".join(one.people) or None),
                ("categories of data", ", ".join(one.categories) or None),
                ("recipients", _recipients(one) or None),
                ("transfers", one.transfers or None),
                ("kept", "; ".join(one.retention) or None),
                ("measures", "; ".join(one.measures) or None),
                ("answers for it", one.owner),
                ("region", one.region),
                ("not in the map", Cell(", ".join(one.missing), "warn") if one.missing else None),
            )
        )
    if any(report.missing.values()):
        page.heading("What the map leaves open")
        page.grid(
            ("what", "asked for by", "activities"),
            ((name, WANTED[name], str(count)) for name, count in report.missing.items() if count),
            numbers=("activities",),
        )
    if report.maps:
        page.heading("Data maps that requests were bound to in the period")
        page.grid(
            ("map", "first", "times"),
            ((one.data_map, f"{one.first:%Y-%m-%d}", f"{one.bound:,}") for one in report.maps),
            numbers=("times",),
        )
    return page


def _recipients(one: Activity) -> str:
    named = [
        f"{given.name} ({given.country}, {given.role}{'' if given.mechanism == 'none' else f', {given.mechanism}'})"
        for given in one.recipients
    ]
    return "; ".join((*named, *one.named_recipients))


def _population(page: Page, report: Population) -> Page:
    small = f"under {report.small}"
    page.line(f"requests: {small if report.total is None else f'{report.total:,}'}")
    for table in report.tables:
        page.heading(f"By {table.by}")
        page.grid(
            (table.by, "requests"),
            ((name, Cell("-", "quiet") if count is None else f"{count:,}") for name, count in table.counts.items()),
            numbers=("requests",),
        )
    if report.withheld:
        page.line(
            f"- is a number {small}, or one that would give such a number away: it might point at somebody. "
            "Do not publish periods that overlap, nor the same one at two entries."
        )
    return page
