"""Tables of authorities' demands: codes, names and days; texts and people are in the vault."""

from typing import Final

from sqlalchemy import ARRAY, BigInteger, Column, Date, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.columns import flag, key, moment, tenant
from ledger.models import metadata

demands: Final = Table(
    "demands",
    metadata,
    tenant(),
    key("id"),
    Column("authority", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("regime", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("demanded", ARRAY(Text), nullable=False),
    moment("received_at"),
    Column("received_by", Text, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("gag", Text, nullable=False),
    Column("gag_until", Date),
    flag("gagged"),
    flag("clauses"),
    flag("emergency"),
    Column("answers", JSONB, nullable=False, server_default="{}"),
    Column("word", Text),
    Column("ground", Text, nullable=False, server_default=""),
    Column("scope", JSONB, nullable=False, server_default="{}"),
    Column("decided_by", Text, nullable=False, server_default=""),
    Column("decided_as", Text),
    moment("decided_at", nullable=True),
    Column("dates", JSONB),
    Column("objected_by", Text, nullable=False, server_default=""),
    moment("objected_at", nullable=True),
    Column("approved_by", Text, nullable=False, server_default=""),
    moment("approved_at", nullable=True),
    moment("sealed_at", nullable=True),
    Column("digest", Text, nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("rows", JSONB, nullable=False, server_default="{}"),
    Column("trouble", Text, nullable=False, server_default=""),
    Column("trouble_at", Text, nullable=False, server_default=""),
    moment("handed_at", nullable=True),
    Column("handed_by", Text, nullable=False, server_default=""),
    moment("told_at", nullable=True),
    Column("told_by", Text, nullable=False, server_default=""),
    Column("exporter", Text, nullable=False, server_default=""),
    Column("language", Text, nullable=False, server_default=""),
    Column("letters", JSONB, nullable=False, server_default="{}"),
    moment("closed_at", nullable=True),
)
"""One row for each; what it said before stands in the journal. Apart from requests: who works on a person's request
must not see that there is a demand."""
