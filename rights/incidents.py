"""Incidents: what they wait for, when the authority has to know, and what may be said of them.

The one rule: the hours count from when somebody became aware, whoever looks at it later; what nobody has assessed is
owed to the authority, and only a recorded reason makes it less (GDPR Art. 33, 34).
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from rights.deadlines import BUCKETS, Risk
from rights.incidentlaw import How, Kind, incident_law
from rights.value import Value


class Threat(StrEnum):
    """What an incident is likely to mean for people, as the data protection officer advises."""

    UNLIKELY = "unlikely"
    """No risk is likely: the authority need not be told, and why is on record (Art. 33(1), (5))."""
    RISK = "risk"
    HIGH = "high"
    """The people are told as well (Art. 34(1))."""


class Origin(StrEnum):
    """Who opened it."""

    PERSON = "person"
    RELOOK = "relook"
    """A look days after an answer has found what was erased."""
    PARCEL = "parcel"
    """Somebody has reported a parcel: it went wrong."""


class Waits(StrEnum):
    """What an incident waits for; each is somebody's task."""

    ADVICE = "advice"
    """The data protection officer's."""
    NOTIFY = "notify"
    """The authority is to be told."""
    TELL = "tell"
    """The people are to be told."""
    CLOSE = "close"
    """Somebody says what came of it, and closes it."""


SEES_TO: Final = {Waits.ADVICE: "dpo", Waits.NOTIFY: "controller", Waits.TELL: "controller", Waits.CLOSE: "controller"}
"""Whose task each is. The officer advises and informs (Art. 39(1)); to notify is the controller's own (Art. 33(1))."""


class IncidentError(ValueError):
    """Something that cannot be said of an incident. One sentence."""


class Incident(Value):
    """An incident as the ledger has it. Codes, names of the map, ids and times."""

    id: str
    kind: Kind
    origin: Origin
    systems: tuple[str, ...] = ()
    regimes: tuple[str, ...]
    hours: int
    zone: str
    aware_at: datetime
    opened_at: datetime
    opened_by: str
    threat: Threat | None = None
    advised_at: datetime | None = None
    advised_by: str = ""
    notified_at: datetime | None = None
    notified_by: str = ""
    told_at: datetime | None = None
    told_how: How | None = None
    told_by: str = ""
    lifted_at: datetime | None = None
    """When what it had stopped went on."""
    closed_at: datetime | None = None
    closed_by: str = ""
    reminded: int | None = None
    """The least hours before the end that a reminder was noted for; 0: that it is overdue."""
    requests: tuple[str, ...] = ()
    """The requests it names."""
    parcels: tuple[str, ...] = ()
    """Those of them whose parcel it is about."""
    stopped: tuple[str, ...] = ()
    """Those of them that stand still."""

    @property
    def due_at(self) -> datetime:
        """Until when the authority has to know: plain hours, whatever day it is then (Art. 33(1))."""
        # Of a moment with a zone of its own Python would count on the clock on the wall, which is put back in autumn.
        return self.aware_at.astimezone(UTC) + timedelta(hours=self.hours)

    @property
    def owes_notice(self) -> bool:
        """Whether the authority is still to be told. What nobody has assessed is owed."""
        return self.closed_at is None and self.notified_at is None and self.threat is not Threat.UNLIKELY

    @property
    def late_by(self) -> timedelta | None:
        """By how much the authority was told too late; None: in time, or not yet."""
        if self.notified_at is None or self.notified_at <= self.due_at:
            return None
        return self.notified_at - self.due_at

    def overdue(self, at: datetime) -> bool:
        """Whether the authority should know by now, and does not."""
        return self.owes_notice and at > self.due_at

    def waits_for(self) -> tuple[Waits, ...]:
        """What is still to be done; nothing once it is closed."""
        if self.closed_at:
            return ()
        left = (
            (Waits.NOTIFY, self.owes_notice),
            (Waits.ADVICE, self.threat is None),
            (Waits.TELL, self.threat is Threat.HIGH and self.told_at is None),
        )
        return tuple(what for what, is_left in left if is_left) or (Waits.CLOSE,)

    def risk(self, at: datetime) -> Risk:
        """The bucket that the Temporal UI is shown, as of every clock; on track once nothing is owed."""
        if not self.owes_notice:
            return Risk.ON_TRACK
        if at > self.due_at:
            return Risk.OVERDUE
        return next((risk for days, risk in BUCKETS if self.due_at - at <= timedelta(days=days)), Risk.ON_TRACK)

    def reminder(self, at: datetime) -> int | None:
        """The reminder that a moment calls for, as hours before the end; 0 once it is past, None before the first."""
        if not self.owes_notice:
            return None
        if at > self.due_at:
            return 0
        return min((n for n in incident_law().remind if self.due_at - at <= timedelta(hours=n)), default=None)

    def next_change(self, at: datetime) -> datetime | None:
        """The next moment at which a reminder is due, or the bucket changes; None once nothing of that is to come."""
        if not self.owes_notice:
            return None
        before = [timedelta(hours=n) for n in incident_law().remind] + [timedelta(days=days) for days, _ in BUCKETS]
        moments = [self.due_at - left for left in before] + [self.due_at + timedelta(seconds=1)]
        return min((moment for moment in moments if moment > at), default=None)


def check_aware(aware_at: datetime, at: datetime) -> None:
    """Refuse an awareness that is still to come.

    Raises:
        IncidentError: it lies in the future.
    """
    if aware_at > at:
        raise IncidentError("nobody is aware of it before it is so: give the moment at which somebody knew")


def check_notified(incident: Incident, notified_at: datetime, at: datetime, *, reason: bool) -> None:
    """Refuse a notice to the authority that cannot have been, or that was late for no recorded reason.

    Raises:
        IncidentError: it lies in the future or before the awareness, or it is past the hours and no reason is given.
    """
    if notified_at > at:
        raise IncidentError("this lies in the future: enter a notice once it was given")
    if notified_at < incident.aware_at:
        raise IncidentError("nobody was aware of it then: see when the notice was given")
    if notified_at > incident.due_at and incident.notified_at is None and not reason:
        raise IncidentError(
            f"that is later than {incident.hours} hours after it was known: the reasons for the delay go with the "
            "notice and are on record (--reason-file)"
        )
