"""Tokens of the erased, looks days later, replays; tokens get a version of their key."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _of_request(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant", "request_id"], ["requests.tenant", "requests.id"], name=f"fk_{table}_requests"
    )


def upgrade() -> None:
    op.add_column("suppressions", sa.Column("key_version", sa.Integer(), nullable=False, server_default="1"))
    op.create_table(
        "erasures",
        _text("tenant"),
        _text("request_id"),
        _moment("closed_at"),
        _text("ground"),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "request_id", name="pk_erasures"),
        _of_request("erasures"),
    )
    op.create_index("ix_erasures_closed", "erasures", ["tenant", "closed_at"])
    op.create_table(
        "erasure_tokens",
        _text("tenant"),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        _text("request_id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "token", "request_id", name="pk_erasure_tokens"),
        _of_request("erasure_tokens"),
    )
    op.create_index("ix_erasure_tokens_request", "erasure_tokens", ["tenant", "request_id"])
    op.create_table(
        "relooks",
        _text("tenant"),
        _text("request_id"),
        _moment("due_at"),
        _moment("called_at", nullable=True),
        _moment("looked_at", nullable=True),
        _text("found", nullable=True),
        sa.PrimaryKeyConstraint("tenant", "request_id", name="pk_relooks"),
        _of_request("relooks"),
    )
    op.create_index("ix_relooks_due", "relooks", ["tenant", "due_at"], postgresql_where=sa.text("looked_at IS NULL"))
    op.create_table(
        "reopenings",
        _text("tenant"),
        _text("request_id"),
        _text("system"),
        _text("code"),
        _moment("opened_at"),
        sa.PrimaryKeyConstraint("tenant", "request_id", "system", name="pk_reopenings"),
        _of_request("reopenings"),
    )
    op.create_table(
        "known_systems",
        _text("tenant"),
        _text("system"),
        _moment("at"),
        sa.PrimaryKeyConstraint("tenant", "system", name="pk_known_systems"),
    )
    op.create_table(
        "replays",
        _text("tenant"),
        _text("id"),
        _text("system"),
        _moment("since", nullable=True),
        _text("state"),
        _moment("begun_at"),
        _moment("ended_at", nullable=True),
        sa.Column("report", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_replays"),
    )
    op.create_table(
        "replayed",
        _text("tenant"),
        _text("replay_id"),
        _text("request_id"),
        _text("by_request"),
        sa.PrimaryKeyConstraint("tenant", "replay_id", "request_id", name="pk_replayed"),
        sa.ForeignKeyConstraint(["tenant", "replay_id"], ["replays.tenant", "replays.id"], name="fk_replayed_replays"),
    )
    op.create_index("ix_replayed_by", "replayed", ["tenant", "by_request"])


def downgrade() -> None:
    for table in ("replayed", "replays", "known_systems", "reopenings", "relooks", "erasure_tokens", "erasures"):
        op.drop_table(table)
    op.drop_column("suppressions", "key_version")
