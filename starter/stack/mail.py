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
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from imapclient import IMAPClient

from starter.stack.child import HOST, Child, free_port, lock, missing, started
from starter.stack.place import temporary


class Mail:
    """A mail server of one's own. Every address that mail is sent to is an account, with the same random password.

    Its state is in memory: a server that is started again is empty.
    """

    def __init__(self, *, port: int | None = None, smtp_port: int | None = None) -> None:
        self._litter = temporary("habeas-mail-")
        self.port: Final = port or free_port()
        self.smtp_port: Final = smtp_port or free_port()
        self.password: Final = secrets.token_hex(16)
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        return started(self._child, "The mail server").pid

    @property
    def log(self) -> Path:
        """The server's log; it names addresses, so it lies in a directory for this user alone."""
        return self._litter / "mail.log"

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

    def start(self) -> None:
        """Start on the same ports each time, and return once the server answers."""
        if self._child is not None and self._child.alive:
            return
        self.stop()  # what is left of one that ended by itself
        with lock(self._litter / "lock") as held:
            self._child = Child(
                "The mail server",
                self._command(),
                log=self.log,
                lock=held,
                farewell=signal.SIGKILL,  # it keeps nothing that an orderly end could save
                litter=self._litter,
                options={"cwd": self._litter, "env": {"MAIL_PASSWORD": self.password}},
            )
        self._child.wait_until(self._answers)

    def stop(self) -> None:
        """Shut down; no effect when not running."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def kill(self) -> None:
        """End the server as a crash would (SIGKILL)."""
        started(self._child, "The mail server").crash()
        self._child = None

    def close(self) -> None:
        """Stop, and remove what the server left."""
        self.stop()
        shutil.rmtree(self._litter, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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
