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

    PostgreSQL with a shop of 43,000 rows, Temporal and a worker are started; afterwards the shop is checked by a full
    dump over a connection of the demo's own. Exit 1 if anything of the erased person is left, or anything of anybody
    else has changed.
    """
    from starter.demo import run

    if not run(keep=keep):
        raise typer.Exit(Exit.BAD)


def dev() -> None:
    """Run all of it on this machine, with lasting state.

    PostgreSQL with the ledger and a shop, Temporal with its UI, and a worker. What they keep survives a restart and a
    kill -9. Ctrl-C stops everything.
    """
    from starter.dev import run

    run()
