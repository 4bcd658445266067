"""Trying an erasure on PostgreSQL: carried out on the primary, looked at, and taken back.

The one rule: the transaction cannot commit: its session has no commit, it ends in a rollback, and its connection is
closed. No fence is entered, and nobody waits for it longer than these limits.
"""

from dataclasses import replace
from typing import Final

from connectors.protocol import Call
from connectors.sql.check import accepted_by
from connectors.sql.effects import found_in
from connectors.sql.erasure import lockable
from connectors.sql.limits import Limits
from connectors.sql.look import sight_of
from connectors.sql.programme import Programme
from connectors.sql.session import Database
from connectors.sql.trials import hindrance
from connectors.sql.untried import irreversible
from connectors.trial import Trial

STATEMENT_TIMEOUT: Final = 10
"""Seconds that the trial holds a person's rows at most; an erasure that needs longer is not tried by a preview."""
LOCK_TIMEOUT: Final = 1
"""Seconds to wait for the system's own users: they go first, and the trial is left out."""


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
        done = programme.carry_out(session, programme.batches, None).changes
        found = found_in(session, scope, done, STATEMENT_TIMEOUT * 1000)
    expected = accepted_by(scope.system)
    effects = [replace(one.effect, surprise="") if one.accepted(expected) else one.effect for one in found]
    not_counted = "" if counting else "it went through; the server counts no changes (track_counts), so none are listed"
    return Trial(before, tuple(effects) if counting else (), not_tried=not_counted, statements=statements)
