"""Who asks: proofs, codes, mandates."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _key() -> tuple[sa.Column[str], sa.Column[str]]:
    return sa.Column("tenant", sa.Text(), nullable=False), sa.Column("request_id", sa.Text(), nullable=False)


def _moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), server_default="false", nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def _rules(table: str, *key: str) -> tuple[sa.Constraint, sa.Constraint]:
    return (
        sa.PrimaryKeyConstraint("tenant", "request_id", *key, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name=f"fk_{table}_requests"
        ),
    )


def upgrade() -> None:
    op.create_table(
        "identity_cases",
        *_key(),
        _moment("read_at"),
        _moment("asked_at"),
        _count("reminded"),
        _moment("lapsed_at"),
        sa.Column("became", sa.Text()),
        _count("point_tries"),
        _flag("mandate_needed"),
        sa.Column("mandate_kind", sa.Text()),
        sa.Column("mandate_scope", sa.ARRAY(sa.Text())),
        sa.Column("mandate_expires", sa.Date()),
        sa.Column("answer_to", sa.Text()),
        sa.Column("age", sa.Integer()),
        *_rules("identity_cases"),
    )
    op.create_table(
        "identity_proofs",
        *_key(),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rung", sa.Text(), nullable=False),
        _moment("at", nullable=False),
        sa.Column("way", sa.LargeBinary()),
        _flag("fresh"),
        _flag("second"),
        _count("matched"),
        _flag("declared"),
        _count("level"),
        sa.Column("agent", sa.LargeBinary()),
        sa.Column("paper", sa.Text()),
        *_rules("identity_proofs", "id"),
    )
    op.create_table(
        "identity_codes",
        *_key(),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("goes_to", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _moment("asked_at", nullable=False),
        _moment("sent_at"),
        _moment("expires_at"),
        sa.Column("rung", sa.Text()),
        sa.Column("way", sa.LargeBinary()),
        _flag("fresh"),
        sa.Column("code", sa.LargeBinary()),
        _count("tries_left"),
        _moment("used_at"),
        *_rules("identity_codes", "id"),
    )
    op.create_index(
        "ix_identity_codes_unsent",
        "identity_codes",
        ["tenant", "request_id"],
        postgresql_where=sa.text("sent_at IS NULL"),
    )


def downgrade() -> None:
    for table in ("identity_codes", "identity_proofs", "identity_cases"):
        op.drop_table(table)
