"""What an answered erasure has left behind for a time."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
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
        "deferrals",
        _text("tenant"),
        _text("request_id"),
        sa.Column("systems", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("remains", postgresql.JSONB(), nullable=False),
        _moment("not_before", nullable=True),
        _moment("deferred_at"),
        _moment("next_at"),
        _moment("over_at", nullable=True),
        _text("by_request", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "request_id", name="pk_deferrals"),
        _of_request("deferrals"),
    )
    op.create_index(
        "ix_deferrals_next", "deferrals", ["tenant", "next_at"], postgresql_where=sa.text("over_at IS NULL")
    )
    op.create_index("ix_deferrals_by", "deferrals", ["tenant", "by_request"])
    op.create_table(
        "deferral_subjects",
        _text("tenant"),
        _text("request_id"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "request_id", "digest", name="pk_deferral_subjects"),
        _of_request("deferral_subjects"),
    )
    op.create_index("ix_deferral_subjects_digest", "deferral_subjects", ["tenant", "digest"])


def downgrade() -> None:
    op.drop_table("deferral_subjects")
    op.drop_table("deferrals")
