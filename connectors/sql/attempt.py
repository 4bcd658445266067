"""Trying an erasure on PostgreSQL: carried out on the primary, looked at, and taken back.

The one rule: the transaction cannot commit: its session has no commit, it ends in a rollback, and its connection is
closed. No fence is entered, and nobody waits for it longer than these limits.
"""

from dataclasses import replace
from typing import Final

from connectors.protocol import Call
from connectors.sql.erasure import lockable
from connectors.sql.limits import Limits
from connectors.sql.look import sight_of
from connectors.sql.programme import Programme
from connectors.sql.restriction import LISTED
from connectors.sql.session import Database, Session
from connectors.sql.trials import hindrance, surprise
from connectors.sql.untried import irreversible
from connectors.trial import Effect, Trial
from rights.receipt import Tally

STATEMENT_TIMEOUT: Final = 10
"""Seconds that the trial holds a person's rows at most; an erasure that needs longer is not tried by a preview."""
LOCK_TIMEOUT: Final = 1
"""Seconds to wait for the system's own users: they go first, and the trial is left out."""

# Of this transaction alone: what an earlier one on the same connection did is taken off.
_DONE: Final = """
SELECT coalesce(pg_partition_root(s.relid), s.relid)::oid::bigint, n.nspname, c.relname,
  sum(s.n_tup_ins)::bigint, sum(s.n_tup_upd)::bigint, sum(s.n_tup_del)::bigint
FROM pg_stat_xact_user_tables s
JOIN pg_class c ON c.oid = coalesce(pg_partition_root(s.relid), s.relid) JOIN pg_namespace n ON n.oid = c.relnamespace
GROUP BY 1, 2, 3 HAVING sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del) > 0"""

Numbers = tuple[int, int, int]


def trial_limits(limits: Limits) -> Limits:
    """The limits of a trial: never wider than the system's own."""
    return replace(
        limits,
        statement_timeout=min(limits.statement_timeout, STATEMENT_TIMEOUT),
        lock_timeout=min(limits.lock_timeout, LOCK_TIMEOUT),
        idle_timeout=min(limits.idle_timeout, STATEMENT_TIMEOUT),
    )


def attempt(writer: Database, call: Call, programme: Programme) -> Trial:
    """Try a call's erasure.

    Raises:
        psycopg.Error, SQLAlchemyError: it could not be tried; nothing stays in any case.
    """
    scope = programme.scope
    statements = tuple(s.text.decode() for s in (programme.locking_look, programme.change))
    relations = [scope.catalogue.tables[name].relation for name in lockable(scope)]
    with writer.trial(call.session, programme.document(call), trial_limits(writer.limits)) as session:
        counting = session.ask("SELECT current_setting('track_counts')")[0][0] == "on"
        why_not = irreversible(session.connection, relations)
        look = programme.look if why_not else programme.locking_look
        sight = sight_of(scope, session.row(look))
        before = sight.tally(call.work)
        why_not = hindrance(sight, call, session.environment, writer.limits) or why_not
        if why_not or not sight.planned:
            return Trial(before, not_tried=why_not, statements=statements)
        earlier = _done(session)
        session.row(programme.change)
        session.ask("SET CONSTRAINTS ALL IMMEDIATE")
        after = _done(session)
    effects = tuple(_effects(programme, before, earlier, after)) if counting else ()
    not_counted = "" if counting else "it went through; the server counts no changes (track_counts), so none are listed"
    return Trial(before, effects, not_tried=not_counted, statements=statements)


def _done(session: Session) -> dict[tuple[int, str, str], Numbers]:
    return {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in session.ask(_DONE)}


def _effects(
    programme: Programme,
    before: Tally,
    earlier: dict[tuple[int, str, str], Numbers],
    after: dict[tuple[int, str, str], Numbers],
) -> list[Effect]:
    scope, catalogue = programme.scope, programme.scope.catalogue
    known = {table.relation: name for name, table in catalogue.tables.items()}
    effects = []
    for at, numbers in sorted(after.items(), key=lambda item: item[0][1:]):
        inserted, updated, deleted = (n - e for n, e in zip(numbers, earlier.get(at, (0, 0, 0)), strict=True))
        relation, schema, table = at
        if not (inserted or updated or deleted) or (scope.restricts and f"{schema}.{table}" == LISTED):
            continue
        collection = known.get(relation)
        more = surprise(scope.works, before, collection, inserted, updated, deleted)
        effects.append(Effect(f"{schema}.{table}", collection, inserted, updated, deleted, more))
    return effects
