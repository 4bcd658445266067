"""The tables of what people have had stopped, and of what a person weighs.

The one rule: suppressions are tokens and codes alone, hang on no request, and are never exported (docs/objection.md).
"""

from typing import Final

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text

from ledger.columns import key, moment, of_request, tenant
from ledger.models import metadata

suppressions: Final = Table(
    "suppressions",
    metadata,
    tenant(),
    key("scope"),
    key("about"),
    Column("token", LargeBinary, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    moment("since"),
    moment("confirmed_at"),
    moment("until", nullable=True),
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
    tenant(),
    key("request_id"),
    Column("matter", Text, nullable=False),
    moment("opened_at"),
    moment("due_at"),
    Column("outcome", Text),
    Column("ground", Text, nullable=False, server_default=""),
    moment("decided_at", nullable=True),
    moment("overdue_at", nullable=True),
    of_request(),
)
"""What a person weighs, one for a request: an objection on grounds, or a decision to be reviewed. Who has done so, and
on what evidence, is sealed in the request's file."""
