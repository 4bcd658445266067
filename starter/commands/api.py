"""`habeas api`: the HTTP API for systems and people.

The one rule: it is served to others by TLS, its own or that of a proxy beside it; never in the clear by mistake.
"""

from typing import TYPE_CHECKING

from starter.commands.options import ReadyFile
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from starter.groups import ApiSettings


def api(ready_file: ReadyFile = None) -> None:
    """Serve the HTTP API (docs/api.md).

    The group [api] of the settings says where. It works on the ledger alone: requests are received while Temporal is
    away, and begin once it is back. Runs until it is stopped; what it has begun it answers.

    Example: habeas api --ready-file api.port
    """
    from connectors.registry import SetupError, resolve
    from starter import logs
    from starter.api import BESIDE, build_app
    from starter.callers import Callers
    from starter.desk import check_schema, desk
    from starter.serving import serve

    with desk() as at:
        said = at.settings.api
        if said is None:
            raise Failure(Exit.USAGE, "the settings have no group [api]: docs/api.md says what stands in it")
        if open_to_all(said):
            raise Failure(
                Exit.USAGE,
                "the API is not served to others in the clear: set api.certificate and api.key, or api.behind_proxy "
                "where a proxy beside it speaks TLS",
            )
        logs.set_up(at.settings.log)
        check_schema(at.settings)
        at.pool = said.at_once + BESIDE
        _ = at.data_map  # what is wrong with it is said now, and not at the first call
        callers = Callers.of(at)
        try:
            pair = (said.certificate, resolve(said.key)) if said.certificate and said.key else None
        except SetupError:
            raise
        except ValueError as error:
            raise Failure(Exit.USAGE, f"api.key: {error}") from None
        scheme = "https" if pair else "http"
        try:
            serve(
                build_app(at, callers),
                said.host,
                said.port,
                lambda port: f"the API is on {scheme}://{said.host}:{port}",
                certificate=pair,
                ready_file=ready_file,
            )
        except OSError:
            raise Failure(
                Exit.BAD, "the port, the certificate or the key cannot be used: see that they are there and yours"
            ) from None


def open_to_all(said: "ApiSettings") -> bool:
    """Whether it would speak in the clear to others than this machine, and nobody has said that a proxy is between."""
    return said.certificate is None and not said.behind_proxy and not loopback(said.host)


def loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
