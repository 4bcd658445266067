"""Decisions, cooling-off, linked requests."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _of_request(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant", "request_id"], ["requests.tenant", "requests.id"], name=f"fk_{table}_requests"
    )


def upgrade() -> None:
    op.create_table(
        "decisions",
        _text("tenant"),
        _text("id"),
        _text("request_id"),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        _text("state"),
        sa.Column("approvers", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("consult", sa.Boolean(), nullable=False),
        _text("proposed_by"),
        _moment("proposed_at"),
        _moment("consult_until", nullable=True),
        _moment("settled_at", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_decisions"),
        _of_request("decisions"),
    )
    for name, state in (("uq_decisions_open", "proposed"), ("uq_decisions_in_force", "in_force")):
        where = sa.text(f"state = '{state}'")
        op.create_index(name, "decisions", ["tenant", "request_id"], unique=True, postgresql_where=where)
    op.create_index("ix_decisions_request", "decisions", ["tenant", "request_id"])
    op.create_table(
        "decision_words",
        _text("tenant"),
        _text("decision_id"),
        _text("role"),
        _text("word"),
        _text("by"),
        sa.Column("substitute", sa.Boolean(), nullable=False),
        _moment("at"),
        sa.PrimaryKeyConstraint("tenant", "decision_id", "role", name="pk_decision_words"),
    )
    op.create_table(
        "coolings",
        _text("tenant"),
        _text("request_id"),
        _text("state"),
        _moment("until", nullable=True),
        _moment("stopped_at", nullable=True),
        _text("review", nullable=True),
        _text("review_by", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "request_id", name="pk_coolings"),
        _of_request("coolings"),
    )
    op.create_table(
        "links",
        _text("tenant"),
        _text("request_id"),
        _text("lead_id"),
        _moment("at"),
        _moment("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "request_id", name="pk_links"),
        _of_request("links"),
    )
    op.create_index("ix_links_lead", "links", ["tenant", "lead_id"])


def downgrade() -> None:
    for table in ("links", "coolings", "decision_words", "decisions"):
        op.drop_table(table)
