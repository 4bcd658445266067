"""What the evidence of a closed request says, from what the journal says of it and from nothing else.

The one rule: a pure function of the journal up to the entry that closed the request, so the same journal gives the same
words whenever it is asked. Codes, counts, dates and names of the data map; the four certainties are never merged, and
nothing is said of a system but what was seen or told there.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rights.audience import linger
from rights.backups import Backups
from rights.clockwork import ClockEvent, NotAllowedError, replayed
from rights.course import COURSES
from rights.deadlines import Clock
from rights.decision import Word, article, law
from rights.erasing import NONE_STATED, Why, provision_of
from rights.journal import CARRIED_ON, RECEIPTS, JournalEntry, clocks_in, closing, own_laws_in
from rights.plan import Operation
from rights.receipt import Books, Certainty, Outcome, Receipt, most_open, vouching
from rights.regimes import Regime
from rights.request import Conclusion, Right
from rights.rests import locked_away
from rights.value import Value

FORMAT: Final = "urn:habeas:evidence:1"
"""The type of the statement. What it means does not change; another meaning has another number."""

_AT_THE_OPENING: Final = {"none_needed": "none_needed", **dict.fromkeys(sorted(CARRIED_ON), "earlier_request")}
"""On whose word a request was opened as proven, by what its entry says of that; else the door's."""

Document = dict[str, Any]


class Sources(Value):
    """What entries name by digest, and is kept whole: the laws a request was opened under, by the digest of their text,
    and what its data map says of each system's backups."""

    laws: Mapping[str, Regime] = {}
    backups: Mapping[str, Backups | None] = {}


def describe(tenant: str, request_id: str, entries: Sequence[JournalEntry], sources: Sources) -> Document:
    """What is to be said of a closed request; JSON values only, times in UTC.

    `entries` are those of the request, in their order, the one that closed it the last that counts.

    Raises:
        NotClosedError: it is open.
    """
    end = closing(entries)
    known = [entry for entry in entries if entry.seq <= end.seq]
    opened = next(entry for entry in known if entry.kind == "opened")
    clocks, right = clocks_in(known), Right(opened.body["right"])
    receipts = [Receipt.model_validate(entry.body) for entry in known if entry.kind in RECEIPTS]
    books = {name: [Books.model_validate(book) for book in of] for name, of in end.body["books"].items()}
    systems = _systems(right, receipts, books, sources.backups, clocks[0].zone)
    return {
        "request": {
            "tenant": tenant,
            "id": request_id,
            "right": right.value,
            "regimes": [clock.regime for clock in clocks],
            "received_at": moment(clocks[0].received_at),
            "closed_at": moment(end.at),
            "conclusion": end.body["conclusion"],
        },
        "identity": _identity(opened, known),
        "decision": _decision(known),
        # Nothing is added to what was signed of requests that were opened before the journal had it.
        **({"basis": _basis(opened, known, clocks, _acted(end, receipts))} if "ground" in opened.body else {}),
        "said_by_people": list(_said(known)),
        "dates": [_dates(clock, right, known, end.at, sources.laws.get(clock.ruleset)) for clock in clocks],
        "data_map": _newest(known, "map_pinned", "digest"),
        "plan": _newest(known, "planned", "plan"),
        "rulesets": sorted({clock.ruleset for clock in clocks} | own_laws_in(known)),
        "certainty": {
            str(word): [one["system"] for one in systems if one["certainty"] == word.value] for word in Certainty
        },
        "systems": systems,
        "delivered": [
            {"digest": entry.body["digest"], "size": entry.body["size"], "rows": entry.body["rows"]}
            for entry in known
            if entry.kind == "parcel"
        ],
        "recipients": [
            {
                "recipient": e.body["recipient"],
                "operation": e.body["operation"],
                "how": e.body["how"],
                "at": moment(e.at),
            }
            for e in known
            if e.kind == "recipient_told"
        ],
    }


def moment(at: datetime) -> str:
    """A time as it is written: RFC 3339, UTC, microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _newest(entries: Sequence[JournalEntry], kind: str, name: str) -> str | None:
    found = [str(entry.body[name]) for entry in entries if entry.kind == kind]
    return found[-1] if found else None


def _identity(opened: JournalEntry, entries: Sequence[JournalEntry]) -> Document:
    """Who was proven, by level; never by what."""
    if opened.body.get("confirmed"):
        by = _AT_THE_OPENING.get(opened.body.get("assurance", ""), "door")
        return {"confirmed": by != "none_needed", "at": moment(opened.at), "by": by}
    for entry in reversed(entries):
        if entry.kind == "confirm_identity":
            said = {name: entry.body[name] for name in ("level", "needed") if name in entry.body}
            return {"confirmed": True, "at": moment(entry.at), "by": "proofs" if said else "agent", **said}
    return {"confirmed": False}


# Decisions.


def _decision(entries: Sequence[JournalEntry]) -> Document:
    """The decision in force; without one, what a proven person asks for is granted."""
    proposed = {entry.key: entry for entry in entries if entry.kind == "proposed"}
    in_force: JournalEntry | None = None
    word = ""
    for entry in entries:
        if entry.kind == "decided" or (entry.kind == "proposed" and _needs_nobody(entry)):
            in_force = proposed.get(entry.key)
            # A fee that was not paid has become a refusal.
            word = entry.body.get("word", "")
    if in_force is None:
        return {"word": Word.GRANT.value, "recorded": False, "grounds": []}
    said = in_force.body["decided"]
    return {
        "word": word or said["word"],
        "recorded": True,
        "at": moment(in_force.at),
        "grounds": [
            {"code": code, "provision": in_force.body.get("provisions", {}).get(code) or article(code)}
            for code in _grounds(said)
        ],
        "left_out": [{"category": part["category"], "ground": part["ground"]} for part in said.get("parts", ())],
        "on_record": sorted(in_force.body.get("evidence", {})),
        "words": [
            {"word": e.kind, "role": e.body.get("role"), "at": moment(e.at)}
            for e in entries
            if e.key == in_force.key and e.kind in {"approve_decision", "agree", "dissent", "consultation_lapsed"}
        ],
    }


def _basis(
    opened: JournalEntry, entries: Sequence[JournalEntry], clocks: Sequence[Clock], acted: bool
) -> Document | None:
    """Why an erasure was owed, and who says so; None where nothing was erased. What nobody has stated is not made
    up: what a proven person has asked for, and the controller has not contested, is carried out as that.

    Source: GDPR Art. 17(1), 5(2).
    """
    if not acted:
        return None
    decided = _decision(entries)
    if decided["grounds"] and decided["word"] == Word.GRANT:
        return {"by": "decision", "grounds": decided["grounds"]}
    word = opened.body["ground"]
    if word in CARRIED_ON:
        return {"by": "earlier_request", "grounds": []}
    if word == NONE_STATED:
        return {"by": "asked_and_not_contested", "grounds": []}
    said = {"code": Why(word).code if word in set(Why) else word, "word": word}
    return {"by": "person", "grounds": [{**said, "provision": provision_of(word, [c.regime for c in clocks])}]}


def _acted(end: JournalEntry, receipts: Sequence[Receipt]) -> bool:
    """Whether an erasure was carried out, if only a part of it before it was taken back."""
    acts = [receipt for receipt in receipts if receipt.step.operation is Operation.ERASE]
    done = any(receipt.tally.changed or receipt.outcome.settled for receipt in acts)
    return done or end.body["conclusion"] in {Conclusion.ANSWERED, Conclusion.IN_PART}


def _needs_nobody(proposed: JournalEntry) -> bool:
    """Whether a proposal was in force at once. An older entry does not say: it was, if no ground of it has an
    approver."""
    if "in_force" in proposed.body:
        return bool(proposed.body["in_force"])
    return not any(
        (ground := law().grounds.get(code)) and ground.approver for code in _grounds(proposed.body["decided"])
    )


def _grounds(decided: Mapping[str, Any]) -> list[str]:
    """The codes of a decision's grounds, each once."""
    codes = (decided.get("ground"), *(part["ground"] for part in decided.get("parts", ())))
    return list(dict.fromkeys(filter(None, codes)))


_WORDS: Final = {"approve", "withdraw", "rule", "weighed", "accuracy", "interim_sent", "review_released"}
"""Entries that hold a person's word on how the request goes on."""
_OF_WORDS: Final = ("word", "ruling", "outcome", "ground", "approved")


def _said(entries: Sequence[JournalEntry]) -> Iterable[Document]:
    for entry in entries:
        if entry.kind not in _WORDS:
            continue
        told = {name: entry.body[name] for name in _OF_WORDS if entry.body.get(name) is not None}
        if entry.kind == "accuracy":
            decided = entry.body["decided"]
            told |= {"accepted": len(decided["accepted"]), "refused": len(decided["refused"])}
        step = (entry.key or "").split("/")
        about = {"system": step[1], "operation": step[2]} if len(step) == 4 else {}
        yield {"kind": entry.kind, "at": moment(entry.at), **about, **told}


# Dates.


def _dates(
    clock: Clock, right: Right, entries: Sequence[JournalEntry], closed: datetime, rules: Regime | None
) -> Document:
    """The dates under one law, and how they were reckoned by the text that it was opened under."""
    happened = [ClockEvent.model_validate(entry.body["event"]) for entry in entries if entry.kind == "clock"]
    said: Document = {
        "regime": clock.regime,
        "ruleset": clock.ruleset,
        "zone": clock.zone,
        "received_at": moment(clock.received_at),
        "internal_due": moment(clock.internal_due),
        "legal_due": moment(clock.legal_due),
        "extended": clock.extended,
        "still_since": clock.still_since.isoformat() if clock.still_since else None,
        "closed_by_legal_due": closed <= clock.legal_due,
        "moved_by": [
            {"turn": event.turn.value, "day": event.day.isoformat(), "ground": event.ground or None}
            for event in happened
        ],
    }
    if rules is None:
        return {**said, "rule": None, "arithmetic": []}
    try:
        again, dates = replayed(clock, rules, happened, right)
    except NotAllowedError:
        return {**said, "rule": None, "arithmetic": []}
    return {
        **said,
        "rule": {
            "title": rules.title,
            "source": rules.source,
            "version": rules.version,
            "term": str(rules.answers(right)),
        },
        "arithmetic": [{"about": s.about, "result": s.result, "because": s.because} for s in dates.steps],
        "arithmetic_agrees": (again.internal_due, again.legal_due) == (clock.internal_due, clock.legal_due),
    }


# Systems.


def _systems(
    right: Right,
    receipts: Sequence[Receipt],
    books: Mapping[str, Sequence[Books]],
    backups: Mapping[str, Backups | None],
    zone: str,
) -> list[Document]:
    left = linger(receipts, books, backups, zone)
    systems = []
    for name in sorted({receipt.step.system for receipt in receipts}):
        of = [receipt for receipt in receipts if receipt.step.system == name]
        outcome, certainty = _end(right, of, books.get(name, ()))
        systems.append(
            {
                "system": name,
                "outcome": outcome.value,
                "certainty": certainty.value if certainty else None,
                "steps": [_step(receipt) for receipt in _last(of)],
                "books": books_told(books.get(name, ())),
                "kept": _kept(right, of),
                "in_backups_until": (str(left[name].until) if left[name].until else "unknown")
                if name in left
                else None,
            }
        )
    return systems


def books_told(books: Iterable[Books]) -> list[Document]:
    """The books of one system, with what follows from them."""
    return [{**book.model_dump(mode="json"), "erased": book.erased, "closed": book.closed} for book in books]


def _last(receipts: Sequence[Receipt]) -> list[Receipt]:
    """The newest receipt of each operation, in the order of the operations."""
    newest = {receipt.step.operation: receipt for receipt in receipts}
    return [newest[operation] for operation in Operation if operation in newest]


def _deed(right: Right, receipts: Sequence[Receipt]) -> tuple[Receipt | None, Receipt | None]:
    """The last act of the request's right, and the last look after it: what was looked at before does not vouch for
    what was done since."""
    act = COURSES[right].act
    last = {receipt.step.operation: receipt for receipt in vouching(receipts, act)}
    return last.get(act) if act else None, last.get(Operation.VERIFY)


def _end(right: Right, receipts: Sequence[Receipt], books: Sequence[Books]) -> tuple[Outcome, Certainty | None]:
    """How it ended in one system, and how sure that is; no certainty of what did not end. Pseudonyms that a cut call
    has left are known to the books alone."""
    done, seen = _deed(right, receipts)
    if done is None and seen is None:
        return receipts[-1].outcome, None
    outcome = most_open(one.outcome for one in (done, seen) if one)
    if outcome is Outcome.DONE and any(book.pseudonymised for book in books):
        outcome = Outcome.RETAINED
    last = seen or done
    assert last is not None  # noqa: S101 - one of the two is there
    if outcome.settled or (outcome is Outcome.PENDING and last.certainty is Certainty.ACCEPTED):
        return outcome, last.certainty
    return outcome, None


def _kept(right: Right, receipts: Sequence[Receipt]) -> list[Document]:
    """Rows that stay, by ground and day, as the last look or act has counted them."""
    done, seen = _deed(right, receipts)
    last = seen or done
    lock = locked_away(receipts) if right is Right.ERASURE else None
    locked = {count.collection for count in lock.tally.counts if count.found} if lock else set()
    return [
        {
            "collection": count.collection,
            "ground": kept.ground,
            "until": kept.until.isoformat() if kept.until else None,
            "rows": kept.rows,
            **({"locked_away": True} if count.collection in locked else {}),
        }
        for count in (last.tally.counts if last else ())
        for kept in count.kept
    ]


def _step(receipt: Receipt) -> Document:
    said: Document = {
        "operation": receipt.step.operation.value,
        "round": receipt.step.round,
        "outcome": receipt.outcome.value,
        "certainty": receipt.certainty.value if receipt.certainty else None,
        "at": moment(receipt.at),
        "counts": [
            count.model_dump(mode="json", exclude_defaults=True, exclude={"kept"}) for count in receipt.tally.counts
        ],
    }
    if receipt.code:
        said["code"] = receipt.code
    if receipt.digest:
        said |= {"digest": receipt.digest, "size": receipt.size}
    return said
