"""Tasks: put on a person's desk, and taken off it.

The one rule: the same task lies there once, whoever puts it there and how often; and the journal says that it does.
"""

from datetime import date, datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ledger.ids import new_id
from ledger.models import tasks
from ledger.store import Store
from rights.codes import Code

_PUT: Final = upsert(tasks).on_conflict_do_nothing().returning(tasks.c.id)


def put_task(
    store: Store,
    connection: Connection,
    request_id: str,
    step_key: str,
    code: Code,
    about: str,
    at: datetime,
    *,
    due_on: date | None = None,
) -> str | None:
    """Put a task on the desk; its id, None if the same is there.

    `about` is a name from the data map, a system's catalogue or the ledger; `due_on` the day by which it is to be done.
    """
    row = {
        "tenant": store.tenant,
        "id": new_id(at),
        "request_id": request_id,
        "step_key": step_key,
        "code": code.value,
        "about": about,
        "opened_at": at,
        "due_on": due_on,
    }
    made: str | None = connection.scalar(_PUT, row)
    if made:
        body = {"task": made, "code": code, "about": about} | ({"due_on": due_on} if due_on else {})
        store._journal(connection, "task", body, at, request_id=request_id, key=step_key)
    return made


def settle_tasks(
    store: Store, connection: Connection, at: datetime, *its: ColumnElement[bool], ruling: str | None = None
) -> int:
    """Take tasks off the desk that lie there, with the word that settles them if there is one; how many there were."""
    values: dict[str, object] = {"settled_at": at} | ({"ruling": ruling} if ruling else {})
    lying = (tasks.c.tenant == store.tenant, tasks.c.settled_at.is_(None))
    return connection.execute(update(tasks).where(*lying, *its).values(values)).rowcount
