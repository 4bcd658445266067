"""`habeas token`: the tokens by which systems use the API.

The one rule: a token is printed once, by the command that makes it; no other command, log or table has it.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.options import By, Json

if TYPE_CHECKING:
    from ledger.accesstokens import AccessToken

tokens = typer.Typer(no_args_is_help=True, help="Tokens by which systems use the API.")

_System = Annotated[
    str,
    typer.Argument(
        metavar="SYSTEM", help="What the system is called in the ledger, such as web-shop.", show_default=False
    ),
]


@tokens.command()
def make(
    system: _System,
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="An action that it may do, such as requests:open. May be given again.",
            show_default=False,
        ),
    ],
    until: Annotated[
        str, typer.Option("--until", metavar="DATE", help="Its last day, within two years.", show_default=False)
    ],
    by: By,
    replaces: Annotated[
        str | None,
        typer.Option(
            "--replaces",
            metavar="TOKEN",
            help="The id of a token of the same system that ends when the overlap is over.",
            show_default=False,
        ),
    ] = None,
    overlap: Annotated[
        int,
        typer.Option("--overlap", metavar="HOURS", min=0, max=24 * 30, help="For how long both are good, then."),
    ] = 24,
    as_json: Json = False,
) -> None:
    """Make a token and print it, once.

    What somebody has to answer for is no scope of a token: the help of each action says so in docs/who-may.md.

    Example: habeas token make web-shop --scope requests:open --scope requests:read --until 2027-05-31 --by s-17
    """
    from datetime import timedelta

    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_day, role
    from starter.show import Cell, Page, answer
    from starter.systemtokens import end_of, scopes_of, system_name, token_document, token_pairs

    named, wanted, day = system_name(system), scopes_of(scope), read_day(until, "--until")
    with desk() as at:
        token, secret = at.ledger.make_access_token(
            named,
            wanted,
            ends_at=end_of(day, at.zone, now()),
            by=role(by, "--by"),
            at=now(),
            replaces=None if replaces is None else ledger_id(replaces, "token"),
            overlap=timedelta(hours=overlap),
        )
        page = Page().heading(Cell("Made; it is not shown again", "good")).line(secret)
        page.pairs(token_pairs(token, at.zone))
        answer({"token": secret, **token_document(token)}, page, as_json=as_json)


@tokens.command("list")
def list_(as_json: Json = False) -> None:
    """List the tokens: what each may, until when, and the last day it was used.

    Example: habeas token list
    """
    from starter.desk import desk, now
    from starter.show import Page, answer
    from starter.systemtokens import token_document, token_row

    with desk() as at:
        found, moment = at.ledger.access_tokens(), now()
        page = Page()
        if found:
            columns = ("token", "system", "may", "ends", "last used", "state")
            page.grid(columns, [token_row(one, at.zone, moment) for one in found])
        else:
            page.line("no token was made yet: habeas token make makes one")
        answer({"tokens": [token_document(one) for one in found]}, page, as_json=as_json)


@tokens.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="The token's id.", show_default=False)],
    by: By,
    as_json: Json = False,
) -> None:
    """Let nobody in by a token any more, from the next call on.

    Example: habeas token revoke 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17
    """
    from starter.desk import desk, now
    from starter.inputs import ledger_id, role
    from starter.show import Cell, Page, answer
    from starter.systemtokens import token_document

    with desk() as at:
        over: AccessToken = at.ledger.revoke_access_token(ledger_id(token, "token"), by=role(by, "--by"), at=now())
    answer(token_document(over), Page().line(Cell(f"{over.system}: this token is over", "good")), as_json=as_json)
