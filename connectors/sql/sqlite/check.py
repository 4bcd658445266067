"""Checking a map against a SQLite file: what is missing, what would be slow or go too far."""

import os
from collections.abc import Iterator

from connectors.sql.check import misfits, references, slow, unfit, works_of
from connectors.sql.server import Database, Mode
from rights.datamap import Mode as Allowed
from rights.datamap import System


def findings(system: System, reader: Database, writer: Database | None) -> Iterator[str]:
    """Everything that does not fit, worst first.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    catalogue = reader.catalogue(system)
    yield from misfits(system, catalogue)
    if writer is None and system.mode is not Allowed.OBSERVE:
        yield f"there is no connection.writer, so nothing can be erased: add one, or write mode: {Allowed.OBSERVE}"
    if writer is not None:
        with writer.transaction(Mode.LOOK, "", {}) as session:
            mark, journal = session.environment, session.ask("PRAGMA journal_mode")
            session.commit()
        if not mark:
            yield (
                "the file bears no environment mark, so nothing is erased in it: CREATE TABLE habeas_environment "
                "(environment TEXT NOT NULL); INSERT INTO habeas_environment VALUES ('production') (or what it is)"
            )
        path = getattr(writer, "path", None)
        if path is not None and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            yield "the worker may not write to the file or its directory, so nothing can be erased: let it"
        if journal[0] != "wal":
            yield (
                "while the file is read nobody can write to it, an export included: PRAGMA journal_mode = WAL, "
                "with which they do not wait for each other"
            )
    yield from unfit(system, catalogue, works_of(system))
    yield from references(system, catalogue)
    yield from slow(system, catalogue)
