"""The first version of the ledger.

The one rule: a migration is never changed once it was released; the next one mends it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_WHEN = sa.DateTime(timezone=True)

_TABLES = (
    "chain_heads",
    "entries",
    "holds",
    "keks",
    "maps",
    "outbox",
    "retired_keks",
    "vault",
    "case_keys",
    "hold_subjects",
    "requests",
    "intents",
    "plans",
    "request_subjects",
    "tasks",
)
"""In the order in which they were made."""

# Against mistakes; against a person with the rights of the owner there are the chain and its checkpoints.
_APPEND_ONLY = """
CREATE FUNCTION entries_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal is append-only';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION entries_are_append_only();
"""


def upgrade() -> None:
    op.create_table(
        "chain_heads",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_chain_heads"),
    )

    op.create_table(
        "entries",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", _WHEN, nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "seq", name="pk_entries"),
    )
    op.create_index(
        "ix_entries_request",
        "entries",
        ["tenant", "request_id", "seq"],
        postgresql_where=sa.text("request_id IS NOT NULL"),
    )
    op.create_index(
        "uq_entries_settled", "entries", ["tenant", "key"], unique=True, postgresql_where=sa.text("kind = 'settled'")
    )

    op.create_table(
        "holds",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("placed_at", _WHEN, nullable=False),
        sa.Column("released_at", _WHEN, nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_holds"),
    )

    op.create_table(
        "keks",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("made_at", _WHEN, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_keks"),
    )

    op.create_table(
        "maps",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "digest", name="pk_maps"),
    )

    op.create_table(
        "outbox",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("body", JSONB(), nullable=False),
        sa.Column("at", _WHEN, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", _WHEN, nullable=True),
        sa.Column("sent_at", _WHEN, nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_outbox"),
    )
    op.create_index(
        "ix_outbox_order", "outbox", ["tenant", "request_id", "id"], postgresql_where=sa.text("sent_at IS NULL")
    )
    op.create_index("ix_outbox_unsent", "outbox", ["tenant", "id"], postgresql_where=sa.text("sent_at IS NULL"))

    op.create_table(
        "retired_keks",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("retired_at", _WHEN, nullable=False),
        sa.Column("destroyed_at", _WHEN, nullable=True),
        sa.Column("final_at", _WHEN, nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_retired_keks"),
    )

    op.create_table(
        "vault",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "case_id", "purpose", "name", name="pk_vault"),
    )

    op.create_table(
        "case_keys",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("kek", sa.Text(), nullable=True),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("keep_until", _WHEN, nullable=True),
        sa.Column("shredded_kek", sa.Text(), nullable=True),
        sa.Column("shredded_at", _WHEN, nullable=True),
        sa.CheckConstraint(
            "(wrapped IS NULL) = (kek IS NULL) AND (wrapped IS NULL) = (shredded_at IS NOT NULL)",
            name="whole",
        ),
        sa.ForeignKeyConstraint(["tenant", "kek"], ["keks.tenant", "keks.id"], name="fk_case_keys_keks"),
        sa.PrimaryKeyConstraint("tenant", "case_id", "purpose", name="pk_case_keys"),
    )
    op.create_index(
        "ix_case_keys_due", "case_keys", ["tenant", "keep_until"], postgresql_where=sa.text("wrapped IS NOT NULL")
    )
    op.create_index(
        "ix_case_keys_living", "case_keys", ["tenant", "kek"], postgresql_where=sa.text("wrapped IS NOT NULL")
    )
    op.create_index(
        "ix_case_keys_shredded",
        "case_keys",
        ["tenant", "shredded_kek"],
        postgresql_where=sa.text("shredded_kek IS NOT NULL"),
    )

    op.create_table(
        "hold_subjects",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["tenant", "hold_id"], ["holds.tenant", "holds.id"], name="fk_hold_subjects_holds"),
        sa.PrimaryKeyConstraint("tenant", "hold_id", "digest", name="pk_hold_subjects"),
    )
    op.create_index("ix_hold_subjects_digest", "hold_subjects", ["tenant", "digest"])

    op.create_table(
        "requests",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("right", sa.Text(), nullable=False),
        sa.Column("regime", sa.Text(), nullable=False),
        sa.Column("ruleset", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("holidays", sa.ARRAY(sa.Date()), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("received_at", _WHEN, nullable=False),
        sa.Column("internal_due", _WHEN, nullable=False),
        sa.Column("legal_due", _WHEN, nullable=False),
        sa.Column("idempotency", sa.LargeBinary(), nullable=True),
        sa.Column("map_digest", sa.Text(), nullable=True),
        sa.Column("confirmed_at", _WHEN, nullable=True),
        sa.Column("approved_at", _WHEN, nullable=True),
        sa.Column("withdrawn_at", _WHEN, nullable=True),
        sa.Column("closed_at", _WHEN, nullable=True),
        sa.Column("conclusion", sa.Text(), nullable=True),
        sa.Column("data_version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["tenant", "map_digest"], ["maps.tenant", "maps.digest"], name="fk_requests_maps"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_requests"),
    )
    op.create_index("ix_requests_open", "requests", ["tenant", "id"], postgresql_where=sa.text("phase <> 'closed'"))
    op.create_index("uq_requests_idempotency", "requests", ["tenant", "idempotency"], unique=True)

    op.create_table(
        "intents",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("planned", JSONB(), nullable=False),
        sa.Column("opened_at", _WHEN, nullable=False),
        sa.Column("expires_at", _WHEN, nullable=False),
        sa.Column("settled_at", _WHEN, nullable=True),
        sa.Column("how", sa.Text(), nullable=True),
        sa.Column("counted", JSONB(), nullable=True),
        sa.CheckConstraint(
            "(settled_at IS NULL) = (how IS NULL) AND (counted IS NOT NULL) = (how IS NOT DISTINCT FROM 'counted')",
            name="whole",
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_intents_requests"
        ),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_intents"),
    )
    op.create_index("ix_intents_recent", "intents", ["tenant", "system", "opened_at"])
    op.create_index("ix_intents_request", "intents", ["tenant", "request_id", "system"])

    op.create_table(
        "plans",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", _WHEN, nullable=False),
        sa.ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_plans_requests"),
        sa.PrimaryKeyConstraint("tenant", "request_id", "round", name="pk_plans"),
    )

    op.create_table(
        "request_subjects",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_request_subjects_requests"
        ),
        sa.PrimaryKeyConstraint("tenant", "request_id", "digest", name="pk_request_subjects"),
    )
    op.create_index("ix_request_subjects_digest", "request_subjects", ["tenant", "digest"])

    op.create_table(
        "tasks",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("step_key", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("opened_at", _WHEN, nullable=False),
        sa.Column("ruling", sa.Text(), nullable=True),
        sa.Column("settled_at", _WHEN, nullable=True),
        sa.ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_tasks_requests"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_tasks"),
    )
    op.create_index("ix_tasks_request", "tasks", ["tenant", "request_id"])
    op.create_index(
        "uq_tasks_open",
        "tasks",
        ["tenant", "request_id", "step_key", "code"],
        unique=True,
        postgresql_where=sa.text("settled_at IS NULL"),
    )

    op.execute(_APPEND_ONLY)


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION entries_are_append_only()")
