"""A small HTTPS server, for the few doors that strangers knock at.

The one rule: a peer gets time, memory and a thread within limits, and no more of an error than one sentence.
"""

import io
import signal
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import structlog

AT_ONCE: Final = 16
"""Peers that are spoken to at the same time."""
SILENCE_S: Final = 60
"""How long a peer may say nothing."""
WITHIN_S: Final = 30.0
"""How long one may take to say what they want, all in all: who drips it keeps a seat from whoever has a minute left."""


class _Line(socket.SocketIO):
    """What is heard of a peer, until a moment."""

    def __init__(self, line: socket.socket) -> None:
        super().__init__(line, "rb")
        self._line, self.until = line, 0.0

    def readinto(self, buffer: Any) -> int | None:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(min(SILENCE_S, left))
        return super().readinto(buffer)


class Handler(BaseHTTPRequestHandler):
    """What all of them answer alike."""

    protocol_version = "HTTP/1.1"
    server_version = "habeas"
    sys_version = ""
    timeout = SILENCE_S
    server: "Endpoint"

    def setup(self) -> None:
        """Hear the peer by a line that ends."""
        super().setup()
        self.rfile.close()
        self._heard = _Line(self.connection)
        self.rfile = io.BufferedReader(self._heard)

    def handle_one_request(self) -> None:
        """Give the peer its time anew."""
        self.wait(self.server.within_s)
        super().handle_one_request()

    def wait(self, seconds: float) -> None:
        """Hear the peer for so long from now on, and no longer."""
        self._heard.until = time.monotonic() + seconds

    def say(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        """Answer. What is left of a body that is refused is not read."""
        if status >= 400:
            self.close_connection = True
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line of a request may hold anything."""


class Endpoint(ThreadingHTTPServer):
    """The server; `serves` is what its handlers need. Without `tls` it speaks in the clear, for a proxy beside it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[Handler],
        serves: Any,
        tls: ssl.SSLContext | None,
        within_s: float,
        each: int,
    ) -> None:
        super().__init__(address, handler)
        self.serves, self._tls, self.within_s, self._each = serves, tls, within_s, each
        self.log = structlog.get_logger()
        self._seats = threading.BoundedSemaphore(AT_ONCE)
        self._of: Counter[str] = Counter()
        self._counting = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._has_room(client_address[0]):
            return self.shutdown_request(request)
        self._seats.acquire()
        super().process_request(request, client_address)

    def _has_room(self, address: str) -> bool:
        """Whether an address may have one more seat; it is counted then."""
        with self._counting:
            if self._of[address] >= self._each:
                return False
            self._of[address] += 1
            return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Speak TLS here, and not where everybody waits for the next peer."""
        try:
            request.settimeout(self.within_s)
            if self._tls is None:
                self.finish_request(request, client_address)
            else:
                with self._tls.wrap_socket(request, server_side=True) as secure:
                    self.finish_request(secure, client_address)
        except OSError:
            pass
        finally:
            self.shutdown_request(request)
            self._seats.release()
            with self._counting:
                self._of[client_address[0]] -= 1
                self._of += Counter()  # those that are gone are not remembered

    def shutdown_request(self, request: Any) -> None:
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
        self.close_request(request)


@contextmanager
def serving(
    handler: type[Handler],
    serves: Any,
    host: str,
    port: int,
    tls: ssl.SSLContext | None = None,
    *,
    within_s: float = WITHIN_S,
    each: int = sys.maxsize,
) -> Iterator[int]:
    """Serve until the context is left; gives the port. `each`: how many peers of one address are spoken to at a time;
    others are not answered, and may come again.

    Raises:
        OSError: the port cannot be used.
    """
    server = Endpoint((host, port), handler, serves, tls, within_s, each)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def stand(door: AbstractContextManager[int], says: Callable[[int], str], ready_file: Path | None) -> None:
    """Hold a door open until SIGTERM or Ctrl-C. `says`: the line for people, of the port; `ready_file` gets the port.

    Raises:
        OSError: it cannot be opened.
    """
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with door as port:
        if ready_file:
            ready_file.write_text(str(port))
        sys.stderr.write(says(port) + "\n")
        sys.stderr.flush()
        over.wait()


def secure(certificate: Path, key_pem: str) -> ssl.SSLContext:
    """TLS by a certificate and its key.

    Raises:
        OSError: they cannot be used.
    """
    import tempfile

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # the library takes keys from files alone
        file.write(key_pem)
        file.flush()
        tls.load_cert_chain(certificate, file.name)
    return tls
