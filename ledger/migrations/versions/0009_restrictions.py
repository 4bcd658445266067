"""Restrictions: in force, to be reviewed, to be lifted, lifted."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "restrictions",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("review_on", moment, nullable=False),
        sa.Column("reviewed_at", moment),
        sa.Column("lift_reason", sa.Text()),
        sa.Column("lift_asked_at", moment),
        sa.Column("notice_days", sa.Integer()),
        sa.Column("letter", sa.Text()),
        sa.Column("told_at", moment),
        sa.Column("lift_on", moment),
        sa.Column("lifting_at", moment),
        sa.Column("lifted_at", moment),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_restrictions_requests"
        ),
        sa.PrimaryKeyConstraint("tenant", "request_id", name="pk_restrictions"),
    )
    op.create_index(
        "ix_restrictions_review",
        "restrictions",
        ["tenant", "review_on"],
        postgresql_where=sa.text("lifted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("restrictions")
