"""The table of what people have had stopped.

The one rule: it holds tokens and codes alone, hangs on no request, and is never exported (docs/objection.md).
"""

from typing import Final

from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, Table, Text

from ledger.models import metadata

suppressions: Final = Table(
    "suppressions",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("about", Text, primary_key=True),
    Column("token", LargeBinary, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("confirmed_at", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True)),
    Index("ix_suppressions_token", "tenant", "token"),
)
"""One row for each identity and each thing stopped. `about`: the purpose whose consent was withdrawn, else empty;
`version`: of the form of the identity and of the key; `confirmed_at`: when it was last asked for; `until`: when a
consent given again has ended it, null for good. No foreign key: it stands when the request is gone."""
