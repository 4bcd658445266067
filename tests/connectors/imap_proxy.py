"""A wire to an IMAP server that breaks at a command of one's choice.

The one rule: as `tests.connectors.proxy`: bytes pass as they are, or not at all.
"""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.connectors.proxy import Proxy, Wire

TAGGED = re.compile(rb"(?m)^[A-Z]{4}[0-9]+ (OK|NO|BAD)")


class ImapProxy(Proxy):
    """Loses the answer to a command, or does something as a command passes."""

    def __init__(self, port: int) -> None:
        self.losing = b""
        self.passing: tuple[bytes, Callable[[], None]] | None = None
        self.said = bytearray()
        """All that clients have sent."""
        super().__init__(port)

    def wire(self, client: socket.socket, server: socket.socket) -> Wire:
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _ImapWire(self, client, server)

    @contextmanager
    def loses(self, command: bytes) -> Iterator[None]:
        """Inside, the next such command is carried out, and the connection breaks before its answer."""
        self.losing = command
        yield
        self.losing = b""

    @contextmanager
    def at(self, command: bytes, act: Callable[[], None]) -> Iterator[None]:
        """Inside, `act` is called once, right before the next such command is passed on."""
        self.passing = (command, act)
        yield
        self.passing = None


class _ImapWire(Wire):
    """One connection."""

    def __init__(self, proxy: ImapProxy, client: socket.socket, server: socket.socket) -> None:
        super().__init__(proxy, client, server)
        self._imap, self._lost = proxy, False

    def to_server(self) -> None:
        with self._client, suppress(OSError):
            while data := self._client.recv(65536):
                self._imap.said += data
                if (passing := self._imap.passing) and passing[0] in data:
                    self._imap.passing = None
                    passing[1]()
                if self._imap.losing and self._imap.losing in data:
                    self._imap.losing, self._lost = b"", True
                self._server.sendall(data)
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)

    def to_client(self) -> None:
        unsaid = b""
        with self._server, suppress(OSError):
            while data := self._server.recv(65536):
                if self._lost:
                    unsaid += data
                    if TAGGED.search(unsaid):
                        break
                    continue
                self._client.sendall(data)
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
