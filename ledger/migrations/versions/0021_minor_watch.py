"""How far the channels on file were told of a report that data is a child's, and how often a ruling was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("minor_reports", sa.Column("told", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("minor_reports", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("minor_reports", sa.Column("level", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in ("level", "told_at", "told"):
        op.drop_column("minor_reports", name)
