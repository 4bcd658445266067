"""What is looked at again after its time: restrictions in force, and corrections."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "follow_ups",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("look_on", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True)),
        sa.Column("over_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "request_id", "what", name="pk_follow_ups"),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_follow_ups_requests"
        ),
    )
    where = sa.text("over_at IS NULL")
    op.create_index("ix_follow_ups_due", "follow_ups", ["tenant", "look_on"], postgresql_where=where)
    # Restrictions that are in force already are looked at from now on.
    op.execute(
        "INSERT INTO follow_ups (tenant, request_id, what, look_on) "
        "SELECT tenant, request_id, 'restriction', now() FROM restrictions WHERE lifting_at IS NULL"
    )


def downgrade() -> None:
    op.drop_table("follow_ups")
