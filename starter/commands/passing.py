"""`habeas request pass-on`: a request that belongs to another controller goes there.

The one rule: it goes only to whom the register names as answering, and while something may be sent there.
"""

from typing import Annotated

import typer

from starter.commands.options import By, Json, NoteFile, RequestId
from starter.commands.request import requests


@requests.command("pass-on")
def pass_on(
    request: RequestId,
    to: Annotated[
        str,
        typer.Argument(
            metavar="RECIPIENT",
            help="The controller's name in the register, which says of it: answers_requests.",
            show_default=False,
        ),
    ],
    by: By,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Pass a request on to the controller that answers it (GDPR Art. 28(3)(e), 26), and end it here.

    The controller is written to, with the day on which the request came in; so is the person. Nothing is erased,
    changed or handed out here any more. What has begun to be carried out is not passed on.

    Example: habeas request pass-on 01kap2v7q4m8w3x9yd5tgh6jzr retailer --by 'privacy desk'
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role
    from starter.passing import pass_on as passed
    from starter.show import Cell, Page, answer

    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        due = passed(
            at.ledger, at.register, ledger_id(request, "request"), to, at=now(), note=note, by=role(by, "--by")
        )
    words = f"passed on to {to}: its answer is awaited until {due}, and the person is told"
    answer({"passed_on_to": to, "answer_due": due.isoformat()}, Page().line(Cell(words, "good")), as_json=as_json)
