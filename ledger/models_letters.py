"""The tables of letters and campaigns.

The one rule: who gets a letter, where, and what it says is in the vault; here are states and times.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from ledger.columns import count, key, moment, of_request, tenant
from ledger.models import metadata

letters: Final = Table(
    "letters",
    metadata,
    tenant(),
    key("id"),
    Column("case_id", Text, nullable=False),
    Column("request_id", Text),
    Column("kind", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("language", Text, nullable=False, server_default=""),
    Column("channel", Text),
    Column("state", Text, nullable=False),
    Column("code", Text, nullable=False, server_default=""),
    Column("message_id", Text, nullable=False),
    count("tries"),
    count("attempts"),
    moment("queued_at"),
    moment("due_at", nullable=True),
    moment("sending_at", nullable=True),
    moment("settled_at", nullable=True),
    Column("post_by", Date),
    of_request(),
    Index("uq_letters_message_id", "tenant", "message_id", unique=True),
    Index("ix_letters_case", "tenant", "case_id", "state"),
    Index("ix_letters_queued", "tenant", "queued_at", "id", postgresql_where=text("state = 'queued'")),
    Index("ix_letters_sending", "tenant", "sending_at", postgresql_where=text("state = 'sending'")),
    Index("ix_letters_sent", "tenant", "settled_at", postgresql_where=text("state = 'sent'")),
)
"""One row per letter. `channel` is the name under which the vault has the address; `message_id` the left side of the
mail's own, a keyed digest; `tries` how often a person's word sent it anew; `due_at` not before when."""

mailboxes: Final = Table(
    "mailboxes",
    metadata,
    tenant(),
    key("name"),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    moment("read_at"),
)
"""How far the mailbox of delivery reports was read."""

campaigns: Final = Table(
    "campaigns",
    metadata,
    tenant(),
    key("id"),
    Column("name", Text, nullable=False),
    Column("notice", Text, nullable=False),
    Column("state", Text, nullable=False),
    count("listed"),
    count("repeated"),
    count("unreachable"),
    moment("prepared_at"),
    moment("started_at", nullable=True),
    moment("listed_at", nullable=True),
    moment("ended_at", nullable=True),
    Index("uq_campaigns_name", "tenant", "name", unique=True),
)
"""Campaigns: what they say is for everybody to read. `listed` counts people, `repeated` rows of the same ones."""

campaign_people: Final = Table(
    "campaign_people",
    metadata,
    tenant(),
    key("campaign_id"),
    Column("digest", LargeBinary, primary_key=True),
    ForeignKeyConstraint(["tenant", "campaign_id"], ["campaigns.tenant", "campaigns.id"]),
)
"""Who was listed, as keyed digests, so that nobody is written to twice; gone with the campaign's addresses."""
