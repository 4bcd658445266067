"""Saying what came of an objection that was weighed, or of a decision that was looked at again.

The one rule: an objection is outweighed only on a ground of the law, with evidence, a reason to tell and a second
person's approval; and whoever has made a decision does not review it.
"""

from datetime import datetime
from typing import Final

from ledger.ledger import Ledger
from rights.approvers import same_person
from rights.letterkinds import LetterKind, Result
from rights.letters import Particulars
from rights.objections import DecisionReviewDetails, ObjectionDetails, stop_of
from rights.request import Right
from rights.suppression import Scope, stops_in
from rights.weighing import Outcome, grounds_for, outweighs
from starter.exits import Exit, Failure

MAX_TEXT: Final = 20_000
"""Characters of evidence, and of a reason."""


def objection_said(ledger: Ledger, request_id: str) -> ObjectionDetails:
    """What somebody who objects has said.

    Raises:
        Failure: the request is no objection, or what was said is destroyed.
    """
    details = _said(ledger, request_id, Right.OBJECTION)
    assert isinstance(details, ObjectionDetails)  # noqa: S101 - the model of this right
    return details


def review_said(ledger: Ledger, request_id: str) -> DecisionReviewDetails:
    """What somebody who contests a decision has said.

    Raises:
        Failure: the request asks for no review, or what was said is destroyed.
    """
    details = _said(ledger, request_id, Right.DECISION_REVIEW)
    assert isinstance(details, DecisionReviewDetails)  # noqa: S101 - the model of this right
    return details


def weigh_objection(
    ledger: Ledger,
    request_id: str,
    outcome: Outcome,
    *,
    by: str,
    evidence: str,
    at: datetime,
    ground: str = "",
    reason: str = "",
    approved_by: str = "",
) -> bool:
    """Say whose grounds weigh more; False if that was said before.

    Raises:
        Failure: something that the law wants on record is missing.
        LedgerRefusal: nothing is to be weighed, or something else was said before.
    """
    said = objection_said(ledger, request_id)
    _has_text(evidence, "--evidence-file")
    if outcome is not Outcome.OVERRIDDEN:
        if ground or reason or approved_by:
            raise Failure(Exit.USAGE, "an objection that is upheld needs no ground, reason or approver: leave them out")
        return ledger.weigh(request_id, outcome, by=by, evidence=evidence, at=at)
    known = grounds_for(Scope(said.scope))
    if not known:
        raise Failure(Exit.REFUSED, "an objection to direct marketing is absolute: nothing outweighs it")
    if ground not in known:
        raise Failure(Exit.USAGE, f"--ground takes what outweighs such an objection: {', '.join(sorted(known))}")
    _has_text(reason, "--reason-file")
    if not approved_by or same_person(by) == same_person(approved_by):
        raise Failure(Exit.USAGE, "--approved-by is somebody else than --by: two people override an objection")
    _refuse_marketing(ledger, request_id, said, at)
    particulars = Particulars(
        result=Result.REFUSED,
        ground=known[ground].letter or None,
        provision=known[ground].article,
        reason=reason,
        purposes=said.purposes,
    )
    return ledger.weigh(
        request_id,
        outcome,
        by=by,
        evidence=evidence,
        at=at,
        ground=ground,
        approved_by=approved_by,
        letter=LetterKind.ANSWER_OBJECTION,
        said=particulars.model_dump_json(exclude_none=True).encode(),
    )


def refuse_unfit(ledger: Ledger, request_id: str, ground: str, at: datetime) -> None:
    """See that an objection is not refused on a ground which does not outweigh it.

    Raises:
        Failure: it does not.
    """
    said = objection_said(ledger, request_id)
    if not outweighs(ground, Scope(said.scope)):
        raise Failure(Exit.REFUSED, "this ground does not outweigh what is objected to; marketing is absolute")
    if not outweighs(ground, Scope.MARKETING_PROFILING):
        _refuse_marketing(ledger, request_id, said, at)


def decide_review(
    ledger: Ledger, request_id: str, outcome: Outcome, *, by: str, evidence: str, reason: str, at: datetime
) -> bool:
    """Say what came of looking at a decision again; False if that was said before.

    Raises:
        Failure: the reviewer has made the decision, or a text is missing.
        LedgerRefusal: nothing is to be reviewed, or something else was said before.
    """
    said = review_said(ledger, request_id)
    if said.decided_by and same_person(by) == same_person(said.decided_by):
        raise Failure(Exit.REFUSED, "whoever has made a decision does not review it: somebody else has to")
    _has_text(evidence, "--evidence-file")
    _has_text(reason, "--reason-file")
    stands = outcome is Outcome.UPHELD
    particulars = Particulars(
        result=Result.REFUSED if stands else Result.DONE,
        reason=reason if stands else None,
        statement=None if stands else reason,
    )
    return ledger.weigh(
        request_id,
        outcome,
        by=by,
        evidence=evidence,
        at=at,
        letter=LetterKind.ANSWER_DECISION_REVIEW,
        said=particulars.model_dump_json(exclude_none=True).encode(),
    )


def _refuse_marketing(ledger: Ledger, request_id: str, said: ObjectionDetails, at: datetime) -> None:
    """See that profiling for marketing is not refused as a part of profiling: nothing outweighs that (Art. 21(2)).

    Raises:
        Failure: the map says that there is such profiling, and it has not been stopped for the person.
    """
    digest = ledger.request(request_id).map_digest
    if said.absolute or Scope.MARKETING_PROFILING not in said.scopes or digest is None:
        return
    listed = {one.scope for one in ledger.suppressed(ledger.identities(request_id), at=at)}
    stop = stop_of(said)
    concerned = (of for one in ledger.pinned_map(digest).systems.values() for of in stops_in(one, stop).values())
    if Scope.MARKETING_PROFILING not in listed and any(Scope.MARKETING_PROFILING in of for of in concerned):
        raise Failure(
            Exit.REFUSED,
            "some of this profiling is for marketing, which nothing outweighs: open an objection with scope: "
            "marketing_profiling for the same person first, and weigh the rest then",
        )


def _said(ledger: Ledger, request_id: str, right: Right) -> object:
    if ledger.request(request_id).right is not right:
        raise Failure(Exit.REFUSED, f"the request is not about {right}")
    details = ledger.details(request_id, right)
    if details is None:
        raise Failure(Exit.NOT_FOUND, "what was said with this request was destroyed on its day")
    return details


def _has_text(text: str, option: str) -> None:
    if not text.strip():
        raise Failure(Exit.USAGE, f"{option} is missing or empty: what is decided is decided on something")
    if len(text) > MAX_TEXT:
        raise Failure(Exit.USAGE, f"what {option} gives is longer than {MAX_TEXT:,} characters: shorten it")
