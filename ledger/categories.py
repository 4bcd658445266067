"""The categories of what is held, told to who is proven surely enough for these, and not for a copy.

The one rule: nothing is looked for by an identity that is nobody's as far as is known, whatever else was proven.
"""

from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import bindparam, literal_column, select

from ledger.clocks import laws_of
from ledger.letters import queue_letter
from ledger.models import entries, requests
from ledger.proofcodes import ProofCodes
from ledger.proofs import mandate_carries
from rights.identity import Unreached
from rights.letterkinds import LetterKind
from rights.reckoning import local_day
from rights.request import Right
from rights.tying import TIES
from rights.unproven import together

_TOLD: Final = select(
    select(entries.c.seq)
    .where(
        entries.c.tenant == bindparam("of"),
        entries.c.request_id == bindparam("id"),
        entries.c.kind == literal_column("'categories'"),
    )
    .exists()
)


class Categories(ProofCodes):
    """Verbs on an answer by categories."""

    def may_tell_categories(self, request_id: str, *, at: datetime) -> bool:
        """Whether a request may be looked for by all that was given: each is proven, or tied to who was, and whoever
        asks for somebody else may. How much this law wants is not asked here."""
        state = self.identity_state(request_id)
        with self._begin() as connection:
            its = (requests.c.tenant == self.tenant, requests.c.id == request_id)
            row = connection.execute(select(requests).where(*its)).one()
            case = self._case_row(connection, request_id)
            tied = max(state.levels, default=0) >= TIES
            return tied and mandate_carries(case, row, state.proofs, at)

    def categories_told(self, request_id: str) -> bool:
        """Whether the person was told of the categories."""
        with self._look() as connection:
            return bool(connection.scalar(_TOLD, {"of": self.tenant, "id": request_id}))

    def tell_categories(self, request_id: str, *, at: datetime) -> None:
        """Queue the letter that tells of the categories; where nobody can be written to, a person posts it. No effect
        once the asker is proven, or the request taken back, or they were told."""
        with self._begin() as connection:
            row = self._unanswered(connection, request_id)
            if row is None or connection.scalar(_TOLD, {"of": self.tenant, "id": request_id}):
                return
            case = self._case_row(connection, request_id)
            if case.became != Unreached.CATEGORIES or case.lapsed_at is None:
                return
            ends = together(laws_of(row)).ends_at(
                Right(row.right), row.received_at, case.asked_at or at, case.lapsed_at
            )
            said = {"respond_by": local_day(ends, row.zone).isoformat()} if ends > at else {}
            kind = LetterKind.ANSWER_CATEGORIES
            queue_letter(self, connection, request_id, kind, at, said=orjson.dumps(said))
            self._journal(connection, "categories", {}, at, request_id=request_id)
