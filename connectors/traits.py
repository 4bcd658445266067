"""What a connector is, beside what it does: what it heeds of a map, and how it can be tried, bounded and ended.

The one rule: a map that asks for what its connector does not heed is refused when the connector is built
(`connectors.registry`).
"""

from datetime import timedelta
from typing import Protocol, runtime_checkable

from connectors.protocol import Call, Connector


@runtime_checkable
class Derives(Protocol):
    """Reads what a collection's `derived` says, and follows links that lead back to where they came from. For other
    connectors a map that has either is refused."""

    @property
    def derives(self) -> bool: ...


@runtime_checkable
class Searches(Protocol):
    """Searches the texts that the map marks with `search`. For other connectors a map that has one is refused."""

    @property
    def searches(self) -> bool: ...


@runtime_checkable
class Shares(Protocol):
    """Tells rows that are somebody else's too from those that are one person's, and does with them what a link says
    under `shared`. For other connectors a map that has it is refused."""

    @property
    def shares(self) -> bool: ...


@runtime_checkable
class Flags(Protocol):
    """Writes what the map says under `opt_out`. For other connectors a map that has one is refused."""

    @property
    def flags(self) -> bool: ...


@runtime_checkable
class Quarantines(Connector, Protocol):
    """Keeps those out that the map names under `quarantine`, and lets them in again. For other connectors a map that
    names somebody is refused."""

    def shut(self) -> None:
        """Keep them out, and end what they have open; converging.

        Raises:
            ConnectorError: it cannot be done; some may be kept out already.
        """

    def admit(self) -> None:
        """Let them in again; converging."""


@runtime_checkable
class Ends(Protocol):
    """Ends what a cut attempt may have left running on the target, by `call.session`, before it looks. Other
    connectors are called again only after the longest time that a cut call can still take effect."""

    @property
    def ends_cut_calls(self) -> bool: ...


@runtime_checkable
class Bounded(Protocol):
    """Says how long after entering a fence one of its calls can still take effect; others are given minutes."""

    @property
    def longest(self) -> timedelta:
        """The bound, enforced on the target."""


@runtime_checkable
class Spares(Protocol):
    """Leaves the rows of a collection alone whose work says retain, and those that a duty keeps, exactly as they are:
    what holds keep of a system is kept by it, and the rest goes. In others a hold stops the whole call."""

    @property
    def spares(self) -> bool:
        """Always true."""


@runtime_checkable
class LocksBeside(Protocol):
    """Restricts by what stands beside the rows: neither their content, nor their times, nor anything that the system
    keeps of each of them is changed, so that what a hold keeps may be locked away by it. Any other way marks or moves
    them."""

    @property
    def locks_beside(self) -> bool:
        """Always true."""


@runtime_checkable
class Probes(Protocol):
    """Can be tried without anybody being looked for."""

    def probe(self, call: Call) -> None:
        """Ask the system something harmless.

        Raises:
            ConnectorError: it cannot be reached, or lets nobody in.
        """


@runtime_checkable
class Marked(Protocol):
    """Its system bears a mark that says which environment it belongs to; an erasure refuses another than the
    worker's."""

    def mark(self, call: Call) -> str:
        """The mark; empty if nobody has set one.

        Raises:
            ConnectorError: the system cannot be asked.
        """


@runtime_checkable
class Checks(Protocol):
    """Can compare the map with its system (`habeas map check --live`)."""

    def check(self) -> list[str]:
        """What does not fit, a sentence each: what is the matter, a colon, what to do.

        Raises:
            ConnectorError: the system cannot be asked.
        """
