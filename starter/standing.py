"""A request as it stands, with what goes beside it: the masked candidates of its tasks, and the map it was worked on.

The one rule: every door that shows a request asks here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ledger.standing import Standing
from rights.datamap import DataMap
from starter.desk import Desk
from starter.tasks import candidates_of, on_desk


class Shown(NamedTuple):
    """What there is to show."""

    standing: Standing
    candidates: Mapping[str, Sequence[Mapping[str, Any]]]
    data_map: DataMap | None


def as_it_stands(at: Desk, request_id: str, moment: datetime) -> Shown:
    """A request as of a moment, its tasks as the desk has them.

    Raises:
        LedgerRefusal: there is none of this id.
    """
    found = at.ledger.standing(request_id)
    standing = found.model_copy(update={"tasks": tuple(on_desk(at, found.tasks, moment))})
    candidates = {task.id: candidates_of(at.ledger, task) for task in standing.tasks if task.settled_at is None}
    return Shown(standing, candidates, worked_on(at, standing))


def worked_on(at: Desk, standing: Standing) -> DataMap | None:
    """The map that a request was worked on with."""
    digest = standing.plan.map_digest if standing.plan else standing.request.map_digest
    return at.ledger.pinned_map(digest) if digest else None
