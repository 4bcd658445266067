"""Tables of what is decided about a request before it is carried out: decisions, cooling-off, linked requests."""

from typing import Final

from sqlalchemy import ARRAY, Boolean, Column, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.models import _moment, _of_request, _tenant, metadata

decisions: Final = Table(
    "decisions",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("approvers", ARRAY(Text), nullable=False),
    Column("consult", Boolean, nullable=False),
    Column("proposed_by", Text, nullable=False),
    _moment("proposed_at"),
    _moment("consult_until", nullable=True),
    _moment("settled_at", nullable=True),
    _of_request(),
    Index("uq_decisions_open", "tenant", "request_id", unique=True, postgresql_where=text("state = 'proposed'")),
    Index("uq_decisions_in_force", "tenant", "request_id", unique=True, postgresql_where=text("state = 'in_force'")),
    Index("ix_decisions_request", "tenant", "request_id"),
)
"""`state`: proposed, in_force, dropped, replaced. `body` has codes and categories only."""

decision_words: Final = Table(
    "decision_words",
    metadata,
    _tenant(),
    Column("decision_id", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("word", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("substitute", Boolean, nullable=False),
    _moment("at"),
)
"""What each role has said of a decision: approve, agree, dissent, or lapsed (nothing, within the time given)."""

coolings: Final = Table(
    "coolings",
    metadata,
    _tenant(),
    Column("request_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    _moment("until", nullable=True),
    _moment("stopped_at", nullable=True),
    Column("review", Text),
    Column("review_by", Text),
    _of_request(),
)
"""Cooling-off of erasures. `state`: waived (at the opening), running, frozen, over. `review` and `review_by` are what
the first of two agents says of a frozen one."""

links: Final = Table(
    "links",
    metadata,
    _tenant(),
    Column("request_id", Text, primary_key=True),
    Column("lead_id", Text, nullable=False),
    _moment("at"),
    _moment("ended_at", nullable=True),
    _of_request(),
    Index("ix_links_lead", "tenant", "lead_id"),
)
"""Requests that are answered together with an earlier one (`lead_id`) of the same person and right."""
