"""The tables of letters and campaigns.

The one rule: who gets a letter, where, and what it says is in the vault; here are states and times.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from ledger.models import metadata

letters: Final = Table(
    "letters",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("request_id", Text),
    Column("kind", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("language", Text, nullable=False, server_default=""),
    Column("channel", Text),
    Column("state", Text, nullable=False),
    Column("code", Text, nullable=False, server_default=""),
    Column("message_id", Text, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("queued_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("sending_at", DateTime(timezone=True)),
    Column("settled_at", DateTime(timezone=True)),
    Column("post_by", Date),
    ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"]),
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
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("read_at", DateTime(timezone=True), nullable=False),
)
"""How far the mailbox of delivery reports was read."""

campaigns: Final = Table(
    "campaigns",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("notice", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("listed", Integer, nullable=False, server_default="0"),
    Column("repeated", Integer, nullable=False, server_default="0"),
    Column("unreachable", Integer, nullable=False, server_default="0"),
    Column("prepared_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("listed_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Index("uq_campaigns_name", "tenant", "name", unique=True),
)
"""Campaigns: what they say is for everybody to read. `listed` counts people, `repeated` rows of the same ones."""

campaign_people: Final = Table(
    "campaign_people",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("campaign_id", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    ForeignKeyConstraint(["tenant", "campaign_id"], ["campaigns.tenant", "campaigns.id"]),
)
"""Who was listed, as keyed digests, so that nobody is written to twice; gone with the campaign's addresses."""
