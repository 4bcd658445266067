"""What an incident's freeze reaches beyond the requests that it names, and what begins anew once it is lifted.

The one rule: nothing slips out of a freeze because it was opened later, and no time runs out in it of which nobody was
told.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from ledger.letters import LetterState, task_key
from ledger.models import request_subjects, tasks
from ledger.models_deciding import coolings
from ledger.models_incidents import incident_requests, incidents
from ledger.models_letters import letters
from ledger.store import Store
from ledger.tasks import put_task, settle_tasks
from rights.codes import Code
from rights.letterkinds import LetterKind

_OUT: Final = (LetterState.SENDING, LetterState.UNSURE, LetterState.SENT, LetterState.POSTED)
"""A letter that has gone out, or may have."""
_WAITS: Final = (LetterState.QUEUED, LetterState.TO_POST)
_theirs, _mine = request_subjects.alias("theirs"), request_subjects.alias("mine")


def incident_task(request_id: str, incident_id: str) -> str:
    """The key of the task that says for which incident a request stands still."""
    return f"{request_id}/{incident_id}/incident/0"


def stand_still(
    store: Store, connection: Connection, request_id: str, incident_id: str, at: datetime, *, open_: bool = True
) -> None:
    """Note that a request stands still for an incident; of an open one a task says so."""
    if open_:
        put_task(store, connection, request_id, incident_task(request_id, incident_id), Code.INCIDENT, incident_id, at)
    store._journal(connection, "stood_still", {"incident": incident_id}, at, request_id=request_id)


def hold_incidents(store: Store, connection: Connection) -> None:
    """Let no incident be lifted, or another one be opened, before the transaction is over. To be called at its
    beginning: whoever lifts one holds it, and waits for the journal."""
    store._people.lock_holds(connection, store.tenant)
    connection.execute(
        select(incidents.c.id)
        .where(incidents.c.tenant == store.tenant, incidents.c.closed_at.is_(None))
        .order_by(incidents.c.id)
        .with_for_update(read=True)
    )


def stand_still_too(
    store: Store, connection: Connection, request_id: str, at: datetime, *, carried: Sequence[str] = ()
) -> None:
    """Have a request that the engine itself has opened, to carry out others of the same person (`carried`, and whoever
    shares an identity with it), stand still for the incidents for which these do.

    In the transaction that opens it, which keeps incidents as they are (`hold_incidents`).
    """
    still = incident_requests.c
    of_the_person = (
        select(_theirs.c.request_id)
        .join(_mine, (_mine.c.tenant == _theirs.c.tenant) & (_mine.c.digest == _theirs.c.digest))
        .where(_mine.c.tenant == store.tenant, _mine.c.request_id == request_id)
    )
    found = connection.scalars(
        select(still.incident_id)
        .where(
            still.tenant == store.tenant,
            still.stopped,
            still.request_id != request_id,
            still.request_id.in_(of_the_person) | still.request_id.in_(list(carried)),
        )
        .distinct()
        .order_by(still.incident_id)
    ).all()
    for incident_id in found:
        its = {"tenant": store.tenant, "incident_id": incident_id, "request_id": request_id}
        connection.execute(insert(incident_requests), {**its, "parcel": False, "stopped": True})
        stand_still(store, connection, request_id, incident_id, at)


def cool_anew(store: Store, connection: Connection, request_ids: Iterable[str], at: datetime) -> None:
    """Have the cooling-off of erasures that went on begin anew, where its notice had not gone out before they stood
    still: a wait that nobody was told of protects nobody. The notices that are left name a moment that counts no more,
    and are not sent. Where it had gone out, the person could stop the erasure all the time, and the moment stays.
    """
    for request_id in request_ids:
        its = (coolings.c.tenant == store.tenant, coolings.c.request_id == request_id)
        running = connection.scalar(select(coolings.c.until).where(*its, coolings.c.state == "running"))
        if running is None:
            continue
        notices = (
            letters.c.tenant == store.tenant,
            letters.c.request_id == request_id,
            letters.c.kind == LetterKind.COOLING_OFF_NOTICE.value,
        )
        out = select(func.count()).where(*notices, letters.c.state.in_([state.value for state in _OUT]))
        told = connection.scalar(out)
        if told and running > at:
            continue
        left = (
            update(letters)
            .where(*notices, letters.c.state.in_([state.value for state in _WAITS]))
            .values(state=LetterState.LEFT.value, settled_at=at)
            .returning(letters.c.kind, letters.c.number)
        )
        keys = [task_key(request_id, row.kind, row.number) for row in connection.execute(left)]
        settle_tasks(store, connection, at, tasks.c.step_key.in_(keys))
        if not told:
            connection.execute(update(coolings).where(*its).values(until=None))
            store._journal(connection, "cooling_anew", {}, at, request_id=request_id)
