"""Clocks of several laws, and the texts that they were opened under."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("requests", sa.Column("clocks", postgresql.JSONB(), nullable=True))
    op.create_table(
        "rulesets",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "digest", name="pk_rulesets"),
    )


def downgrade() -> None:
    op.drop_table("rulesets")
    op.drop_column("requests", "clocks")
