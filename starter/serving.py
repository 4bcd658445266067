"""Serving the HTTP API: a socket, TLS where it is set, and an end that finishes what is under way.

The one rule: once it is told to stop it takes nothing new, and what it has begun it answers.
"""

import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from starter.endpoint import secure

DRAIN_S: Final = 20
"""How long what is under way may take once it is told to stop."""
_BACKLOG: Final = 512
_IDLE_S: Final = 30
"""How long a connection may say nothing between two calls."""


def serve(
    app: ASGIApp,
    host: str,
    port: int,
    says: Callable[[int], str],
    *,
    certificate: tuple[Path, str] | None = None,
    ready_file: Path | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. `says`: the line for people, of the port; `ready_file` gets the port once it takes
    calls. `certificate`: its file, and its key as PEM.

    Raises:
        OSError: the port or the certificate cannot be used.
    """
    tls = secure(*certificate) if certificate else None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        taken: int = listener.getsockname()[1]
        config = uvicorn.Config(
            app,
            # What it logs may hold an address line; the app has a line of its own for each answer.
            log_config=None,
            access_log=False,
            server_header=False,
            # Whoever stands before it names nobody else: callers are known by what they show.
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=DRAIN_S,
            ssl_context_factory=_given(tls) if tls else None,
        )
        server = _Server(config, lambda: _ready(says(taken), taken, ready_file))
        # It raises the signal again once it has stopped, for whoever is meant to hear of it: nobody here.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that says when it takes calls."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _given(tls: ssl.SSLContext) -> Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext]:
    return lambda _config, _default: tls


def _ready(line: str, port: int, ready_file: Path | None) -> None:
    if ready_file:
        ready_file.write_text(str(port))
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
