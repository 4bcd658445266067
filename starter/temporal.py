"""A Temporal client for set-up and questions that need no payload.

The one rule: it can open and seal nothing, so it carries nothing of a request.
"""

from temporalio.client import Client

from connectors.registry import resolve
from settings import Settings


async def bare_client(settings: Settings) -> Client:
    """Connect.

    Raises:
        RuntimeError: Temporal does not answer.
        SetupError: its API key is missing.
    """
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        tls=settings.temporal_tls,
        api_key=resolve(settings.temporal_api_key) if settings.temporal_api_key else None,
    )
