"""A development mail server: IMAP to read, SMTP to deliver, everything in memory.

The rule kept: it delivers to its own mailboxes alone, and what it holds ends with the process.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import smtplib
import socket
import sysconfig
from email.message import EmailMessage
from pathlib import Path
from typing import Final
from urllib.parse import quote

from imapclient import IMAPClient

from starter.stack.child import HOST, Child, lock, missing
from starter.stack.place import temporary
from starter.stack.ports import free_port
from starter.stack.server import Server


class Mail(Server):
    """A mail server of one's own. Every address that mail is sent to is an account, with the same random password.

    Its state is in memory: a server that is started again is empty.
    """

    title = "The mail server"

    def __init__(self, *, port: int | None = None, smtp_port: int | None = None) -> None:
        self._litter = self._home = temporary("habeas-mail-")
        self.port: Final = port or free_port()
        self.smtp_port: Final = smtp_port or free_port()
        self.password: Final = secrets.token_hex(16)

    @property
    def log(self) -> Path:
        """The server's log; it names addresses, so it lies in a directory for this user alone."""
        return self._home / "mail.log"

    def url(self, address: str) -> str:
        """What a data map's `connection` holds for an account, with `plaintext: true` in its options."""
        return f"imap://{quote(address, safe='')}:{self.password}@{HOST}:{self.port}"

    def login(self, address: str) -> IMAPClient:
        """A client that is logged in to an account, which comes into being by it."""
        client = IMAPClient(HOST, self.port, ssl=False, timeout=30)
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each APPEND waits 40 ms
        client.login(address, self.password)
        return client

    def send(self, message: EmailMessage) -> None:
        """Deliver a message to whoever it names."""
        with smtplib.SMTP(HOST, self.smtp_port, timeout=30) as smtp:
            smtp.send_message(message)

    def _launched(self) -> Child:
        with lock(self._home / "lock") as held:
            return Child(
                self.title,
                self._command(),
                log=self.log,
                lock=held,
                farewell=signal.SIGKILL,  # it keeps nothing that an orderly end could save
                litter=self._litter,
                options={"cwd": self._home, "env": {"MAIL_PASSWORD": self.password}},
            )

    def _command(self) -> list[str]:
        program = shutil.which("mail_devel", path=sysconfig.get_path("scripts"))
        if program is None:
            raise missing("mail-devel")
        command = [program, "--host", HOST, "--multi-user", "--no-http"]
        return [*command, "--imap-port", str(self.port), "--smtp-port", str(self.smtp_port)]

    def _answers(self) -> bool:
        try:
            IMAPClient(HOST, self.port, ssl=False, timeout=2).shutdown()
            with smtplib.SMTP(HOST, self.smtp_port, timeout=2):
                return True
        except (OSError, smtplib.SMTPException):
            return False
