"""The endpoint: HTTPS, two paths, PUT.

    PUT /<id>/manifest   the signed manifest: 201, or 200 with the receipt if its archive was taken in before
    PUT /<id>/archive    the archive: 200 with the signed receipt

The one rule: a peer gets time, memory and a thread within limits, and no more of an error than one sentence.
"""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import structlog

from rights.transfer import MANIFEST_MOST
from starter.receiving.intake import Intake, RefusedError

AT_ONCE: Final = 16
"""Peers that are spoken to at the same time."""
SILENCE_S: Final = 60
"""How long a peer may say nothing."""
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._-]{1,60}){0,4}/([0-9a-f]{32})/(manifest|archive)\Z")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "habeas"
    sys_version = ""
    timeout = SILENCE_S
    server: "_Server"
    rfile: BufferedReader

    def do_PUT(self) -> None:
        """Take a manifest or an archive."""
        found = _PATH.match(self.path)
        length = self.headers.get("content-length", "")
        if found is None:
            return self._say(404, "there is nothing here")
        if not re.fullmatch(r"[0-9]{1,15}", length) or self.headers.get("transfer-encoding"):
            return self._say(411, "say the length of what is put")
        try:
            status, answer = self._taken(found[1], found[2], int(length))
        except RefusedError as error:
            self.server.log.warning("transfer_refused", transfer=found[1], status=error.status, why=error.text)
            return self._say(error.status, error.text)
        except (TimeoutError, ConnectionError, ssl.SSLError):
            self.close_connection = True
            self.server.log.warning("transfer_broke_off", transfer=found[1])
            return None
        self.server.log.info("transfer", transfer=found[1], what=found[2], status=status)
        return self._say(status, answer)

    def _taken(self, transfer: str, what: str, length: int) -> tuple[int, bytes | str]:
        intake = self.server.intake
        if what == "archive":
            return 200, intake.take(transfer, self.rfile, length)
        if length > MANIFEST_MOST:
            raise RefusedError(413, "the manifest is larger than any should be")
        receipt = intake.announce(transfer, self.rfile.read(length))
        return (200, receipt) if receipt else (201, "announced")

    def _say(self, status: int, text: bytes | str) -> None:
        body = text if isinstance(text, bytes) else text.encode()
        if status >= 400:
            # What is left of a body that is refused is not read.
            self.close_connection = True
        self.send_response(status)
        self.send_header("content-type", "application/jose" if isinstance(text, bytes) else "text/plain")
        self.send_header("content-length", str(len(body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line of a request may hold anything."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], intake: Intake, tls: ssl.SSLContext) -> None:
        super().__init__(address, _Handler)
        self.intake, self._tls = intake, tls
        self.log = structlog.get_logger()
        self._seats = threading.BoundedSemaphore(AT_ONCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._seats.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Speak TLS here, and not where everybody waits for the next peer."""
        try:
            request.settimeout(SILENCE_S)
            with self._tls.wrap_socket(request, server_side=True) as secure:
                self.finish_request(secure, client_address)
        except OSError:
            pass
        finally:
            self.shutdown_request(request)
            self._seats.release()

    def shutdown_request(self, request: Any) -> None:
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
        self.close_request(request)


@contextmanager
def serve(intake: Intake, certificate: Path, key_pem: str, host: str, port: int) -> Iterator[int]:
    """Serve until the context is left; gives the port.

    Raises:
        OSError: the port or the certificate cannot be used.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(tls, certificate, key_pem)
    server = _Server((host, port), intake, tls)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _load(tls: ssl.SSLContext, certificate: Path, key_pem: str) -> None:
    """The library takes keys from files alone."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(key_pem)
        file.flush()
        tls.load_cert_chain(certificate, file.name)
