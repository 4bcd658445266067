"""Who may do what: one table of actions and roles, read by every door that knows who is at it.

The one rule: closed unless opened. An action that the table does not open to a role is refused, whoever asks; a system
has the actions that its token names and no role; and nobody acts for another tenant.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from rights.approvers import StaffId
from rights.value import Value


class Role(StrEnum):
    """What somebody is in the controller's organisation."""

    AGENT = "agent"
    APPROVER = "approver"
    COUNSEL = "counsel"
    DELEGATE = "delegate"
    DPO = "dpo"
    AUDITOR = "auditor"
    ENGINEER = "engineer"


class Action(StrEnum):
    """What can be asked of a door. A token names them as its scopes."""

    OPEN_REQUEST = "requests:open"
    READ_REQUEST = "requests:read"
    CONFIRM_IDENTITY = "identity:confirm"
    RULE = "tasks:rule"
    WITHDRAW = "requests:withdraw"
    PROPOSE = "decisions:propose"
    APPROVE = "decisions:approve"
    MOVE_CLOCK = "clocks:move"
    READ_DEADLINES = "deadlines:read"
    READ_HOLD = "holds:read"
    READ_SECRET_HOLD = "holds:read-secret"  # noqa: S105 - an action, no password
    PLACE_HOLD = "holds:place"
    CONFIRM_HOLD = "holds:confirm"
    RELEASE_HOLD = "holds:release"
    READ_LETTER = "letters:read"
    OPEN_PARCEL = "parcels:open"
    REVEAL = "reveals:make"
    READ_MAP = "map:read"
    READ_HEALTH = "health:read"
    CHECK_SUPPRESSION = "suppression:check"
    READ_REPORT = "reports:read"
    READ_EVIDENCE = "evidence:read"
    DECODE = "temporal:decode"
    MANAGE_TOKENS = "tokens:manage"
    MANAGE_WEBHOOKS = "webhooks:manage"


_A, _P, _C, _L, _D, _U, _E = (
    Role.AGENT, Role.APPROVER, Role.COUNSEL, Role.DELEGATE, Role.DPO, Role.AUDITOR, Role.ENGINEER,
)  # fmt: skip

TABLE: Final[Mapping[Action, frozenset[Role]]] = {
    Action.OPEN_REQUEST:      frozenset({_A, _P, _C, _L, _D}),
    Action.READ_REQUEST:      frozenset({_A, _P, _C, _L, _D, _U}),
    Action.CONFIRM_IDENTITY:  frozenset({_A, _P}),
    Action.RULE:              frozenset({_A, _P}),
    Action.WITHDRAW:          frozenset({_A, _P}),
    Action.PROPOSE:           frozenset({_A, _P}),
    Action.APPROVE:           frozenset({_P, _C, _L, _D}),
    Action.MOVE_CLOCK:        frozenset({_A, _P}),
    Action.READ_DEADLINES:    frozenset({_A, _P, _C, _L, _D, _U}),
    Action.READ_HOLD:         frozenset({_P, _C, _L, _D, _U}),
    Action.READ_SECRET_HOLD:  frozenset({_C}),
    Action.PLACE_HOLD:        frozenset({_C, _L}),
    Action.CONFIRM_HOLD:      frozenset({_C, _L}),
    Action.RELEASE_HOLD:      frozenset({_C, _L}),
    Action.READ_LETTER:       frozenset({_A, _P, _C, _D}),
    Action.OPEN_PARCEL:       frozenset({_A, _P}),
    Action.REVEAL:            frozenset({_A, _P, _C, _D}),
    Action.READ_MAP:          frozenset({_A, _P, _C, _L, _D, _U, _E}),
    Action.READ_HEALTH:       frozenset({_D, _U, _E}),
    Action.CHECK_SUPPRESSION: frozenset({_A, _P, _E}),
    Action.READ_REPORT:       frozenset({_P, _C, _L, _D, _U}),
    Action.READ_EVIDENCE:     frozenset({_P, _C, _L, _D, _U}),
    Action.DECODE:            frozenset({_P, _C, _L, _D, _U, _E}),
    Action.MANAGE_TOKENS:     frozenset({_E}),
    Action.MANAGE_WEBHOOKS:   frozenset({_E}),
}  # fmt: skip
"""Who may do what."""

SECOND_FACTOR: Final = frozenset(
    {
        Action.CONFIRM_IDENTITY,
        Action.RULE,
        Action.APPROVE,
        Action.PLACE_HOLD,
        Action.CONFIRM_HOLD,
        Action.RELEASE_HOLD,
        Action.READ_SECRET_HOLD,
        Action.READ_LETTER,
        Action.OPEN_PARCEL,
        Action.REVEAL,
        Action.DECODE,
        Action.MANAGE_TOKENS,
        Action.MANAGE_WEBHOOKS,
    }
)
"""What nobody does who signed in with one factor alone."""

PEOPLE_ONLY: Final = frozenset(
    {
        Action.CONFIRM_IDENTITY,
        Action.PROPOSE,
        Action.APPROVE,
        Action.CONFIRM_HOLD,
        Action.RELEASE_HOLD,
        Action.READ_SECRET_HOLD,
        Action.OPEN_PARCEL,
        Action.REVEAL,
        Action.MANAGE_TOKENS,
    }
)
"""What no token of a system can name: somebody has to answer for it."""


class Caller(Value):
    """Who is at the door, once that is known."""

    tenant: str
    staff: StaffId
    """The opaque id that stands in the ledger as who did it; of a system, its token's."""
    roles: frozenset[Role] = frozenset()
    scopes: frozenset[Action] = frozenset()
    """A system's; empty for a person."""
    is_system: bool = False
    second_factor: bool = False


class NotSignedIn(Exception):
    """Nobody knows who is at the door. The text is the sentence for them; it says nothing of what was tried."""


class NotAllowed(Exception):
    """The caller may not do this; `code` says why, the text what would be needed."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def permit(caller: Caller, action: Action) -> None:
    """Let through, or raise.

    Raises:
        NotAllowed: the table does not open the action to this caller.
    """
    if caller.is_system:
        if action in PEOPLE_ONLY or action not in caller.scopes:
            raise NotAllowed("scope_missing", f"this needs a token that names {action}, which a system may have or not")
        return
    if not caller.roles & TABLE[action]:
        allowed = ", ".join(sorted(TABLE[action]))
        raise NotAllowed("role_missing", f"{action} is done by somebody who is one of: {allowed}")
    if action in SECOND_FACTOR and not caller.second_factor:
        raise NotAllowed("second_factor_missing", "sign in with a second factor to do this")


def may(caller: Caller, action: Action) -> bool:
    """Whether the table opens an action to a caller."""
    try:
        permit(caller, action)
    except NotAllowed:
        return False
    return True
