"""What stands still for an incident, as a part of other statements.

The one rule: the fence, the closing, the letters and the parcel all ask the same rows; there is no copy of the answer.
"""

from typing import Any

from sqlalchemy import ColumnElement, Exists, ScalarSelect, func, select

from ledger.models_incidents import incident_requests


def stands_still(tenant: ColumnElement[Any], request: ColumnElement[Any]) -> Exists:
    """Whether a request stands still for an incident."""
    return (
        select(incident_requests.c.incident_id)
        .where(
            incident_requests.c.tenant == tenant, incident_requests.c.request_id == request, incident_requests.c.stopped
        )
        .exists()
    )


def stopped_by(tenant: ColumnElement[Any], request: ColumnElement[Any]) -> ScalarSelect[Any]:
    """The incident that a request stands still for: the first, if there are several; null: none."""
    return (
        select(func.min(incident_requests.c.incident_id))
        .where(
            incident_requests.c.tenant == tenant, incident_requests.c.request_id == request, incident_requests.c.stopped
        )
        .scalar_subquery()
    )
