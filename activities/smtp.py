"""One login to a mail server, and a letter handed over so that it is known what became of it.

The one rule: the text leaves only after the caller has noted that it is about to, and whatever the server then fails to
say leaves the letter unsure: it is never taken for sent, and never for not sent.
"""

import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self

from rights.codes import Code

TIMEOUT_S: Final = 60
"""A server that scans mail before it answers takes some ten seconds; a dead one must not hold a worker for long."""
_FATAL: Final = 500
_ADDRESS: Final = re.compile(r"""[^\s<>(),;:\\"\[\]@\x00-\x1f\x7f]{1,64}@[^\s<>(),;:\\"\[\]@\x00-\x1f\x7f]{1,253}\Z""")
_LONE_EOL: Final = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT: Final = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed in, and from whom they come."""

    host: str
    port: int
    sender: str
    """The address that letters come from and are answered to."""
    name: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    returns: str = ""
    """The address that delivery reports go to; empty for the sender's."""
    copy_to: str = ""
    """An address of the deployment's own that gets each mail too, unseen: the proof that it went out."""
    ca_file: str = ""
    clear: bool = False
    """No TLS: only to a server on this very machine."""

    @property
    def domain(self) -> str:
        """What stands behind the @ of a Message-ID."""
        return self.sender.rpartition("@")[2]


class MailTrouble(Exception):
    """A code says what; no text of the server's, which may quote an address."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code: Final = code


class Unavailable(MailTrouble):
    """The server takes nothing from anybody for now, or not from us."""


class PutOff(MailTrouble):
    """Not this letter, not now: 4xx, with its status."""


class Refused(MailTrouble):
    """Not this letter: 5xx, with its status, or an address that is none."""


class Unsure(MailTrouble):
    """The text was on its way when the line went dead."""


class Stopped(MailTrouble):
    """The caller has taken it back before the text left."""


def deliverable(address: str) -> bool:
    """Whether this can stand in an envelope: one address and nothing else."""
    return bool(_ADDRESS.match(address)) and len(address) <= 254


def loopback(host: str) -> bool:
    """Whether a host is this very machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Session:
    """A login. Use it in a `with` block."""

    def __init__(self, server: MailServer) -> None:
        """Connect, encrypt, log in.

        Raises:
            Unavailable: it does not answer, offers no STARTTLS, shows a wrong certificate, or refuses the login.
        """
        self._server = server
        self._smtp = _log_in(server)
        self._clean = True
        """Nothing is left of a mail that was not taken on, so there is nothing to reset."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(smtplib.SMTPException, OSError):
            if kind is None:
                self._smtp.quit()
        self._smtp.close()

    def hand_over(self, to: str, text: bytes, note: Callable[[], bool]) -> None:
        """Give the server one mail. `note` is asked when it is ready for the text; False takes the mail back.

        Raises:
            Refused, PutOff: the server has said so; it has not got the mail.
            Stopped: `note` has said no.
            Unsure: it may have the mail or not.
            Unavailable: the line went dead before the text left, or the server will not copy to us.
        """
        if not deliverable(to):
            raise Refused(Code.ADDRESS)
        self._address(to)
        self._said(354, *self._ask(lambda: self._smtp.docmd("DATA")))
        if not note():
            # There is no way back from DATA but to hang up; the server keeps nothing then (RFC 5321 3.3).
            self._smtp.close()
            raise Stopped("stopped")
        self._give(text)

    def _address(self, to: str) -> None:
        server, smtp = self._server, self._smtp
        options: tuple[str, ...] = ()
        if not to.isascii():
            if not smtp.has_extn("smtputf8"):
                raise Refused("utf8")
            options = ("SMTPUTF8", "BODY=8BITMIME")
        if not self._clean:
            self._ask(smtp.rset)
        self._clean = False
        code, _ = self._ask(lambda: smtp.mail(server.returns or server.sender, options))
        if code != 250:
            # Not this letter but us: no login, a sender that is not ours, too many at once.
            smtp.close()
            raise Unavailable(Code.CREDENTIALS if code >= _FATAL else Code.BUSY)
        self._said(250, *self._ask(lambda: smtp.rcpt(to)))
        if server.copy_to:
            code, _ = self._ask(lambda: smtp.rcpt(server.copy_to))
            if code not in {250, 251}:
                # Without the copy nobody could tell later whether the mail went out.
                raise Unavailable(Code.ADDRESS)

    def _give(self, text: bytes) -> None:
        lines = _LONE_EOL.sub(b"\r\n", text)
        body = _LEADING_DOT.sub(b"..", lines)
        if not body.endswith(b"\r\n"):
            body += b"\r\n"
        answer = -1, b""
        with suppress(smtplib.SMTPException, OSError):
            self._smtp.send(body + b".\r\n")
            answer = self._smtp.getreply()
        code, said = answer
        if not 200 <= code < 600:
            self._smtp.close()
            raise Unsure(Code.UNREACHABLE)
        if code == 421:
            self._smtp.close()
            raise PutOff(_status(code, said))
        self._said(250, code, said)
        self._clean = True

    def _said(self, wanted: int, code: int, said: bytes) -> None:
        """Raise what an answer means that is not the one wanted."""
        if code in {wanted, 251 if wanted == 250 else wanted}:
            return
        if code == 421 or code <= 0:
            self._smtp.close()
            raise Unavailable(Code.BUSY)
        raise (Refused if code >= _FATAL else PutOff)(_status(code, said))

    def _ask(self, act: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
        """Give a command before the text has left: if the line is dead, nothing was sent."""
        try:
            return act()
        except (smtplib.SMTPException, OSError):
            pass
        raise Unavailable(Code.UNREACHABLE)


def _log_in(server: MailServer) -> smtplib.SMTP:
    """Connect, encrypt, log in; the code of an error says how far it got."""
    smtp, code = None, Code.UNREACHABLE
    try:
        smtp = smtplib.SMTP(server.host, server.port, local_hostname=server.domain, timeout=TIMEOUT_S)
        if not (server.clear and loopback(server.host)):
            code = Code.CREDENTIALS
            smtp.starttls(context=ssl.create_default_context(cafile=server.ca_file or None))
        if server.user:
            code = Code.CREDENTIALS
            smtp.login(server.user, server.password)
        smtp.ehlo_or_helo_if_needed()
        return smtp
    except (smtplib.SMTPServerDisconnected, TimeoutError, ConnectionError):
        code = Code.UNREACHABLE
    except (smtplib.SMTPException, OSError):
        pass
    if smtp is not None:
        smtp.close()
    # Out here, so that the driver's own error, which may quote a login, does not hang on ours.
    raise Unavailable(code)


def _status(code: int, said: bytes) -> str:
    """The enhanced status (RFC 3463), or the reply code: digits alone."""
    found = re.match(rb"([245]\.\d{1,3}\.\d{1,3})\b", said)
    return found[1].decode() if found else str(code)
