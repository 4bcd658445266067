"""The gate: what stands between a request and its work.

The one rule: it is the ledger's; whoever holds one holds a copy of a moment.
"""

from datetime import datetime
from typing import Literal

from rights.request import Conclusion
from rights.value import Value


class Gate(Value):
    """What stands between a request and its work."""

    weighing: bool = False
    """A decision is proposed and not approved yet, or the fee that it asks for is not paid yet."""
    fee: bool = False
    """The latter."""
    consult_until: datetime | None = None
    """Until when the data protection officer may answer; None: nobody is asked, or it is over."""
    refused: bool = False
    decision: str = ""
    """The decision in force, by its id; a new one makes a new plan."""
    lead: str = ""
    """The earlier request that this one is answered with."""
    lead_over: Conclusion | None = None
    copy_first: bool = False
    """A copy of the same data is owed and not made yet: an access or portability request of the same person."""
    cooling: Literal["", "waived", "running", "frozen", "over"] = ""
    """waived, running, frozen or over; empty: it has not begun."""
    cooling_until: datetime | None = None
    incident: str = ""
    """The incident that the request stands still for, by its id."""

    @property
    def closed(self) -> bool:
        """Whether something has to be waited for before the work."""
        return self.weighing or self.refused or bool(self.lead)
