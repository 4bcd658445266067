"""What people dispute and was not corrected."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _of_request(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant", "request_id"], ["requests.tenant", "requests.id"], name=f"fk_{table}_requests"
    )


def upgrade() -> None:
    op.create_table(
        "disputes",
        *map(_text, ("tenant", "request_id", "system", "collection", "field")),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "request_id", "system", "collection", "field", name="pk_disputes"),
        _of_request("disputes"),
    )
    op.create_table(
        "dispute_tokens",
        _text("tenant"),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        _text("request_id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "token", "request_id", name="pk_dispute_tokens"),
        _of_request("dispute_tokens"),
    )
    op.create_index("ix_dispute_tokens_request", "dispute_tokens", ["tenant", "request_id"])


def downgrade() -> None:
    op.drop_table("dispute_tokens")
    op.drop_table("disputes")
