"""The tables of what the HTTP API remembers for a while.

The one rule: who asked, and what, are keyed digests; an answer that is kept is impersonal.
"""

from typing import Final

from sqlalchemy import Column, Index, LargeBinary, Table, Text

from ledger.columns import moment, tenant
from ledger.models import metadata

kept_answers: Final = Table(
    "kept_answers",
    metadata,
    tenant(),
    Column("key", LargeBinary, primary_key=True),
    Column("asked", LargeBinary, nullable=False),
    moment("at"),
    Column("answer", Text),
    Index("ix_kept_answers_at", "tenant", "at"),
)
"""Answers by caller and idempotency key, for a day. Without an answer it is being worked on since `at`."""

used_handoffs: Final = Table(
    "used_handoffs",
    metadata,
    tenant(),
    Column("mark", LargeBinary, primary_key=True),
    moment("expires_at"),
    Index("ix_used_handoffs_expires_at", "tenant", "expires_at"),
)
"""Hand-offs of the company's own session that were used; each is good once, and forgotten when it has expired."""
