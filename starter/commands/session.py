"""`habeas session`: who is signed in at the API.

The one rule: people are opaque staff ids, and no session can be used by what is shown of it.
"""

from datetime import timedelta
from typing import Annotated

import typer

from starter.commands.options import By, Json

sessions = typer.Typer(no_args_is_help=True, help="Who is signed in at the API.")


@sessions.command("list")
def list_(as_json: Json = False) -> None:
    """List who is signed in: since when, with which roles, seen when.

    Example: habeas session list
    """
    from starter.desk import desk, now
    from starter.show import Page, answer, minute

    with desk() as at:
        idle = at.settings.oidc.idle_for if at.settings.oidc else timedelta(minutes=30)
        found = at.ledger.sessions(at=now(), idle=idle)
        page = Page()
        if found:
            rows = [
                (one.staff, ", ".join(one.roles), minute(one.opened_at, at.zone), minute(one.seen_at, at.zone))
                for one in found
            ]
            page.grid(("staff", "roles", "since", "seen"), rows)
        else:
            page.line("nobody is signed in")
        answer({"sessions": [one.model_dump(mode="json") for one in found]}, page, as_json=as_json)


@sessions.command()
def end(
    staff: Annotated[
        str, typer.Argument(metavar="PERSON", help="The opaque staff id of whose they are.", show_default=False)
    ],
    by: By,
    as_json: Json = False,
) -> None:
    """Sign somebody out everywhere, as when their role changes or they leave.

    Example: habeas session end s-17 --by s-4
    """
    from starter.desk import desk, now
    from starter.inputs import role, staff_id
    from starter.show import Cell, Page, answer, plural

    with desk() as at:
        named = staff_id(staff, "STAFF")
        ended = at.ledger.end_sessions_of(named, by=role(by, "--by"), at=now())
    page = Page().line(Cell(f"{plural(ended, 'session')} ended", "good"))
    answer({"staff": named, "ended": ended}, page, as_json=as_json)
