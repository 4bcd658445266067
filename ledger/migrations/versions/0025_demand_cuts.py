"""Days that a demand is about, and an emergency's decision that was found unsound."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("demands", sa.Column("dates", postgresql.JSONB()))
    op.add_column("demands", sa.Column("objected_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("demands", sa.Column("objected_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    for name in ("objected_at", "objected_by", "dates"):
        op.drop_column("demands", name)
