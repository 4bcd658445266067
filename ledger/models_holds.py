"""Tables of holds: their terms, what they ask of people, answers that counsel has given."""

from typing import Final

from sqlalchemy import ARRAY, Column, Date, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ledger.columns import key, moment, of_hold, of_request, tenant
from ledger.models import metadata

hold_terms: Final = Table(
    "hold_terms",
    metadata,
    tenant(),
    key("hold_id"),
    Column("reason", Text, nullable=False),
    Column("authority", Text, nullable=False),
    Column("disclosure", Text, nullable=False),
    Column("tell_from", Date),
    Column("review_on", Date),
    Column("systems", ARRAY(Text), nullable=False),
    Column("scope", JSONB, nullable=False),
    Column("placed_by", Text, nullable=False),
    moment("confirm_by", nullable=True),
    Column("confirmed_by", Text),
    moment("confirmed_at", nullable=True),
    Column("release_by", Text),
    moment("release_asked_at", nullable=True),
    Column("released_by", Text),
    of_hold(),
)
"""`systems` are those that the scope can touch, none: any. `release_by` is who has asked for the release first."""

hold_tasks: Final = Table(
    "hold_tasks",
    metadata,
    tenant(),
    key("id"),
    Column("hold_id", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("level", Integer, nullable=False),
    moment("opened_at"),
    moment("due_at", nullable=True),
    moment("settled_at", nullable=True),
    of_hold(),
    Index(
        "uq_hold_tasks_open",
        "tenant",
        "hold_id",
        "about",
        "code",
        unique=True,
        postgresql_where=text("settled_at IS NULL"),
    ),
)
"""What holds ask of people, apart from what requests do: an agent must not see that there is one. `about` is the
request to be answered, or empty."""

hold_answers: Final = Table(
    "hold_answers",
    metadata,
    tenant(),
    key("request_id"),
    Column("by", Text, nullable=False),
    moment("at"),
    of_request(),
)
"""Requests that counsel has answered, since a hold that must stay secret touches them."""
