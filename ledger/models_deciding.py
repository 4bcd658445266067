"""Tables of what is decided about a request before it is carried out: decisions, cooling-off, linked requests."""

from typing import Final

from sqlalchemy import ARRAY, Boolean, Column, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.columns import key, moment, of_request, tenant
from ledger.models import metadata

decisions: Final = Table(
    "decisions",
    metadata,
    tenant(),
    key("id"),
    Column("request_id", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("approvers", ARRAY(Text), nullable=False),
    Column("consult", Boolean, nullable=False),
    Column("proposed_by", Text, nullable=False),
    moment("proposed_at"),
    moment("consult_until", nullable=True),
    moment("settled_at", nullable=True),
    of_request(),
    Index("uq_decisions_open", "tenant", "request_id", unique=True, postgresql_where=text("state = 'proposed'")),
    Index("uq_decisions_in_force", "tenant", "request_id", unique=True, postgresql_where=text("state = 'in_force'")),
    Index("ix_decisions_request", "tenant", "request_id"),
)
"""`state`: proposed, in_force, dropped, replaced. `body` has codes and categories only."""

decision_words: Final = Table(
    "decision_words",
    metadata,
    tenant(),
    key("decision_id"),
    key("role"),
    Column("word", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("substitute", Boolean, nullable=False),
    moment("at"),
)
"""What each role has said of a decision: approve, agree, dissent, or lapsed (nothing, within the time given)."""

coolings: Final = Table(
    "coolings",
    metadata,
    tenant(),
    key("request_id"),
    Column("state", Text, nullable=False),
    moment("until", nullable=True),
    moment("stopped_at", nullable=True),
    Column("review", Text),
    Column("review_by", Text),
    of_request(),
)
"""Cooling-off of erasures. `state`: waived (at the opening), running, frozen, over. `review` and `review_by` are what
the first of two agents says of a frozen one."""

links: Final = Table(
    "links",
    metadata,
    tenant(),
    key("request_id"),
    Column("lead_id", Text, nullable=False),
    moment("at"),
    moment("ended_at", nullable=True),
    of_request(),
    Index("ix_links_lead", "tenant", "lead_id"),
)
"""Requests that are answered together with an earlier one (`lead_id`) of the same person and right."""
