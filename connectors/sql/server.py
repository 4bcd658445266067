"""What the connector asks of a server, whichever it is.

The one rule: a session is limited by the server itself before anything happens in it, it commits or is undone, and its
errors are explained in the contract's words before they leave this package.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, Protocol

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.finding import Finding
from connectors.protocol import Call
from connectors.sql.catalogue import Catalogue
from connectors.sql.dialects import Engine
from connectors.sql.errors import Covers
from connectors.sql.limits import Limits
from rights.codes import Code
from rights.datamap import System


class Mode(Enum):
    """What a transaction is for."""

    LOOK = "look"
    EXPORT = "export"
    CHANGE = "change"


class Trouble(Enum):
    """What an error may be about that only the catalogue, or who has written, can tell."""

    RIGHTS = "rights"
    SCHEMA = "schema"
    TIME = "time"
    """The statement took longer than it may."""
    VALUE = "value"
    """A type, a constraint or a trigger of the table does not take what was written."""
    OTHER = "other"


class Session(Protocol):
    """One open transaction."""

    environment: str
    """The mark that the database bears; empty if nobody has marked it."""
    database: "Database"

    @property
    def undone(self) -> bool:
        """Whether it is certain that nothing of this transaction stays."""

    def alone(self, name: str, *, end: bool) -> bool:
        """Whether no other attempt is at work under a name. What one has left is ended first, if so wished."""

    def commit(self) -> None:
        """Commit; after an error `undone` says whether anything can have stayed."""


class Database(Protocol):
    """One database, reached with one credential."""

    limits: Limits

    @property
    def engine(self) -> Engine: ...

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""

    def transaction(self, mode: Mode, name: str, document: Any) -> AbstractContextManager[Any]:
        """Run a transaction that the server knows by a name. It must commit; else it is undone."""

    def catalogue(self, system: System) -> Catalogue:
        """Look the tables of a system up."""

    def explain(self, error: Exception, system: str, covers: Covers) -> ConnectorError:
        """The contract's error for a driver's."""

    def trouble(self, error: Exception) -> Trouble: ...

    def refused(self, system: System) -> ConnectorError | None:
        """Why a role was refused: a right that it lacks; None if none shows any more."""

    def findings(self, system: System, writer: "Database | None") -> Iterator[Finding]:
        """Everything that does not fit between the map, this database and the two roles, worst first."""

    def mark(self) -> str:
        """The environment mark that the database bears; empty if nobody has set one."""

    def close(self) -> None:
        """Close the connections that nobody uses."""


def admitted(session: Session, call: Call, *, end: bool = False) -> None:
    """Refuse a database that is not marked with the worker's environment, or in which another attempt is at work.

    Raises:
        NeedsHuman: ENVIRONMENT: it is not marked so.
        Retryable: BUSY: another attempt has not ended yet.
    """
    if not call.environment or session.environment != call.environment:
        raise NeedsHuman(Code.ENVIRONMENT, call.system.system)
    if not session.alone(call.session, end=end):
        raise Retryable(Code.BUSY, call.system.system)
