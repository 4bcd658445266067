"""The table of what erasures have left and locked away.

The one rule: names of the map and dates only. Where it is locked away is sealed with the request's working identities,
and from its closing on with what comes back later (`deferred`).
"""

from typing import Final

from sqlalchemy import Table

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
