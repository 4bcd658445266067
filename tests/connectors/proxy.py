"""A wire between a connector and a server that a test can cut.

The one rule: it forwards bytes as they are and decides only whether they arrive.
"""

import socket
import threading
from contextlib import suppress
from typing import Self

COMMITTED = b"COMMIT\0"
"""How a PostgreSQL server says that a commit is done."""


class Proxy:
    """Forwards connections to a server on this machine, until it is told not to."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.away = False
        """Nobody gets through, and whoever was through is cut off."""
        self.cut_commit = 0
        """Counts down with each commit of a writing transaction; at the last, its answer is lost on the way."""
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Cut every connection."""
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def wire(self, client: socket.socket, server: socket.socket) -> "Wire":
        """What stands between the two ends of a new connection."""
        return Wire(self, client, server)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.away:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._server))
            for end in (client, server):  # a small answer must not wait for the acknowledgement of the one before
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs.append((client, server))
            wire = self.wire(client, server)
            threading.Thread(target=wire.to_server, daemon=True).start()
            threading.Thread(target=wire.to_client, daemon=True).start()


class Wire:
    """One connection."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._writing = False

    def to_server(self) -> None:
        with self._client, suppress(OSError):
            while data := self._client.recv(65536):
                if b"BEGIN ISOLATION" in data:
                    self._writing = b"READ WRITE" in data
                self._server.sendall(data)
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)

    def to_client(self) -> None:
        with self._server, suppress(OSError):
            while data := self._server.recv(65536):
                if self._writing and COMMITTED in data and self._proxy.cut_commit:
                    self._proxy.cut_commit -= 1
                    if not self._proxy.cut_commit:
                        break
                self._client.sendall(data)
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
