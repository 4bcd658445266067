"""The tables of what must not come back: tokens of the erased, looks days later, replays after a restore.

The one rule: tokens, codes and dates alone; an erasure is remembered here when its request's vault is long shredded.
"""

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKeyConstraint, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.columns import key, moment, of_request, tenant
from ledger.models import metadata

erasures: Final = Table(
    "erasures",
    metadata,
    tenant(),
    key("request_id"),
    moment("closed_at"),
    Column("ground", Text, nullable=False),
    Column("whole", Boolean, nullable=False),
    of_request(),
    Index("ix_erasures_closed", "tenant", "closed_at"),
)
"""One row for each erasure that was carried out. `ground`: law and right; `whole`: no category was left out of it by a
decision, so it may be carried out anew by whoever knows nothing but whom it is about."""

erasure_tokens: Final = Table(
    "erasure_tokens",
    metadata,
    tenant(),
    Column("token", LargeBinary, primary_key=True),
    key("request_id"),
    Column("version", Integer, nullable=False),
    Column("key_version", Integer, nullable=False),
    of_request(),
    Index("ix_erasure_tokens_request", "tenant", "request_id"),
)
"""Whom an erasure was about: keyed tokens of what tells one person from all others."""

relooks: Final = Table(
    "relooks",
    metadata,
    tenant(),
    key("request_id"),
    moment("due_at"),
    moment("called_at", nullable=True),
    moment("looked_at", nullable=True),
    Column("found", Text),
    of_request(),
    Index("ix_relooks_due", "tenant", "due_at", postgresql_where=text("looked_at IS NULL")),
)
"""The look days after a request was closed: when it is due, when a run was last asked for it, and what it has found
(clean, residue, unsure)."""

reopenings: Final = Table(
    "reopenings",
    metadata,
    tenant(),
    key("request_id"),
    key("system"),
    Column("code", Text, nullable=False),
    moment("opened_at"),
    of_request(),
)
"""Systems for which a closed request is open again, and why; gone once it is closed anew."""

known_systems: Final = Table(
    "known_systems",
    metadata,
    tenant(),
    key("system"),
    moment("at"),
)
"""Systems that the data map has had: past erasures are carried out in one that is new to it."""

replays: Final = Table(
    "replays",
    metadata,
    tenant(),
    key("id"),
    Column("system", Text, nullable=False),
    moment("since", nullable=True),
    Column("state", Text, nullable=False),
    moment("begun_at"),
    moment("ended_at", nullable=True),
    Column("report", JSONB, nullable=False),
)
"""Restored systems, and systems new to the map, that past acts are carried out in anew. `since`: of when the backup is;
null: the system is new, and all that ever was counts."""

replayed: Final = Table(
    "replayed",
    metadata,
    tenant(),
    key("replay_id"),
    key("request_id"),
    Column("by_request", Text, nullable=False),
    ForeignKeyConstraint(["tenant", "replay_id"], ["replays.tenant", "replays.id"]),
    Index("ix_replayed_by", "tenant", "by_request"),
)
"""Which request carries out anew what an earlier one has asked: a new one, or the same, opened again."""
