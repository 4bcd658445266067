"""`habeas decision paid` and `unpaid`: what became of a fee that a decision asks for.

The one rule: whoever enters it says so with an opaque id, and the ledger does the rest.
"""

from typing import Literal

from starter.commands.decision import DecisionId, decisions
from starter.commands.options import Json, NoteFile, On, Seat


@decisions.command()
def paid(decision: DecisionId, by: Seat, on: On = None, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Enter that the fee was paid; the request goes on.

    Example: habeas decision paid 01kap30c2m6n8r1v5t9w4x7yzb --by s-31 --on 2026-11-20
    """
    _settle(decision, "paid", by, on, note_file, as_json)


@decisions.command()
def unpaid(decision: DecisionId, by: Seat, on: On = None, note_file: NoteFile = None, as_json: Json = False) -> None:
    """Enter that the fee was not paid; the request is refused on the ground that was approved, and the person is told.

    Example: habeas decision unpaid 01kap30c2m6n8r1v5t9w4x7yzb --by s-31
    """
    _settle(decision, "unpaid", by, on, note_file, as_json)


def _settle(
    decision: str, word: Literal["paid", "unpaid"], by: str, on: str | None, note_file: str | None, as_json: bool
) -> None:
    from starter.deciding import decision_document, decision_page
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_day, read_text, staff_id
    from starter.show import answer

    note = read_text(note_file, "--note-file") if note_file else None
    day = maybe_day(on, "--on")
    with desk() as at:
        settled = at.ledger.settle_fee(
            ledger_id(decision, "decision"), word, by=staff_id(by), at=now(), on=day, note=note
        )
        answer(decision_document(settled, {}), decision_page(settled, at.zone), as_json=as_json)
