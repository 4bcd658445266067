"""The tables of what people have had stopped, and of what a person weighs.

The one rule: suppressions are tokens and codes alone, hang on no request, and are never exported (docs/objection.md).
"""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, Index, Integer, LargeBinary, Table, Text

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
    Column("key_version", Integer, nullable=False, server_default="1"),
    Index("ix_suppressions_token", "tenant", "token"),
)
"""One row for each identity and each thing stopped. `about`: the purpose whose consent was withdrawn, else empty;
`version`: of the form of the identity; `key_version`: how many keys the token has passed (ledger/tokens.py);
`confirmed_at`: when it was last asked for; `until`: when a consent given again has ended it, null for good. No foreign
key: it stands when the request is gone."""

weighings: Final = Table(
    "weighings",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("matter", Text, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("outcome", Text),
    Column("ground", Text, nullable=False, server_default=""),
    Column("decided_at", DateTime(timezone=True)),
    Column("overdue_at", DateTime(timezone=True)),
    ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"]),
)
"""What a person weighs, one for a request: an objection on grounds, or a decision to be reviewed. Who has done so, and
on what evidence, is sealed in the request's file."""
