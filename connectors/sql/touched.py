"""What a transaction on PostgreSQL has done so far, table by table, whoever did it: a statement, a cascade, a trigger.

The one rule: the server is believed, and not the text of triggers: its locks tell which tables were opened for writing,
its counts what was done there. Both are looked up for these tables alone, however many the database has.
"""

from dataclasses import dataclass, replace
from typing import Final

from connectors.sql.session import Session

# Constraints and triggers that wait for the commit speak now. A lock that a savepoint has given back is none any more.
# TRUNCATE and ALTER are counted nowhere, and lock the table against everybody.
_TOUCHED: Final = """SET LOCAL statement_timeout = {}; SET CONSTRAINTS ALL IMMEDIATE;
WITH RECURSIVE held AS MATERIALIZED (
  SELECT relation, bool_or(mode = 'AccessExclusiveLock') AS whole FROM pg_locks
  WHERE locktype = 'relation' AND pid = pg_backend_pid() AND mode NOT IN ('AccessShareLock', 'RowShareLock')
  GROUP BY relation),
up AS (
  SELECT relation, relation AS top, 0 AS steps FROM held
  UNION SELECT up.relation, i.inhparent, up.steps + 1 FROM up JOIN pg_inherits i ON i.inhrelid = up.top),
root AS (SELECT DISTINCT ON (relation) relation, top FROM up ORDER BY relation, steps DESC, top)
SELECT c.oid::bigint, r.oid::bigint, n.nspname || '.' || c.relname, m.nspname || '.' || r.relname,
  CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE '' END, c.relkind::text, h.whole,
  current_setting('track_counts') = 'on', pg_stat_get_xact_tuples_inserted(c.oid),
  pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid)
FROM held h JOIN root ON root.relation = h.relation
JOIN pg_class c ON c.oid = h.relation JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = root.top JOIN pg_namespace m ON m.oid = r.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND c.relpersistence <> 't'
  AND (n.nspname <> 'pg_catalog' OR c.relname LIKE 'pg\\_largeobject%')
ORDER BY 4, 3"""


@dataclass(frozen=True, slots=True)
class Touched:
    """One table that was opened for writing. Numbers are rows."""

    relation: int
    root: int
    """The table that it is a part of, by partition or inheritance; itself, if it is none."""
    table: str
    """schema.table"""
    root_table: str
    short: str
    """Its name without a schema, where that is enough to find it."""
    kind: str
    """r table, p partitioned table, f foreign table, m materialised view."""
    whole: bool
    """Whether it is locked against everybody: emptied or redefined."""
    counted: bool
    """Whether the server counts changes at all (track_counts)."""
    inserted: int
    updated: int
    deleted: int


def touched(session: Session, milliseconds: int) -> tuple[Touched, ...]:
    """All tables that this transaction has opened for writing, but for temporary ones, which nobody else reads.

    Args:
        milliseconds: how long each statement may take from here on.

    Raises:
        psycopg.Error: a constraint that had waited refuses, or the server cannot be asked.
    """
    cursor = session.connection.execute(_TOUCHED.format(milliseconds).encode(), prepare=False)
    while cursor.nextset():
        pass
    return tuple(_less(Touched(*row), session) for row in cursor.fetchall())


def _less(one: Touched, session: Session) -> Touched:
    """Without what earlier transactions of the session did."""
    inserted, updated, deleted = session.earlier.get(one.relation, (0, 0, 0))
    return replace(one, inserted=one.inserted - inserted, updated=one.updated - updated, deleted=one.deleted - deleted)
