"""`habeas request stop`, `review` and `habeas stop-page`: an erasure that somebody stops before it begins.

The one rule: a token stops and does nothing else; what was stopped goes on only by the word of two agents.
"""

from pathlib import Path
from typing import Annotated, cast

import typer

from starter.commands.options import Host, Json, NoteFile, Port, ReadyFile, RequestId, Seat
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


def stop_page(
    port: Port = 8444,
    host: Host = "127.0.0.1",
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate", metavar="FILE", help="The certificate for HTTPS, as PEM; with --key.", show_default=False
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Its private key, env:NAME or file:/path.", show_default=False),
    ] = None,
    ready_file: ReadyFile = None,
) -> None:
    """Serve the page behind the link of a cooling-off notice: one button, which stops an erasure before it begins.

    Looking at it changes nothing and says nothing of anybody. The setting letters.stop_page says where it is reached
    from outside. Without a certificate it listens on this machine alone, for a proxy with HTTPS beside it. Runs until
    it is stopped.

    Example: habeas stop-page --port 8444
    """
    from connectors.registry import resolve
    from starter.commands.api import loopback
    from starter.desk import desk, now
    from starter.endpoint import stand
    from starter.stopping import StopPage, serve_stop_page

    if (certificate is None) != (key is None):
        raise Failure(Exit.USAGE, "--certificate and --key go together")
    if certificate is None and not loopback(host):
        raise Failure(Exit.USAGE, "the page is not served to others in the clear: give --certificate and --key")
    with desk() as at:
        try:
            pair = (certificate, resolve(key)) if certificate and key else None
        except ValueError as error:
            raise Failure(Exit.BAD, f"--key: {error}") from None
        page = StopPage(at.ledger, at.settings.office, now)
        scheme = "https" if pair else "http"
        try:
            door = serve_stop_page(page, host, port, pair)
            stand(door, lambda taken: f"the stop page is on {scheme}://{host}:{taken}", ready_file)
        except OSError:
            raise Failure(
                Exit.BAD, "the port, the certificate or the key cannot be used: see that they are there and yours"
            ) from None


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
