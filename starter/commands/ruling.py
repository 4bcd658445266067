"""`habeas request rule`: what a person says of a task that waits for one.

The one rule: a word that does not fit its task is refused, and changes nothing.
"""

from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from starter.commands.options import Json, MaybeBy, NoteFile, RequestId
from starter.commands.request import decided, requests
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from ledger.decisions import Ruling

WORDS: Final = ("retry", "give_up", "done", "choose")
"""What a task can be ruled."""


@requests.command()
def rule(
    request: RequestId,
    word: Annotated[
        str,
        typer.Argument(
            metavar="WORD",
            help="retry, give_up, done or choose.",
            show_default=False,
            autocompletion=lambda: list(WORDS),
        ),
    ],
    task: Annotated[str, typer.Option("--task", metavar="TASK", help="The task's id.", show_default=False)],
    person: Annotated[
        str | None,
        typer.Option(
            "--person",
            metavar="NUMBERS",
            help="choose: the numbers that the task asks for, such as 1,2, or none.",
            show_default=False,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="done, of post: the day it went out or came.", show_default="today"),
    ] = None,
    by: MaybeBy = None,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Rule on a task.

    retry: try the step again, on the map of today. give_up: leave it; the answer will say so, and nothing asks again
    on this map. done: it was done by hand, for what the engine cannot look at itself. choose: the numbers that the task
    asks for (--person 1,2), most often the candidates that are this person, or none of them (--person none).

    Example: habeas request rule 01kap2v7q4m8w3x9yd5tgh6jzr give_up --task 01kap30c2m6n8r1v5t9w4x7yzb --by s-17
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, maybe_day, maybe_role, read_text
    from starter.tasks import chosen, covered_by

    ruling = _ruling(word)
    if (ruling == "choose") != (person is not None):
        raise Failure(Exit.USAGE, "choose and --person belong together: habeas request show lists the candidates")
    if on is not None and ruling != "done":
        raise Failure(Exit.USAGE, "--on goes with done: it says on which day it was done")
    day, who = maybe_day(on, "--on"), maybe_role(by, "--by")
    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        request_id, task_id = ledger_id(request, "request"), ledger_id(task, "task")
        rows = chosen(at.ledger, request_id, task_id, person) if person is not None else None
        fresh = at.ledger.rule(
            request_id, task_id, ruling, at=now(), note=note, by=who, chosen=rows, on=day, covers=covered_by(at)
        )
    decided(f"ruled {ruling}", fresh, as_json)


def _ruling(word: str) -> "Ruling":
    if word not in WORDS:
        raise Failure(Exit.USAGE, f"WORD is one of {', '.join(WORDS)}")
    return cast("Ruling", word)
