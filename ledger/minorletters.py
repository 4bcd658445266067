"""Word of a report that data is a child's, to every channel on file.

The one rule: before anything is erased on it, each channel that is known by then is told.
"""

from datetime import datetime

from sqlalchemy import Connection, update

from ledger.channels import channels_on_file
from ledger.letters import Channel, queue_letter
from ledger.models_minors import minor_reports
from ledger.store import AnyRow, Store
from ledger.vault import Sealed
from rights.letterkinds import LetterKind


def told_channel(number: int) -> str:
    """The name in the vault (`working`) of a channel that was told of a report."""
    return f"channel/minor/{number}"


def tell_of_report(
    store: Store, connection: Connection, row: AnyRow, at: datetime, *, whole: bool, sms: str, mail: bool
) -> None:
    """Write to the channels on file of a report, which the caller has locked, that were not written to yet; `whole`:
    there will be no more of them. To be called before the transaction writes to the journal."""
    if row.told_at is not None:
        return
    request_id = row.request_id
    before = _told_so_far(store, connection, request_id, row.told)
    channels = channels_on_file(store, connection, request_id, sms=sms) if mail else []
    new = [one for one in channels if one not in before]
    if new:
        key = store._vault.key(connection, request_id, "working")
        for number, channel in enumerate(new, row.told):
            sealed = Sealed("working", told_channel(number), channel.sealed())
            store._vault.put(connection, request_id, key, sealed, at)
    told = row.told + len(new)
    connection.execute(
        update(minor_reports)
        .where(minor_reports.c.tenant == store.tenant, minor_reports.c.request_id == request_id)
        .values(told=told, told_at=at if whole else None)
    )
    # Where nothing is on file a person finds a way to tell them.
    numbers = range(row.told, told) if told else range(1 if whole else 0)
    for number in numbers:
        kind, channel_name = LetterKind.MINOR_RESTRICTED, told_channel(number)
        queue_letter(store, connection, request_id, kind, at, number=number, channel=channel_name)
    if new or whole:
        store._journal(connection, "minor_told", {"channels": told}, at, request_id=request_id)


def _told_so_far(store: Store, connection: Connection, request_id: str, told: int) -> list[Channel]:
    sealed = store._vault.get_all(connection, request_id, "working", *(told_channel(one) for one in range(told)))
    return [Channel.unsealed(one) for one in sealed.values()]
