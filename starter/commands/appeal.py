"""`habeas appeal`: appeals against answers.

The one rule: whoever has decided on a request does not decide on the appeal against it.
"""

from typing import Annotated

import typer

from starter.commands.options import By, Json, NoteFile, RequestId
from starter.exits import Exit, Failure

appeals = typer.Typer(no_args_is_help=True, help="Receive appeals against answers, and decide on them.")

AppealId = Annotated[str, typer.Argument(metavar="APPEAL", help="The appeal's id.", show_default=False)]
ReasonText = Annotated[
    str,
    typer.Option(
        "--reason-file",
        metavar="FILE",
        help="The reasons as the person is to read them, from a file or - ; kept sealed.",
        show_default=False,
    ),
]


@appeals.command("open")
def open_(
    request: RequestId,
    by: By,
    received_at: Annotated[
        str | None,
        typer.Option("--received-at", metavar="WHEN", help="When it came in, if not now.", show_default=False),
    ] = None,
    text_file: NoteFile = None,
    as_json: Json = False,
) -> None:
    """Receive an appeal against the answer to a request; its clock starts.

    Example: habeas appeal open 01kap2v7q4m8w3x9yd5tgh6jzr --by 'support desk' --note-file appeal.txt
    """
    from starter.appeals import appeal_document, appeal_page
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, received, role
    from starter.show import answer

    text = read_text(text_file, "--note-file") if text_file else None
    with desk() as at:
        made = at.ledger.open_appeal(
            ledger_id(request, "request"),
            received_at=received(received_at, at.zone, now()),
            at=now(),
            text=text,
            by=role(by, "--by"),
        )
        answer(appeal_document(made, now()), appeal_page(made, now()), as_json=as_json)


@appeals.command("list")
def list_(
    closed: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False, as_json: Json = False
) -> None:
    """List appeals, the oldest first.

    Example: habeas appeal list --all
    """
    from starter.appeals import appeal_document
    from starter.desk import desk, now
    from starter.show import Page, answer, day

    with desk() as at:
        found = at.ledger.appeals(open_only=not closed)
        rows = [
            (one.id, one.request_id, day(one.clock.legal_due, at.zone), str(one.outcome or one.clock.risk(now())))
            for one in found
        ]
        page = Page().grid(("appeal", "request", "due by law", ""), rows) if rows else Page().line("no appeals")
        answer({"appeals": [appeal_document(one, now()) for one in found]}, page, as_json=as_json)


@appeals.command()
def show(appeal: AppealId, as_json: Json = False) -> None:
    """Show how an appeal stands.

    Example: habeas appeal show 01kap30c2m6n8r1v5t9w4x7yzb
    """
    from starter.appeals import appeal_document, appeal_page
    from starter.desk import desk, now
    from starter.inputs import ledger_id
    from starter.show import answer

    with desk() as at:
        found = at.ledger.appeal(ledger_id(appeal, "appeal"))
        answer(appeal_document(found, now()), appeal_page(found, now()), as_json=as_json)


@appeals.command()
def extend(appeal: AppealId, by: By, reason_file: ReasonText, as_json: Json = False) -> None:
    """Extend the term of an appeal, where its law lets you, once the person was told so with the reason.

    Example: habeas appeal extend 01kap30c2m6n8r1v5t9w4x7yzb --by dpo --reason-file reasons.txt
    """
    from starter.appeals import appeal_document, appeal_page
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role
    from starter.show import answer

    reason = read_text(reason_file, "--reason-file")
    with desk() as at:
        found = at.ledger.extend_appeal(ledger_id(appeal, "appeal"), at=now(), reason=reason, by=role(by, "--by"))
        answer(appeal_document(found, now()), appeal_page(found, now()), as_json=as_json)


@appeals.command()
def decide(
    appeal: AppealId,
    outcome: Annotated[
        str,
        typer.Argument(metavar="OUTCOME", help="upheld (the answer stands), reversed or in_part.", show_default=False),
    ],
    by: By,
    reason_file: ReasonText,
    as_json: Json = False,
) -> None:
    """Decide on an appeal. Reversed, or in part, the request is carried out anew, as a request of its own.

    Example: habeas appeal decide 01kap30c2m6n8r1v5t9w4x7yzb reversed --by dpo --reason-file reasons.txt
    """
    from rights.appeals import AppealOutcome
    from rights.approvers import Approvers
    from rights.decision import Role
    from starter.appeals import appeal_document, appeal_page
    from starter.appeals import decide as decide_on
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role
    from starter.show import answer

    if outcome not in set(AppealOutcome):
        raise Failure(Exit.USAGE, f"OUTCOME is one of {', '.join(AppealOutcome)}")
    reasons, who = read_text(reason_file, "--reason-file"), role(by, "--by")
    with desk() as at:
        approvers = at.settings.approvers or Approvers()
        found, fresh = decide_on(
            at.ledger,
            ledger_id(appeal, "appeal"),
            AppealOutcome(outcome),
            reasons=reasons,
            by=who,
            at=now(),
            seats=[seat for seat in Role if approvers.acts_as(who, seat) is not None],
        )
        document = appeal_document(found, now()) | {"new": fresh}
        answer(document, appeal_page(found, now()), as_json=as_json)
