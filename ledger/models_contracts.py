"""The table of contracts with processors that are over."""

from typing import Final

from sqlalchemy import Column, Date, Table, Text

from ledger.columns import key, moment, tenant
from ledger.models import metadata

contract_ends: Final = Table(
    "contract_ends",
    metadata,
    tenant(),
    key("recipient"),
    Column("ends_on", Date, primary_key=True),
    Column("choice", Text, nullable=False),
    moment("asked_at"),
    Column("due_on", Date, nullable=False),
    Column("owes", Text, nullable=False),
    Column("answer", Text),
    Column("answered_on", Date),
)
"""What a processor was asked to do with everything at the end of its contract, and what it has answered (GDPR Art.
28(3)(g)). `owes`: what its confirmation has to bring, words apart. Names of the register and codes only."""
