"""Four eyes on an erasure: whoever opened a request, or vouched for the asker, does not approve its preview.

The one rule: who that was is read from the journal and the request's file, in the transaction that approves; for whom
nobody has named, nobody is refused.
"""

from typing import Final

import orjson
from sqlalchemy import Connection, bindparam, literal_column, select

from ledger.errors import LedgerRefusal
from ledger.models import entries
from ledger.notes import note_text
from ledger.store import Store
from rights.approvers import same_person

ATTESTED_BY: Final = "attested_by"
"""The name in the request's file: who vouched for the asker at the command line when it was opened."""
_VOUCHES: Final = ("proof", "confirm_identity")
_OPENED: Final = "opened this request"
_VOUCHED: Final = "vouched for who asks"
_BEFORE: Final = select(entries.c.kind, entries.c.body).where(
    entries.c.tenant == bindparam("tenant"),
    entries.c.request_id == bindparam("request_id"),
    entries.c.kind.in_([literal_column(f"'{kind}'") for kind in ("opened", "arrived", *_VOUCHES)]),
)


class SamePerson(LedgerRefusal):
    """Somebody would be both of two people."""


def refuse_same(store: Store, connection: Connection, request_id: str, by: str) -> None:
    """Refuse that a request's preview is approved by who has brought it about.

    Raises:
        SamePerson: they have.
    """
    its = {"tenant": store.tenant, "request_id": request_id}
    found = [(entry.kind, orjson.loads(entry.body)) for entry in connection.execute(_BEFORE, its)]
    # Whoever took a request in at the command line is named by a note alone.
    notes = [body["note"] for kind, body in found if kind == "arrived" and "note" in body]
    file = store._vault.get_all(connection, request_id, "file", ATTESTED_BY, *notes)
    before = [(_VOUCHED if kind in _VOUCHES else _OPENED, body.get("by") or "") for kind, body in found]
    before += [(_OPENED, note_text(file[name])) for name in notes if name in file]
    before += [(_VOUCHED, file[ATTESTED_BY].decode())] if ATTESTED_BY in file else []
    for did, who in before:
        if same_person(by) == same_person(who):
            raise SamePerson(f"you have {did}: somebody else approves what is to be erased")
