"""Letters about demands of authorities."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("exporter", "language"):
        op.add_column("demands", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("demands", sa.Column("letters", postgresql.JSONB(), nullable=False, server_default="{}"))


def downgrade() -> None:
    for name in ("letters", "language", "exporter"):
        op.drop_column("demands", name)
