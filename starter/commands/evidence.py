"""`habeas evidence` and `habeas audit-pack`: what a closed request leaves behind for whoever has to believe it.

The one rule: checking needs no deployment: a file and public keys are enough.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.options import Json, Replace, RequestId
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from ledger.genuine import Finding

evidences = typer.Typer(no_args_is_help=True, help="Signed evidence of closed requests, and checking it.")

Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where it goes.", show_default=False)]
Without = Annotated[
    bool, typer.Option("--without-timestamp", help="Do not ask the time-stamping authority of the settings.")
]


@evidences.command()
def show(request: RequestId, as_json: Json = False) -> None:
    """Show what the evidence of a closed request says.

    Nothing is signed, and no timestamp is asked for. With --json it is the in-toto statement itself.

    Example: habeas evidence show 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    import orjson

    from starter.desk import desk
    from starter.evidence import shown
    from starter.inputs import ledger_id
    from starter.show import answer

    with desk() as at:
        said = orjson.loads(at.ledger.statement(ledger_id(request, "request")))
    answer(said, shown(said), as_json=as_json)


@evidences.command()
def export(
    request: RequestId,
    out: Out = None,
    replace: Replace = False,
    without_timestamp: Without = False,
    as_json: Json = False,
) -> None:
    """Write the signed evidence file of a closed request.

    It is called REQUEST.evidence.json unless --out names it. There is no personal data in it.

    Example: habeas evidence export 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk, now
    from starter.evidence import make, open_authority
    from starter.inputs import ledger_id
    from starter.show import Cell, Page, answer

    request_id = ledger_id(request, "request")
    target = out or Path(f"{request_id}.evidence.json")
    with desk() as at:
        authority = open_authority(at.settings)
        data = make(at.ledger, authority, request_id, now(), timestamp=not without_timestamp)
        key = at.ledger.keys.current
        stamped = at.ledger.stamped(request_id)
    write(target, data, replace=replace)
    page = Page().line(Cell(f"written: {target}", "good"))
    page.pairs((("key", key), ("timestamp", "yes" if stamped else "none"), ("check it with", "habeas evidence verify")))
    document = {"file": str(target), "request_id": request_id, "key_id": key, "timestamp": stamped}
    answer(document, page, as_json=as_json)


@evidences.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An evidence file.", show_default=False)],
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys-file", metavar="FILE", help="Public keys (PEM) to believe; the deployment's own unless given.",
            show_default=False,
        ),
    ] = None,
    request: Annotated[
        str | None,
        typer.Option(
            "--request",
            metavar="REQUEST",
            help="The request it should be about; without it, the one that the file's name names.",
            show_default=False,
        ),
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            "--checkpoints-file", metavar="FILE", help="Signed checkpoints to compare the journal with.",
            show_default=False,
        ),
    ] = None,
    tsa_roots: Annotated[
        Path | None,
        typer.Option(
            "--tsa-roots-file", metavar="FILE", help="Certificates (PEM) by which to believe the timestamp.",
            show_default=False,
        ),
    ] = None,
    ledger: Annotated[bool, typer.Option("--ledger", help="Compare with the ledger of this deployment.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Check an evidence file.

    Offline, by public keys alone. Exit 1 if it is anything but genuine; the answer is one coded word.

    Example: habeas evidence verify 01kap2v7q4m8w3x9yd5tgh6jzr.evidence.json --keys-file keys.pem
    """
    from starter.evidence import check
    from starter.inputs import ledger_id

    expected = ledger_id(request, "request") if request else None
    known = _read_keys(keys) if keys is not None else None
    if known is not None and not ledger:
        found, stamped = check(file, known, request=expected, checkpoints=checkpoints, roots=tsa_roots)
    else:
        from starter.desk import desk

        with desk() as at:
            found, stamped = check(
                file,
                known if known is not None else at.ledger.keys.public,
                request=expected,
                checkpoints=checkpoints,
                roots=tsa_roots,
                ledger=at.ledger if ledger else None,
            )
    _report(found, str(stamped) if stamped else None, as_json)


def _read_keys(file: Path) -> "dict[str, Ed25519PublicKey]":
    from ledger.signing import KeyFileError, read_public_keys
    from starter.evidence import read_file

    try:
        return read_public_keys(read_file(file))
    except KeyFileError as error:
        raise Failure(Exit.USAGE, f"--keys-file: {error}") from None


def _report(found: "Finding", stamped: str | None, as_json: bool) -> None:
    from ledger.genuine import SAYS, timestamp_of
    from starter.show import Cell, Page, answer

    page = Page().line(Cell(f"{found.word}: {SAYS[found.word]}", "good" if found.genuine else "bad"))
    has_stamp = found.genuine and timestamp_of(found) is not None
    page.pairs(
        (
            ("request", found.request_id),
            ("key", found.key_id),
            ("timestamped", stamped or ("not checked: name --tsa-roots-file" if has_stamp else None)),
        )
    )
    document = {
        "verdict": found.word,
        "says": SAYS[found.word],
        "request_id": found.request_id,
        "key_id": found.key_id,
        "timestamped_at": stamped,
    }
    answer(document, page, as_json=as_json)
    if not found.genuine:
        raise typer.Exit(Exit.BAD)


@evidences.command("keys")
def keys_(out: Out = None, replace: Replace = False, as_json: Json = False) -> None:
    """Publish the ids of the keys that sign evidence, and the public keys.

    With --out they are written in PEM, for `habeas evidence verify --keys-file`.

    Example: habeas evidence keys --out keys.pem
    """
    from ledger.signing import pem_of
    from starter.desk import desk
    from starter.evidence import key_lines
    from starter.show import Cell, Page, answer

    with desk() as at:
        public = at.ledger.keys.public
        lines = list(key_lines(at.ledger))
        current = at.ledger.keys.current
    if out is not None:
        write(out, "".join(map(pem_of, public.values())).encode(), replace=replace)
    page = Page().grid(("key id", ""), ((Cell(one, "strong"), what) for one, what in lines))
    document = {
        "keys": [
            {"key_id": one, "algorithm": "Ed25519", "signs": one == current, "pem": pem_of(key)}
            for one, key in public.items()
        ]
    }
    answer(document, page, as_json=as_json)


def audit_pack(
    request: RequestId,
    head: Annotated[
        int | None,
        typer.Option(
            "--head", metavar="N", min=1, help="As of entry N of the journal; its present head unless given.",
            show_default=False,
        ),
    ] = None,
    out: Out = None,
    replace: Replace = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Pack all that an auditor needs of one request into a ZIP.

    A timeline in plain words, the journal's entries with their proofs, the laws, the data map, the evidence of a closed
    request, and how to check them. No personal data; the same bytes for the same head and key. It is called
    REQUEST.audit.zip unless --out names it.

    Example: habeas audit-pack 01kap2v7q4m8w3x9yd5tgh6jzr --head 4711
    """
    from starter.auditpack import pack
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.show import Cell, Page, answer

    request_id = ledger_id(request, "request")
    target = out or Path(f"{request_id}.audit.zip")
    with desk() as at:
        packed = pack(at.ledger, request_id, head)
    write(target, packed.data, replace=replace)
    page = Page().line(Cell(f"written: {target}", "good"))
    page.pairs((("head", str(packed.head)), ("SHA-256", packed.digest), ("start with", "timeline.txt")))
    document = {"file": str(target), "head": packed.head, "sha256": packed.digest, "closed": packed.closed}
    answer(document, page, as_json=as_json)


def write(target: Path, data: bytes, *, replace: bool, option: str = "--out") -> None:
    """Write a file that everybody may read: there is no personal data in it.

    Raises:
        Failure: it is there, or cannot be written.
    """
    try:
        with target.open("wb" if replace else "xb") as file:
            file.write(data)
    except FileExistsError:
        raise Failure(
            Exit.USAGE, f"there is a file of that name already: name another with {option}, or say --replace"
        ) from None
    except OSError:
        raise Failure(Exit.USAGE, f"the file of {option} cannot be written: name one in a directory of yours") from None
