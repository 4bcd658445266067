"""Where an account is, and who asks for it.

The one rule: nothing crosses a network in clear. `imaps` is TLS from the first byte, `imap` is TLS by STARTTLS or not
at all; only a server on this very machine may be asked without, and only if the map says so.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote, urlsplit

_PORTS: Final = {"imaps": 993, "imap": 143}


@dataclass(frozen=True, slots=True)
class Account:
    """One account on one server."""

    host: str
    port: int
    user: str = field(repr=False)
    password: str = field(repr=False)
    implicit: bool
    """TLS from the first byte; else STARTTLS."""
    clear: bool = False
    """No TLS at all."""


def read_url(url: str, name: str, *, plaintext: bool) -> Account:
    """Take an address like imaps://user:password@host:993, with what is special in user and password %-encoded.

    Raises:
        ValueError: it is none; the text names the secret, and quotes nothing of it.
    """
    advice = f"connection: {name} is not of the form imaps://user:password@host:993"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(advice) from None
    if parts.scheme not in _PORTS or not parts.hostname or not parts.username or parts.password is None:
        raise ValueError(advice)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{advice}: %-encode what is special in user and password")
    clear = plaintext and parts.scheme == "imap"
    if clear and not _loopback(parts.hostname):
        raise ValueError(f"options: plaintext is for a server on this machine only: write imaps in {name}")
    return Account(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        user=unquote(parts.username),
        password=unquote(parts.password),
        implicit=parts.scheme == "imaps",
        clear=clear,
    )


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
