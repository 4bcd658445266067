"""Asking a database: the statements that fit it, and what goes wrong in the contract's words.

The one rule: no error of a driver leaves this package, nor hangs on to one that does: it may quote a value.
"""

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from connectors.errors import ConnectorError, Retryable
from connectors.protocol import Call
from connectors.sql.catalogue import Catalogue
from connectors.sql.errors import Renumbered
from connectors.sql.programme import Programme, Programmes
from connectors.sql.server import Database, Trouble
from connectors.sql.steps import Steps
from rights.codes import Code
from rights.datamap import System

T = TypeVar("T")


class Asking:
    """What is known of one system's tables, for all who ask its database."""

    def __init__(self, system: System, programmes: Programmes) -> None:
        self.system, self.programmes = system, programmes
        self._catalogue: Catalogue | None = None
        self._reading = threading.Lock()

    def programme(self, database: Database, call: Call) -> Programme | Steps:
        """The statements for a call. The tables are looked up on first use."""
        catalogue = self._catalogue
        if catalogue is None:
            with self._reading:
                catalogue = self._catalogue or self._read(database)
        return self.programmes.of(call, catalogue)

    def explained(self, database: Database, act: Callable[[], T]) -> T:
        """Do something, and say what goes wrong in the contract's words. Raised outside of the handler, so that the
        driver's own error, which may quote a value, does not hang on as its context."""
        trouble: Exception
        try:
            return act()
        except Renumbered:
            self.forget()
            raise
        except database.errors as error:
            trouble = error
        raise self.problem(database, trouble)

    def forget(self) -> None:
        """Look the tables up again for the next attempt: what was looked up is of no use to it, whoever did."""
        with self._reading:
            self._catalogue = None

    def streamed(self, database: Database, items: Iterator[T]) -> Iterator[T]:
        """The same for what comes piece by piece."""
        try:
            yield from items
        except database.errors as error:
            trouble = error
        else:
            return
        raise self.problem(database, trouble)

    def problem(self, database: Database, error: Exception) -> ConnectorError:
        """What a driver's error means; the catalogue is asked where it alone can tell."""
        problem = database.explain(error, self.system.system, self._covers)
        try:
            trouble = database.trouble(error)
            if trouble is Trouble.RIGHTS:
                return database.refused(self.system) or problem
            if trouble is Trouble.SCHEMA:
                return self._changed(database) or problem
        except ConnectorError as found:
            return found
        except database.errors:
            pass  # it cannot be asked any more: what is known has to do
        return problem

    def _read(self, database: Database) -> Catalogue:
        catalogue = database.catalogue(self.system)
        catalogue.require(self.system)
        self._catalogue = catalogue
        return catalogue

    def _changed(self, database: Database) -> ConnectorError | None:
        """A table that has changed since it was looked up is looked up again, for the next attempt."""
        with self._reading:
            old, self._catalogue = self._catalogue, None
            new = self._read(database)
        return Retryable(Code.BUSY, self.system.system) if new != old else None

    def _covers(self, schema: str, table: str, constraint: str) -> bool:
        catalogue = self._catalogue
        return catalogue is not None and catalogue.covers(self.system, schema, table, constraint)
