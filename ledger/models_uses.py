"""The table of uses of restricted data."""

from typing import Final

from sqlalchemy import ARRAY, BigInteger, Column, Date, Index, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.columns import flag, key, moment, of_request, tenant
from ledger.models import metadata

restriction_uses: Final = Table(
    "restriction_uses",
    metadata,
    tenant(),
    key("id"),
    Column("request_id", Text, nullable=False),
    Column("ground", Text, nullable=False),
    Column("article", Text, nullable=False),
    Column("covers", ARRAY(Text), nullable=False),
    Column("until", Date, nullable=False),
    Column("zone", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    flag("new_purpose"),
    moment("asked_at"),
    Column("asked_by", Text, nullable=False),
    moment("approved_at", nullable=True),
    Column("approved_by", Text, nullable=False, server_default=""),
    moment("told_at", nullable=True),
    moment("sealed_at", nullable=True),
    Column("digest", Text, nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("rows", JSONB, nullable=False, server_default="{}"),
    Column("trouble", Text, nullable=False, server_default=""),
    Column("trouble_at", Text, nullable=False, server_default=""),
    moment("handed_at", nullable=True),
    moment("ended_at", nullable=True),
    Column("ended", Text),
    of_request(),
    Index("ix_restriction_uses_request", "tenant", "request_id"),
)
"""One row for each: codes, names of the map and days. What shows the ground is sealed with the restriction's request;
the copy lies in the store, under a key (`parcel`) of the use's own."""
