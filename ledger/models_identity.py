"""The tables of who asks: proofs, codes, mandates.

The one rule: an address, a code, a name or a role stands here as a keyed digest or not at all; the vault has the rest.
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    Boolean,
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


def _key() -> tuple[Column[str], Column[str]]:
    return Column("tenant", Text, primary_key=True), Column("request_id", Text, primary_key=True)


def _request() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant", "request_id"], ["requests.tenant", "requests.id"])


identity_cases: Final = Table(
    "identity_cases",
    metadata,
    *_key(),
    Column("read_at", DateTime(timezone=True)),
    Column("asked_at", DateTime(timezone=True)),
    Column("reminded", Integer, nullable=False, server_default="0"),
    Column("lapsed_at", DateTime(timezone=True)),
    Column("became", Text),
    Column("point_tries", Integer, nullable=False, server_default="0"),
    Column("mandate_needed", Boolean, nullable=False, server_default="false"),
    Column("mandate_kind", Text),
    Column("mandate_scope", ARRAY(Text)),
    Column("mandate_expires", Date),
    Column("answer_to", Text),
    Column("age", Integer),
    _request(),
)
"""How far the question of who asks is; no row while nobody has touched it."""

identity_proofs: Final = Table(
    "identity_proofs",
    metadata,
    *_key(),
    Column("id", Text, primary_key=True),
    Column("rung", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("way", LargeBinary),
    Column("fresh", Boolean, nullable=False, server_default="false"),
    Column("second", Boolean, nullable=False, server_default="false"),
    Column("matched", Integer, nullable=False, server_default="0"),
    Column("declared", Boolean, nullable=False, server_default="false"),
    Column("level", Integer, nullable=False, server_default="0"),
    Column("agent", LargeBinary),
    Column("paper", Text),
    Column("vouches", ARRAY(LargeBinary)),
    _request(),
)
"""What was proven, how and when. `agent` tells who looked first from who looks second; `paper` is the case under which
a copy of a document lies until the ruling; `vouches` is what somebody's word is of."""

identity_codes: Final = Table(
    "identity_codes",
    metadata,
    *_key(),
    Column("id", Text, primary_key=True),
    Column("goes_to", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("sent_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Column("rung", Text),
    Column("way", LargeBinary),
    Column("fresh", Boolean, nullable=False, server_default="false"),
    Column("code", LargeBinary),
    Column("tries_left", Integer, nullable=False, server_default="0"),
    Column("used_at", DateTime(timezone=True)),
    _request(),
    Index("ix_identity_codes_unsent", "tenant", "request_id", postgresql_where=text("sent_at IS NULL")),
)
"""Codes that were asked for, of known people and of unknown ones: a code that was sent to nobody has a row like any
other, and nothing fits it."""

identity_tries: Final = Table(
    "identity_tries",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("ix_identity_tries_at", "tenant", "at"),
)
"""Tries of data points in all requests, by what was given and by whom the directory found: digests that are made for
this alone, and gone when the window is over (`point_window`)."""
