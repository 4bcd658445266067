"""`habeas identity mandate`, `deceased` and `minor`: who asks for somebody else, or cannot ask alone.

The one rule: what a paper says, and the name of whoever asks, is sealed; nothing of it is printed.
"""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.identity import Paper, identities, scan_of, verdict_of
from starter.commands.options import By, Json, RequestId
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from rights.mandates import Mandate


@identities.command()
def mandate(
    request: RequestId,
    by: By,
    details: Annotated[
        str | None,
        typer.Option(
            "--details",
            metavar="FILE",
            help="What the mandate says, as YAML, from a file or - ; kept sealed.",
            show_default=False,
        ),
    ] = None,
    paper: Paper = None,
    as_json: Json = False,
) -> None:
    """Note that somebody asks for another person, and keep their mandate.

    Without --details only the first: nothing is proven then until a mandate is here. It stays in the request's file.

    Example: habeas identity mandate 01kap2v7q4m8w3x9yd5tgh6jzr --by 'support desk' --details mandate.yaml --paper
    scan.pdf
    """
    from rights.mandates import read_mandate
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role

    said = read_mandate("--details", read_text(details, "--details")) if details else None
    scan = scan_of(paper) if paper else None
    if scan and said is None:
        raise Failure(Exit.USAGE, "--paper goes with --details: write down what the mandate says")
    with desk() as at:
        request_id = ledger_id(request, "request")
        if said is None:
            at.ledger.require_mandate(request_id, by=role(by, "--by"), at=now())
            verdict_of(False, as_json)
        else:
            verdict_of(at.ledger.keep_mandate(request_id, said, by=role(by, "--by"), at=now(), paper=scan), as_json)


@identities.command()
def deceased(
    request: RequestId,
    by: By,
    country: Annotated[
        str, typer.Option("--country", metavar="COUNTRY", help="Their last residence, such as FR.", show_default=False)
    ],
    relation: Annotated[
        str, typer.Option("--relation", metavar="RELATION", help="heir, family or appointee.", show_default=False)
    ],
    died: Annotated[str, typer.Option("--died", metavar="DATE", help="The day of death.", show_default=False)],
    answer_to: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Who asks, with their address for letters; kept sealed.")
    ] = "",
    email: Annotated[
        str, typer.Option("--email", metavar="ADDRESS", help="Where letters to them go, if not by post; kept sealed.")
    ] = "",
    paper: Paper = None,
    as_json: Json = False,
) -> None:
    """Note that the data of somebody who has died is asked for, and by whom.

    Who may is said by country (rights/law/deceased.yaml); where the law is not sure it is off, and counsel decides.

    Example: habeas identity deceased 01kap2v7q4m8w3x9yd5tgh6jzr --country FR --relation heir --died 2026-01-02 --by
    'support desk'
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role

    with desk() as at:
        request_id = ledger_id(request, "request")
        row = at.ledger.request(request_id)
        said = _survivor(str(row.right), country, relation, died, (answer_to, email), now().date().isoformat())
        scan = scan_of(paper) if paper else None
        verdict_of(at.ledger.keep_mandate(request_id, said, by=role(by, "--by"), at=now(), paper=scan), as_json)


@identities.command()
def service(
    request: RequestId,
    word: Annotated[str, typer.Argument(metavar="WORD", help="ended or kept.", show_default=False)],
    by: By,
    as_json: Json = False,
) -> None:
    """Note whether you end your service to a child whose parent has its data deleted or refuses more.

    The law lets you end it and does not have to (16 CFR 312.6(c)): nothing here ends it, and a deletion is no such end.

    Example: habeas identity service 01kap2v7q4m8w3x9yd5tgh6jzr kept --by 'privacy desk'
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role
    from starter.show import Cell, Page, answer

    if word not in {"ended", "kept"}:
        raise Failure(Exit.USAGE, "WORD is one of ended, kept")
    with desk() as at:
        at.ledger.note_service(ledger_id(request, "request"), ended=word == "ended", by=role(by, "--by"), at=now())
        answer({"service": word}, Page().line(Cell(f"noted: the service is {word}", "good")), as_json=as_json)


@identities.command()
def minor(
    request: RequestId,
    by: By,
    age: Annotated[int, typer.Option("--age", metavar="YEARS", min=0, max=17, help="In years.", show_default=False)],
    country: Annotated[
        str, typer.Option("--country", metavar="COUNTRY", help="Where they live, such as NL.", show_default=False)
    ] = "",
    as_json: Json = False,
) -> None:
    """Note that the person is a child or a teenager.

    From 13 on they ask in their own name, and no document is asked of them; for younger ones a parent or guardian asks.
    Where the law of their country names another age, that counts (rights/law/minors.yaml).

    Example: habeas identity minor 01kap2v7q4m8w3x9yd5tgh6jzr --age 15 --country NL --by 'support desk'
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role
    from starter.show import Page, answer

    if country and not re.fullmatch(r"[A-Za-z]{2}", country):
        raise Failure(Exit.USAGE, "--country is a code of two letters such as NL")
    with desk() as at:
        request_id, who = ledger_id(request, "request"), role(by, "--by")
        guarded = at.ledger.note_age(request_id, age, by=who, at=now(), country=country)
        said = "a parent or guardian asks: keep their mandate" if guarded else "asks in their own name"
        answer({"guardian": guarded}, Page().line(said), as_json=as_json)


def _survivor(right: str, country: str, relation: str, died: str, who: tuple[str, str], today: str) -> "Mandate":
    from pydantic import ValidationError

    from rights.mandates import Mandate

    body = {
        "kind": "survivor",
        "scope": [right],
        "signed": today,
        "answer_to": "representative",
        "representative": who[0],
        "representative_email": who[1],
        "country": country,
        "relation": relation,
        "died": died,
    }
    try:
        return Mandate.model_validate(body)
    except ValidationError:
        raise Failure(
            Exit.USAGE,
            "--country is a code such as FR, --relation heir, family or appointee, --died a date, --email an address",
        ) from None
