"""`habeas request stop` and `review`: an erasure that somebody stops before it begins.

The one rule: a token stops and does nothing else; what was stopped goes on only by the word of two agents.
"""

from typing import Annotated, cast

import typer

from starter.commands.options import Json, NoteFile, RequestId, Seat
from starter.commands.request import requests
from starter.exits import Exit, Failure


@requests.command()
def stop(
    token: Annotated[
        str,
        typer.Option(
            "--token", metavar="TOKEN", help="The token of the notice, or - for standard input.", show_default=False
        ),
    ],
    as_json: Json = False,
) -> None:
    """Stop an erasure in its cooling-off, by the token of the notice.

    It is frozen then, and a person looks at it. Nothing was erased.

    Example: habeas request stop --token -
    """
    from starter.desk import desk, now
    from starter.inputs import read_text
    from starter.show import Cell, Page, answer

    text = read_text("-", "--token") if token == "-" else token  # noqa: S105 - no secret: the sign for standard input
    with desk() as at:
        fresh = at.ledger.stop(text, at=now())
    said = "stopped: nothing is erased before somebody has looked at it" if fresh else "it was stopped before"
    answer({"stopped": True, "new": fresh}, Page().line(Cell(said, "good")), as_json=as_json)


@requests.command()
def review(
    request: RequestId,
    word: Annotated[str, typer.Argument(metavar="WORD", help="release or withdraw.", show_default=False)],
    by: Seat,
    note_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Say what becomes of an erasure that was stopped: release or withdraw. Two agents have to say the same.

    Example: habeas request review 01kap2v7q4m8w3x9yd5tgh6jzr release --by s-17
    """
    from ledger.cooling import Review
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, staff_id
    from starter.show import Cell, Page, answer

    if word not in {"release", "withdraw"}:
        raise Failure(Exit.USAGE, "WORD is release or withdraw")
    note = read_text(note_file, "--note-file") if note_file else None
    with desk() as at:
        done = at.ledger.review(
            ledger_id(request, "request"), cast("Review", word), by=staff_id(by), at=now(), note=note
        )
    said = f"{word}: done" if done else f"{word}: noted; a second agent has to say so too"
    answer({"word": word, "done": done}, Page().line(Cell(said, "good" if done else "warn")), as_json=as_json)
