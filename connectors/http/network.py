"""Where a connection may go, and for how long: names resolved and checked here, and the checked address connected to.

The one rule: no name, whatever it resolves to by the time it is used, leads to an address that the operator has not
allowed; and no peer, however slowly it speaks, holds a thread beyond a request's own end.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

import httpcore2

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], list[Address]]


_TRANSLATED: Final = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
"""Behind which a gateway puts the address that the last four bytes say (RFC 6052, RFC 8215)."""


class AddressRefusedError(Exception):
    """A name leads to an address that is not allowed. Names neither: what stands behind them is nobody's business."""


def resolve(host: str, port: int) -> list[Address]:
    """All addresses of a name, by the system's resolver.

    Raises:
        OSError: there is none.
    """
    return [ip_address(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet: not ours, not this machine's, not a cloud's metadata service."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in prefix for prefix in _TRANSLATED):
            inner = IPv4Address(address.packed[-4:])
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


class Network(httpcore2.NetworkBackend):
    """Connects to checked addresses, within the time that `limit` sets."""

    def __init__(self, private: Collection[Address], resolver: Resolver = resolve) -> None:
        self._private, self._resolver = frozenset(private), resolver
        self._inner = httpcore2.SyncBackend()
        self._until = threading.local()

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Inside, everything that this thread does here ends by then; an inner limit never outlasts an outer one."""
        before = getattr(self._until, "moment", None)
        moment = time.monotonic() + seconds
        self._until.moment = moment if before is None else min(moment, before)
        try:
            yield
        finally:
            self._until.moment = before

    def left(self, wanted: float | None) -> float | None:
        """Seconds that an operation may take."""
        moment = getattr(self._until, "moment", None)
        if moment is None:
            return wanted
        left = moment - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the request's time is over")
        return float(left if wanted is None else min(left, wanted))

    def resolved(self, host: str, port: int) -> list[Address]:
        """All addresses of a name.

        Raises:
            OSError: there is none.
        """
        return self._resolver(host, port)

    def allowed(self, address: Address) -> bool:
        """Whether a connection may go there."""
        return address in self._private or is_public(address)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Resolve, check every address, and connect to one of those that were checked.

        Raises:
            AddressRefusedError: one of the addresses is not allowed.
        """
        try:
            addresses = self._resolver(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise httpcore2.ConnectError("the name is not known")
        # One bad address among good ones is how a name is rebound: all of them have to be right.
        if not all(self.allowed(address) for address in addresses):
            raise AddressRefusedError
        failure: Exception = httpcore2.ConnectError("no address answers")
        for address in addresses:
            try:
                stream = self._inner.connect_tcp(str(address), port, self.left(timeout), local_address, socket_options)
            except httpcore2.ConnectError as error:
                failure = error
            else:
                return _Stream(stream, self)
        raise failure


class _Stream(httpcore2.NetworkStream):
    """A connection whose every read and write ends with the request."""

    def __init__(self, inner: httpcore2.NetworkStream, network: Network) -> None:
        self._inner, self._network = inner, network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._network.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._network.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._network.left(timeout)), self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
