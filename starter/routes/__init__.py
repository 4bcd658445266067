"""The routes of the HTTP API, one module per noun. `ROUTERS` is what `starter.api` hangs in."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter

from starter.routes import health, requests

ROUTERS: Final[Sequence[APIRouter]] = (health.router, requests.router)
