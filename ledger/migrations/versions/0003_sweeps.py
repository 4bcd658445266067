"""Queues of steps that are done for many people at once."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sweep_steps",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("step_key", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("doing", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("answer", sa.Text()),
        sa.PrimaryKeyConstraint("tenant", "step_key", name="pk_sweep_steps"),
    )
    op.create_index(
        "ix_sweep_steps_due",
        "sweep_steps",
        ["tenant", "system", "due_at"],
        postgresql_where=sa.text("answer IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("sweep_steps")
