"""`habeas objection` and `habeas automated`: what people weigh, and what they look at again.

The one rule: what the person has said is shown to whoever weighs it, and what comes of it is said once.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.commands.options import By, Json, ReasonFile, RequestId
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from rights.weighing import Outcome, Weighing

objections = typer.Typer(no_args_is_help=True, help="Objections on grounds: read them, and weigh.")
automated = typer.Typer(no_args_is_help=True, help="Automated decisions: hear the person, and look again.")

Evidence = Annotated[
    str,
    typer.Option(
        "--evidence-file",
        metavar="FILE",
        help="What was looked at and found, from a file or - ; sealed.",
        show_default=False,
    ),
]


@objections.command("show")
def show_objection(request: RequestId, as_json: Json = False) -> None:
    """Show what the person objects to, and what could outweigh it.

    For whoever weighs it: the person's own words come out of the vault.

    Example: habeas objection show 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from rights.suppression import Scope
    from rights.weighing import grounds_for
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.show import Page, answer
    from starter.weigh import objection_said

    with desk() as at:
        request_id = ledger_id(request, "request")
        said, weighing, zone = objection_said(at.ledger, request_id), at.ledger.weighing(request_id), at.zone
    grounds = grounds_for(Scope(said.scope))
    page = Page().pairs(
        (("objects to", said.scope), ("purposes", ", ".join(said.purposes) or None), *_by(weighing, zone))
    )
    if said.reasons:
        page.heading("In the person's words").line(said.reasons)
    for name, ground in grounds.items():
        page.line(f"{name}: {ground.says} ({ground.article})", indent=2)
    if not grounds:
        page.line("nothing outweighs it: it is carried out at once")
    document: dict[str, Any] = {
        **said.model_dump(mode="json"),
        "weighing": weighing.model_dump(mode="json") if weighing else None,
        "grounds": {name: ground.model_dump(mode="json") for name, ground in grounds.items()},
    }
    answer(document, page, as_json=as_json)


@objections.command()
def weigh(
    request: RequestId,
    outcome: Annotated[str, typer.Argument(metavar="OUTCOME", help="upheld or overridden.", show_default=False)],
    by: By,
    evidence_file: Evidence,
    ground: Annotated[
        str, typer.Option("--ground", metavar="GROUND", help="overridden: what outweighs it.", show_default=False)
    ] = "",
    reason_file: ReasonFile = None,
    approved_by: Annotated[
        str,
        typer.Option("--approved-by", metavar="STAFF", help="overridden: who has approved it.", show_default=False),
    ] = "",
    as_json: Json = False,
) -> None:
    """Say whose grounds weigh more.

    upheld: what the person objects to stops, and stays stopped. overridden: it goes on, and the person is told why, and
    where to complain; it takes a ground of the law, evidence, a reason and a second person.

    Example: habeas objection weigh 01kap2v7q4m8w3x9yd5tgh6jzr upheld --by dpo --evidence-file note.txt
    """
    from rights.weighing import Matter
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role
    from starter.weigh import weigh_objection

    found = _outcome(outcome, Matter.OBJECTION)
    evidence, reason = _texts(evidence_file, reason_file)
    with desk() as at:
        fresh = weigh_objection(
            at.ledger,
            ledger_id(request, "request"),
            found,
            by=role(by, "--by"),
            evidence=evidence,
            at=now(),
            ground=ground,
            reason=reason,
            approved_by=role(approved_by, "--approved-by") if approved_by else "",
        )
    _said_once(f"the objection is {found}", fresh, as_json)


@automated.command("show")
def show_review(request: RequestId, as_json: Json = False) -> None:
    """Show which decision the person contests, and why.

    For whoever reviews it: the person's own words come out of the vault.

    Example: habeas automated show 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.show import Page, answer
    from starter.weigh import review_said

    with desk() as at:
        request_id = ledger_id(request, "request")
        said, weighing, zone = review_said(at.ledger, request_id), at.ledger.weighing(request_id), at.zone
    page = Page().pairs((("decision", said.decision), ("made by", said.decided_by or None), *_by(weighing, zone)))
    page.heading("In the person's words").line(said.contested)
    document = {
        **said.model_dump(mode="json"),
        "weighing": weighing.model_dump(mode="json") if weighing else None,
    }
    answer(document, page, as_json=as_json)


@automated.command()
def decide(
    request: RequestId,
    outcome: Annotated[str, typer.Argument(metavar="OUTCOME", help="upheld, changed or annulled.", show_default=False)],
    by: By,
    evidence_file: Evidence,
    reason_file: ReasonFile = None,
    as_json: Json = False,
) -> None:
    """Say what came of looking at a decision again.

    upheld: it stands. changed: it is another one now. annulled: it no longer stands. The reviewer is a person with the
    authority to change it, and not whoever has made it.

    Example: habeas automated decide 01kap2v7q4m8w3x9yd5tgh6jzr changed --by 'head of credit' --evidence-file look.txt
    --reason-file told.txt
    """
    from rights.weighing import Matter
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role
    from starter.weigh import decide_review

    found = _outcome(outcome, Matter.DECISION)
    evidence, reason = _texts(evidence_file, reason_file)
    with desk() as at:
        fresh = decide_review(
            at.ledger,
            ledger_id(request, "request"),
            found,
            by=role(by, "--by"),
            evidence=evidence,
            reason=reason,
            at=now(),
        )
    _said_once(f"the decision is {found}", fresh, as_json)


def _by(weighing: "Weighing | None", zone: str) -> tuple[tuple[str, str | None], ...]:
    from starter.show import day

    if weighing is None:
        return (("weighed by", "not on anybody's desk yet"),)
    return (("due", day(weighing.due_at, zone)), ("outcome", weighing.outcome))


def _outcome(text: str, matter: Any) -> "Outcome":
    from rights.weighing import OUTCOMES, Outcome

    if text not in OUTCOMES[matter]:
        raise Failure(Exit.USAGE, f"OUTCOME is one of {', '.join(OUTCOMES[matter])}")
    return Outcome(text)


def _texts(evidence_file: str, reason_file: str | None) -> tuple[str, str]:
    from starter.inputs import read_text

    if evidence_file == reason_file == "-":
        raise Failure(Exit.USAGE, "--evidence-file and --reason-file cannot both read standard input")
    return read_text(evidence_file, "--evidence-file"), read_text(reason_file, "--reason-file") if reason_file else ""


def _said_once(said: str, fresh: bool, as_json: bool) -> None:
    from starter.show import Cell, Page, answer

    text = said if fresh else f"{said}: that was said before"
    answer({"said": fresh}, Page().line(Cell(text, "good")), as_json=as_json)
