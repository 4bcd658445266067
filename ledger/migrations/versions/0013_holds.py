"""Holds: terms, tasks of their own, answers by counsel."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _of_hold(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant", "hold_id"], ["holds.tenant", "holds.id"], name=f"fk_{table}_holds")


def upgrade() -> None:
    op.create_table(
        "hold_terms",
        _text("tenant"),
        _text("hold_id"),
        _text("reason"),
        _text("authority"),
        _text("disclosure"),
        sa.Column("tell_from", sa.Date()),
        sa.Column("review_on", sa.Date()),
        sa.Column("systems", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("scope", postgresql.JSONB(), nullable=False),
        _text("placed_by"),
        _moment("confirm_by", nullable=True),
        _text("confirmed_by", nullable=True),
        _moment("confirmed_at", nullable=True),
        _text("release_by", nullable=True),
        _moment("release_asked_at", nullable=True),
        _text("released_by", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "hold_id", name="pk_hold_terms"),
        _of_hold("hold_terms"),
    )
    # A hold of an earlier version was told to agents, covers everything, and was placed by nobody in particular.
    op.execute(
        "INSERT INTO hold_terms (tenant, hold_id, reason, authority, disclosure, systems, scope, placed_by) "
        "SELECT tenant, id, 'litigation', 'counsel', 'tell', '{}', '{}', '' FROM holds"
    )
    op.create_table(
        "hold_tasks",
        _text("tenant"),
        _text("id"),
        _text("hold_id"),
        _text("about"),
        _text("code"),
        sa.Column("level", sa.Integer(), nullable=False),
        _moment("opened_at"),
        _moment("due_at", nullable=True),
        _moment("settled_at", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_hold_tasks"),
        _of_hold("hold_tasks"),
    )
    op.create_index(
        "uq_hold_tasks_open",
        "hold_tasks",
        ["tenant", "hold_id", "about", "code"],
        unique=True,
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "hold_answers",
        _text("tenant"),
        _text("request_id"),
        _text("by"),
        _moment("at"),
        sa.PrimaryKeyConstraint("tenant", "request_id", name="pk_hold_answers"),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_hold_answers_requests"
        ),
    )


def downgrade() -> None:
    for table in ("hold_answers", "hold_tasks", "hold_terms"):
        op.drop_table(table)
