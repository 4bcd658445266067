"""`habeas minor`: data that is said to be a child's: put out of use at once, ruled on by a second person, erased.

The one rule: a report needs no proof and destroys nothing; a ruling is never the reporter's own.
"""

from typing import Annotated

import typer

from starter.commands.options import AskedUnder, By, IdempotencyKey, Identities, Identity, Json, ReceivedFile, RequestId
from starter.exits import Exit, Failure

minors = typer.Typer(no_args_is_help=True, help="Data that is said to be a child's: report it, rule on it.")

_WORDS = ("child", "not_child")


@minors.command()
def report(
    source: Annotated[
        str, typer.Option("--source", metavar="SOURCE", help="staff, parent or system.", show_default=False)
    ],
    by: By,
    identity: Identity = None,
    identities: Identities = None,
    parent_email: Annotated[
        str | None,
        typer.Option(
            "--parent-email",
            metavar="ADDRESS",
            help="Where a parent or guardian is told that the report is here; kept sealed.",
            show_default=False,
        ),
    ] = None,
    text_file: ReceivedFile = None,
    idempotency_key: IdempotencyKey = None,
    regime: AskedUnder = None,
    as_json: Json = False,
) -> None:
    """Report that data may be a child's, and was collected by accident.

    It is put out of use at once, without any proof. It is erased, without cooling-off, once a second person says so too
    (habeas minor rule).

    Example: habeas minor report --identities child.txt --source parent --by 'support desk' --parent-email
    parent@example.org
    """
    from rights.minors import Source
    from starter.desk import desk, now, rules
    from starter.inputs import identity_pairs, read_text, role
    from starter.minors import report as receive
    from starter.show import Cell, Page, answer, minute

    if source not in list(Source):
        raise Failure(Exit.USAGE, f"--source takes one of {', '.join(Source)}")
    if [identities, text_file].count("-") > 1:
        raise Failure(Exit.USAGE, "only one of --identities and --text-file can read standard input")
    pairs = identity_pairs(identity or (), identities)
    text = read_text(text_file, "--text-file") if text_file is not None else None
    with desk() as at:
        made = receive(
            at.ledger,
            at.data_map,
            rules(at.settings),
            pairs,
            source=Source(source),
            by=role(by, "--by"),
            at=now(),
            parent=parent_email,
            key=idempotency_key,
            text=text,
            regimes=regime or (),
        )
        due = at.ledger.request(made.erasure).clock.internal_due
        page = Page().line(Cell(f"report {made.erasure} {'received' if made.new else 'was received before'}", "good"))
        page.pairs(
            (
                ("out of use by", made.restriction),
                ("due", minute(due, at.zone)),
                ("next", f"habeas minor rule {made.erasure} child | not_child"),
            )
        )
        document = {"id": made.erasure, "restriction": made.restriction, "new": made.new, "internal_due": due}
        answer(document, page, as_json=as_json)


@minors.command()
def rule(
    request: RequestId,
    word: Annotated[str, typer.Argument(metavar="WORD", help="child or not_child.", show_default=False)],
    by: By,
    indication: Annotated[
        str | None,
        typer.Option(
            "--indication",
            metavar="WHAT",
            help="With child, what shows it: age_on_file, document_seen, guardian or content.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say as a second person whether it is a child's data.

    A child's: it is erased at once; what a hold or a duty to keep covers stays out of use. Else the erasure is
    taken back, and the data is given free.

    Example: habeas minor rule 01kap2v7q4m8w3x9yd5tgh6jzr child --indication age_on_file --by 'privacy desk'
    """
    from datetime import timedelta

    from rights.minors import Indication
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role
    from starter.show import Cell, Page, answer

    if word not in _WORDS:
        raise Failure(Exit.USAGE, f"WORD is one of {', '.join(_WORDS)}")
    if word == "child" and indication not in list(Indication):
        raise Failure(Exit.USAGE, f"--indication takes one of {', '.join(Indication)}")
    if word != "child" and indication is not None:
        raise Failure(Exit.USAGE, "--indication goes with child: leave it out")
    with desk() as at:
        request_id, who = ledger_id(request, "request"), role(by, "--by")
        if word == "child":
            shown, sms, mail = Indication(str(indication)), at.settings.sms_gateway or "", at.settings.mail is not None
            fresh = at.ledger.rule_child(request_id, shown, by=who, at=now(), sms=sms, mail=mail)
            said = "it is a child's data: the erasure begins"
        else:
            notice = timedelta(days=at.settings.restriction_notice_days)
            fresh = at.ledger.rule_not_child(request_id, by=who, at=now(), notice=notice)
            said = "it is no child's data: nothing more is erased, and it is given free once the person is told"
        words = said if fresh else f"said before: {said}"
        answer({"word": word, "new": fresh}, Page().line(Cell(words, "good")), as_json=as_json)


@minors.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Also those that are ruled on.")] = False, as_json: Json = False
) -> None:
    """List reports that nobody has ruled on, the oldest first.

    Example: habeas minor list --all
    """
    from starter.desk import desk
    from starter.show import Page, answer, minute

    with desk() as at:
        found = at.ledger.minor_reports(open_only=not every)
        rows = [
            (
                one.request_id,
                one.restriction_id,
                one.source,
                minute(one.reported_at, at.zone),
                str(one.told),
                one.word or (f"open, asked for {one.level + 1} times" if one.level else "open"),
            )
            for one in found
        ]
        page = Page().grid(("report", "out of use by", "source", "reported", "told", "ruling"), rows, numbers=("told",))
        answer({"reports": [one.model_dump(mode="json") for one in found]}, page, as_json=as_json)
