"""The tables of incidents: codes, names of the map, ids and times; what anybody wrote is in the vault."""

from typing import Final

from sqlalchemy import ARRAY, Column, ForeignKeyConstraint, Index, Integer, Table, Text, text

from ledger.columns import flag, key, moment, of_request, tenant
from ledger.models import metadata

incidents: Final = Table(
    "incidents",
    metadata,
    tenant(),
    key("id"),
    Column("kind", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("systems", ARRAY(Text), nullable=False),
    Column("regimes", ARRAY(Text), nullable=False),
    Column("hours", Integer, nullable=False),
    Column("zone", Text, nullable=False),
    moment("aware_at"),
    moment("opened_at"),
    Column("opened_by", Text, nullable=False),
    Column("threat", Text),
    moment("advised_at", nullable=True),
    Column("advised_by", Text, nullable=False, server_default=""),
    moment("notified_at", nullable=True),
    Column("notified_by", Text, nullable=False, server_default=""),
    moment("told_at", nullable=True),
    Column("told_how", Text),
    Column("told_by", Text, nullable=False, server_default=""),
    moment("lifted_at", nullable=True),
    moment("closed_at", nullable=True),
    Column("closed_by", Text, nullable=False, server_default=""),
    Column("reminded", Integer),
    Index("ix_incidents_open", "tenant", "id", postgresql_where=text("closed_at IS NULL")),
)
"""One row for each; what it said before stands in the journal."""

incident_requests: Final = Table(
    "incident_requests",
    metadata,
    tenant(),
    key("incident_id"),
    key("request_id"),
    flag("parcel"),
    flag("stopped"),
    ForeignKeyConstraint(["tenant", "incident_id"], ["incidents.tenant", "incidents.id"]),
    of_request(),
    Index("ix_incident_requests_stopped", "tenant", "request_id", postgresql_where=text("stopped")),
)
"""The requests that an incident names. `parcel`: it is about what was handed over; `stopped`: it stands still."""
