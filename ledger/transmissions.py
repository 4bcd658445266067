"""What was sent to other controllers: the parcel, and the receipt that the receiver has signed.

The one rule: the journal holds the digest of the receipt, and the request's file the receipt itself.
"""

import hashlib
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection, bindparam, select

from ledger.letters import queue_letter
from ledger.models import entries
from ledger.store import Store
from ledger.vault import Sealed
from rights.letterkinds import LetterKind
from rights.letters import Particulars
from rights.value import Value

_NEWEST: Final = (
    select(entries.c.body)
    .where(
        entries.c.tenant == bindparam("tenant"),
        entries.c.request_id == bindparam("request_id"),
        entries.c.kind == bindparam("kind"),
    )
    .order_by(entries.c.seq.desc())
    .limit(1)
)


class Parcel(Value):
    """A parcel that was packed: SHA-256 (hex) and bytes of its ZIP."""

    digest: str
    size: int


class Transmission(Value):
    """A parcel that was sent, and receipted."""

    receiver: str
    transfer: str
    digest: str
    """Of the parcel."""
    receipt_sha256: str
    at: datetime


class Transmissions(Store):
    """Verbs of sending to other controllers."""

    def parcel(self, request_id: str) -> Parcel | None:
        """The newest parcel of a request; None if there is none yet."""
        with self._look() as connection:
            body = self._newest(connection, request_id, "parcel")
        return Parcel.model_validate(body) if body else None

    def keep_transmission(
        self, request_id: str, receiver: str, digest: str, transfer: str, receipt: bytes, *, at: datetime
    ) -> None:
        """Keep a receipt, and have the person told; no effect if that was done.

        `digest` is the parcel's, and `transfer` the opaque id that both sides know it by.
        """
        said = Transmission(
            receiver=receiver,
            transfer=transfer,
            digest=digest,
            receipt_sha256=hashlib.sha256(receipt).hexdigest(),
            at=at,
        )
        with self._begin() as connection:
            before = self._newest(connection, request_id, "transmitted")
            if before and before["transfer"] == transfer:
                return
            key = self._vault.key(connection, request_id, "file")
            self._vault.put(connection, request_id, key, Sealed("file", f"receipt/{transfer}", receipt), at)
            told = Particulars(controller=receiver).model_dump_json(exclude_none=True).encode()
            queue_letter(self, connection, request_id, LetterKind.TRANSMISSION_DONE, at, said=told, only_if_known=True)
            self._journal(connection, "transmitted", said.model_dump(mode="json"), at, request_id=request_id)

    def transmission(self, request_id: str) -> Transmission | None:
        """What was sent last; None if nothing was."""
        with self._look() as connection:
            body = self._newest(connection, request_id, "transmitted")
        return Transmission.model_validate(body) if body else None

    def transmitted(self, request_id: str) -> str:
        """The digest of the parcel that was sent last; empty if none was."""
        sent = self.transmission(request_id)
        return sent.digest if sent else ""

    def _newest(self, connection: Connection, request_id: str, kind: str) -> dict[str, object] | None:
        wanted = {"tenant": self.tenant, "request_id": request_id, "kind": kind}
        body = connection.scalar(_NEWEST, wanted)
        return dict(orjson.loads(body)) if body else None
