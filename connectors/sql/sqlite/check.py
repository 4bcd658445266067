"""Checking a map against a SQLite file: what is missing, what would be slow or go too far."""

import os
from collections.abc import Iterator

from connectors.finding import Finding, Severity
from connectors.sql.check import misfits, references, slow, unfit, works_of
from connectors.sql.server import Database, Mode
from rights.datamap import Mode as Allowed
from rights.datamap import System


def findings(system: System, reader: Database, writer: Database | None) -> Iterator[Finding]:
    """Everything that does not fit, worst first.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    catalogue = reader.catalogue(system)
    yield from misfits(system, catalogue)
    if writer is None and system.mode is not Allowed.OBSERVE:
        said = f"there is no connection.writer, so nothing can be erased: add one, or write mode: {Allowed.OBSERVE}"
        yield Finding("no_writer", said)
    if writer is not None:
        with writer.transaction(Mode.LOOK, "", {}) as session:
            mark, journal = session.environment, session.ask("PRAGMA journal_mode")
            session.commit()
        if not mark:
            said = (
                "the file bears no environment mark, so nothing is erased in it: CREATE TABLE habeas_environment "
                "(environment TEXT NOT NULL); INSERT INTO habeas_environment VALUES ('production') (or what it is)"
            )
            yield Finding("no_mark", said)
        path = getattr(writer, "path", None)
        if path is not None and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            said = "the worker may not write to the file or its directory, so nothing can be erased: let it"
            yield Finding("rights", said)
        if journal[0] != "wal":
            said = (
                "while the file is read nobody can write to it, an export included: PRAGMA journal_mode = WAL, "
                "with which they do not wait for each other"
            )
            yield Finding("no_wal", said, Severity.WARNING)
    yield from unfit(system, catalogue, works_of(system))
    yield from references(system, catalogue)
    yield from slow(system, catalogue)
