"""Approvers: who may say a word on decisions, and who stands in for whom.

The one rule: people are named by an opaque staff id, never by a name or an address.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rights.decision import Role

STAFF: Final = r"^[a-z0-9][a-z0-9-]{1,39}$"
StaffId = Annotated[str, StringConstraints(pattern=STAFF)]
"""An id that says nothing of whom it stands for outside of the controller's own records."""


class Seat(BaseModel):
    """One role: who holds it, and who stands in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    holder: StaffId
    substitute: StaffId | None = None


class Approvers(BaseModel):
    """The roles of a controller."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counsel: Seat | None = None
    delegate: Seat | None = None
    dpo: Seat | None = None
    consult_days: int = Field(default=3, ge=0, le=14)
    """How long the data protection officer has to answer."""

    def seat(self, role: Role) -> Seat | None:
        """Who has a role; None: nobody is named."""
        found: Seat | None = getattr(self, role.value)
        return found

    def acts_as(self, staff: str, role: Role) -> bool | None:
        """Whether somebody acts in a role as its substitute (True) or its holder (False); None: in no way."""
        seat = self.seat(role)
        if seat is None or staff not in {seat.holder, seat.substitute}:
            return None
        return staff != seat.holder
