"""The table of how far each webhook has been told.

The one rule: names of the settings, positions in the journal, codes and times; addresses and secrets stand nowhere.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from ledger.columns import count, key, moment, tenant
from ledger.models import metadata

webhook_cursors: Final = Table(
    "webhook_cursors",
    metadata,
    tenant(),
    key("name"),
    Column("position", BigInteger, nullable=False),
    moment("told_at", nullable=True),
    moment("failing_since", nullable=True),
    count("attempts"),
    Column("code", Text),
    Column("status", Integer),
)
"""`position`: the journal's number up to which it was told, or there was nothing to tell. The others: since when, how
often in a row and why it could not be told; `status` is what it answered."""
