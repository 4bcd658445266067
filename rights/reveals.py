"""Reveals: what somebody of the controller's staff is shown of a person, and why, as closed lists.

The one rule: what was shown stands in no list and no record; that something was, to whom and why, stands in the journal
before it is shown.
"""

from enum import StrEnum


class Revealed(StrEnum):
    """What kind of thing is shown."""

    IDENTITIES = "identities"
    REQUEST_TEXT = "request_text"
    LETTER = "letter"
    PARCEL = "parcel"
    CANDIDATES = "candidates"
    PROOFS = "proofs"
    REASONS = "reasons"
    VALUES = "values"
    HOLD = "hold"
    DEMAND = "demand"
    DECODED = "decoded"


class Why(StrEnum):
    """The coded reason that is asked of whoever wants to see it."""

    CARRY_OUT = "carry_out"
    IDENTIFY = "identify"
    CONTACT = "contact"
    DECIDE = "decide"
    ASKED_BY_PERSON = "asked_by_person"
    COMPLAINT = "complaint"
    AUTHORITY = "authority"
    INCIDENT = "incident"
    AUDIT = "audit"
    REPAIR = "repair"
    HANDLING = "handling"
    """No reason was given, at the command line; the API asks for one of the others."""
