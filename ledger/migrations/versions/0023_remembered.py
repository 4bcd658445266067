"""What requests have stopped, restricted or corrected, by token."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
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
        "remembered_acts",
        *map(_text, ("tenant", "request_id")),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        _text("details"),
        sa.PrimaryKeyConstraint("tenant", "request_id", name="pk_remembered_acts"),
        _of_request("remembered_acts"),
    )
    op.create_table(
        "act_tokens",
        _text("tenant"),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        _text("request_id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "token", "request_id", name="pk_act_tokens"),
        _of_request("act_tokens"),
    )
    op.create_index("ix_act_tokens_request", "act_tokens", ["tenant", "request_id"])


def downgrade() -> None:
    op.drop_table("act_tokens")
    op.drop_table("remembered_acts")
