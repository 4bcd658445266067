"""Putting something to one host, as it is read: what cannot be held in memory, to whom the operator has named.

The one rule: it goes to that host alone, over TLS, and to the certificate that was named. No redirect is followed,
whatever it says, and an answer that is too long is cut off.
"""

import hashlib
import ssl
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Final

import httpcore2
import httpx2

from connectors.errors import NeedsHuman, Retryable
from connectors.http.network import Address, AddressRefusedError, Network, Resolver, resolve
from rights.codes import Code

ANSWER_MOST: Final = 1 << 20
CONNECT_S: Final = 10
SILENCE_S: Final = 300
"""How long the other side may take to check what it was given before it answers."""


class _OtherCertificateError(Exception):
    """Not the certificate that was named."""


class Upload:
    """Puts things to one host. Use it as a context manager."""

    def __init__(
        self,
        about: str,
        *,
        ca: str = "",
        pin: str = "",
        private: Collection[str] = (),
        resolver: Resolver = resolve,
    ) -> None:
        addresses = frozenset(map(ip_address, private))
        self._about = about
        self._network = _Pinned(addresses, resolver, pin) if pin else Network(addresses, resolver)
        self._pool = httpcore2.ConnectionPool(ssl_context=_trust(ca, pin), network_backend=self._network)

    def __enter__(self) -> "Upload":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def put(
        self, url: str, pieces: Iterable[bytes], size: int, media_type: str, within: timedelta
    ) -> tuple[int, bytes]:
        """Put so many bytes; the status and the text of the answer.

        Raises:
            Retryable: the host cannot be reached, or broke off. It may have taken what was put.
            NeedsHuman: the address is not allowed, or the certificate is another one.
        """
        failure: Exception
        try:
            with (
                self._network.limit(within.total_seconds()),
                self._pool.stream(
                    "PUT",
                    url,
                    headers=[
                        (b"content-type", media_type.encode()),
                        (b"content-length", str(size).encode()),
                        (b"accept-encoding", b"identity"),
                        (b"user-agent", b"habeas"),
                    ],
                    content=iter(pieces),
                    extensions={
                        "timeout": {"connect": CONNECT_S, "read": SILENCE_S, "write": 60, "pool": CONNECT_S},
                    },
                ) as response,
            ):
                return response.status, _short(response)
        except (AddressRefusedError, _OtherCertificateError):
            failure = NeedsHuman(Code.ADDRESS, self._about)
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError):
            failure = Retryable(Code.UNREACHABLE, self._about)
        # Out here, so that the library's own error does not hang on ours as its context: it may quote a value.
        raise failure


class _Pinned(Network):
    """Speaks to a host only after its certificate was compared."""

    def __init__(self, private: Collection[Address], resolver: Resolver, pin: str) -> None:
        super().__init__(private, resolver)
        self._pin = pin

    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore2.NetworkStream:
        return _PinnedStream(super().connect_tcp(*args, **kwargs), self._pin)


class _PinnedStream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream, pin: str) -> None:
        self._inner, self._pin = inner, pin

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Raises:
        _OtherCertificateError: nothing was said to whoever this is.
        """
        stream = self._inner.start_tls(ssl_context, server_hostname, timeout)
        shown = stream.get_extra_info("ssl_object").getpeercert(True) or b""
        if hashlib.sha256(shown).hexdigest() != self._pin:
            stream.close()
            raise _OtherCertificateError
        return stream

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _trust(ca: str, pin: str) -> ssl.SSLContext:
    if pin:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Whose certificate it is, is told by the pin, before anything is said.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif ca:
        context = ssl.create_default_context(cafile=ca)
    else:
        context = httpx2.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _short(response: httpcore2.Response) -> bytes:
    body = bytearray()
    assert isinstance(response.stream, Iterable)  # noqa: S101 - the sync pool gives no other
    chunks: Iterator[bytes] = iter(response.stream)
    for chunk in chunks:
        body += chunk
        if len(body) > ANSWER_MOST:
            return b""
    return bytes(body)
