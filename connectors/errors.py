"""The four ways a connector may say no. Anything else that escapes is a bug, and is reported as one.

* ConnectorError
  - Retryable     the system is away or busy; the same call may work later
  - NeedsHuman    a person must act first (credentials, a schema, a question about who is who)
  - Unsupported   this system cannot do this at all
  - Held          something must not be let go: our own hold, or the system's

The one rule: an error carries a code and names of systems and tables, never a value of a person; a driver's own message
is not passed on, because it may quote one.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from rights.codes import Code
from rights.receipt import Tally

if TYPE_CHECKING:
    from connectors.protocol import Candidate


class ConnectorError(Exception):
    """A difficulty with a code, an optional name it concerns, and the counts so far."""

    def __init__(self, code: Code, about: str = "", *, tally: Tally | None = None) -> None:
        super().__init__(f"{code}: {about}" if about else str(code))
        self.code = code
        self.about = about
        """A name from the data map or the system's catalogue (a table, a role), never a value."""
        self.tally = tally or Tally()


class Retryable(ConnectorError):
    """The system is away or busy."""

    def __init__(
        self, code: Code, about: str = "", *, after: timedelta | None = None, tally: Tally | None = None
    ) -> None:
        super().__init__(code, about, tally=tally)
        self.after = after
        """How long the system asked us to wait."""


class NeedsHuman(ConnectorError):
    """A person must act first."""

    def __init__(
        self, code: Code, about: str = "", *, tally: Tally | None = None, candidates: "tuple[Candidate, ...]" = ()
    ) -> None:
        super().__init__(code, about, tally=tally)
        self.candidates = candidates
        """The rows that the question is about, where an act asks it and not a look; shown masked."""


class Unsupported(ConnectorError):
    """This system cannot do this."""


class Held(ConnectorError):
    """Something must not be destroyed."""
