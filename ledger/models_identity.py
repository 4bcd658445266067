"""The tables of who asks: proofs, codes, mandates.

The one rule: an address, a code, a name or a role stands here as a keyed digest or not at all; the vault has the rest.
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from ledger.columns import count, flag, key, moment, of_request, tenant
from ledger.models import metadata

identity_cases: Final = Table(
    "identity_cases",
    metadata,
    tenant(),
    key("request_id"),
    moment("read_at", nullable=True),
    moment("asked_at", nullable=True),
    count("reminded"),
    moment("lapsed_at", nullable=True),
    Column("became", Text),
    count("point_tries"),
    flag("mandate_needed"),
    Column("mandate_kind", Text),
    Column("mandate_scope", ARRAY(Text)),
    Column("mandate_expires", Date),
    Column("answer_to", Text),
    Column("age", Integer),
    of_request(),
)
"""How far the question of who asks is; no row while nobody has touched it."""

identity_proofs: Final = Table(
    "identity_proofs",
    metadata,
    tenant(),
    key("request_id"),
    key("id"),
    Column("rung", Text, nullable=False),
    moment("at"),
    Column("way", LargeBinary),
    flag("fresh"),
    flag("second"),
    count("matched"),
    flag("declared"),
    count("level"),
    Column("agent", LargeBinary),
    Column("paper", Text),
    Column("vouches", ARRAY(LargeBinary)),
    of_request(),
)
"""What was proven, how and when. `agent` tells who looked first from who looks second; `paper` is the case under which
a copy of a document lies until the ruling; `vouches` is what somebody's word is of."""

identity_codes: Final = Table(
    "identity_codes",
    metadata,
    tenant(),
    key("request_id"),
    key("id"),
    Column("goes_to", Text, nullable=False),
    Column("number", Integer, nullable=False),
    moment("asked_at"),
    moment("sent_at", nullable=True),
    moment("expires_at", nullable=True),
    Column("rung", Text),
    Column("way", LargeBinary),
    flag("fresh"),
    Column("code", LargeBinary),
    count("tries_left"),
    moment("used_at", nullable=True),
    of_request(),
    Index("ix_identity_codes_unsent", "tenant", "request_id", postgresql_where=text("sent_at IS NULL")),
)
"""Codes that were asked for, of known people and of unknown ones: a code that was sent to nobody has a row like any
other, and nothing fits it."""

identity_tries: Final = Table(
    "identity_tries",
    metadata,
    tenant(),
    Column("digest", LargeBinary, primary_key=True),
    key("id"),
    moment("at"),
    Index("ix_identity_tries_at", "tenant", "at"),
)
"""Tries of data points in all requests, by what was given and by whom the directory found: digests that are made for
this alone, and gone when the window is over (`point_window`)."""
