"""Copies of documents that prove who asks: sealed in a case of their own, and destroyed with the ruling.

The one rule: a copy is kept until somebody has ruled on it, and no longer than two weeks.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, select, update

from ledger.decisions import Decisions
from ledger.ids import new_id
from ledger.models import case_keys
from ledger.models_identity import identity_proofs
from ledger.vault import DataKey, Sealed

PAPER: Final = "document"
"""The name of a copy of a document, in a case of its own."""
PAPER_KEPT: Final = timedelta(days=14)
"""After this a copy that nobody has ruled on is destroyed all the same, and what it was to prove with it (GDPR Art.
5(1)(e); EDPB 01/2022, from memory: a copy of an identity card is deleted at once when it has served)."""


class Papers(Decisions):
    """Verbs on copies of documents."""

    def paper(self, request_id: str) -> bytes | None:
        """The copy of a document that waits for a second look; None if there is none (any more)."""
        with self._look() as connection:
            place = connection.scalar(
                select(identity_proofs.c.paper)
                .where(*self._its_proofs(request_id), identity_proofs.c.paper.is_not(None))
                .order_by(identity_proofs.c.id.desc())
                .limit(1)
            )
            return self._vault.get(connection, place, "identity", PAPER) if place else None

    def _let_go(self, connection: Connection, request_id: str, at: datetime) -> None:
        """The copies of documents go with it: nobody rules on them any more."""
        self._destroy_papers(connection, request_id, at)

    def _its_proofs(self, request_id: str) -> tuple[ColumnElement[bool], ...]:
        return (identity_proofs.c.tenant == self.tenant, identity_proofs.c.request_id == request_id)

    def _seal_paper(self, connection: Connection, key: DataKey, paper: bytes, at: datetime) -> str:
        place = new_id(at)
        self._vault.add_key(connection, place, "identity", key)
        connection.execute(
            update(case_keys)
            .where(case_keys.c.tenant == self.tenant, case_keys.c.case_id == place)
            .values(keep_until=at + PAPER_KEPT)
        )
        self._vault.put(connection, place, key.plain, Sealed("identity", PAPER, paper), at)
        return place

    def _destroy_papers(
        self, connection: Connection, request_id: str, at: datetime, *which: ColumnElement[bool]
    ) -> None:
        """Destroy the copies of documents of a request, or of some of its proofs: they have served."""
        its = (*self._its_proofs(request_id), *which)
        query = select(identity_proofs.c.paper).where(*its, identity_proofs.c.paper.is_not(None))
        if places := connection.scalars(query).all():
            connection.execute(update(identity_proofs).where(*its).values(paper=None))
            self._shred_papers(connection, places, at)

    def _shred_papers(self, connection: Connection, places: Sequence[str | None], at: datetime) -> None:
        for place in filter(None, places):
            gone = self._vault.shred(connection, place, ["identity"], at)
            if gone:
                body = {"case": place, "purposes": sorted(gone), "keks": sorted(set(gone.values()))}
                self._journal(connection, "shredded", body, at)
