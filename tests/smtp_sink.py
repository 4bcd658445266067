"""A mail server of the tests' own, with STARTTLS, that behaves or misbehaves as it is told.

The one rule: what it has taken on stands in `taken`, byte by byte; it delivers nothing to anybody.
"""

from __future__ import annotations

import gc
import ssl
import tempfile
import warnings
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from starter.stack import HOST, free_port
from tests.certificates import certify


@dataclass(frozen=True)
class Taken:
    """A mail that the server has taken on."""

    sender: str
    to: tuple[str, ...]
    raw: bytes
    encrypted: bool

    @property
    def mail(self) -> EmailMessage:
        """Parsed."""
        return message_from_bytes(self.raw, policy=default)


@dataclass
class Sink:
    """Use it in a `with` block."""

    encrypts: bool = True
    replies: dict[str, str] = field(default_factory=dict)
    """What it says to RCPT, by address."""
    at_the_end: list[str] = field(default_factory=list)
    """What it says behind the text, mail by mail; ``hang up`` after taking the mail on, ``drop`` without."""
    greets_senders_with: str = ""
    """What it says to MAIL, where it wants nothing of them."""
    taken: list[Taken] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="habeas-sink-")
        self.certificate = Path(self._folder.name) / "cert.pem"
        certify(self.certificate.parent)
        self.port = free_port()

    def __enter__(self) -> Self:
        context = None
        if self.encrypts:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.certificate, Path(self._folder.name) / "key.pem")
        self._controller = Controller(
            self, hostname=HOST, port=self.port, tls_context=context, require_starttls=self.encrypts
        )
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
        # A client that was killed leaves a connection that aiosmtpd does not close with its loop: it goes here, and not
        # in the middle of whatever test comes next.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        self._folder.cleanup()

    def to(self, address: str) -> list[Taken]:
        """What was taken on for one address."""
        return [one for one in self.taken if address in one.to]

    def forget(self) -> None:
        """Be as new: nothing taken on, and nothing told to say."""
        self.taken.clear()
        self.replies.clear()
        self.at_the_end.clear()

    # What aiosmtpd calls.

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.greets_senders_with:
            return self.greets_senders_with
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if reply := self.replies.get(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        reply = self.at_the_end.pop(0) if self.at_the_end else "250 taken"
        if reply.startswith(("2", "hang")):
            raw = envelope.original_content or b""
            self.taken.append(Taken(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw, session.ssl is not None))
        if reply in {"hang up", "drop"}:
            transport: Any = server.transport
            transport.abort()
        return reply
