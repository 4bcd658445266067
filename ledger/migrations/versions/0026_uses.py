"""Uses of restricted data."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, server_default=default)


def upgrade() -> None:
    op.create_table(
        "restriction_uses",
        *map(_text, ("tenant", "id", "request_id", "ground", "article")),
        sa.Column("covers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        *map(_text, ("zone", "recipient")),
        sa.Column("new_purpose", sa.Boolean(), nullable=False, server_default="false"),
        _moment("asked_at", nullable=False),
        _text("asked_by"),
        _moment("approved_at"),
        _text("approved_by", default=""),
        _moment("told_at"),
        _moment("sealed_at"),
        _text("digest", default=""),
        sa.Column("size", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("rows", postgresql.JSONB(), nullable=False, server_default="{}"),
        _text("trouble", default=""),
        _text("trouble_at", default=""),
        _moment("handed_at"),
        _moment("ended_at"),
        _text("ended", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_restriction_uses"),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_restriction_uses_requests"
        ),
    )
    op.create_index("ix_restriction_uses_request", "restriction_uses", ["tenant", "request_id"])


def downgrade() -> None:
    op.drop_table("restriction_uses")
