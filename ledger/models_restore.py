"""The tables of what must not come back: tokens of the erased, looks days later, replays after a restore.

The one rule: tokens, codes and dates alone; an erasure is remembered here when its request's vault is long shredded.
"""

from typing import Final

from sqlalchemy import Boolean, Column, DateTime, ForeignKeyConstraint, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.models import metadata


def _of_request() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"])


erasures: Final = Table(
    "erasures",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("closed_at", DateTime(timezone=True), nullable=False),
    Column("ground", Text, nullable=False),
    Column("whole", Boolean, nullable=False),
    _of_request(),
    Index("ix_erasures_closed", "tenant", "closed_at"),
)
"""One row for each erasure that was carried out. `ground`: law and right; `whole`: no category was left out of it by a
decision, so it may be carried out anew by whoever knows nothing but whom it is about."""

erasure_tokens: Final = Table(
    "erasure_tokens",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("token", LargeBinary, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("key_version", Integer, nullable=False),
    _of_request(),
    Index("ix_erasure_tokens_request", "tenant", "request_id"),
)
"""Whom an erasure was about: keyed tokens of what tells one person from all others."""

relooks: Final = Table(
    "relooks",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("called_at", DateTime(timezone=True)),
    Column("looked_at", DateTime(timezone=True)),
    Column("found", Text),
    _of_request(),
    Index("ix_relooks_due", "tenant", "due_at", postgresql_where=text("looked_at IS NULL")),
)
"""The look days after a request was closed: when it is due, when a run was last asked for it, and what it has found
(clean, residue, unsure)."""

reopenings: Final = Table(
    "reopenings",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("system", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    _of_request(),
)
"""Systems for which a closed request is open again, and why; gone once it is closed anew."""

known_systems: Final = Table(
    "known_systems",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("system", Text, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""Systems that the data map has had: past erasures are carried out in one that is new to it."""

replays: Final = Table(
    "replays",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("system", Text, nullable=False),
    Column("since", DateTime(timezone=True)),
    Column("state", Text, nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("report", JSONB, nullable=False),
)
"""Restored systems, and systems new to the map, that past acts are carried out in anew. `since`: of when the backup is;
null: the system is new, and all that ever was counts."""

replayed: Final = Table(
    "replayed",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("replay_id", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("by_request", Text, nullable=False),
    ForeignKeyConstraint(["tenant", "replay_id"], ["replays.tenant", "replays.id"]),
    Index("ix_replayed_by", "tenant", "by_request"),
)
"""Which request carries out anew what an earlier one has asked: a new one, or the same, opened again."""
