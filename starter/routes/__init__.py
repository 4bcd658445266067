"""The routes of the HTTP API, one module per noun. `ROUTERS` is what `starter.api` hangs in."""

from collections.abc import Mapping, Sequence
from typing import Final

from fastapi import APIRouter

from starter.routes import codec, go, health, requests, signin

ROUTERS: Final[Sequence[APIRouter]] = (
    health.router,
    signin.router,
    requests.router,
    codec.router,
    go.router,
)
STREAMS: Final[Mapping[str, int]] = {}
"""Routes that read their body as a stream, and how many bytes of it; others take `starter.inputs.MAX_FILE`."""
