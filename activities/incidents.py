"""An incident, carried on: its reminders are noted, and its end.

The one rule: who has to act reads it in the ledger; the log and the UI raise the alarm, with ids and hours only.
"""

from datetime import datetime

import structlog
from temporalio import activity

from activities.opening import Ask
from activities.tools import Tools
from rights.deadlines import Risk
from rights.incidents import Waits
from rights.value import Value

LAST_HOURS = 12
"""From how many hours before the end on a reminder is an error in the log: there is a night left."""


class Followed(Value):
    """How far an incident is."""

    waits_for: tuple[Waits, ...] = ()
    """Nothing once it is closed."""
    risk: Risk = Risk.ON_TRACK
    due_at: datetime | None = None
    """Until when the authority has to know; None once nothing is owed."""
    next_in_seconds: float | None = None
    """When a reminder is due, or the bucket changes."""


class IncidentActivities:
    """The work of the `incident` workflow."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="follow_incident", no_thread_cancel_exception=True)
    def follow(self, ask: Ask) -> Followed:
        """Note the reminder that is due, and say how far it is."""
        ledger, at = self._tools.ledger, ask.as_of
        incident = ledger.incident(ask.request_id)
        hours = incident.reminder(at)
        if hours is not None and ledger.note_incident_reminder(incident.id, hours, at=at):
            log = structlog.get_logger()
            level = log.error if hours <= LAST_HOURS else log.warning
            level("incident_due", incident=incident.id, hours=hours)
        change = incident.next_change(at)
        return Followed(
            waits_for=incident.waits_for(),
            risk=incident.risk(at),
            due_at=incident.due_at if incident.owes_notice else None,
            next_in_seconds=(change - at).total_seconds() if change else None,
        )
