"""What was decided on the accuracy of what a person disputes.

The one rule: a field is decided on once; nothing is refused without a reason on record and somebody's approval.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, literal_column, select

from ledger.errors import LedgerRefusal
from ledger.ids import new_id
from ledger.models import entries, requests, tasks
from ledger.notes import keep_note
from ledger.outbox import post
from ledger.store import AnyRow, Store
from ledger.tasks import settle_tasks
from rights.approvers import same_person
from rights.codes import Code
from rights.rectification import Accuracy
from rights.request import Right

_DECIDED: Final = select(entries.c.body).where(
    entries.c.tenant == bindparam("of"),
    entries.c.request_id == bindparam("id"),
    entries.c.kind == literal_column("'accuracy'"),
)
_ROW: Final = (
    select(requests.c.right, requests.c.closed_at, requests.c.withdrawn_at)
    .where(requests.c.tenant == bindparam("of"), requests.c.id == bindparam("id"))
    .with_for_update(key_share=True)
)


class Rectifications(Store):
    """Verbs on what is disputed."""

    def decide_accuracy(
        self,
        request_id: str,
        decided: Accuracy,
        *,
        systems: Sequence[str],
        at: datetime,
        reason: str | None = None,
        by: str | None = None,
    ) -> bool:
        """Note which fields are corrected and which are not; False if it was decided so before. Reason and role are
        sealed. `systems` are those of the fields.

        Raises:
            LedgerRefusal: the request is no rectification, closed, withdrawn or unknown; it was decided otherwise; or a
                refusal has no reason, or is not the word of two people.
        """
        if decided.refused and not reason:
            raise LedgerRefusal("a refusal needs a reason that the person is told")
        if decided.refused and same_person(by or "") in {"", decided.approved_by or ""}:
            raise LedgerRefusal("a refusal takes two people: who has checked (--by), and somebody else who approves it")
        its = {"of": self.tenant, "id": request_id}
        with self._begin() as connection:
            _refuse(connection.execute(_ROW, its).first())
            before = _read(connection.scalar(_DECIDED, its))
            if before is not None:
                if before == decided:
                    return False
                raise LedgerRefusal("the accuracy was decided on before, and otherwise: it is being carried out")
            asked = (tasks.c.request_id == request_id, tasks.c.code == Code.ACCURACY.value)
            settle_tasks(self, connection, at, *asked)
            said: dict[str, Any] = {}
            for name, text in (("reason", reason), ("by", by)):
                note = keep_note(self, connection, request_id, f"accuracy/{name}/{new_id(at)}", text, at)
                said |= {f"{name}_{key}": digest for key, digest in note.items()}
            post(connection, self.tenant, "wake", request_id, at)
            body: Mapping[str, object] = {
                "decided": decided.model_dump(mode="json"),
                "systems": sorted(set(systems)),
                **said,
            }
            self._journal(connection, "accuracy", body, at, request_id=request_id)
        return True

    def accuracy(self, request_id: str) -> Accuracy | None:
        """What was decided; None if nothing is yet."""
        with self._look() as connection:
            return _read(connection.scalar(_DECIDED, {"of": self.tenant, "id": request_id}))


def _refuse(row: AnyRow | None) -> None:
    if row is None:
        raise LedgerRefusal("there is no request of this id")
    if row.right != Right.RECTIFICATION:
        raise LedgerRefusal(f"accuracy is decided on in a rectification; this request is about {row.right}")
    for moment, word in ((row.closed_at, "closed"), (row.withdrawn_at, "withdrawn")):
        if moment:
            raise LedgerRefusal(f"the request was {word} on {moment:%Y-%m-%d}")


def _read(body: str | None) -> Accuracy | None:
    return None if body is None else Accuracy.model_validate(orjson.loads(body)["decided"])
