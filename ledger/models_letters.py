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
