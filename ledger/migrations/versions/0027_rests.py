"""What erasures have left and locked away."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rest_locks",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("tenant", "request_id", "system")),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("over_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "request_id", "system", name="pk_rest_locks"),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_rest_locks_requests"
        ),
    )


def downgrade() -> None:
    op.drop_table("rest_locks")
