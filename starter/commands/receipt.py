"""`habeas request correct-receipt` and what follows: when a request really came in.

The one rule: whoever corrects is not whoever approves, and both times are kept.
"""

from typing import Annotated

import typer

from starter.commands.identity import ByRole
from starter.commands.request import Json, RequestId, requests


@requests.command("correct-receipt")
def correct_receipt(
    request: RequestId,
    received_at: Annotated[
        str,
        typer.Option(
            "--received-at",
            metavar="WHEN",
            help="When it really came in: 2026-11-20 or 2026-11-20T14:30.",
            show_default=False,
        ),
    ],
    by: ByRole,
    as_json: Json = False,
) -> None:
    """Say that a request came in earlier or later than was entered; another role approves it."""
    from starter.desk import desk, now
    from starter.inputs import ledger_id, received
    from starter.show import Page, answer, minute

    with desk() as at:
        moment = received(received_at, at.zone, now())
        change = at.ledger.propose_receipt(ledger_id(request, "request"), moment, by=by, at=now())
        said = f"proposed: {minute(change.new_at, at.zone)} instead of {minute(change.old_at, at.zone)}"
        answer(change.model_dump(mode="json"), Page().line(said), as_json=as_json)


@requests.command("rule-receipt")
def rule_receipt(
    request: RequestId,
    word: Annotated[str, typer.Argument(metavar="WORD", help="approve or refuse.", show_default=False)],
    by: ByRole,
    as_json: Json = False,
) -> None:
    """Approve or refuse a corrected receipt. Both times stay in the ledger, and the clock is told."""
    from starter.desk import desk, now
    from starter.exits import Exit, Failure
    from starter.inputs import ledger_id
    from starter.show import Page, answer

    if word not in {"approve", "refuse"}:
        raise Failure(Exit.USAGE, "WORD is approve or refuse")
    with desk() as at:
        change = at.ledger.rule_receipt(ledger_id(request, "request"), approve=word == "approve", by=by, at=now())
        answer(change.model_dump(mode="json"), Page().line(f"the correction is {word}d"), as_json=as_json)
