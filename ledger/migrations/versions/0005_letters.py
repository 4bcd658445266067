"""Letters, campaigns, how far the mailbox of delivery reports was read, and tasks with a date."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "letters",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("channel", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("sending_at", sa.DateTime(timezone=True)),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("post_by", sa.Date()),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_letters"),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_letters_requests"
        ),
    )
    op.create_index("uq_letters_message_id", "letters", ["tenant", "message_id"], unique=True)
    op.create_index("ix_letters_case", "letters", ["tenant", "case_id", "state"])
    op.create_index(
        "ix_letters_queued",
        "letters",
        ["tenant", "queued_at", "id"],
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_letters_sending", "letters", ["tenant", "sending_at"], postgresql_where=sa.text("state = 'sending'")
    )
    op.create_index("ix_letters_sent", "letters", ["tenant", "settled_at"], postgresql_where=sa.text("state = 'sent'"))
    op.create_table(
        "mailboxes",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_mailboxes"),
    )
    op.create_table(
        "campaigns",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("listed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("repeated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unreachable", sa.Integer(), server_default="0", nullable=False),
        sa.Column("prepared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("listed_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_campaigns"),
    )
    op.create_index("uq_campaigns_name", "campaigns", ["tenant", "name"], unique=True)
    op.create_table(
        "campaign_people",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "campaign_id", "digest", name="pk_campaign_people"),
        sa.ForeignKeyConstraint(
            ["tenant", "campaign_id"], ["campaigns.tenant", "campaigns.id"], name="fk_campaign_people_campaigns"
        ),
    )
    op.add_column("tasks", sa.Column("due_on", sa.Date()))


def downgrade() -> None:
    op.drop_column("tasks", "due_on")
    op.drop_table("campaign_people")
    op.drop_table("campaigns")
    op.drop_table("mailboxes")
    op.drop_table("letters")
