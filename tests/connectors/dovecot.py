"""A Dovecot of one's own: the real IMAP server that the mailbox connector is tried on.

The one rule: what is started here is ended here, and nothing of the machine's own Dovecot is read or touched.
"""

import os
import pwd
import shutil
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from starter.stack import HOST, free_port
from starter.stack.child import Child, lock
from starter.stack.place import temporary
from starter.stack.server import Server
from tests.certificates import certify

PROGRAM = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
LACKING = (
    "Dovecot is not installed: apt-get install dovecot-imapd"
    if PROGRAM is None or not Path("/usr/lib/dovecot/imap").exists()
    else ""
    if os.geteuid() == 0
    else "Dovecot's login processes change their user, which takes root"
)
needs_dovecot = pytest.mark.skipif(bool(LACKING), reason=LACKING)

OPEN = "open"
OWNER = "mail"
"""The account of the machine that owns the messages; Dovecot refuses to let root own any."""

CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
protocols = imap
listen = {host}
ssl = yes
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
mail_location = maildir:{home}/mail/%u:LAYOUT=fs
mail_fsync = never
mail_max_userip_connections = 100
auth_failure_delay = 0
first_valid_uid = 1
mail_plugins = $mail_plugins {plugins}
protocol imap {{
  mail_plugins = $mail_plugins {imap_plugins}
}}
namespace inbox {{
  inbox = yes
  separator = /
  {namespace}
}}
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%u {home}/passwords/%u
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%u
}}
service imap-login {{
  service_count = 0
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap {{
  service_count = 1000
}}
{more}
"""


class Dovecot(Server):
    """A server whose accounts come into being by `account`."""

    title = "Dovecot"
    password = OPEN

    def __init__(self, *, plugins: str = "", imap_plugins: str = "", namespace: str = "", more: str = "") -> None:
        self.home = self._litter = temporary("habeas-dovecot-", in_memory=True)
        self.home.chmod(0o711)
        self.port, self.tls_port = free_port(), free_port()
        owner = pwd.getpwnam(OWNER)
        (self.home / "mail").mkdir()
        os.chown(self.home / "mail", owner.pw_uid, owner.pw_gid)
        certify(self.home)
        (self.home / "passwords").mkdir(mode=0o755)
        self.config = self.home / "dovecot.conf"
        values = {"home": self.home, "host": HOST, "port": self.port, "tls_port": self.tls_port}
        self.config.write_text(
            CONFIG.format(
                **values,
                uid=owner.pw_uid,
                gid=owner.pw_gid,
                plugins=plugins,
                imap_plugins=imap_plugins,
                namespace=namespace,
                more=more.replace("HOME", str(self.home)),
            )
        )

    @property
    def certificate(self) -> Path:
        """What a client has to trust."""
        return self.home / "cert.pem"

    @property
    def log(self) -> Path:
        return self.home / "child.log"

    @property
    def alive(self) -> bool:
        return self._child is not None

    def kill(self) -> None:
        """End the server and all its processes as a crash of the machine would (SIGKILL)."""
        children = psutil.Process(self.pid).children(recursive=True)
        super().kill()
        for child in children:
            if child.is_running():
                child.kill()
        psutil.wait_procs(children, timeout=5)
        (self.home / "run" / "master.pid").unlink(missing_ok=True)

    def _launched(self) -> Child:
        assert PROGRAM is not None
        with lock(self.home / "lock") as held:
            return Child(
                self.title,
                [PROGRAM, "-F", "-c", str(self.config)],
                log=self.log,
                lock=held,
                farewell=signal.SIGTERM,
                litter=self._litter,
                options={"cwd": self.home},
            )

    def account(self, user: str, password: str = OPEN) -> None:
        """Make an account, or change its password."""
        (self.home / "passwords" / user).write_text(f"{user}:{{plain}}{password}\n")
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(LoginError):
                self.login(user, password).shutdown()
                return
            time.sleep(0.05)  # it reads a file that it knows at most once a second
        raise AssertionError("the password is not taken")

    def login(self, user: str, password: str = OPEN) -> IMAPClient:
        """A back door: a client that has nothing to do with the connector."""
        client = IMAPClient(HOST, self.port, ssl=False, timeout=30)
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            client.login(user, password)
        except LoginError:
            client.shutdown()
            raise
        client.normalise_times = False
        return client

    def folder(self, user: str, name: str) -> Path:
        """Where the messages of a folder lie."""
        root = self.home / "mail" / user
        return root if name == "INBOX" else root.joinpath(*name.split("/"))

    def _answers(self) -> bool:
        try:
            client = IMAPClient(HOST, self.port, ssl=False, timeout=2)
        except OSError:
            return False
        client.shutdown()
        return True
