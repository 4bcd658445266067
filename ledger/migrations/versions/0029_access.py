"""Who gets in: tokens of systems, sign-ins, sessions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0027"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _digest(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _texts(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.ARRAY(sa.Text()), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default="false")


def upgrade() -> None:
    op.create_table(
        "access_tokens",
        _text("tenant"),
        _text("id"),
        _digest("digest"),
        _text("system"),
        _texts("scopes"),
        _moment("made_at"),
        _text("made_by"),
        _moment("ends_at"),
        sa.Column("used_on", sa.Date(), nullable=True),
        _moment("revoked_at", nullable=True),
        _text("replaces", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_access_tokens"),
    )
    op.create_index("uq_access_tokens_digest", "access_tokens", ["tenant", "digest"], unique=True)
    op.create_table(
        "sign_ins",
        _text("tenant"),
        _digest("state"),
        _digest("browser"),
        _text("back"),
        _flag("fresh"),
        _moment("begun_at"),
        _moment("ends_at"),
        sa.PrimaryKeyConstraint("tenant", "state", name="pk_sign_ins"),
    )
    op.create_index("ix_sign_ins_end", "sign_ins", ["tenant", "ends_at"])
    op.create_table(
        "sessions",
        _text("tenant"),
        _digest("digest"),
        _text("staff"),
        _texts("roles"),
        _flag("second_factor"),
        *map(_moment, ("signed_in_at", "opened_at", "seen_at", "ends_at")),
        _moment("ended_at", nullable=True),
        _text("ended", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "digest", name="pk_sessions"),
    )
    op.create_index("ix_sessions_staff", "sessions", ["tenant", "staff"])
    op.create_index("ix_sessions_end", "sessions", ["tenant", "ends_at"])


def downgrade() -> None:
    for table in ("sessions", "sign_ins", "access_tokens"):
        op.drop_table(table)
