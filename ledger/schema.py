"""The schema's versions: up, down, and where a ledger stands.

The one rule: tables change by migrations alone, each in one transaction, one process at a time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text

from ledger.errors import NewerLedger
from ledger.store import connect

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_ONE_AT_A_TIME: Final = 0x6861626561730001
"""The number of the lock that migrations take: "habeas" and a count."""


def upgrade(url: str, to: str = "head") -> None:
    """Bring a ledger to a version, the newest unless said otherwise; no effect if it is there.

    Raises:
        NewerLedger: it is at a version of a later release; nothing is changed.
    """
    _run(url, lambda config: command.upgrade(config, to))


def downgrade(url: str, to: str = "base") -> None:
    """Take a ledger back to a version. ``base`` drops every table with all that is in it."""
    _run(url, lambda config: command.downgrade(config, to))


def current(url: str) -> str:
    """The version a ledger is at; empty for a database without one."""
    engine = connect(url, pool_size=1)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() or ""
    finally:
        engine.dispose()


def head() -> str:
    """The version this program needs."""
    return ScriptDirectory(str(_SCRIPTS)).get_current_head() or ""


def refuse_newer(version: str) -> None:
    """Whether a version is one of this program, or none.

    Raises:
        NewerLedger: it is of a later release.
    """
    scripts = ScriptDirectory(str(_SCRIPTS))
    if version and version not in {script.revision for script in scripts.walk_revisions()}:
        raise NewerLedger(
            f"the ledger's tables are at version '{version}', of a later release than this one, which knows them up to "
            f"'{head()}' and leaves them alone: run that release, or one after it"
        )


def _run(url: str, do: Callable[[Config], None]) -> None:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    engine = connect(url, pool_size=1)
    try:
        with engine.begin() as connection:
            # A table of millions of rows takes longer than a verb ever should.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
            refuse_newer(MigrationContext.configure(connection).get_current_revision() or "")
            config.attributes["connection"] = connection
            do(config)
    finally:
        engine.dispose()
