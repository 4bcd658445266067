"""Requests as documents and pages: what `request list` and `request show` print.

The one rule: everything is made from the ledger's impersonal standing; only the candidates of a task come out of the
vault, and they lie there masked.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ledger.requestrow import RequestRow
from ledger.standing import KeyState, Standing
from rights.audience import Lingering, linger
from rights.datamap import DataMap
from rights.deadlines import Risk
from rights.plan import Operation
from rights.receipt import Books, Count, newest
from rights.request import Conclusion, Phase
from starter.show import Cell, Page, Text, Tone, day, minute, plural
from starter.systems import add_systems, systems_of
from starter.tasks import add_task, open_tasks, task_document

Document = dict[str, Any]

RISK_TONE: Final[dict[Risk, Tone]] = {
    Risk.ON_TRACK: "",
    Risk.DUE_14D: "",
    Risk.DUE_7D: "warn",
    Risk.DUE_3D: "warn",
    Risk.DUE_1D: "bad",
    Risk.OVERDUE: "bad",
}
CONCLUSIONS: Final = {
    Conclusion.ANSWERED: "answered: everything asked for was done",
    Conclusion.IN_PART: "answered in part: something was kept, held or given up",
    Conclusion.NOTHING_HELD: "nothing held: every system was looked at and none knew the person",
    Conclusion.WITHDRAWN: "withdrawn by the person",
    Conclusion.PASSED_ON: "passed on to the controller that answers it",
    Conclusion.UNPROVEN: "not proven: nobody has shown in time to be the person, so nothing was done",
    Conclusion.CATEGORIES: "answered by categories: not proven surely enough for a copy",
    Conclusion.REFUSED: "refused, on a ground that the person was told",
    Conclusion.NOT_DONE: "not done: no copy could be made, and none was refused",
    Conclusion.JOINED: "answered together with an earlier request of the same person",
}
PURPOSES: Final = {
    "working": "identities and anchors",
    "file": "request file",
    "history": "history in Temporal",
    "parcel": "parcel",
    "pseudonym": "key of pseudonyms",
    "disputed": "old and new values of what was rectified",
    "deferred": "what it takes to come back to what stays",
}
_WAITS_FOR_A_PERSON: Final = frozenset({Phase.CONFIRMING, Phase.DECIDING, Phase.APPROVING})


def concluded(row: RequestRow) -> str | None:
    """How a request ended, in words; None while it is open."""
    return CONCLUSIONS[row.conclusion] if row.conclusion else None


def waits_for(standing: Standing) -> str:
    """What a request waits for from a person: a code, or nothing."""
    row = standing.request
    if row.phase is Phase.CONFIRMING and not row.confirmed:
        return "identity"
    if row.phase is Phase.APPROVING and not row.approved:
        return "approval"
    waiting = open_tasks(standing.tasks)
    return str(waiting[0].code) if waiting else ""


# Lists.


def request_document(row: RequestRow, now: datetime) -> Document:
    """One request as JSON; dates are ISO 8601 in UTC."""
    return {
        "id": row.id,
        "right": row.right,
        "regime": row.regime,
        "regimes": row.regimes,
        "phase": row.phase,
        "received_at": row.clock.received_at,
        "internal_due": row.clock.internal_due,
        "legal_due": row.clock.legal_due,
        "risk": row.clock.risk(now) if row.phase.open else None,
        "confirmed_at": row.confirmed_at,
        "approved_at": row.approved_at,
        "withdrawn_at": row.withdrawn_at,
        "closed_at": row.closed_at,
        "conclusion": row.conclusion,
    }


def list_page(rows: Sequence[RequestRow], now: datetime, zone: str) -> Page:
    """The table of requests, the newest first."""
    page = Page()
    if not rows:
        return page.line("no request")
    return page.grid(
        ("id", "right", "phase", "received", "due", "by law", "conclusion"),
        (
            (
                Cell(row.id, "strong"),
                str(row.right),
                phase_cell(row),
                day(row.clock.received_at, zone),
                due_cell(row, now, zone),
                day(row.clock.legal_due, zone),
                Cell(str(row.conclusion or ""), "good" if row.conclusion is Conclusion.ANSWERED else ""),
            )
            for row in rows
        ),
    )


def phase_cell(row: RequestRow) -> Cell:
    """A phase, marked when it waits for somebody."""
    if row.phase in _WAITS_FOR_A_PERSON:
        return Cell(str(row.phase), "warn")
    return Cell(str(row.phase), "quiet" if row.phase is Phase.CLOSED else "")


def due_cell(row: RequestRow, now: datetime, zone: str) -> Cell:
    """The internal due date, louder as the legal one comes near."""
    text = day(row.clock.internal_due, zone)
    if not row.phase.open:
        return Cell(text, "quiet")
    return Cell(text, RISK_TONE[row.clock.risk(now)])


# One request.


def show_document(
    standing: Standing,
    candidates: Mapping[str, Sequence[Mapping[str, Any]]],
    now: datetime,
    data_map: DataMap | None = None,
) -> Document:
    """All there is to tell of a request, as JSON. `data_map` is the one that it is pinned to, if it is to any."""
    left = lingering(standing, data_map)
    return {
        "request": request_document(standing.request, now),
        "waits_for": waits_for(standing) or None,
        "held": bool(standing.held),
        "in_flight": standing.in_flight,
        "systems": [
            {
                **_system_document(standing, name),
                "out_of_backups_on": left[name].until if name in left else None,
                "backups": left[name].model_dump() if name in left else None,
            }
            for name in systems_of(standing)
        ],
        "tasks": [task_document(t, candidates.get(t.id, ())) for t in standing.tasks if t.settled_at is None],
        "kept_until": [_key_document(key) for key in standing.keys],
    }


def lingering(standing: Standing, data_map: DataMap | None) -> dict[str, Lingering]:
    """By system in which something was erased, how long its backups can still hold it."""
    said = {name: system.backups for name, system in data_map.systems.items()} if data_map else {}
    return linger(standing.receipts, standing.books, said, standing.request.clock.zone)


def _system_document(standing: Standing, name: str) -> Document:
    document: Document = {"system": name}
    for operation in (Operation.LOCATE, Operation.EXPORT, Operation.ERASE, Operation.VERIFY):
        receipt = newest(standing.receipts, operation).get(name)
        if receipt:
            document[operation.value] = {
                "outcome": receipt.outcome,
                "certainty": receipt.certainty,
                "code": receipt.code or None,
                "at": receipt.at,
                "round": receipt.step.round,
                "collections": [count_document(count) for count in receipt.tally.counts],
            }
    document["books"] = [book_document(book) for book in standing.books.get(name, ())]
    return document


def count_document(count: Count) -> Document:
    """The counts of one collection, as JSON."""
    return {
        "collection": count.collection,
        "found": count.found,
        "erased": count.erased,
        "anonymised": count.anonymised,
        "pseudonymised": count.pseudonymised,
        "kept": [kept.model_dump(mode="json") for kept in count.kept],
    }


def book_document(book: Books) -> Document:
    """The closed account of one collection, as JSON."""
    return {**book.model_dump(mode="json"), "erased": book.erased, "closed": book.closed}


def _key_document(key: KeyState) -> Document:
    return {**key.model_dump(mode="json"), "what": PURPOSES.get(key.purpose, key.purpose)}


def ending(standing: Standing) -> str:
    """What ended the work on a request before its time: the person has taken it back, or it is another controller's."""
    return "passed on" if any(event.kind == "passed_on" for event in standing.events) else "withdrawn"


def show_page(
    standing: Standing,
    candidates: Mapping[str, Sequence[Mapping[str, Any]]],
    now: datetime,
    zone: str,
    data_map: DataMap | None = None,
) -> Page:
    """A request on one screen. `data_map` is the one that it is pinned to, if it is to any."""
    row = standing.request
    page = Page().heading(f"{row.right} request {row.id}")
    waiting = waits_for(standing)
    page.pairs(
        (
            ("stands", _stands(row, waiting)),
            ("received", minute(row.clock.received_at, zone)),
            ("due", _due(row, now, zone)),
            ("identity", f"confirmed {minute(row.confirmed_at, zone)}" if row.confirmed_at else None),
            ("approved", minute(row.approved_at, zone) if row.approved_at else None),
            (
                ending(standing),
                minute(row.withdrawn_at, zone) if row.withdrawn_at else None,
            ),
            ("closed", minute(row.closed_at, zone) if row.closed_at else None),
            ("conclusion", concluded(row)),
            ("hold", _hold(standing)),
        )
    )
    add_systems(page, standing)
    tasks = open_tasks(standing.tasks)
    if tasks:
        page.heading("Waits for a person")
        for task in tasks:
            add_task(page, task, candidates.get(task.id, ()))
    elif row.phase is Phase.CONFIRMING and not row.confirmed:
        page.heading("Waits for a person")
        page.line(ADVICE_IDENTITY, indent=2)
        page.line(Cell(f"habeas request confirm-identity {row.id} --by STAFF", "quiet"), indent=4)
    elif row.phase is Phase.APPROVING and not row.approved:
        page.heading("Waits for a person")
        page.line("The erasure waits for approval. Read the preview, then approve it.", indent=2)
        page.line(Cell(f"habeas request preview {row.id}", "quiet"), indent=4)
        page.line(Cell(f"habeas request approve {row.id} --by STAFF", "quiet"), indent=4)
    if left := lingering(standing, data_map):
        page.heading("Erased, and out of backups by")
        page.pairs((name, _until_then(one)) for name, one in sorted(left.items()))
    if standing.keys:
        page.heading("Kept until")
        page.pairs((PURPOSES.get(key.purpose, key.purpose), _fate(key, zone)) for key in standing.keys)
    return page


def _until_then(left: Lingering) -> str:
    last = str(left.until) if left.until else "a day that nobody knows"
    return last + (f"; until then: {left.beyond_use}" if left.beyond_use else "")


ADVICE_IDENTITY: Final = "The asker's identity is not confirmed yet. Check it by the means you have, then confirm it."


def _stands(row: RequestRow, waiting: str) -> Cell:
    if waiting:
        return Cell(f"{row.phase}, waits for a person: {waiting}", "warn")
    return Cell(str(row.phase), "good" if row.phase is Phase.CLOSED else "")


def _due(row: RequestRow, now: datetime, zone: str) -> Cell:
    text = f"{day(row.clock.internal_due, zone)}, by law {day(row.clock.legal_due, zone)}"
    if not row.phase.open:
        return Cell(text)
    risk = row.clock.risk(now)
    left = (row.clock.legal_due - now).days
    words = "overdue" if risk is Risk.OVERDUE else f"{plural(left, 'day')} left"
    return Cell(f"{text} ({words})", RISK_TONE[risk])


def _hold(standing: Standing) -> Cell | None:
    if not standing.held:
        return None
    if standing.in_flight:
        return Cell(f"taking effect: {plural(standing.in_flight, 'call')} in flight", "bad")
    return Cell("in force: nothing is destroyed", "warn")


def _fate(key: KeyState, zone: str) -> Text:
    if key.shredded_at:
        gone = f"; out of backups by {day(key.out_of_backups_at, zone)}" if key.out_of_backups_at else ""
        return Cell(f"unreadable since {minute(key.shredded_at, zone)}{gone}", "quiet")
    if key.keep_until is None:
        return "until nothing stays" if key.purpose == "deferred" else "while the request is open"
    return day(key.keep_until, zone)
