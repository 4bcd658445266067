"""What the HTTP API remembers for a while: answers by idempotency key, and hand-offs that were used."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_answers",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("asked", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "key", name="pk_kept_answers"),
    )
    op.create_index("ix_kept_answers_at", "kept_answers", ["tenant", "at"])
    op.create_table(
        "used_handoffs",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "mark", name="pk_used_handoffs"),
    )
    op.create_index("ix_used_handoffs_expires_at", "used_handoffs", ["tenant", "expires_at"])


def downgrade() -> None:
    op.drop_table("used_handoffs")
    op.drop_table("kept_answers")
