"""What happened to a request, in plain words: a line for each entry of the journal.

The one rule: a line says what its entry says and no more; an entry of a kind that has no words here is named by its
kind, never left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from rights.deadlines import Risk
from rights.journal import RECEIPTS, JournalEntry
from rights.plan import Operation
from rights.receipt import Certainty, Kept, Receipt
from starter.show import minute, plural

Body = Mapping[str, Any]

_PHASES: Final = {
    "confirming": "Waiting to know who asks.",
    "deciding": "Waiting for a decision.",
    "locating": "Began to look for the person's data.",
    "approving": "Waiting for a person to approve what is to be erased.",
    "cooling": "Waiting, so that the person can stop the erasure.",
    "fulfilling": "Began to do what was asked.",
    "packaging": "Began to pack what is handed over.",
    "closed": "Closed.",
}
_LOOKED: Final = {
    Operation.LOCATE: "Looked for the person",
    Operation.VERIFY: "Looked again",
    Operation.EXPORT: "Copied the data",
    Operation.ERASE: "Erased",
    Operation.RESTRICT: "Restricted",
    Operation.LIFT: "Lifted the restriction",
    Operation.RECTIFY: "Corrected",
    Operation.SUPPRESS: "Stopped the use",
}
_SURE: Final = {
    "accepted": "the system has accepted it and has not said that it is done",
    "completed": "the system says that it is done",
    "verified": "verified: looked again, and found nothing but what is kept",
    "attested": "attested: a person says so; the engine could not look",
}
_PLAIN: Final[Mapping[str, str]] = {
    "signed_up_again": "Whoever this was about has signed up again, by their own consent.",
    "remade": "What was worked out from corrected data was made anew, or found not to rest on it.",
    "published_steps": "It was entered what was done so that links and copies elsewhere go.",
    "approve": "A person approved what is to be done.",
    "withdraw": "The person took the request back.",
    "confirm_identity": "It was confirmed that the asker is the person.",
    "dispute_noted": "It was noted beside the data that the person disputes it.",
    "dispute_stated": "The person's own statement was put beside the data that is disputed.",
    "dispute_ended": "The note that the data is disputed was taken away, or of it what is erased.",
    "minor_ruled": "It was ruled on whether the data is a child's.",
    "minor_told": "The channels on file were told that data is said to be a child's.",
    "minor_unruled": "A ruling on whether the data is a child's was asked for once more, one level up.",
    "decided": "The decision came into force.",
    "approve_decision": "The decision was approved.",
    "agree": "The data protection officer agreed.",
    "dissent": "The data protection officer dissented; the words are on record.",
    "consultation_lapsed": "The data protection officer did not answer in time.",
    "charged": "The person was asked for a fee; nothing is done before it is paid.",
    "fee_paid": "The fee was paid.",
    "fee_unpaid": "The fee was not paid, so the request is refused on the ground of the decision.",
    "drop_decision": "The proposed decision was dropped.",
    "interim": "An interim answer was due.",
    "interim_sent": "A person said that the interim answer was sent.",
    "interim_left": "A person ruled that no interim answer is sent.",
    "also_asked_done": "A person has seen to what else the text that came in asks for.",
    "also_asked_left": "A person ruled that the text that came in does not ask for what its words had hinted at.",
    "rest_in_use_done": "A person said that what the erasure had to leave is put out of use by hand.",
    "rest_in_use_left": "A person ruled that what the erasure had to leave is not put out of use.",
    "rest_locked": "What the erasure had to leave is about to be locked away.",
    "cooling_anew": "It stood still before anybody was told of the wait, which begins anew, with a notice of its own.",
    "rest_asked": "One person asked that what the erasure had left is opened, or goes now: a second one has to agree.",
    "rest_agreed": "A second person agreed: what the erasure had left is opened, or goes now.",
    "rest_kept": "Somebody looked whether what the erasure had left must still be kept: it must.",
    "rest_unlocked": "Nothing of what the erasure had left is locked away there any more.",
    "redriven": "The request's run was lost and started again from the ledger.",
    "before": "The rows were counted before the first destructive call.",
    "looked": "A call that was cut off was settled by looking.",
    "cooled": "The time in which the person could stop the erasure is over.",
    "stopped": "The person stopped the erasure; two people have to look at it.",
    "identity_resumed": "Proof came after all, and the request went on.",
    "codes_sent": "Codes were sent to contact points that were on file.",
    "code_checked": "A code was read out and compared.",
    "points_checked": "Answers were compared with data on file.",
    "letter_ruled": "A person said what became of a letter, or of post that was waited for.",
    "letter_resent": "A letter was sent again, as another mail.",
    "restriction_reviewed": "Somebody looked whether the restriction is still needed: it is.",
    "restriction_to_be_lifted": "Somebody asked that the restriction is lifted; the person is told first.",
    "restriction_told": "The person was told that the restriction will be lifted.",
    "restriction_lifting": "The restriction is to be lifted.",
    "restriction_lifted": "The restriction was lifted everywhere.",
    "weighing_late": "What was to be weighed is past its day.",
    "review_released": "What the copy says of others was gone through and released.",
    "restored": "Something that was taken out of the copy was put back.",
    "age_noted": "It was noted that the person is, or may be, a child.",
    "arrived": "It was noted by which channel the request came in.",
    "mandate_needed": "A mandate was asked for.",
    "service_ended": "The service to the child was ended, which the deletion or refusal by itself does not do.",
    "service_kept": "The service to the child goes on.",
    "proof": "A proof of who asks was taken in; it was not enough by itself.",
    "proof_refused": "A proof of who asks was refused.",
    "code_asked": "A code for the asker was asked for.",
    "identity_reminded": "The asker was reminded to prove who they are.",
    "categories": "The answer by categories was made.",
    "restricted": "Rows were locked away.",
    "restriction_untold": "The notice that the restriction will be lifted did not reach the person.",
    "review": "A person looked at the erasure that was stopped.",
    "review_split": "Two people did not agree on the erasure that was stopped.",
    "released": "The erasure that was stopped goes on, by the word of two people.",
    "transmitted": "The data was handed to another controller, who signed for it.",
    "linked": "An earlier request of the same person asks the same; they are answered together.",
    "unlinked": "The request is answered by itself again, not together with another.",
    "extension_written": "The notice of an extension was written.",
    "appeal_opened": "An appeal against the answer came in.",
    "appeal_extended": "The term of the appeal was extended, and the person told.",
    "appeal_decided": "The appeal was decided.",
    "appeal_redone": "What the appeal has reversed is carried out anew by another request.",
    "answered_by_counsel": "Counsel wrote to the person.",
    "identity_left_out": "Something that was given, and was not proven, was left out of the request.",
    "stood_still": "An incident was opened; the request stands still for it.",
    "went_on": "The incident was lifted or closed; the request goes on.",
    "replayed": "Carried out anew, in a system that was restored or is new to the data map.",
}


def timeline(entries: Sequence[JournalEntry], zone: str) -> list[str]:
    """The lines, in order; times are those of a zone."""
    return [f"{minute(entry.at, zone)}  entry {entry.seq:<8} {sentence(entry)}" for entry in entries]


def sentence(entry: JournalEntry) -> str:
    """An entry in a sentence."""
    if entry.kind in RECEIPTS:
        return _receipt(Receipt.model_validate(entry.body))
    if entry.kind in _WORDS:
        return _said_by(_WORDS[entry.kind](entry.body), entry)
    if entry.kind in _PLAIN:
        return _said_by(" ".join(filter(None, (_PLAIN[entry.kind], _role(entry.body)))), entry)
    return f"The journal notes: {entry.kind.replace('_', ' ')}."


def _said_by(words: str, entry: JournalEntry) -> str:
    """A sentence with who did it, where the entry says so and the sentence does not."""
    by = entry.body.get("by")
    # A clock's has two of them, by what each has said.
    people = by.values() if isinstance(by, Mapping) else [by] if by else ()
    return f"{words} By {' and '.join(people)}." if people and entry.kind != "revealed" else words


def _role(body: Body) -> str:
    return f"({body['role']})" if body.get("role") else ""


def _receipt(receipt: Receipt) -> str:
    """A step in a sentence: what, where, with how many rows, how it ended and how sure that is."""
    tally = receipt.tally
    numbers = ", ".join(_numbers(receipt)) or "no row"
    ended = str(receipt.outcome).replace("_", " ")
    sure = (
        f"; {_SURE[receipt.certainty]}" if receipt.certainty and receipt.step.operation is not Operation.LOCATE else ""
    )
    why = f"; reason: {receipt.code.replace('_', ' ')}" if receipt.code else ""
    kept = "; ".join(_kept(count.collection, one) for count in tally.counts for one in count.kept)
    return f"{_deed(receipt)}: {numbers}; ended as {ended}{sure}{why}{f'; {kept}' if kept else ''}."


def _deed(receipt: Receipt) -> str:
    """What was done where, in words that claim no more than the receipt does."""
    operation, system = receipt.step.operation, receipt.step.system
    if receipt.certainty is Certainty.ATTESTED:
        return f"A person says that it was done by hand ({operation}) in {system}"
    if not operation.look and not receipt.outcome.settled:
        return f"Not done yet ({operation}) in {system}"
    return f"{_LOOKED.get(operation, f'Did {operation}')} in {system}"


def _kept(collection: str, kept: Kept) -> str:
    until = f" until {kept.until}" if kept.until else ""
    return f"{plural(kept.rows, 'row')} of {collection} kept, {kept.ground}{until}"


def _numbers(receipt: Receipt) -> Iterator[str]:
    tally = receipt.tally
    counts = (
        ("found", tally.found),
        ("erased", sum(one.erased for one in tally.counts)),
        ("anonymised", sum(one.anonymised for one in tally.counts)),
        ("pseudonymised", sum(one.pseudonymised for one in tally.counts)),
        ("corrected", tally.rectified),
    )
    return (f"{plural(number, 'row')} {word}" for word, number in counts if number)


def _opened(body: Body) -> str:
    laws = ", ".join(one["regime"] for one in body.get("clocks") or ()) or body["regime"]
    proven = "who asks was known" if body.get("confirmed") else "who asks was not proven yet"
    return f"Received: a request for {body['right'].replace('_', ' ')} under {laws}; {proven}."


def _clock(body: Body) -> str:
    event = body["event"]
    ground = f", on the ground {event['ground']}" if event.get("ground") else ""
    return (
        f"The clock: {event['turn'].replace('_', ' ')} on {event['day']}{ground}; due by law {body['legal_due'][:10]}, "
        f"worked towards {body['internal_due'][:10]}."
    )


def _proposed(body: Body) -> str:
    said = body["decided"]
    grounds = [said.get("ground"), *(f"{part['category']}: {part['ground']}" for part in said.get("parts", ()))]
    on = ", ".join(filter(None, grounds))
    return f"A decision was proposed: {said['word'].replace('_', ' ')}{f' ({on})' if on else ''}."


def _closed(body: Body) -> str:
    erased = sum(
        book["before"] + book["arrived"] - book["after"] - book.get("pseudonymised", 0)
        for of in body["books"].values()
        for book in of
    )
    rows = f"; by the books {plural(erased, 'row')} erased" if body["books"] else ""
    return f"Closed: {body['conclusion'].replace('_', ' ')}{rows}."


def _intent(body: Body) -> str:
    looked = "Before a call that changes something, holds and withdrawals were looked at again"
    if body.get("held"):
        return f"{looked}: a hold was in force, and does not stop what only stops a use."
    # A hold whose rows the call leaves as they are may be in force, and lifting goes on after a withdrawal.
    return f"{looked}: none stood in its way."


def _reopened(body: Body) -> str:
    why = ", ".join(f"{system} ({str(code).replace('_', ' ')})" for system, code in body["systems"].items())
    return f"Opened again, for {why}: what was said to be done there does not stand."


def _late_look(body: Body) -> str:
    if body["found"] == "clean":
        return "Looked again, days after the answer: nothing has come back."
    where = f" in {', '.join(body['systems'])}" if body["systems"] else ""
    if body["found"] == "residue":
        return f"Looked again, days after the answer: something is there{where}."
    return f"Looked again, days after the answer: it cannot be told whether anything is there{where}."


def _near(what: str, body: Body) -> str:
    risk = body.get("risk", "")
    if risk == Risk.OVERDUE:
        return f"{what} has passed."
    days = risk.removeprefix("due_").removesuffix("d")
    return f"{what} came near: {plural(int(days), 'day')} or less to go." if days.isdecimal() else f"{what} came near."


def _accuracy(body: Body) -> str:
    said = body["decided"]
    return f"Accuracy was decided on: {len(said['accepted'])} accepted, {len(said['refused'])} refused."


_WORDS: Final[Mapping[str, Callable[[Body], str]]] = {
    "published": lambda body: f"What was erased had been made public: {', '.join(body['places'])}.",
    "worked_out": lambda body: f"Worked out from what was corrected: {', '.join(body['places'])}.",
    "passed_on": lambda body: f"Passed on to {body['to']}, which answers it.",
    "opened": _opened,
    "clock": _clock,
    "proposed": _proposed,
    "closed": _closed,
    "reopened": _reopened,
    "relook": _late_look,
    "accuracy": _accuracy,
    "moved": lambda body: _PHASES.get(body["phase"], f"Went on to {body['phase']}."),
    "map_pinned": lambda body: f"Bound to the data map {body['digest'][:12]}.",
    "planned": lambda body: f"A plan was made (round {body['round']}), digest {body['plan'][:12]}.",
    "deadline": lambda body: _near("The due date", body),
    "appeal_deadline": lambda body: _near("The due date of the appeal", body),
    "learned": lambda body: (
        f"{plural(body['identities'], 'further identity', 'further identities')} of the person found."
    ),
    "intent": _intent,
    "counted": lambda body: "A call that changes something ended and was counted.",
    "task": lambda body: f"A person was asked: {str(body['code']).replace('_', ' ')}.",
    "rule": lambda body: f"A person ruled: {str(body.get('word', 'on a task')).replace('_', ' ')}.",
    "tasks_settled": lambda body: f"{plural(body['tasks'], 'task')} taken off the desk.",
    "revealed": lambda body: (
        f"Shown to {body['by']}: {body['what'].replace('_', ' ')}; the reason given: {body['why'].replace('_', ' ')}."
    ),
    "parcel": lambda body: f"A parcel was packed: {plural(body['rows'], 'row')}, SHA-256 {body['digest'][:12]}.",
    "redacted": lambda body: f"{plural(body['places'], 'place')} about others taken out of the copy.",
    "letter": lambda body: f"A letter: {str(body['state']).replace('_', ' ')}.",
    "cooling": lambda body: f"The person can stop the erasure until {str(body['until'])[:16]}.",
    "recipient_told": lambda body: (
        f"The recipient {body['recipient']} is to be told ({body['operation']}): {body['how']}."
    ),
    "recipient_answered": lambda body: (
        f"The recipient {body['recipient']} answered: {body['answer'].replace('_', ' ')}."
    ),
    "weighing": lambda body: f"Put before a person: {body['matter']}.",
    "weighed": lambda body: f"Weighed: {body['outcome']}{', on ' + body['ground'] if body.get('ground') else ''}.",
    "identity_lapsed": lambda body: (
        f"No proof came in time; the request became {str(body['became']).replace('_', ' ')}."
    ),
    "shredded": lambda body: f"Keys were destroyed: {', '.join(body['purposes'])}.",
}
