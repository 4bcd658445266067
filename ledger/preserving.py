"""Whom a controller's own jobs may not delete for now: who has asked for a copy, and who may still complain of one.

The one rule: whoever has asked is covered from the receipt on, proven or not, since what is deleted meanwhile cannot be
brought back once they are; and nothing is told of who it is, nor of a hold.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import ARRAY, LargeBinary, bindparam, case, func, literal_column, or_, select

from ledger.gates import copy_asked, kept_for_remedies, recourse
from ledger.models import request_subjects, requests
from ledger.store import Store
from rights.subject import Identity
from rights.value import Value


class Kept(StrEnum):
    """Why."""

    COPY_ASKED = "copy_asked"
    """A request for a copy is not answered yet: it is of what was there when it came in (EDPB 01/2022)."""
    REMEDIES = "remedies"
    """A copy was refused or given in part under a law that keeps the data for a time, or an appeal is not decided."""


class Preserved(Value):
    """What keeps the data of an identity; nothing: it may be deleted."""

    why: tuple[Kept, ...] = ()
    since: datetime | None = None
    """The day of receipt of the first of these requests."""


_asked = copy_asked(requests)
_FIND: Final = (
    select(
        request_subjects.c.digest,
        case((_asked, literal_column(f"'{Kept.COPY_ASKED}'")), else_=literal_column(f"'{Kept.REMEDIES}'")).label("why"),
        func.min(requests.c.received_at).label("since"),
    )
    .join(
        requests,
        (requests.c.tenant == request_subjects.c.tenant) & (requests.c.id == request_subjects.c.request_id),
    )
    .where(
        request_subjects.c.tenant == bindparam("tenant"),
        request_subjects.c.digest == func.any(bindparam("digests", type_=ARRAY(LargeBinary))),
        or_(_asked, kept_for_remedies(requests)),
    )
    .group_by(request_subjects.c.digest, literal_column("2"))
)


class Preserving(Store):
    """The verb that tells."""

    def preserved(self, identities: Sequence[Identity], *, at: datetime) -> list[Preserved]:
        """What keeps the data of each of many identities, in their order: for jobs that delete, some thousand at a
        time. One statement, however many they are."""
        digests = [self._people.all_digests(one) for one in identities]
        its = {"tenant": self.tenant, "digests": sorted(frozenset().union(*digests)), **recourse(at)}
        found: defaultdict[bytes, dict[Kept, datetime]] = defaultdict(dict)
        with self._look() as connection:
            for row in connection.execute(_FIND, its):
                found[row.digest][Kept(row.why)] = row.since
        return [_preserved([found[one] for one in marks if one in found]) for marks in digests]


def _preserved(found: Sequence[Mapping[Kept, datetime]]) -> Preserved:
    """What keeps somebody's data, by all forms in which they are known."""
    if not found:
        return Preserved()
    return Preserved(
        why=tuple(sorted({why for one in found for why in one})),
        since=min(since for one in found for since in one.values()),
    )
