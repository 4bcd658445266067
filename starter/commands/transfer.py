"""`habeas receive` and `habeas transfer`: data from one controller to another (GDPR Art. 20(2)).

The one rule: what comes in lies in quarantine until a person has looked at it; nothing of it is printed.
"""

from pathlib import Path
from typing import Annotated

import typer

from starter.commands.options import Host, Json, Port, ReadyFile, RequestId
from starter.exits import Exit, Failure

transfers = typer.Typer(no_args_is_help=True, help="Data that was sent to other controllers.")


def receive(
    config: Annotated[
        Path, typer.Argument(metavar="FILE", help="The receiving file: docs/portability.md.", show_default=False)
    ],
    port: Port = 8443,
    host: Host = "127.0.0.1",
    ready_file: ReadyFile = None,
) -> None:
    """Take in what other controllers send, over HTTPS.

    Each transfer is checked, put into quarantine and receipted; nothing is imported. Runs until it is stopped.

    Example: habeas receive receiving.yaml --port 8443
    """
    from activities.jws import load_signing_key
    from connectors.registry import resolve
    from rights.transfer import read_receiving
    from starter.desk import load_env
    from starter.endpoint import stand
    from starter.receiving import Intake, serve

    load_env()
    try:
        text = config.read_text()
    except (OSError, UnicodeDecodeError):
        raise Failure(Exit.USAGE, "the receiving file cannot be read: name one in UTF-8") from None
    settings = read_receiving(str(config), text)
    try:
        key = load_signing_key(resolve(settings.signing_key))
    except ValueError as error:
        raise Failure(Exit.BAD, f"signing_key: {error}") from None
    try:
        intake, pem = Intake(settings, key), resolve(settings.certificate_key)
        door = serve(intake, Path(settings.certificate), pem, host, port)
        stand(door, lambda taken: f"receiving as {settings.name} on https://{host}:{taken}", ready_file)
    except OSError:
        raise Failure(
            Exit.BAD, "the port, the certificate or the quarantine cannot be used: see that they are there and yours"
        ) from None


@transfers.command()
def key(
    reference: Annotated[
        str, typer.Argument(metavar="KEY", help="Our private key, env:NAME or file:/path.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Print our public key, for the file of who sends to us or receives from us.

    Example: habeas transfer key file:/etc/habeas/transfer.pem
    """
    from activities.jws import load_signing_key, public_key
    from connectors.registry import resolve
    from starter.desk import load_env
    from starter.show import Page, answer

    load_env()
    if not reference.startswith(("env:", "file:")):
        raise Failure(Exit.USAGE, "KEY names where the key is, env:NAME or file:/path, and never is the key")
    try:
        pem = public_key(load_signing_key(resolve(reference)))
    except ValueError as error:
        raise Failure(Exit.BAD, str(error)) from None
    answer({"public_key": pem}, Page().line(pem), as_json=as_json)


@transfers.command()
def receipt(request: RequestId, as_json: Json = False) -> None:
    """Show what was sent to another controller, and what it has signed.

    Example: habeas transfer receipt 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.show import Cell, Page, answer, minute

    request_id = ledger_id(request, "request")
    with desk() as at:
        sent = at.ledger.transmission(request_id)
        if sent is None:
            raise Failure(Exit.NOT_FOUND, "nothing of this request was sent to another controller, or not yet")
        signed = at.ledger.unseal(request_id, "file", f"receipt/{sent.transfer}")
        page = Page().line(Cell(f"taken in by {sent.receiver}", "good"))
        page.pairs(
            (
                ("sent", minute(sent.at, at.zone)),
                ("transfer", sent.transfer),
                ("parcel", sent.digest),
                ("receipt", signed.decode() if signed else "destroyed on its day"),
            )
        )
    document = {**sent.model_dump(mode="json"), "receipt": signed.decode() if signed else None}
    answer(document, page, as_json=as_json)
