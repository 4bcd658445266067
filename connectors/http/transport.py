"""Requests to the hosts of one vendor, and to no others.

The one rule: what is sent, and to whom, is decided here and not by an answer. A redirect is followed for a GET only, to
a listed host only, and to another host without credentials; an answer that is too long is cut off and refused.
"""

import logging
import ssl
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore2
import httpx2

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.http.network import Address, AddressRefusedError, Network, Resolver, resolve
from rights.codes import Code

REDIRECTS: Final = 3
CONNECT_S: Final = 10
PAGE: Final = 64 * 1024

# The library tells of every request with its address, which may hold somebody's own.
logging.getLogger("httpcore2").setLevel(logging.WARNING)


class _TooLargeError(Exception):
    """An answer is longer than any should be."""


_TROUBLE: Final = (
    AddressRefusedError,
    _TooLargeError,
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    zlib.error,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, ready to go. Its values may be a person's, and its credentials are ours."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers that no other host gets to see, nor one that is not listed by its whole name."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer, read whole. Header names are in small letters."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport:
    """Sends requests for one system. Made without connecting; may be used by several threads at once."""

    def __init__(
        self,
        system: str,
        hosts: Sequence[str],
        *,
        private: Collection[Address] = (),
        timeout: timedelta = timedelta(seconds=60),
        largest: int = 16 << 20,
        resolver: Resolver = resolve,
        ca: str = "",
    ) -> None:
        """`ca` is a file of certificates (PEM) that are believed as well.

        Raises:
            OSError: it cannot be read.
        """
        self._system, self._hosts, self._private = system, tuple(hosts), frozenset(private)
        self._timeout, self._largest = timeout, largest
        self._ca = Path(ca).read_text() if ca else ""
        self._network = Network(private, resolver)
        self._pool: httpcore2.ConnectionPool | None = None

    def __repr__(self) -> str:
        return f"Transport({self._system!r})"

    def close(self) -> None:
        """Close idle connections. Afterwards it opens new ones when it is used."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def limit(self, within: timedelta) -> AbstractContextManager[None]:
        """Inside, whatever this thread sends and reads here ends by then."""
        return self._network.limit(within.total_seconds())

    def send(self, sent: Sent) -> Received:
        """Send, and read the answer whole.

        Raises:
            Retryable: the vendor cannot be reached, or the answer broke off. It may have done what was asked.
            NeedsHuman: an address that is not allowed, or an answer longer than any should be.
        """
        failure: ConnectorError
        try:
            with self._network.limit(self._timeout.total_seconds()), self._followed(sent) as response:
                body = bytearray()
                for chunk in _chunks(response):
                    body += chunk
                    if len(body) > self._largest:
                        raise _TooLargeError
                headers = _headers(response)
                return Received(response.status, headers, _plain(bytes(body), headers, self._largest))
        except _TROUBLE as error:
            failure = self._failure(error)
        # Out here, so that the library's own error does not hang on ours as its context: it may quote a value.
        raise failure

    def download(self, sent: Sent, within: timedelta) -> Iterator[Received | bytes]:
        """Send, and read the answer as it comes: first what is known of it, then its bytes as they are.

        Raises:
            Retryable, NeedsHuman: as of `send`.
        """
        failure: ConnectorError
        try:
            with self._network.limit(within.total_seconds()), self._followed(sent) as response:
                yield Received(response.status, _headers(response), b"")
                yield from _chunks(response)
            return
        except _TROUBLE as error:
            failure = self._failure(error)
        raise failure

    def _failure(self, error: Exception) -> ConnectorError:
        if isinstance(error, AddressRefusedError):
            return NeedsHuman(Code.ADDRESS, self._system)
        if isinstance(error, _TooLargeError):
            return NeedsHuman(Code.SHAPE, f"{self._system}: an answer of more than {self._largest} bytes")
        return Retryable(Code.UNREACHABLE, self._system)

    @contextmanager
    def _followed(self, sent: Sent) -> Iterator[httpcore2.Response]:
        """Send, and follow redirects."""
        home = urlsplit(sent.url)
        url = sent.url
        for _ in range(REDIRECTS + 1):
            target = self._checked(url)
            # An address may come from an answer: whose host only a pattern lists may be anybody's (*.amazonaws.com).
            known = target.hostname in self._hosts and (target.scheme, target.netloc) == (home.scheme, home.netloc)
            headers = {
                "accept": "application/json",
                "accept-encoding": "identity",
                "user-agent": "habeas",
                **sent.headers,
                **(sent.credentials if known else {}),
            }
            with self._opened().stream(
                sent.method,
                url,
                headers=[(name.encode(), value.encode("ascii")) for name, value in headers.items()],
                content=sent.body,
                extensions={"timeout": self._timeouts()},
            ) as response:
                location = _headers(response).get("location", "")
                if response.status not in {301, 302, 303, 307, 308} or not location:
                    yield response
                    return
                if sent.method != "GET":
                    raise AddressRefusedError
                url = urljoin(url, location)
        raise AddressRefusedError

    def _checked(self, url: str) -> SplitResult:
        """An address with a listed host, over TLS unless it is a private address that the operator lists."""
        try:
            target = urlsplit(url)
            host, port = target.hostname or "", target.port
        except ValueError:
            raise AddressRefusedError from None
        if not any(fnmatchcase(host, pattern) for pattern in self._hosts) or "@" in target.netloc:
            raise AddressRefusedError
        if target.scheme == "http" and self._listed(host, port or 80):
            return target
        if target.scheme != "https":
            raise AddressRefusedError
        return target

    def _listed(self, host: str, port: int) -> bool:
        """Whether all that a host leads to is private and listed."""
        try:
            addresses = [ip_address(host)]
        except ValueError:
            try:
                addresses = self._network.resolved(host, port)
            except OSError:
                return False
        return bool(addresses) and all(address in self._private for address in addresses)

    def _opened(self) -> httpcore2.ConnectionPool:
        if self._pool is None:
            self._pool = httpcore2.ConnectionPool(
                ssl_context=_trust(self._ca),
                max_connections=10,
                keepalive_expiry=5,
                network_backend=self._network,
            )
        return self._pool

    def _timeouts(self) -> dict[str, float]:
        seconds = self._timeout.total_seconds()
        return {"connect": min(CONNECT_S, seconds), "read": seconds, "write": seconds, "pool": seconds}


@cache
def _trust(ca: str) -> ssl.SSLContext:
    """Whom to believe, and `ca` (PEM) as well: made once, since a hundred certificates are read for it."""
    trust = httpx2.create_ssl_context(trust_env=False)
    if ca:
        trust.load_verify_locations(cadata=ca)
    return trust


def _chunks(response: httpcore2.Response) -> Iterator[bytes]:
    assert isinstance(response.stream, Iterable)  # noqa: S101 - the sync pool gives no other
    return iter(response.stream)


def _headers(response: httpcore2.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


def _plain(body: bytes, headers: Mapping[str, str], largest: int) -> bytes:
    """The body unpacked, if the vendor packs what it was asked to send plainly; never more than the limit of it."""
    if headers.get("content-encoding", "identity").lower() != "gzip":
        return body
    unpacker = zlib.decompressobj(wbits=31)
    plain = unpacker.decompress(body, largest + 1)
    if len(plain) > largest:
        raise _TooLargeError
    if not unpacker.eof:
        raise zlib.error("cut off")
    return plain
