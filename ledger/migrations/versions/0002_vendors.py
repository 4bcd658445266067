"""Queues of steps that are done for many people at once, and what systems allow to be asked of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
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
    op.create_table(
        "quota_uses",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cost", sa.Integer(), nullable=False),
        sa.Column("units_left", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_quota_uses"),
    )
    op.create_index("ix_quota_uses", "quota_uses", ["tenant", "name", "at"])


def downgrade() -> None:
    op.drop_table("quota_uses")
    op.drop_table("sweep_steps")
