"""Passing a request on: what the controller is told, and whether it may be.

The one rule: the register is asked as before anything that leaves, and a refusal has done nothing.
"""

from datetime import date, datetime, timedelta
from typing import Final

from ledger.ledger import Ledger
from ledger.notices import Draft, reached_by
from rights.letterkinds import LetterKind
from rights.letters import Particulars
from rights.recipients import Register
from rights.reckoning import local_day
from starter.exits import Exit, Failure

PASSED_ON: Final = "passed_on"
"""What its notice says that a controller was told."""


def pass_on(
    ledger: Ledger, register: Register, request_id: str, to: str, *, at: datetime, note: str | None, by: str
) -> date:
    """Pass a request on to a controller of the register; by when its answer is awaited.

    Raises:
        Failure: the register does not name it as answering requests, lets nothing go there today, or knows the person
            by nothing that was given.
        LedgerRefusal: the request is closed, withdrawn or unknown, or has begun to be carried out.
    """
    row = ledger.request(request_id)
    day = local_day(at, row.clock.zone)
    recipient = register.recipients.get(to)
    if recipient is None or not recipient.answers_requests:
        raise Failure(
            Exit.USAGE,
            "RECIPIENT: the register of recipients names nobody so that answers requests (answers_requests: true)",
        )
    if refused := register.refuses(to, day, row.regimes):
        raise Failure(Exit.REFUSED, f"nothing may be sent there: {refused.says}; nothing was done")
    about = [one for one in ledger.identities(request_id) if one.kind in recipient.knows_by]
    if not about:
        raise Failure(Exit.REFUSED, "it would find nobody: nothing was given that it knows people by (knows_by)")
    due = day + timedelta(days=recipient.answers_within_days)
    channel = reached_by(recipient)
    said = Particulars.model_validate({"about": [(one.kind, one.value) for one in about], "respond_by": due})
    draft = Draft(
        to,
        PASSED_ON,
        channel.kind,
        due,
        channel=channel,
        said=said.model_dump_json(exclude_none=True).encode(),
        kind=LetterKind.FORWARDED_REQUEST,
    )
    ledger.pass_on(request_id, draft, recipient.name, at=at, note=note, by=by)
    return due
