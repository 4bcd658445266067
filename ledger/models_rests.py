"""The tables of what erasures have left and locked away, and of what two people have said of it.

The one rule: names of the map, codes and dates. Where it is locked away is sealed with the request's working
identities, and from its closing on with what comes back later (`deferred`).
"""

from typing import Final

from sqlalchemy import Column, Table, Text

from ledger.columns import key, moment, of_request, tenant
from ledger.models import metadata

rest_locks: Final = Table(
    "rest_locks",
    metadata,
    tenant(),
    key("request_id"),
    key("system"),
    moment("since"),
    moment("over_at", nullable=True),
    of_request(),
)
"""One row per erasure and system in which what it had to leave is locked away. `over_at`: until when; a request that
carries the rest out has a row of its own from its first moment."""

rest_words: Final = Table(
    "rest_words",
    metadata,
    tenant(),
    key("request_id"),
    key("word"),
    Column("ground", Text, nullable=False, server_default=""),
    Column("asked_by", Text, nullable=False),
    moment("asked_at"),
    Column("agreed_by", Text, nullable=False, server_default=""),
    moment("agreed_at", nullable=True),
    moment("begun_at", nullable=True),
    of_request(),
)
"""What was said of what one erasure has left: `open`, that it is locked away no more, or `erase`, that it goes now. In
force once a second person agrees; `begun_at`: it is being carried out."""
