"""The tables of what an answered erasure has left behind for a time.

The one rule: names of the map, numbers and dates; whom it is about lies in the vault under a key of its own, and here
as keyed digests, so that holds are asked for when the request's own are long shredded.
"""

from typing import Final

from sqlalchemy import ARRAY, Column, Index, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.columns import flag, key, moment, of_request, tenant
from ledger.models import metadata

deferrals: Final = Table(
    "deferrals",
    metadata,
    tenant(),
    key("request_id"),
    Column("systems", ARRAY(Text), nullable=False),
    Column("remains", JSONB, nullable=False),
    moment("not_before", nullable=True),
    moment("deferred_at"),
    moment("next_at"),
    moment("over_at", nullable=True),
    Column("by_request", Text),
    moment("ask_at", nullable=True),
    flag("asked_only"),
    of_request(),
    Index("ix_deferrals_next", "tenant", "next_at", postgresql_where=text("over_at IS NULL")),
    Index("ix_deferrals_by", "tenant", "by_request"),
)
"""What is still to be erased for a closed request. `remains`: rows left, by system and collection; `next_at`: when it
is looked next whether anything keeps it; `by_request`: the request that carries the rest out; `ask_at`: when somebody
is asked whether what is kept without an end must still be; `asked_only`: nothing of it comes back by itself."""

deferral_subjects: Final = Table(
    "deferral_subjects",
    metadata,
    tenant(),
    key("request_id"),
    Column("digest", LargeBinary, primary_key=True),
    of_request(),
    Index("ix_deferral_subjects_digest", "tenant", "digest"),
)
"""Whom it is about, as keyed digests, until it is over."""
