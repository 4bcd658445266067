"""`habeas task`: what waits for a person.

The one rule: what tells candidates apart is shown masked.
"""

from typing import Annotated

import typer

tasks = typer.Typer(no_args_is_help=True, help="What waits for a person.")


@tasks.command("list")
def list_tasks(
    request: Annotated[
        str | None, typer.Option("--request", metavar="REQUEST", help="Only of this request.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what waits for a person, the oldest first."""
    from starter.desk import desk
    from starter.inputs import ledger_id
    from starter.show import answer
    from starter.tasks import candidates_of, open_tasks, task_document, tasks_page

    with desk() as at:
        found = open_tasks(at.ledger.tasks(request_id=ledger_id(request, "request") if request else None))
        document = {"tasks": [task_document(t, candidates_of(at.ledger, t)) for t in found]}
        answer(document, tasks_page(found, at.zone), as_json=as_json)
