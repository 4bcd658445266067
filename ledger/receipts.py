"""Receipts: what happened to each step.

The one rule: an act has one settled receipt per key, and whoever comes second is given the first one's.
"""

from typing import Final

from sqlalchemy import bindparam, literal_column, select
from sqlalchemy.exc import IntegrityError

from ledger.models import entries
from ledger.store import Store
from rights.receipt import Receipt

_ONE_SETTLED: Final = "uq_entries_settled"
_SETTLED: Final = select(entries.c.body).where(
    entries.c.tenant == bindparam("tenant"),
    entries.c.key == bindparam("key"),
    # Said outright, not as a parameter: else a prepared statement could not use the partial index.
    entries.c.kind == literal_column("'settled'"),
)


class Receipts(Store):
    """Verbs on receipts; `receipts` reads them all (ledger/standing.py)."""

    def keep_receipt(self, receipt: Receipt) -> Receipt:
        """Keep a receipt; the one that counts.

        A look is always appended. An act is appended until one of its receipts is settled, which then stands for ever.
        """
        step = receipt.step
        if step.operation.look:
            self._append("look", receipt)
            return receipt
        if not receipt.outcome.settled:
            settled = self.settled(step.key)
            if settled is None:
                self._append("receipt", receipt)
            return settled or receipt
        try:
            self._append("settled", receipt)
        except IntegrityError as error:
            settled = self.settled(step.key) if _ONE_SETTLED in str(error.orig) else None
            if settled is None:
                raise
            return settled
        return receipt

    def settled(self, step_key: str) -> Receipt | None:
        """The settled receipt of an act; None while there is none."""
        with self._look() as connection:
            body = connection.scalar(_SETTLED, {"tenant": self.tenant, "key": step_key})
        return Receipt.model_validate_json(body) if body else None

    def _append(self, kind: str, receipt: Receipt) -> None:
        step = receipt.step
        with self._begin() as connection:
            self._journal(
                connection,
                kind,
                receipt.model_dump(mode="json"),
                receipt.at,
                request_id=step.request_id,
                key=step.key,
            )
