"""The tables of who gets in: tokens of systems, sign-ins on their way, sessions of people.

The one rule: no secret is kept, only its SHA-256. Each is 32 bytes of the machine's randomness, so that nobody can
guess what a digest was made of: what slows a guess of passwords down (salt, many rounds) would slow each call down and
protect nothing more.
"""

from typing import Final

from sqlalchemy import ARRAY, Column, Date, Index, LargeBinary, Table, Text

from ledger.columns import flag, key, moment, tenant
from ledger.models import metadata

access_tokens: Final = Table(
    "access_tokens",
    metadata,
    tenant(),
    key("id"),
    Column("digest", LargeBinary, nullable=False),
    Column("system", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    moment("made_at"),
    Column("made_by", Text, nullable=False),
    moment("ends_at"),
    Column("used_on", Date),
    moment("revoked_at", nullable=True),
    Column("replaces", Text),
    Index("uq_access_tokens_digest", "tenant", "digest", unique=True),
)
"""One row per token, kept after its end: what was done by it stands in the journal under the system's name."""

sign_ins: Final = Table(
    "sign_ins",
    metadata,
    tenant(),
    Column("state", LargeBinary, primary_key=True),
    Column("browser", LargeBinary, nullable=False),
    Column("back", Text, nullable=False),
    flag("fresh"),
    moment("begun_at"),
    moment("ends_at"),
    Index("ix_sign_ins_end", "tenant", "ends_at"),
)
"""Who was sent to the provider and is not back: the digests of what comes back with them (`state`) and of what their
browser keeps (`browser`). A row goes when it is used, so that nothing comes back twice."""

sessions: Final = Table(
    "sessions",
    metadata,
    tenant(),
    Column("digest", LargeBinary, primary_key=True),
    Column("staff", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    flag("second_factor"),
    moment("signed_in_at"),
    moment("opened_at"),
    moment("seen_at"),
    moment("ends_at"),
    moment("ended_at", nullable=True),
    Column("ended", Text),
    Index("ix_sessions_staff", "tenant", "staff"),
    Index("ix_sessions_end", "tenant", "ends_at"),
)
"""One row per session, until a while after its end. `signed_in_at` is when the provider last saw the person;
`opened_at` when they came from there."""
