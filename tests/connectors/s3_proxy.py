"""A wire to an S3 server that fails at a request of one's choice, as networks and stores under load do.

The one rule: a request that passes, passes as it is: the signature that is checked is the connector's own.
"""

import http.client
import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from _typeshed import SupportsRead

_HOP: Final = {"connection", "transfer-encoding", "expect", "content-length"}
PIECE: Final = 64 * 1024


@dataclass
class Fault:
    """What becomes of a request whose method and address have something in them, for so many times."""

    method: str
    part: str
    times: int = 1
    status: int = 0
    """Answered so by the proxy, with `code`, and never passed on."""
    code: str = ""
    body: bytes = b""
    """What it answers then, instead of an error."""
    lost: bool = False
    """Carried out, and the connection breaks before its answer."""
    cut: int = -1
    """Carried out, and the connection breaks after so many bytes of its answer's body."""
    before: Callable[[], None] | None = None
    """Done right before it is passed on."""
    rewrite: Callable[[bytes], bytes] | None = None
    """What is made of its answer's body."""


class S3Proxy:
    """Forwards requests to a server on this machine, until it is told not to."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.away = False
        self.said: list[str] = []
        """All that was asked: method and address, decoded."""
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        proxy = self

        class Handler(_Handler):
            wire = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.hang_up()

    def hang_up(self) -> None:
        """Cut every connection."""
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def failing(self, method: str, part: str, **what: Any) -> Iterator[Fault]:
        """Inside, requests of a method whose address has `part` in it fail as `what` says, once unless it says more."""
        fault = Fault(method, part, **what)
        self.faults.append(fault)
        yield fault
        self.faults.remove(fault)

    def take(self, method: str, address: str) -> Fault | None:
        """The fault that this request meets."""
        with self.lock:
            self.said.append(f"{method} {address}")
            for fault in self.faults:
                if fault.times and fault.method == method and fault.part in address:
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wire: S3Proxy

    def setup(self) -> None:
        super().setup()
        self.wire.open.add(self.connection)

    def finish(self) -> None:
        self.wire.open.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def _pass(self) -> None:
        self.close_connection = True
        if self.wire.away:
            return
        fault = self.wire.take(self.command, unquote(self.path)) or Fault("", "")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if fault.status:
            self._answer(fault)
            return
        if fault.before is not None:
            fault.before()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        upstream = http.client.HTTPConnection("127.0.0.1", self.wire.upstream, timeout=60)
        try:
            upstream.request(self.command, self.path, body or None, headers)
            self._give(upstream.getresponse(), fault)
        except (OSError, http.client.HTTPException):
            return
        finally:
            upstream.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

    def _give(self, answer: http.client.HTTPResponse, fault: Fault) -> None:
        if fault.lost:
            answer.read()
            return
        length = answer.headers.get("Content-Length")
        whole = None
        if fault.rewrite is not None or (length is None and self.command != "HEAD"):
            whole = answer.read()
            whole = fault.rewrite(whole) if fault.rewrite else whole
            length = str(len(whole))
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self._send(answer if whole is None else io.BytesIO(whole), fault.cut)
        self.close_connection = fault.cut >= 0

    def _send(self, body: "SupportsRead[bytes]", cut: int) -> None:
        left = cut
        while piece := body.read(PIECE):
            if cut >= 0:
                piece = piece[:left]
                left -= len(piece)
            self.wfile.write(piece)
            if cut >= 0 and not left:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                return

    def _answer(self, fault: Fault) -> None:
        said = f"<Code>{fault.code}</Code><Message>{escape(unquote(self.path))}</Message>"
        body = fault.body or f"<?xml version='1.0'?><Error>{said}</Error>".encode()
        self.send_response_only(fault.status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = False
