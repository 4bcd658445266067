"""Demands of authorities."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, server_default=default)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(), nullable=False, server_default="{}")


def upgrade() -> None:
    op.create_table(
        "demands",
        _text("tenant"),
        _text("id"),
        _text("authority"),
        _text("country"),
        _text("regime"),
        _text("zone"),
        _text("kind"),
        sa.Column("demanded", postgresql.ARRAY(sa.Text()), nullable=False),
        _moment("received_at", nullable=False),
        _text("received_by"),
        sa.Column("due_on", sa.Date(), nullable=False),
        _text("gag"),
        sa.Column("gag_until", sa.Date(), nullable=True),
        sa.Column("gagged", sa.Boolean(), nullable=False, server_default="false"),
        sa.Column("clauses", sa.Boolean(), nullable=False, server_default="false"),
        sa.Column("emergency", sa.Boolean(), nullable=False, server_default="false"),
        _json("answers"),
        _text("word", nullable=True),
        _text("ground", default=""),
        _json("scope"),
        _text("decided_by", default=""),
        _text("decided_as", nullable=True),
        _moment("decided_at"),
        _text("approved_by", default=""),
        _moment("approved_at"),
        _moment("sealed_at"),
        _text("digest", default=""),
        sa.Column("size", sa.BigInteger(), nullable=False, server_default="0"),
        _json("rows"),
        _text("trouble", default=""),
        _text("trouble_at", default=""),
        _moment("handed_at"),
        _text("handed_by", default=""),
        _moment("told_at"),
        _text("told_by", default=""),
        _moment("closed_at"),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_demands"),
    )


def downgrade() -> None:
    op.drop_table("demands")
