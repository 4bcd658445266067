"""Why a request stands as it does: every date, decision and count as rule -> fact -> arithmetic.

The one rule: nothing is stored to be shown here; each number is computed again from the ledger's facts by the rule that
is quoted, so that a wrong one would show.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ledger.standing import KeyState, Standing
from rights.clockwork import ClockEvent, replayed
from rights.deadlines import INTERIM_DAYS, Clock
from rights.journal import JournalEntry
from rights.plan import Keep, Operation
from rights.receipt import Books, Certainty, Kept, Outcome, Receipt, newest
from rights.reckoning import Step
from rights.regimes import regime
from rights.request import Conclusion, Right
from rights.value import Value
from starter.pages import PURPOSES
from starter.show import Cell, Page, day, minute, plural


class Line(Value):
    """One thing explained."""

    about: str
    rule: str
    fact: str
    result: str


def explain(standing: Standing, now: datetime) -> tuple[Line, ...]:
    """All that is to be explained of a request, in the order it happened."""
    return (
        *_dates(standing, now),
        *_decisions(standing),
        *_looks(standing),
        *_keeping(standing),
        *_accounts(standing),
        *_exports(standing),
        *_conclusion(standing),
        *_destruction(standing),
    )


def page(standing: Standing, lines: tuple[Line, ...]) -> Page:
    """The explanation as it is read."""
    row = standing.request
    shown = Page().heading(f"Why {row.right} request {row.id} stands as it does")
    for line in lines:
        shown.heading(line.about)
        shown.pairs((("rule", line.rule), ("fact", line.fact), ("so", Cell(line.result, "strong"))))
    return shown


# Dates.


def _dates(standing: Standing, now: datetime) -> Iterator[Line]:
    row, clock = standing.request, standing.request.clock
    for one in row.clocks:
        yield from _clock(standing, one, f" ({one.regime})" if len(row.clocks) > 1 else "")
    end = row.closed_at or now
    if end > clock.legal_due and not clock.still_since:
        late = (day_of(end, ZoneInfo(clock.zone)) - day_of(clock.legal_due, ZoneInfo(clock.zone))).days
        result = f"overdue by {plural(late, 'day')}"
    elif clock.still_since and row.phase.open:
        result = f"the clock stands still since {clock.still_since}"
    else:
        result = f"{clock.risk(end)}: {_span(clock.legal_due - end)} before the legal due date"
    yield Line(
        about="Closed in time" if row.closed_at and end <= clock.legal_due else "Time left",
        rule="a request is overdue once the legal due date is past; of several laws the earliest date counts",
        fact=f"{'closed' if row.closed_at else 'now'} {minute(end, clock.zone)}",
        result=result,
    )


def _clock(standing: Standing, clock: Clock, which: str) -> Iterator[Line]:
    """The dates under one law, reckoned again from what is written down."""
    law, tz = regime(clock.regime), ZoneInfo(clock.zone)
    received = clock.received_at.astimezone(tz)
    happened = [ClockEvent.model_validate(e.body["event"]) for e in standing.events if e.kind == "clock"]
    again, dates = replayed(clock, law, happened, standing.request.right)
    steps = {step.about: step for step in dates.steps}
    still = clock.still_since is not None
    yield Line(
        about=f"Legal due date{which}",
        rule=f"{law.title}, {law.source}: {law.answers(standing.request.right)} from receipt. The day of receipt is "
        "the local one and is not counted; a month ends on the same day, else on its last day"
        + ("; on a Saturday, Sunday or holiday the term ends with the next working day" if law.rolls else ""),
        fact=f"received {minute(clock.received_at, clock.zone)} ({clock.zone}), a {received:%A}"
        + "".join(f"; {_happened(event)}" for event in happened)
        + _changed_law(law.digest, clock.ruleset),
        result=f"the clock stands still since {clock.still_since}; it was due {day_of(clock.legal_due, tz)}"
        if still
        else f"{_counted(steps, 'legal due', extended=clock.extended)}: due {day_of(clock.legal_due, tz)} at the end "
        "of the day",
    )
    internal = steps.get("extended internal due" if clock.extended else "internal due")
    shorter = f", and no longer than {clock.within // timedelta(hours=1)} hours from receipt" if clock.within else ""
    yield Line(
        about=f"Internal due date{which}",
        rule="the engine works towards the last working day on or before the earliest reading of the term" + shorter,
        fact=internal.because if internal else "the term is not counted while the clock stands still",
        result=f"due {minute(clock.internal_due, clock.zone)}"
        if clock.within
        else f"due {day(clock.internal_due, clock.zone)}, a {day_of(clock.internal_due, tz):%A}, at the end of the day",
    )
    if (again.internal_due, again.legal_due) != (clock.internal_due, clock.legal_due):
        yield Line(
            about=f"These dates differ from today's rules{which}",
            rule="a request keeps the rules it was opened under",
            fact="the same computed by the rules of today gives "
            f"{day(again.internal_due, clock.zone)} and {day(again.legal_due, clock.zone)}",
            result="the stored dates count; find out what has changed since",
        )


def _counted(steps: Mapping[str, Step], about: str, *, extended: bool) -> str:
    plain, due = steps["plain end"], steps.get(f"extended {about}", steps[about]) if extended else steps[about]
    return f"{plain.because} is {_named(plain.result)}; {'extended, ' if extended else ''}{due.because}"


def _happened(event: ClockEvent) -> str:
    ground = f" ({event.ground})" if event.ground else ""
    return f"{str(event.turn).replace('_', ' ')} {event.day}{ground}"


def _changed_law(now_digest: str, pinned: str) -> str:
    return "" if now_digest == pinned else "; opened under an earlier version of the rules"


def _named(result: str) -> str:
    which = date.fromisoformat(result)
    return f"{which}, a {which:%A}"


def day_of(moment: datetime, tz: ZoneInfo) -> date:
    """The local day of a moment."""
    return moment.astimezone(tz).date()


def _span(left: timedelta) -> str:
    return plural(left.days, "day") if left.days else plural(left.seconds // 3600, "hour")


# Decisions.

_DECISIONS: Final = {
    "confirm_identity": (
        "Identity confirmed",
        "nothing is looked at before somebody attests that the asker is the person",
    ),
    "approve": ("Erasure approved", "a system in mode approve is erased only after a person approved its preview"),
    "withdraw": ("Withdrawn", "the person may take a request back; nothing is destroyed after that"),
    "rule": ("A task was ruled on", "what the engine cannot decide lies on a person's desk until somebody rules"),
    "redriven": ("Started again", "a request that is open in the ledger and has no living run is started again"),
    "deadline": ("A date came near", "the risk moves 14, 7, 3 and 1 days before the legal due date, and past it"),
    "interim": (
        "An interim answer is due",
        f"{INTERIM_DAYS} working days before the internal due date a request that is not answered yet owes the person "
        "word of how it stands",
    ),
    "interim_sent": (
        "Interim answer sent",
        "only a person's word says that it was sent; the whole answer is still owed",
    ),
    "interim_left": ("No interim answer is sent", "a person has ruled so; the whole answer is still owed"),
    "learned": ("Further identities found", "unique identities that a look finds are searched for in other systems"),
}


def _decisions(standing: Standing) -> Iterator[Line]:
    zone = standing.request.clock.zone
    for event in standing.events:
        if event.kind == "opened" and event.body.get("confirmed"):
            about, rule = _DECISIONS["confirm_identity"]
            yield Line(about=about, rule=rule, fact="attested by the door it came in by", result=_at(event, zone))
        elif event.kind in _DECISIONS:
            about, rule = _DECISIONS[event.kind]
            yield Line(about=about, rule=rule, fact=_fact(event), result=_at(event, zone))
    for task in standing.tasks:
        yield Line(
            about=f"A person was asked: {task.about}",
            rule=f"'{task.code}' is not for the engine to decide",
            fact=f"asked {minute(task.opened_at, zone)}, step {task.step_key}",
            result=f"ruled {task.ruling or 'nothing'}, settled {minute(task.settled_at, zone)}"
            if task.settled_at
            else (f"ruled {task.ruling}, not carried out yet" if task.ruling else "open"),
        )


def _fact(event: JournalEntry) -> str:
    shown = ", ".join(f"{name} {value}" for name, value in event.body.items() if name not in {"note", "note_digest"})
    return "; ".join(filter(None, (shown, f"step {event.key}" if event.key else ""))) or "recorded in the journal"


def _at(event: JournalEntry, zone: str) -> str:
    return f"entry {event.seq} of the journal, {minute(event.at, zone)}"


# Counts.


def _looks(standing: Standing) -> Iterator[Line]:
    zone = standing.request.clock.zone
    for operation, about in ((Operation.LOCATE, "Located"), (Operation.VERIFY, "Looked at again")):
        for system, receipt in newest(standing.receipts, operation).items():
            looks = sum(r.step.system == system and r.step.operation is operation for r in standing.receipts)
            counts = [c for c in receipt.tally.counts if c.found]
            yield Line(
                about=f"{about} in {system}",
                rule="a look is always carried out, and the last one counts",
                fact=f"{plural(looks, 'look')}, the last {minute(receipt.at, zone)}: "
                + (", ".join(f"{c.collection} {c.found:,}" for c in counts) or "no row"),
                result=_look_result(receipt),
            )


def _look_result(receipt: Receipt) -> str:
    tally = receipt.tally
    if receipt.outcome is Outcome.NOTHING_HELD:
        return "nothing held"
    total = " + ".join(f"{c.found:,}" for c in tally.counts if c.found) or "0"
    found = f"{total} = {plural(tally.found, 'row')}"
    if receipt.step.operation is Operation.VERIFY:
        unclean = sum(count.unclean for count in tally.counts)
        tail = f" + {unclean:,} not clean" if unclean else ""
        return f"{tally.found:,} found - {tally.kept_rows:,} kept{tail} = {tally.left:,} left"
    asked = f", and {plural(tally.mentions, 'row')} in which a text mentions the person" if tally.mentions else ""
    unsearched = "" if tally.searched else ", and texts that could not be searched in time"
    return f"{found}{asked}{unsearched}{f', waits: {receipt.code}' if receipt.code else ''}"


def _keeping(standing: Standing) -> Iterator[Line]:
    """Which duty keeps which rows, from when to when."""
    if standing.plan is None or standing.request.right is not Right.ERASURE:
        return
    planned = standing.plan.as_of.date()
    seen = {**newest(standing.receipts, Operation.LOCATE), **newest(standing.receipts, Operation.VERIFY)}
    for part in standing.plan.systems:
        receipt = seen.get(part.system)
        for work in part.works:
            kept = receipt.tally.of(work.collection).kept if receipt else ()
            about = f"Kept in {part.system}.{work.collection}"
            for rule in work.keeps:
                if rows := [one for one in kept if one.ground == rule.ground]:
                    yield _duty(about, rule, rows, planned)
            if others := [one for one in kept if one.ground not in {rule.ground for rule in work.keeps}]:
                yield Line(
                    about=about,
                    rule=f"the map: {'; '.join(one.ground for one in others)}",
                    fact=f"{_rows(others)} that the map retains, or that others which are kept point to",
                    result="kept; the map sets no date",
                )


def _duty(about: str, rule: Keep, rows: list[Kept], planned: date) -> Line:
    first = rule.cutoff.date()
    last_days = ", ".join(f"{one.rows:,} until {one.until or 'a day that is not known'}" for one in rows)
    emptied = ", ".join(write.field for write in rule.writes)
    start = f"{rule.column}, from the end of that year" if rule.end_of_year else rule.column
    return Line(
        about=about,
        rule=f"the map: {rule.ground}, {_term(rule)} after {start}",
        fact=f"{_rows(rows)} with {rule.column} on or after {first}: a term that began on {first} ends on "
        f"{rule.until(first)}, which was not over when it was planned, on {planned}",
        result=f"{last_days}{f'; {emptied} emptied all the same' if emptied else ''}",
    )


def _rows(kept: list[Kept]) -> str:
    return plural(sum(one.rows for one in kept), "row")


def _term(rule: Keep) -> str:
    years, months = divmod(rule.months, 12)
    parts = ((years, "year"), (months, "month"), (rule.days, "day"))
    return " and ".join(plural(n, unit) for n, unit in parts if n) or "no time"


def _accounts(standing: Standing) -> Iterator[Line]:
    rule = (
        "erased = before + arrived - after - pseudonymised; before is the last look before the first destructive call, "
        "arrived came in since, after is what the closing look found; only kept rows may be left; a pseudonym is no "
        "erasure while its key lives"
    )
    for system, books in standing.books.items():
        for book in books:
            if book.before or book.arrived or book.after:
                yield Line(
                    about=f"Books of {system}.{book.collection}",
                    rule=rule,
                    fact=f"before {book.before:,}, arrived {book.arrived:,}, after {book.after:,}, kept {book.kept:,}"
                    + (f", pseudonymised {book.pseudonymised:,}" if book.pseudonymised else "")
                    + ("; one attempt was cut, so its count is derived by looking" if book.derived else ""),
                    result=_book_result(book),
                )


def _book_result(book: Books) -> str:
    keyed = f" - {book.pseudonymised:,}" if book.pseudonymised else ""
    sum_ = f"{book.before:,} + {book.arrived:,} - {book.after:,}{keyed} = {book.erased:,} erased"
    if book.closed:
        return f"{sum_}; {book.after:,} left, all of them kept"
    return f"{sum_}; {book.after - book.kept:,} left that should be gone"


def _exports(standing: Standing) -> Iterator[Line]:
    for system, receipt in newest(standing.receipts, Operation.EXPORT).items():
        counts = [c for c in receipt.tally.counts if c.found]
        yield Line(
            about=f"Exported from {system}",
            rule="every row that was located is given, but for fields with export: false and rows of others",
            fact=", ".join(f"{c.collection} {c.found:,}" for c in counts) or "no row",
            result=f"{' + '.join(f'{c.found:,}' for c in counts) or '0'} = {plural(receipt.tally.found, 'row')}",
        )


# The end.

_CONCLUSION_RULES: Final = {
    Conclusion.ANSWERED: "answered only if every step is done, every look after an erasure found nothing left, and "
    "nothing was kept, held or given up",
    Conclusion.IN_PART: "in part if anything was kept, held, given up or not verified",
    Conclusion.NOTHING_HELD: "nothing held only if every system was looked at and none knew the person",
    Conclusion.WITHDRAWN: "withdrawn if the person took it back",
    Conclusion.PASSED_ON: "passed on if it belongs to a controller that the register says answers it, which has it now",
    Conclusion.UNPROVEN: "not proven if nobody has shown in time to be the person",
    Conclusion.CATEGORIES: "by categories if what was proven is enough for these, and not for a copy (11 CCR 7024(a))",
    Conclusion.NOT_DONE: "not done if a copy was owed and none was made",
    Conclusion.REFUSED: "refused if what was asked for was outweighed or declined, on a coded ground",
    Conclusion.JOINED: "joined if an earlier request of the same person asks the same and was answered",
}


def _conclusion(standing: Standing) -> Iterator[Line]:
    row = standing.request
    if row.conclusion is None:
        return
    ends = {
        **newest(standing.receipts, Operation.LOCATE),
        **newest(standing.receipts, Operation.EXPORT),
        **newest(standing.receipts, Operation.ERASE),
        **newest(standing.receipts, Operation.VERIFY),
    }
    yield Line(
        about="Conclusion",
        rule=_CONCLUSION_RULES[row.conclusion],
        fact="; ".join(f"{system}: {_end(receipt)}" for system, receipt in sorted(ends.items()))
        or "no step was carried out",
        result=str(row.conclusion),
    )


def _end(receipt: Receipt) -> str:
    sure = f", {receipt.certainty}" if receipt.certainty else ""
    note = " (the system offers no look)" if receipt.certainty is Certainty.ATTESTED else ""
    return f"{receipt.step.operation} {receipt.outcome}{sure}{note}"


def _destruction(standing: Standing) -> Iterator[Line]:
    row = standing.request
    for key in standing.keys:
        yield Line(
            about=f"Destruction of the {PURPOSES.get(key.purpose, key.purpose)}",
            rule="its own key is destroyed on its day; no backup of the ledger can open it once the month's key is "
            "gone too, or the last backup that holds it",
            fact=_key_fact(key, row.closed_at, row.clock.zone),
            result=_key_result(key, row.clock.zone),
        )


def _key_fact(key: KeyState, closed_at: datetime | None, zone: str) -> str:
    if key.keep_until is None or closed_at is None:
        return "the request is open"
    days = (key.keep_until - closed_at).days
    return f"closed {minute(closed_at, zone)} + {plural(days, 'day')} (settings) = {minute(key.keep_until, zone)}"


def _key_result(key: KeyState, zone: str) -> str:
    if key.shredded_at is None:
        return f"kept until {day(key.keep_until, zone)}" if key.keep_until else "kept while the request is open"
    gone = f"; out of backups by {day(key.out_of_backups_at, zone)}" if key.out_of_backups_at else ""
    return f"unreadable since {minute(key.shredded_at, zone)}{gone}"
