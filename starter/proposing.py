"""Deciding on a request: what is looked at before a decision is proposed, and in which seat somebody says a word on it.

The one rule: every door that decides asks here; whoever proposes does not approve.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from ledger.proposals import Decision
from rights.approvers import Approvers
from rights.decision import Decided, Element, Role, Word, check
from rights.exempt import exempt
from rights.ownlaw import unsayable
from rights.reckoning import local_day
from rights.request import Right
from settings import Settings
from starter.desk import Desk
from starter.exits import Exit, Failure
from starter.weigh import refuse_unfit


def proposed(
    at: Desk, request_id: str, decided: Decided, texts: Mapping[Element, str], *, by: str, moment: datetime
) -> Decision:
    """Propose a decision, once it fits the request, its laws, the map and the seats that are taken.

    Raises:
        DecisionError: it does not fit.
        Failure: nobody is named who would have to approve it, or no letter could say its ground.
        LedgerRefusal: there is no such request, or it makes no sense as that stands.
    """
    row = at.ledger.request(request_id)
    needs = check(decided, row.right, row.regimes, texts, local_day(moment, row.clock.zone))
    if silent := unsayable(decided.codes, at.settings.office.language):
        raise Failure(Exit.USAGE, silent)
    if decided.word in {Word.REFUSE, Word.FEE} and row.right is Right.OBJECTION:
        refuse_unfit(at.ledger, row.id, decided.ground, moment)
    if decided.parts:
        data_map = at.ledger.pinned_map(row.map_digest) if row.map_digest else at.data_map
        exempt(data_map, row.right, decided.exempted)
    approvers = at.settings.approvers or Approvers()
    for role in needs.approvers:
        if approvers.seat(role) is None:
            raise Failure(Exit.USAGE, f"nobody is named as {role}: set approvers.{role} in the settings first")
    # A controller without a data protection officer has nobody to ask.
    needs = needs.model_copy(update={"consult": needs.consult and approvers.seat(Role.DPO) is not None})
    until = moment + timedelta(days=approvers.consult_days)
    decision = at.ledger.propose(row.id, decided, needs, texts, by=by, consult_until=until, at=moment)
    return at.ledger.decision(decision.id)


def spoken_of(
    at: Desk,
    decision_id: str,
    word: Literal["approve", "agree", "dissent"],
    roles: Sequence[Role],
    *,
    by: str,
    note: str | None,
    moment: datetime,
) -> Decision:
    """Say a word on a decision, in the seat that is asked for and that somebody has.

    Raises:
        Failure: they have none of these seats.
        LedgerRefusal: there is no such decision, or it does not wait for this word.
    """
    missing = at.ledger.decision(decision_id).missing
    role, substitute = _seat(at.settings, by, [r for r in roles if r in missing] or list(roles))
    return at.ledger.speak(decision_id, role, word, by=by, substitute=substitute, at=moment, note=note)


def _seat(settings: Settings, staff: str, roles: Sequence[Role]) -> tuple[Role, bool]:
    """In which of these roles somebody acts, and whether as a substitute."""
    approvers = settings.approvers or Approvers()
    for role in roles:
        substitute = approvers.acts_as(staff, role)
        if substitute is not None:
            return role, substitute
    names = " or ".join(roles)
    raise Failure(Exit.REFUSED, f"this takes {names}, or who stands in for them: the settings name them (approvers)")
