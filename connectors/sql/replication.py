"""How far a copy of a PostgreSQL server has come.

The one rule: a copy is compared with where its primary stood when the step began, so it never has to catch up with a
moving end.
"""

from typing import Final

PATIENCE: Final = 2.0
"""Seconds to wait within a step: a copy in good health is behind by milliseconds. After that Temporal tries again."""
POLL: Final = 0.05
"""Seconds between two questions."""

POSITION: Final = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn()::text END"
"""Where the primary stands; nothing, should it have become a copy itself: it then refuses to be written to."""
REACHED: Final = "SELECT NOT pg_is_in_recovery() OR coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)"
"""Whether a copy has come that far; a server that is no copy has nothing to catch up with."""
