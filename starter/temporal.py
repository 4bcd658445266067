"""How Temporal is reached, and a client for set-up and questions that need no payload.

The one rule: the bare client can open and seal nothing, so it carries nothing of a request.
"""

from pathlib import Path

from temporalio.client import Client, TLSConfig

from connectors.registry import SetupError, resolve
from settings import Settings


def tls_of(settings: Settings) -> TLSConfig | bool:
    """How the connection is secured; False where it is not.

    Raises:
        SetupError: a file of a certificate cannot be read, or the key is missing.
    """
    if not settings.temporal_tls:
        return False
    key = resolve(settings.temporal_key) if settings.temporal_key else None
    return TLSConfig(
        server_root_ca_cert=_read("temporal_ca", settings.temporal_ca),
        client_cert=_read("temporal_certificate", settings.temporal_certificate),
        client_private_key=key.encode() if key else None,
        domain=settings.temporal_server_name,
    )


async def bare_client(settings: Settings) -> Client:
    """Connect.

    Raises:
        RuntimeError: Temporal does not answer.
        SetupError: its API key, or a file that TLS needs, is missing.
    """
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        tls=tls_of(settings),
        api_key=resolve(settings.temporal_api_key) if settings.temporal_api_key else None,
    )


def _read(name: str, path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError:
        raise SetupError(f"{name}: the file cannot be read: name one that is there") from None
