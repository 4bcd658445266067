"""`habeas demo` and `habeas dev`: the whole engine on this machine, on real servers.

The one rule: they need the `dev` extra and nothing else; what they start, they end.
"""

from typing import Annotated

import typer

from starter.exits import Exit


def demo(
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep everything running afterwards, until Ctrl-C, to look at the Temporal UI."),
    ] = False,
) -> None:
    """Run an access and an erasure request on real servers.

    A shop's database, bucket and mailbox, stand-ins for two of its vendors, Temporal and a worker are started;
    afterwards all of them are checked by full dumps over connections of the demo's own. Exit 1 if anything of the
    erased person is left, or anything of anybody else has changed.

    Example: habeas demo --keep
    """
    from starter.demo import run

    if not run(keep=keep):
        raise typer.Exit(Exit.BAD)


def dev(
    without_api: Annotated[bool, typer.Option("--without-api", help="Leave the HTTP API out.")] = False,
) -> None:
    """Run all of it on this machine, with lasting state.

    PostgreSQL with the ledger and a shop, a bucket, a mailbox, stand-ins for two vendors, Temporal with its UI, a
    worker, and the HTTP API, at which made-up people sign in by a click. What they keep survives a restart and a
    kill -9, but for the mailbox. Ctrl-C stops everything.

    Example: habeas dev
    """
    from starter.dev import run

    run(api=not without_api)
