"""The routes of the HTTP API, one module per noun. `ROUTERS` is what `starter.api` hangs in."""

from collections.abc import Mapping, Sequence
from typing import Final

from fastapi import APIRouter

from starter.routes import (
    account,
    codec,
    deadlines,
    decisions,
    go,
    health,
    holds,
    identity,
    letters,
    parcels,
    reports,
    requests,
    signin,
    suppression,
    systems,
    tasks,
)

ROUTERS: Final[Sequence[APIRouter]] = (
    health.router,
    signin.router,
    requests.router,
    identity.router,
    decisions.router,
    tasks.router,
    holds.router,
    deadlines.router,
    parcels.router,
    letters.router,
    systems.router,
    suppression.router,
    reports.router,
    account.router,
    codec.router,
    go.router,
)
STREAMS: Final[Mapping[str, int]] = {suppression.CSV: suppression.MOST}
"""Routes that read their body as a stream, and how many bytes of it; others take `starter.inputs.MAX_FILE`."""
