"""What is kept without an end is asked about on a day, and what two people say of it."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deferrals", sa.Column("ask_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("deferrals", sa.Column("asked_only", sa.Boolean(), server_default="false", nullable=False))
    op.create_table(
        "rest_words",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("tenant", "request_id", "word")),
        sa.Column("ground", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agreed_by", sa.Text(), server_default="", nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=True) for name in ("agreed_at", "begun_at")),
        sa.PrimaryKeyConstraint("tenant", "request_id", "word", name="pk_rest_words"),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_rest_words_requests"
        ),
    )


def downgrade() -> None:
    op.drop_table("rest_words")
    op.drop_column("deferrals", "asked_only")
    op.drop_column("deferrals", "ask_at")
