"""What somebody's word is of, and tries of data points in all requests."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("identity_proofs", sa.Column("vouches", sa.ARRAY(sa.LargeBinary()), nullable=True))
    op.create_table(
        "identity_tries",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "digest", "id", name="pk_identity_tries"),
    )
    op.create_index("ix_identity_tries_at", "identity_tries", ["tenant", "at"])


def downgrade() -> None:
    op.drop_table("identity_tries")
    op.drop_column("identity_proofs", "vouches")
