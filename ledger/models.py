"""The ledger's tables.

The one rule: every table has a tenant and every key begins with it; what tells of a person is in `vault.sealed`, in
keyed digests, and nowhere else.
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ledger.columns import count, key, moment, of_hold, of_request, tenant

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


requests: Final = Table(
    "requests",
    metadata,
    tenant(),
    key("id"),
    Column("right", Text, nullable=False),
    Column("regime", Text, nullable=False),
    Column("ruleset", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("holidays", ARRAY(Date), nullable=False),
    Column("phase", Text, nullable=False),
    moment("received_at"),
    moment("internal_due"),
    moment("legal_due"),
    Column("idempotency", LargeBinary),
    Column("map_digest", Text),
    moment("confirmed_at", nullable=True),
    moment("approved_at", nullable=True),
    moment("withdrawn_at", nullable=True),
    moment("closed_at", nullable=True),
    Column("conclusion", Text),
    Column("clocks", JSONB),
    Column("data_version", Integer, nullable=False, server_default="1"),
    ForeignKeyConstraint(["tenant", "map_digest"], ["maps.tenant", "maps.digest"]),
    Index("uq_requests_idempotency", "tenant", "idempotency", unique=True),
    Index("ix_requests_open", "tenant", "id", postgresql_where=text("phase <> 'closed'")),
)
"""One row per request: the present state, which `verify` compares with what the journal says."""

request_subjects: Final = Table(
    "request_subjects",
    metadata,
    tenant(),
    key("request_id"),
    Column("digest", LargeBinary, primary_key=True),
    Column("given", Boolean, nullable=False),
    of_request(),
    Index("ix_request_subjects_digest", "tenant", "digest"),
)
"""Whom a request is about, as keyed digests; `given` tells what the asker gave from what was learned later."""

entries: Final = Table(
    "entries",
    metadata,
    tenant(),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("request_id", Text),
    Column("kind", Text, nullable=False),
    Column("key", Text),
    Column("body", Text, nullable=False),
    moment("at"),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index(
        "ix_entries_request",
        "tenant",
        "request_id",
        "seq",
        postgresql_where=text("request_id IS NOT NULL"),
    ),
    Index(
        "uq_entries_settled",
        "tenant",
        "key",
        unique=True,
        postgresql_where=text("kind = 'settled'"),
    ),
)
"""The journal: events and receipts, append-only (a trigger says so), each chained to the one before."""

chain_heads: Final = Table(
    "chain_heads",
    metadata,
    tenant(),
    Column("seq", BigInteger, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
"""The newest entry of each journal; the last lock of every transaction that writes."""

keks: Final = Table(
    "keks",
    metadata,
    tenant(),
    key("id"),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)
"""Key-encryption keys that data keys may be wrapped by."""

retired_keks: Final = Table(
    "retired_keks",
    metadata,
    tenant(),
    key("id"),
    moment("retired_at"),
    moment("destroyed_at", nullable=True),
    moment("final_at", nullable=True),
)
"""Key-encryption keys that nothing is wrapped by any more and nothing may be again. `final_at` is when nobody can bring
a destroyed one back."""

case_keys: Final = Table(
    "case_keys",
    metadata,
    tenant(),
    key("case_id"),
    key("purpose"),
    Column("kek", Text),
    Column("wrapped", LargeBinary),
    moment("keep_until", nullable=True),
    Column("shredded_kek", Text),
    moment("shredded_at", nullable=True),
    # With it the database itself forbids a living data key under a retired key-encryption key.
    ForeignKeyConstraint(["tenant", "kek"], ["keks.tenant", "keks.id"]),
    CheckConstraint(
        "(wrapped IS NULL) = (kek IS NULL) AND (wrapped IS NULL) = (shredded_at IS NOT NULL)",
        name="whole",
    ),
    Index("ix_case_keys_living", "tenant", "kek", postgresql_where=text("wrapped IS NOT NULL")),
    Index("ix_case_keys_due", "tenant", "keep_until", postgresql_where=text("wrapped IS NOT NULL")),
    Index(
        "ix_case_keys_shredded",
        "tenant",
        "shredded_kek",
        postgresql_where=text("shredded_kek IS NOT NULL"),
    ),
)
"""One data key per case and purpose, wrapped. A case is a request, a hold, or the tenant's own house."""

vault: Final = Table(
    "vault",
    metadata,
    tenant(),
    key("case_id"),
    key("purpose"),
    key("name"),
    Column("sealed", LargeBinary, nullable=False),
    moment("at"),
)

maps: Final = Table(
    "maps",
    metadata,
    tenant(),
    key("digest"),
    Column("body", Text, nullable=False),
)

rulesets: Final = Table(
    "rulesets",
    metadata,
    tenant(),
    key("digest"),
    Column("body", Text, nullable=False),
)
"""The texts of the laws that requests were opened under: what moves a clock later is reckoned by the same text."""

plans: Final = Table(
    "plans",
    metadata,
    tenant(),
    key("request_id"),
    Column("round", Integer, primary_key=True),
    Column("body", Text, nullable=False),
    moment("at"),
    of_request(),
)

tasks: Final = Table(
    "tasks",
    metadata,
    tenant(),
    key("id"),
    Column("request_id", Text, nullable=False),
    Column("step_key", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("about", Text, nullable=False),
    moment("opened_at"),
    Column("ruling", Text),
    moment("settled_at", nullable=True),
    Column("due_on", Date),
    of_request(),
    Index("ix_tasks_request", "tenant", "request_id"),
    Index(
        "uq_tasks_open",
        "tenant",
        "request_id",
        "step_key",
        "code",
        unique=True,
        postgresql_where=text("settled_at IS NULL"),
    ),
)

holds: Final = Table(
    "holds",
    metadata,
    tenant(),
    key("id"),
    moment("placed_at"),
    moment("released_at", nullable=True),
)

hold_subjects: Final = Table(
    "hold_subjects",
    metadata,
    tenant(),
    key("hold_id"),
    Column("digest", LargeBinary, primary_key=True),
    of_hold(),
    Index("ix_hold_subjects_digest", "tenant", "digest"),
)
"""Whom the holds in force cover; a released hold has no rows here."""

intents: Final = Table(
    "intents",
    metadata,
    tenant(),
    key("id"),
    Column("request_id", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("planned", JSONB, nullable=False),
    moment("opened_at"),
    moment("expires_at"),
    moment("settled_at", nullable=True),
    Column("how", Text),
    Column("counted", JSONB),
    of_request(),
    CheckConstraint(
        "(settled_at IS NULL) = (how IS NULL) AND (counted IS NOT NULL) = (how IS NOT DISTINCT FROM 'counted')",
        name="whole",
    ),
    Index("ix_intents_request", "tenant", "request_id", "system"),
    Index("ix_intents_recent", "tenant", "system", "opened_at"),
)
"""Destructive calls that the fence let through. `how` they were settled: counted, or looked (the count is unknown)."""

outbox: Final = Table(
    "outbox",
    metadata,
    tenant(),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    moment("at"),
    count("attempts"),
    moment("due_at", nullable=True),
    moment("sent_at", nullable=True),
    Index("ix_outbox_unsent", "tenant", "id", postgresql_where=text("sent_at IS NULL")),
    Index(
        "ix_outbox_order",
        "tenant",
        "request_id",
        "id",
        postgresql_where=text("sent_at IS NULL"),
    ),
)
"""What Temporal has to be told; `due_at` keeps a claimed or failed message from others for a while."""

sweep_steps: Final = Table(
    "sweep_steps",
    metadata,
    tenant(),
    key("step_key"),
    Column("system", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("doing", Text, nullable=False),
    moment("due_at"),
    count("attempts"),
    Column("answer", Text),
    Index("ix_sweep_steps_due", "tenant", "system", "due_at", postgresql_where=text("answer IS NULL")),
)
"""Steps that wait until a system is touched once for many people; `answer` is what came of it, until it is fetched."""

map_checks: Final = Table(
    "map_checks",
    metadata,
    tenant(),
    moment("at"),
    Column("body", Text, nullable=False),
)
"""The last comparison of the map with its systems: one row for a tenant, names and codes only."""

quota_uses: Final = Table(
    "quota_uses",
    metadata,
    tenant(),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False),
    moment("at"),
    Column("cost", Integer, nullable=False),
    Column("units_left", Integer, nullable=False),
    Index("ix_quota_uses", "tenant", "name", "at"),
)
"""What was asked of a system, or is reserved for a step that comes back (`units_left` of it not drawn yet)."""
