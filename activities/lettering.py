"""What a letter of a request says, read from the ledger and the data map.

The one rule: what the person is told of a system comes from `rights.audience` and from nowhere else.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from activities.facts import ParcelFacts
from activities.restricting import STATEMENT
from ledger.notes import note_text
from ledger.notices import Notice
from ledger.standing import Standing
from rights.audience import Answered, answer, hears_of_systems, interim
from rights.datamap import DataMap
from rights.decision import Decided, Element, article
from rights.holdlaw import ground_of
from rights.holds import GROUND
from rights.journal import ASKED_AT
from rights.letterkinds import ANSWERS, RESULTS, LetterKind, Result
from rights.letters import Corrected, Language, LetterFacts, Locked, Particulars, Party, Processing, Recipient, Withheld
from rights.plan import Operation, kept_from_copies
from rights.portable import looked_into
from rights.receipt import Outcome, newest, vouching
from rights.recipients import Register
from rights.request import Conclusion, Right

_ENDED = frozenset({*ANSWERS.values(), LetterKind.WITHDRAWN, LetterKind.TRANSMISSION_DONE})
_TELLS = frozenset(
    {
        LetterKind.ANSWER_ERASURE,
        LetterKind.ANSWER_RESTRICTION,
        LetterKind.ANSWER_RECTIFICATION,
        LetterKind.ANSWER_OPT_OUT,
    }
)
"""Letters that say who was told (GDPR Art. 19, last sentence)."""
STATES = frozenset({LetterKind.ANSWER_CATEGORIES, LetterKind.ANSWER_ACCESS})
"""Letters that may say themselves what a parcel else says, such as who has the data."""
_COPIES = frozenset({LetterKind.ANSWER_ACCESS, LetterKind.ANSWER_PORTABILITY})


def facts_of(
    standing: Standing,
    data_map: DataMap | None,
    kind: LetterKind,
    said: Particulars,
    *,
    written_on: date,
    language: Language = "en",
    child: bool = False,
    to: Party | None = None,
    on_behalf_of: Party | None = None,
    unseal: Callable[[str], bytes | None] | None = None,
    recipients: tuple[Recipient, ...] | None = None,
    register: Register | None = None,
) -> LetterFacts:
    """The facts of a letter about a request.

    Args:
        data_map: the one that the request was worked on with; None where there is none yet.
        said: what the decision gives it; what it leaves open is taken from the record of the request.
        unseal: reads what is sealed under a name in the request's file, for reasons that were given with a decision.
        recipients: who was told of what was done, with their answers; None where nobody was to be told.
        register: who has the data, for a letter that says so itself.
    """
    row = standing.request
    zone = ZoneInfo(row.clock.zone)

    def local(moment: datetime) -> date:
        return moment.astimezone(zone).date()

    # Whoever is not proven learns nothing of what is held, and so not who was told of it.
    told = recipients if kind in _TELLS and hears_of_systems(row.right, proven=standing.proven) else None
    given = {name: getattr(said, name) for name in said.model_fields_set}
    return LetterFacts(
        **_recorded(standing, kind, local, unseal)
        | _of_copy(standing, data_map, kind)
        | _of_public(standing, kind)
        | ({"recipients": told} if told else {})
        | given,
        kind=kind,
        reference=row.id,
        regime=row.regime,
        further=tuple(law for law in row.regimes if law != row.regime),
        written_on=written_on,
        language=language,
        child=child,
        right=row.right,
        received=local(_asked_at(standing)),
        zone=row.clock.zone,
        due=local(row.clock.legal_due),
        to=to or Party(),
        on_behalf_of=on_behalf_of,
        systems=_systems(standing, data_map, kind),
        processing=_processing(standing, data_map, kind, register or Register(), language),
    )


def _asked_at(standing: Standing) -> datetime:
    """When the person asked: of what carries out the rest of an earlier request, when they asked for that."""
    opened = next((event.body for event in standing.events if event.kind == "opened"), {})
    asked = opened.get(ASKED_AT)
    return datetime.fromisoformat(asked) if asked else standing.request.clock.received_at


def _processing(
    standing: Standing, data_map: DataMap | None, kind: LetterKind, register: Register, language: Language
) -> tuple[Processing, ...]:
    """What GDPR Art. 15(1) and Cal. Civ. Code 1798.110(a) ask of each collection in which something of the person was
    found, where no parcel says it. Names and texts of the map, and nothing of a row."""
    row = standing.request
    if data_map is None or kind not in STATES:
        return ()
    if kind is LetterKind.ANSWER_ACCESS and row.conclusion is not Conclusion.NOT_DONE:
        return ()
    looks = [r for r in standing.receipts if r.step.operation is Operation.LOCATE and r.may_hold]
    found = {(r.step.system, count.collection) for r in looks for count in r.tally.counts if count.found}
    # Where somebody has looked by hand nobody has counted: what the system has of people is said of this one as well.
    uncounted = {r.step.system for r in looks if r.outcome.settled} - {system for system, _ in found}
    facts = ParcelFacts.of(row.id, data_map, row.clock, {}, regimes=row.regimes, register=register, language=language)
    return tuple(
        Processing(system=system.system, **one.model_dump(include=_SAID))
        for system in facts.systems
        for one in system.collections
        if (system.system, one.collection) in found or system.system in uncounted
    )


_SAID = {
    "collection", "purpose", "lawful_basis", "categories", "recipients", "storage", "source", "transfers",
}  # fmt: skip


def recipients_told(notices: Iterable[Notice], register: Register, zone: ZoneInfo) -> tuple[Recipient, ...] | None:
    """The recipients of a request's notices, with what they have answered; None where nobody was to be told."""
    told = []
    for one in notices:
        known = register.recipients.get(one.recipient)
        told.append(
            Recipient(
                name=known.name if known else one.recipient,
                country=known.country if known else "",
                told_on=None if one.how == "blocked" else one.told_at.astimezone(zone).date(),
                answer=one.answer or (None if one.how == "blocked" else "awaited"),
            )
        )
    return tuple(told) or None


def _recorded(
    standing: Standing,
    kind: LetterKind,
    local: Callable[[datetime], date],
    unseal: Callable[[str], bytes | None] | None,
) -> dict[str, Any]:
    """What the record of a request says for a letter of this kind, by the names of `Particulars`."""
    row = standing.request
    found: dict[str, Any] = {}
    if row.conclusion and kind in ANSWERS.values():
        found["result"] = RESULTS.get(row.conclusion)
    if kind in ANSWERS.values() and row.decided and row.decided.parts:
        found |= _why(standing, row.decided, unseal)
    if kind is LetterKind.REFUSAL and row.decided and row.decided.ground:
        found |= _why(standing, row.decided, unseal)
    for event in standing.events:
        if event.kind == "restricted" and kind is LetterKind.ANSWER_RESTRICTION:
            found |= _restricted(standing, event.body)
            found["review_on"] = local(datetime.fromisoformat(event.body["review_on"]))
        elif event.kind == "accuracy" and kind is LetterKind.ANSWER_RECTIFICATION:
            found |= _accuracy(event.body, unseal)
    if kind is LetterKind.ANSWER_CATEGORIES:
        newest = {r.step.system: r for r in standing.receipts if r.step.operation is Operation.LOCATE}
        found["not_looked"] = tuple(name for name, look in newest.items() if not look.outcome.settled)
    if kind is LetterKind.LAPSE:
        found["ground"] = "identity_unproven"
    if kind is LetterKind.ANSWER_RECTIFICATION:
        found |= _beside(standing)
        found["corrected"] = _corrected(standing)
    return found


def _beside(standing: Standing) -> dict[str, Any]:
    """Whether the person's own statement stands beside what they dispute: only once somebody has put it there."""
    noted = [event.body for event in standing.events if event.kind == "dispute_noted"]
    if not noted:
        return {}
    if not any(body["statement"] for body in noted):
        return {"disputed_note": False}
    put = [r for r in standing.receipts if r.step.system == STATEMENT and r.outcome.settled]
    return {"disputed_note": True} if put else {}


def _corrected(standing: Standing) -> tuple[Corrected, ...]:
    """The collections in which something was corrected, each once; but not where the last look found that it does not
    say so (any more)."""
    seen = newest(vouching(standing.receipts, Operation.RECTIFY), Operation.VERIFY)
    places = dict.fromkeys(
        (receipt.step.system, count.collection)
        for receipt in standing.receipts
        if receipt.step.operation is Operation.RECTIFY and receipt.outcome.settled
        for count in receipt.tally.counts
        if count.rectified
    )
    return tuple(
        Corrected(system=system, collection=name)
        for system, name in places
        if system not in seen or not seen[system].tally.of(name).left
    )


def _restricted(standing: Standing, body: Mapping[str, Any]) -> dict[str, Any]:
    """The ground of a restriction, and what of the data it is about where that is not all: of the systems in which it
    was carried out, or nothing was there. Where it was in none of them there is no ground, so that no letter says by
    itself that something is restricted."""
    acts, looks = (newest(standing.receipts, one) for one in (Operation.RESTRICT, Operation.LOCATE))
    done = {name for name, receipt in acts.items() if receipt.outcome.settled}
    empty = {n for n, look in looks.items() if look.outcome is Outcome.NOTHING_HELD and n not in acts}
    found: dict[str, Any] = {
        "locked": tuple(_locked(one) for one in body.get("locked", ()) if one["system"] in done | empty)
    }
    if done or standing.request.conclusion is not Conclusion.IN_PART:
        found["ground"] = body["ground"]
    return found


def _locked(body: Mapping[str, Any]) -> Locked:
    """What the journal has of what is locked away in a system."""
    beyond = tuple((name, tuple(more)) for name, more in body["beyond"].items())
    return Locked(system=body["system"], collections=tuple(body["collections"]), beyond=beyond)


def _why(standing: Standing, decided: Decided, unseal: Callable[[str], bytes | None] | None) -> dict[str, Any]:
    """Why a decision refuses, or leaves something out: its grounds, and the reason that was approved with it."""
    made = [event.key for event in standing.events if event.kind == "decided"]
    sealed = unseal(f"decision/{made[-1]}/{Element.REASON}") if unseal and made else None
    return {
        "ground": decided.codes[0],
        "provision": "; ".join(dict.fromkeys(map(article, decided.codes))),
        "reason": note_text(sealed) if sealed else None,
    }


def _of_copy(standing: Standing, data_map: DataMap | None, kind: LetterKind) -> dict[str, Any]:
    """What a copy leaves out: fields that are held and never sent, and what was made unreadable in it."""
    if kind not in _COPIES or data_map is None:
        return {}
    exported = dict.fromkeys(
        receipt.step.system
        for receipt in standing.receipts
        if receipt.step.operation is Operation.EXPORT and receipt.exported
    )
    left = dict.fromkeys(
        (one.item, name)
        for name in exported
        if name in data_map.systems
        for collection in data_map.systems[name].collections.values()
        for one in kept_from_copies(collection, *standing.request.regimes)
    )
    found: dict[str, Any] = {"withheld": tuple(Withheld(item=item, system=name) for item, name in left)}
    for event in standing.events:
        if event.kind == "parcel":
            found["redacted"] = sum(event.body["redacted"].values()) if event.body.get("redacted") else None
    return found


def _of_public(standing: Standing, kind: LetterKind) -> dict[str, Any]:
    """Categories of what is erased and had been made public (GDPR Art. 17(2))."""
    if kind is not LetterKind.ANSWER_ERASURE:
        return {}
    noted = [event.body["categories"] for event in standing.events if event.kind == "published"]
    return {"made_public": tuple(noted[-1])} if noted else {}


def _accuracy(body: Mapping[str, Any], unseal: Callable[[str], bytes | None] | None) -> dict[str, Any]:
    """What was decided on disputed fields: corrected, or not, on which ground and why."""
    decided = body["decided"]
    refused = list(decided["refused"].values())
    if not refused:
        return {}
    sealed = unseal(body["reason_note"]) if unseal and body.get("reason_note") else None
    return {
        "result": Result.IN_PART if decided["accepted"] else Result.REFUSED,
        "ground": refused[0],
        "reason": note_text(sealed) if sealed else None,
    }


def _systems(standing: Standing, data_map: DataMap | None, kind: LetterKind) -> tuple[Answered, ...]:
    if kind in _ENDED:
        return told_in_the_end(standing, data_map)
    row = standing.request
    if kind is LetterKind.INTERIM_ANSWER and hears_of_systems(row.right, proven=standing.proven):
        names = [name for name in (data_map.systems if data_map else ()) if _asked_about(standing, name, data_map)]
        return tuple(Answered(**dict(told)) for told in interim(row.right, names, standing.receipts))
    return ()


def told_in_the_end(standing: Standing, data_map: DataMap | None) -> tuple[Answered, ...]:
    """What the person is told of each system: those of the map, and those that have left it and were worked on."""
    systems = data_map.systems if data_map else {}
    row = standing.request
    if not hears_of_systems(row.right, proven=standing.proven):
        return ()
    names = dict.fromkeys([*systems, *(receipt.step.system for receipt in standing.receipts)])
    return answer(
        row.right,
        [name for name in names if _asked_about(standing, name, data_map)],
        standing.receipts,
        standing.books,
        {name: system.backups for name, system in systems.items()},
        row.clock.zone,
        lambda name: _held(standing, name),
    )


def _held(standing: Standing, system: str) -> str:
    """The ground on which a hold has stopped all work in a system. Only an erasure has a provision for that."""
    if standing.request.right is not Right.ERASURE:
        return GROUND
    reasons = [one.reason for one in standing.held if not one.systems or system in one.systems]
    return ground_of(sorted(set(reasons)), standing.request.regimes)


def _asked_about(standing: Standing, name: str, data_map: DataMap | None) -> bool:
    """Whether a request is about a system: a restriction about those that it names, a rectification about those that it
    wants corrected, portability not about what is kept by hand."""
    if data_map and name in data_map.systems and not looked_into(standing.request.right, data_map.systems[name]):
        return False
    match standing.request.right:
        case Right.RESTRICTION:
            scope = [event.body.get("systems") for event in standing.events if event.kind == "restricted"]
            return not (scope and scope[-1]) or name in scope[-1]
        case Right.RECTIFICATION:
            asked = {
                system for event in standing.events if event.kind == "accuracy" for system in event.body["systems"]
            }
            acted = {r.step.system for r in standing.receipts if r.step.operation is Operation.RECTIFY}
            return name in asked | acted
    return True
