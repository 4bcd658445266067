"""How far a copy of a PostgreSQL server has come, and what it shows once it has come past an erasure.

The one rule: a copy is compared with where its primary stood when the step began, so it never has to catch up with a
moving end; and one of which that cannot be asked is none.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, LiteralString

from connectors.errors import NeedsHuman, Retryable
from connectors.finding import Finding
from connectors.protocol import Call, Look, Pending
from connectors.sql.asking import Asking
from connectors.sql.session import Database
from rights.codes import Code

PATIENCE: Final = 2.0
"""Seconds to wait within a step: a copy in good health is behind by milliseconds. After that Temporal tries again."""
POLL: Final = 0.05
"""Seconds between two questions."""
FIRST: Final = timedelta(seconds=10)
"""After how long a copy that lags behind a verification is asked again; twice as long each time after that."""
LAST: Final = timedelta(minutes=15)
"""But never later than this: who mends a replica need not wait for long."""
_DOUBLED: Final = 10

POSITION: Final = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn()::text END"
"""Where the primary stands; nothing, should it have become a copy itself: it then refuses to be written to."""
REACHED: Final = "SELECT NOT pg_is_in_recovery() OR coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)"
"""Whether a copy has come that far; a server that is no copy has nothing to catch up with."""
_FLUSHED: Final = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn()::text END"
"""Where the primary stands with all it has committed for good; nothing, should it have become a copy itself."""
_REPLAYED: Final = "SELECT pg_is_in_recovery() AND coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)"
_WHO: Final = """
SELECT json_build_array(s.system_identifier::text, d.oid::text, pg_is_in_recovery())
FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()"""
"""Which server and database it is: a streaming copy has the same numbers, any other server others."""

Looking = Callable[[Database, Call], Look]


class Replica:
    """A streaming copy in which an erasure is looked at a second time."""

    def __init__(self, copy: Database, primary: Database, asking: Asking) -> None:
        self.copy, self._primary, self._asking = copy, primary, asking

    def verify(self, call: Call, look: Looking) -> Look | Pending:
        """Look on the primary, and, once the copy has come past where that then stood, in the copy.

        Raises:
            NeedsHuman: REPLICA: it is no streaming copy of the primary, or still shows what the primary does not.
        """
        seen = look(self._primary, call)
        if seen.tally.left or seen.candidates:
            return seen
        if said := self._stranger():
            raise NeedsHuman(Code.REPLICA, said)
        # What an earlier attempt has waited for is past the erasure, and does not move on. If the copy differs there it
        # is compared once more, where the primary stands by then: rows may have come and gone meanwhile.
        for waited in (call.job.get("position"), None):
            position = waited or self._position()
            if not self._replayed(call, position):
                asked = int(call.job.get("asked", "0"))
                job = {"position": position, "asked": str(asked + 1)}
                return Pending(min(FIRST * 2 ** min(asked, _DOUBLED), LAST), tally=seen.tally, job=job)
            there = look(self.copy, call)
            if there.tally == seen.tally and not there.candidates:
                return seen
            seen = look(self._primary, call)
            if seen.tally.left or seen.candidates:
                return seen
        raise NeedsHuman(Code.REPLICA, f"{self._asking.system.system} (connection.replica)")

    def findings(self) -> list[Finding]:
        """What does not fit.

        Raises:
            ConnectorError: one of the servers cannot be asked.
        """
        if not self._stranger():
            return []
        said = (
            "connection.replica leads to no streaming copy of the primary, so how far it has come cannot be asked and "
            "nothing would be verified: name a physical replica, or leave it out"
        )
        return [Finding("no_replica", said)]

    def _stranger(self) -> str:
        """What is wrong with the copy; empty if it is one."""
        (server, database, _), (theirs, there, standby) = (self._ask(one, _WHO) for one in (self._primary, self.copy))
        if standby and (server, database) == (theirs, there):
            return ""
        return f"{self._asking.system.system} (connection.replica is no streaming copy)"

    def _position(self) -> str:
        position: str | None = self._ask(self._primary, _FLUSHED)
        if position is None:
            raise Retryable(Code.UNREACHABLE, self._asking.system.system)
        return position

    def _replayed(self, call: Call, position: str) -> bool:
        until = time.monotonic() + PATIENCE
        while not self._ask(self.copy, _REPLAYED, position):
            if time.monotonic() > until:
                return False
            call.beat()
            time.sleep(POLL)
        return True

    def _ask(self, database: Database, question: LiteralString, *values: object) -> Any:
        return self._asking.explained(database, lambda: answer(database, question, *values))


def answer(database: Database, question: LiteralString, *values: object) -> Any:
    """The one value that a server answers about itself."""
    with database.plain() as connection:
        (value,) = connection.execute(question, values).fetchone()
    return value
