"""A MariaDB of one's own: the real server that the SQL connector is tried on.

The one rule: what is started here is ended here, and nothing of the machine's own MariaDB is read or touched.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pymysql
import pytest

from starter.stack import HOST, free_port
from starter.stack.child import Child, lock
from starter.stack.place import temporary
from starter.stack.server import Server

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
PROGRAM = shutil.which("mariadbd", path=_PATH)
INSTALL = shutil.which("mariadb-install-db", path=_PATH)
LACKING = (
    "" if PROGRAM and INSTALL else "MariaDB is not installed: apt-get install mariadb-server-core mariadb-client-core"
)
needs_mariadb = pytest.mark.skipif(bool(LACKING), reason=LACKING)


class MariaDBServer(Server):
    """A server in which root needs no password; it listens on loopback alone.

    `settings` are further server parameters. It survives a kill; `durable=False` trades safety against a power cut
    for speed.
    """

    title = "MariaDB"

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self.home = self._litter = temporary("habeas-mariadb-", in_memory=not durable)
        self.port = free_port()
        self._settings = {
            "innodb-flush-log-at-trx-commit": "1" if durable else "0",
            "innodb-buffer-pool-size": "64M",
            "innodb-log-file-size": "16M",
            "performance-schema": "OFF",
            "skip-name-resolve": "ON",
            **(settings or {}),
        }

    @property
    def log(self) -> Path:
        return self.home / "mariadb.log"

    def _launched(self) -> Child:
        assert PROGRAM is not None
        assert INSTALL is not None
        owner = [] if os.geteuid() else ["--user=root"]
        data = self.home / "data"
        with lock(self.home / "lock") as held:
            if not data.exists():
                subprocess.run(
                    [
                        *(INSTALL, "--no-defaults", f"--datadir={data}", *owner),
                        *("--auth-root-authentication-method=normal", "--skip-test-db"),
                    ],
                    check=True,
                    capture_output=True,
                )
            parameters = [f"--{name}={value}" for name, value in self._settings.items()]
            return Child(
                self.title,
                [
                    *(PROGRAM, "--no-defaults", *owner, f"--datadir={data}", f"--socket={self.home}/socket"),
                    f"--tmpdir={self.home}",
                    *(f"--port={self.port}", f"--bind-address={HOST}", f"--pid-file={self.home}/pid", *parameters),
                ],
                log=self.log,
                lock=held,
                farewell=signal.SIGTERM,
                litter=self._litter,
                options={"cwd": self.home},
            )

    def door(self, database: str | None = None) -> "pymysql.Connection[Any]":
        """A back door: a client that has nothing to do with the connector."""
        return pymysql.connect(
            host=HOST, port=self.port, user="root", database=database, charset="utf8mb4", autocommit=True
        )

    def create_database(self, name: str) -> None:
        with self.door() as door, door.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")

    def drop_database(self, name: str) -> None:
        with self.door() as door, door.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [name])
            for (number,) in cursor.fetchall():
                try:
                    cursor.execute(f"KILL {number}")
                except pymysql.err.OperationalError:
                    continue  # it ended by itself
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def _answers(self) -> bool:
        try:
            self.door().close()
        except pymysql.err.OperationalError:
            return False
        return True
