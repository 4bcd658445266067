"""The answer: what a person sends to the asker once the request is closed.

The one rule: it says what is so and no more. What was erased and is still in backups is said with its day, and where
nobody knows the day, that is said.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from activities.catalogue import catalogue
from ledger.ledger import Ledger
from ledger.linking import Linked
from ledger.requestrow import RequestRow
from ledger.standing import Standing
from rights.audience import Answered, State
from rights.decision import Element, Word, article
from rights.letterkinds import Result
from rights.letters import LetterFacts
from rights.receipt import Certainty
from rights.request import Conclusion, Right
from rights.restriction import Locked, Restriction, Stage
from starter.deciding import told as told_of
from starter.interim import SURE, kept_lines
from starter.show import Page, day, plural
from starter.stopped import stopped_lines

_FIRST: Final = {
    (Right.ERASURE, Conclusion.ANSWERED): "What you asked for is done; below is how sure we are of each system.",
    (Right.ACCESS, Conclusion.ANSWERED): "A copy of what we hold on you comes with this answer.",
    (Right.ERASURE, Conclusion.IN_PART): "We have erased a part of what we hold on you; below is what stays, and why.",
    (Right.ACCESS, Conclusion.IN_PART): "A copy of a part of what we hold on you comes with this answer.",
    (Right.ERASURE, Conclusion.NOTHING_HELD): "We have looked in every system and hold nothing on you.",
    (Right.ACCESS, Conclusion.NOTHING_HELD): "We have looked in every system and hold nothing on you.",
    (Right.ERASURE, Conclusion.WITHDRAWN): "You have taken it back; below is what had been done by then.",
    (Right.ACCESS, Conclusion.WITHDRAWN): "You have taken it back.",
}
_ANY: Final = {
    Conclusion.ANSWERED: "What you asked for is done; below is how sure we are of each system.",
    Conclusion.IN_PART: "We have done a part of what you asked for; below is what is not done, and why.",
    Conclusion.NOTHING_HELD: "We have looked in every system and hold nothing on you.",
    Conclusion.WITHDRAWN: "You have taken it back; below is what had been done by then.",
    Conclusion.PASSED_ON: "Another controller has to answer it, to whom we have passed it on, as we told you.",
    Conclusion.UNPROVEN: "We could not find out whether it is you who asks, so we have not looked for your data.",
    Conclusion.CATEGORIES: "You get no copy, but the categories of what we hold on you.",
    Conclusion.REFUSED: "We do not do what you asked for; below is why.",
    Conclusion.NOT_DONE: "What you asked for could not be made, so nothing comes with this answer; below is why.",
    Conclusion.JOINED: "Our answer to your earlier request, which asks the same, answers this one too.",
}
_GIVEN: Final = {
    Certainty.COMPLETED: "your data was collected and comes with this answer",
    Certainty.ATTESTED: "your data was collected by hand and comes with this answer",
}
_REMEDY: Final = "You may complain to a data protection authority, and go to court."
"""GDPR Art. 12(4): owed with whatever is not done."""


class Beside(NamedTuple):
    """What an answer says beside what became of each system."""

    decided: tuple[str, ...] = ()
    """Why it was refused, or what was left out and why, in lines."""
    linked: tuple[Linked, ...] = ()
    """The requests that this one answers too."""
    stopped: tuple[str, ...] = ()
    """What no longer happens, in lines (`starter.stopped`)."""
    restriction: Restriction | None = None
    locked: tuple[Locked, ...] = ()
    """What is restricted, where it is not everything."""


def beside(ledger: Ledger, standing: Standing) -> Beside:
    """Read it: the reason of a decision comes out of the vault, since the person is told it."""
    row = standing.request
    return Beside(
        decided=tuple(_decided(ledger, row)),
        linked=ledger.answered_with(row.id),
        stopped=tuple(stopped_lines(standing)),
        restriction=ledger.restriction(row.id),
        locked=locked_of(standing),
    )


def _decided(ledger: Ledger, row: RequestRow) -> Iterator[str]:
    if row.decided is None or row.decided.word in {Word.GRANT, Word.FEE}:
        return
    yield from [f"Provision: {article(row.decided.ground)}."] if row.decided.ground else told_of(row)
    (decision,) = [one for one in ledger.decisions_of(row.id) if one.state == "in_force"]
    if reason := ledger.evidence(decision).get(Element.REASON):
        yield f"Reason: {reason}"


def answer_document(row: RequestRow, told: tuple[Answered, ...], also: Beside) -> dict[str, Any]:
    """The answer as JSON."""
    return {
        "request_id": row.id,
        "right": row.right,
        "received_at": row.clock.received_at,
        "closed_at": row.closed_at,
        "conclusion": row.conclusion,
        "systems": [one.model_dump(mode="json") for one in told],
        "answered_with": row.lead,
        "answers_too": [one.request_id for one in also.linked],
        "text": list(_lines(row, told, also)),
    }


def answer_page(row: RequestRow, told: tuple[Answered, ...], also: Beside) -> Page:
    """The text to send."""
    page = Page()
    for line in _lines(row, told, also):
        page.line(line)
    return page


def _lines(row: RequestRow, told: tuple[Answered, ...], also: Beside) -> Iterator[str]:
    yield f"Your {row.right} request, received {day(row.clock.received_at, row.clock.zone)}: our answer."
    yield from _linked(row, also)
    done = any(one.erased if row.right is Right.ERASURE else one.state is State.DONE for one in told)
    if also.stopped:
        yield from also.stopped
    elif row.conclusion is Conclusion.IN_PART and not done:
        yield "We have not done what you asked for; below is what stays, and why."
    elif row.conclusion:
        yield _FIRST.get((row.right, row.conclusion)) or _ANY[row.conclusion]
    if row.lead:
        yield f"Its reference is {row.lead}."
    yield from also.decided
    if row.lead or (row.conclusion is Conclusion.REFUSED and also.decided):
        # Nothing was done in any system.
        if not row.lead:
            yield _REMEDY
        return
    for one in told:
        yield f"- {one.system}: {_ended(one, row)}"
        yield from kept_lines(one)
        yield from _in_backups(one)
    if (restriction := also.restriction) and restriction.stage is not Stage.LIFTED:
        yield (
            f"It is restricted under {restriction.ground.article}. We look again by "
            f"{day(restriction.review_on, row.clock.zone)} whether that is still needed, and you are told before it is "
            "lifted."
        )
        yield from _locked_lines(also.locked)
    if row.conclusion in {Conclusion.IN_PART, Conclusion.NOT_DONE, Conclusion.REFUSED}:
        yield _REMEDY


def locked_of(standing: Standing) -> tuple[Locked, ...]:
    """What a request has locked away, by system; nothing where it is everything."""
    said = [event.body.get("locked", []) for event in standing.events if event.kind == "restricted"]
    return tuple(Locked.model_validate(one) for one in said[-1]) if said else ()


def _locked_lines(locked: Iterable[Locked]) -> Iterator[str]:
    for one in locked:
        yield f"In {one.system} not all of your data is restricted, but this: {', '.join(one.collections)}."
        for name, more in one.beyond.items():
            yield f"Of {name} we can only restrict whole records, so this is restricted with it: {', '.join(more)}."


def not_corrected_lines(facts: LetterFacts) -> Iterator[str]:
    """Why fields are not corrected (GDPR Art. 12(4)); nothing where all were, or where it is not the accuracy."""
    if not facts.ground:
        return
    refused = facts.result is Result.REFUSED
    yield "We have not changed the data." if refused else "We have not corrected all that you asked for."
    yield f"The ground: {catalogue('en').word(facts.ground, 'grounds')}."
    if facts.reason:
        yield f"Reason: {facts.reason}"


def category_lines(facts: LetterFacts) -> Iterator[str]:
    """The categories of what is held, for who is not proven surely enough for a copy (11 CCR 7024(a))."""
    yield "You have not shown us as surely as it has to be that it is you, so you get no copy."
    yield "These are the categories of what we hold on you:"
    for one in facts.processing:
        yield f"- {one.system}, {one.collection}: {', '.join(one.categories) or 'no category is stated'}"
        told = {
            "Purpose": one.purpose,
            "Source": one.source,
            "Recipients": ", ".join(one.recipients),
            "Kept": "; ".join(one.storage),
        }
        yield from (f"  {name}: {text}" for name, text in told.items() if text)
    if facts.not_looked:
        yield f"We could not look into: {', '.join(facts.not_looked)}."


def _linked(row: RequestRow, also: Beside) -> Iterator[str]:
    for other in also.linked:
        received = day(other.received_at, row.clock.zone)
        yield f"It answers your request received {received} too (reference {other.request_id})."


def _ended(one: Answered, row: RequestRow) -> str:
    found = f" ({plural(one.found, 'record')} found)" if one.found else ""
    match one.state:
        case State.NOTHING_FOUND:
            return "we have looked and found nothing on you"
        case State.DONE if row.right.copies:
            return (_GIVEN.get(one.certainty, "collected") if one.certainty else "collected") + found
        case State.DONE:
            said = SURE.get(row.right, {}).get(one.certainty, "done") if one.certainty else "done"
            kept = ", but for what is kept" if one.kept and one.certainty is Certainty.VERIFIED else ""
            return f"{said}{kept}" + (f" ({plural(one.erased, 'record')} erased)" if one.erased else "")
        case State.ACCEPTED:
            return f"the system has taken the work on; we have not seen that it is done{found}"
        case State.OUTSTANDING if not one.able and row.right is Right.RESTRICTION:
            return f"not restricted: this system has no way to{found}"
        case State.OUTSTANDING:
            gone = f"; {plural(one.erased, 'record')} of them erased" if one.erased else ""
            return f"not done{found}{gone}" + (f": {one.held}" if one.held else "")


def _in_backups(one: Answered) -> Iterator[str]:
    if one.backups is None:
        return
    if one.backups.until:
        yield f"  What was erased is out of backups after {one.backups.until}."
    else:
        yield "  What was erased is still in backups; until when is not known."
    if one.backups.beyond_use:
        yield f"  Until then: {one.backups.beyond_use}."
