"""`habeas task`: what waits for a person.

The one rule: what tells candidates apart is shown masked.
"""

import typer

from starter.commands.options import Json, OfRequest

tasks = typer.Typer(no_args_is_help=True, help="What waits for a person.")


@tasks.command("list")
def list_tasks(
    request: OfRequest = None,
    as_json: Json = False,
) -> None:
    """List what waits for a person, the oldest first; of all requests, what incidents wait for as well.

    Example: habeas task list --request 01kap2v7q4m8w3x9yd5tgh6jzr
    """
    from starter.desk import desk, now
    from starter.incidents import add_incidents, incident_document
    from starter.inputs import ledger_id
    from starter.show import Page, answer
    from starter.tasks import candidates_of, on_desk, open_tasks, task_document, tasks_page

    with desk() as at:
        every = at.ledger.tasks(request_id=ledger_id(request, "request") if request else None)
        found = on_desk(at, open_tasks(every), now())
        document = {"tasks": [task_document(t, candidates_of(at.ledger, t)) for t in found]}
        incidents = [] if request else at.ledger.incidents(open_only=True)
        document["incidents"] = [incident_document(one, now()) for one in incidents]
        page = Page() if incidents and not found else tasks_page(found, at.zone)
        answer(document, add_incidents(page, incidents, now()), as_json=as_json)
