"""The one page of somebody else's that may read our answers: the Temporal Web UI of the settings, at its codec server.

The one rule: one origin, for the addresses below /codec alone; every other address answers no page but our own.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

BELOW: Final = "/codec/"
_LOOPBACK: Final = ("127.0.0.1", "localhost")


def origins(ui: str | None) -> tuple[str, ...]:
    """The origin of a Web UI's address; on this machine under both of its names, since people open either."""
    if ui is None:
        return ()
    parts = urlsplit(ui)
    names = _LOOPBACK if parts.hostname in _LOOPBACK else (parts.hostname or "",)
    port = f":{parts.port}" if parts.port else ""
    return tuple(f"{parts.scheme}://{name}{port}" for name in names)


class UiOrigin:
    """Lets the Web UI's page read what the codec server answers, with the session or the token of who looks at it."""

    def __init__(self, app: ASGIApp, *, ui: str | None) -> None:
        self._app, self._origins = app, origins(ui)
        self._open = CORSMiddleware(
            app,
            allow_origins=self._origins,
            allow_methods=("POST",),
            allow_headers=("authorization", "authorization-extras", "content-type", "x-namespace"),
            allow_credentials=True,
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(BELOW):
            return await self._app(scope, receive, send)
        sent_by = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
        # A page of ours may send with a session; here the Web UI's may, too (starter/callers.py).
        scope.setdefault("state", {})["ui_origin"] = sent_by if sent_by in self._origins else None
        await self._open(scope, receive, send)
