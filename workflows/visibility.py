"""What the list of the Temporal UI shows of a request: its search attributes.

The one rule: search attributes are in clear for everybody who may open the UI, so each holds a word from a closed list,
an opaque id or a date.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

from rights.codes import Code
from rights.deadlines import Clock, Risk
from rights.incidents import Incident
from rights.request import Phase, Right

RIGHT: Final = SearchAttributeKey.for_keyword("HabeasRight")
REGIME: Final = SearchAttributeKey.for_keyword_list("HabeasRegime")
PHASE: Final = SearchAttributeKey.for_keyword("HabeasPhase")
WAITING_ON: Final = SearchAttributeKey.for_keyword("HabeasWaitingOn")
TENANT: Final = SearchAttributeKey.for_keyword("HabeasTenant")
DUE_AT: Final = SearchAttributeKey.for_datetime("HabeasDueAt")
LEGAL_DUE_AT: Final = SearchAttributeKey.for_datetime("HabeasLegalDueAt")
RISK: Final = SearchAttributeKey.for_keyword("HabeasRisk")

APPEALED: Final = "appealed"
"""What stands for the phase of an appeal."""
INCIDENT: Final = "incident"
"""The same of an incident."""

KEYS: Final[tuple[SearchAttributeKey[Any], ...]] = (
    RIGHT,
    REGIME,
    PHASE,
    WAITING_ON,
    TENANT,
    DUE_AT,
    LEGAL_DUE_AT,
    RISK,
)
"""All of them; a worker refuses to start where one is not registered, since a workflow would then fail for ever."""


def workflow_id(right: Right, tenant: str, request_id: str) -> str:
    """The one id under which a request runs, for ever."""
    return f"{right}/{tenant}/{request_id}"


def sweep_id(system: str, tenant: str) -> str:
    """The id under which a system is swept. It ends with the tenant, under whose key its history is sealed."""
    return f"sweep/{system}/{tenant}"


def webhook_id(name: str, tenant: str) -> str:
    """The id under which a webhook is told. It ends with the tenant, under whose key its history is sealed."""
    return f"webhook/{name}/{tenant}"


def campaign_id(campaign: str, tenant: str) -> str:
    """The id under which a campaign runs. It ends with the tenant, under whose key its history is sealed."""
    return f"campaign/{campaign}/{tenant}"


def letters_id(tenant: str) -> str:
    """The id under which a tenant's letters are sent."""
    return f"letters/{tenant}"


def follow_up_id(tenant: str, request_id: str) -> str:
    """The id under which it is looked again at what was done; it ends with the request, as that of a lifting."""
    return f"follow-up/{tenant}/{request_id}"


def lifting_id(tenant: str, request_id: str) -> str:
    """The id under which a restriction is lifted; it ends with the request, under whose key its history is sealed."""
    return f"restriction-lifting/{tenant}/{request_id}"


def appeal_id(tenant: str, request_id: str) -> str:
    """The id under which an appeal against the answer to a request runs; sealed with the key of that request."""
    return f"appeal/{tenant}/{request_id}"


def relook_id(tenant: str, request_id: str) -> str:
    """The id under which a closed request is looked at again; sealed with the key of that request."""
    return f"relook/{tenant}/{request_id}"


def replay_id(tenant: str, replay: str) -> str:
    """The id under which past requests are carried out anew."""
    return f"replay/{replay}/{tenant}"


def demand_id(tenant: str, demand: str) -> str:
    """The id under which an authority's demand is carried on."""
    return f"authority/{demand}/{tenant}"


def incident_id(tenant: str, incident: str) -> str:
    """The id under which an incident is followed."""
    return f"incident/{incident}/{tenant}"


def deferred_id(tenant: str, request_id: str) -> str:
    """The id under which what a closed request has left is waited for. It ends with the tenant, under whose key its
    history is sealed: that of the request is long destroyed."""
    return f"deferred/{request_id}/{tenant}"


def map_check_id(tenant: str) -> str:
    """The id of the schedule that compares the map with its systems, and what the ids of its runs begin with: the
    schedule adds the time."""
    return f"map-check/{tenant}"


def at_start(
    right: Right, tenant: str, phase: Phase, clock: Clock, regimes: Sequence[str], now: datetime
) -> TypedSearchAttributes:
    """The attributes a request starts with; `phase` is the one it is about to enter."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(RIGHT, str(right)),
            SearchAttributePair(REGIME, list(regimes)),
            SearchAttributePair(PHASE, str(phase)),
            SearchAttributePair(TENANT, tenant),
            SearchAttributePair(RISK, str(clock.risk(now))),
            *_dates(clock),
        ]
    )


def at_appeal(right: Right, tenant: str, clock: Clock, regimes: Sequence[str], now: datetime) -> TypedSearchAttributes:
    """The attributes that the run of an appeal starts with."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(RIGHT, str(right)),
            SearchAttributePair(REGIME, list(regimes)),
            SearchAttributePair(PHASE, APPEALED),
            SearchAttributePair(WAITING_ON, str(Code.APPEAL)),
            SearchAttributePair(TENANT, tenant),
            SearchAttributePair(DUE_AT, clock.internal_due),
            SearchAttributePair(LEGAL_DUE_AT, clock.legal_due),
            SearchAttributePair(RISK, str(clock.risk(now))),
        ]
    )


def incident_starts(tenant: str, incident: Incident, now: datetime) -> TypedSearchAttributes:
    """The attributes that the run of an incident starts with; its hours end by law, and are worked towards."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(REGIME, list(incident.regimes)),
            SearchAttributePair(PHASE, INCIDENT),
            SearchAttributePair(WAITING_ON, str(incident.waits_for()[0])),
            SearchAttributePair(TENANT, tenant),
            SearchAttributePair(DUE_AT, incident.due_at),
            SearchAttributePair(LEGAL_DUE_AT, incident.due_at),
            SearchAttributePair(RISK, str(incident.risk(now))),
        ]
    )


def at_incident(waiting_on: str, risk: Risk) -> list[SearchAttributeUpdate[Any]]:
    """The update for an incident of which something was said, or whose end came nearer."""
    return [WAITING_ON.value_set(waiting_on), RISK.value_set(str(risk))]


def now_in(phase: Phase, waiting_on: str) -> list[SearchAttributeUpdate[Any]]:
    """The update for a change of phase; what is waited on is a code, or nothing."""
    return [
        PHASE.value_set(str(phase)),
        WAITING_ON.value_set(waiting_on) if waiting_on else WAITING_ON.value_unset(),
    ]


def at_clock(clock: Clock, risk: Risk) -> list[SearchAttributeUpdate[Any]]:
    """The update for a clock that was moved. While it stands still nothing is due, and no date is shown."""
    still = clock.still_since is not None
    return [
        DUE_AT.value_unset() if still else DUE_AT.value_set(clock.internal_due),
        LEGAL_DUE_AT.value_unset() if still else LEGAL_DUE_AT.value_set(clock.legal_due),
        RISK.value_set(str(risk)),
    ]


def _dates(clock: Clock) -> list[SearchAttributePair[datetime]]:
    if clock.still_since:
        return []
    return [SearchAttributePair(DUE_AT, clock.internal_due), SearchAttributePair(LEGAL_DUE_AT, clock.legal_due)]


def at_risk(risk: Risk) -> list[SearchAttributeUpdate[Any]]:
    """The update for a change of the risk bucket."""
    return [RISK.value_set(str(risk))]
