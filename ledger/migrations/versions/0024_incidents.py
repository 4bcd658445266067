"""Incidents, and the requests that stand still for one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _who(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def _moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _names(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.ARRAY(sa.Text()), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default="false")


def upgrade() -> None:
    op.create_table(
        "incidents",
        *map(_text, ("tenant", "id", "kind", "origin")),
        _names("systems"),
        _names("regimes"),
        sa.Column("hours", sa.Integer(), nullable=False),
        _text("zone"),
        _moment("aware_at", nullable=False),
        _moment("opened_at", nullable=False),
        _text("opened_by"),
        sa.Column("threat", sa.Text()),
        _moment("advised_at"),
        _who("advised_by"),
        _moment("notified_at"),
        _who("notified_by"),
        _moment("told_at"),
        sa.Column("told_how", sa.Text()),
        _who("told_by"),
        _moment("lifted_at"),
        _moment("closed_at"),
        _who("closed_by"),
        sa.Column("reminded", sa.Integer()),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_incidents"),
    )
    op.create_index("ix_incidents_open", "incidents", ["tenant", "id"], postgresql_where=sa.text("closed_at IS NULL"))
    op.create_table(
        "incident_requests",
        *map(_text, ("tenant", "incident_id", "request_id")),
        _flag("parcel"),
        _flag("stopped"),
        sa.PrimaryKeyConstraint("tenant", "incident_id", "request_id", name="pk_incident_requests"),
        sa.ForeignKeyConstraint(
            ["tenant", "incident_id"], ["incidents.tenant", "incidents.id"], name="fk_incident_requests_incidents"
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "request_id"], ["requests.tenant", "requests.id"], name="fk_incident_requests_requests"
        ),
    )
    op.create_index(
        "ix_incident_requests_stopped",
        "incident_requests",
        ["tenant", "request_id"],
        postgresql_where=sa.text("stopped"),
    )


def downgrade() -> None:
    op.drop_table("incident_requests")
    op.drop_table("incidents")
