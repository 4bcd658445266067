"""A whole deployment on this machine: servers, databases, settings, keys and a worker, in one directory.

The one rule: it is put together as a deployment is, with roles of least privilege and secrets in files of our own, and
is used through the public command line alone.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from psycopg.conninfo import conninfo_to_dict

from ledger import schema
from starter.company import Company
from starter.scaffold import private_parts
from starter.shop import ROLES, fill_shop, make_roles, map_text
from starter.stack import HOST, People, Postgres, StackError, Temporal, free_port
from starter.stack.child import Child, lock
from starter.stack.people import CLIENT, SECRET
from workflows.visibility import KEYS

DRAIN: Final = 10
"""Seconds that its activities get when it is told to end."""
ATTRIBUTES: Final = {key.name: "".join(part.title() for part in key.indexed_value_type.name.split("_")) for key in KEYS}
"""Temporal's search attributes by name, each with its type as the server's command line writes it."""


class Local:
    """Servers, a deployment's directory and its worker.

    The shop's database is its one system, unless it is given a `company`, whose systems join it."""

    def __init__(
        self,
        home: Path,
        postgres: Postgres,
        temporal: Temporal,
        *,
        environment: str,
        mode: str,
        company: Company | None = None,
        health_port: int | None = None,
        people: People | None = None,
        api_port: int | None = None,
    ) -> None:
        """`people` sign in at the API, which is set up with them, and started by whoever wants it (`start_api`)."""
        self.home, self.postgres, self.temporal, self.company = home, postgres, temporal, company
        self.people, self.api_port = people, api_port or free_port()
        self._environment, self._mode = environment, mode
        self.health_port: Final = health_port or free_port()
        self._worker: Child | None = None
        self._api: Child | None = None

    # The servers and what is in them.

    def start(self) -> None:
        """Start servers and worker, and make what is not there yet: files, roles, databases, tables, the shop.

        Returns once the worker is ready. What does not need each other is done side by side.

        Raises:
            StackError: a server or the worker cannot be started; the text says which and what to do.
        """
        self._write_files()
        with ThreadPoolExecutor(4) as together:
            others: list[Future[object]] = [together.submit(self.temporal.start)]
            if self.people:
                others.append(together.submit(self.people.start))
            company = together.submit(self._start_company)
            self.postgres.start()
            self._make_ledger()
            others.append(together.submit(fill_shop, self.postgres, environment=self._environment))
            company.result()  # the worker wants its secrets
            if self.company:
                others.append(together.submit(self.company.fill, self._environment))
            self.start_worker()
            for other in others:
                other.result()

    def _start_company(self) -> None:
        if self.company:
            self.company.start()
            for name, text in self.company.secrets().items():
                self._write_secret(name, text)

    def _make_ledger(self) -> None:
        """Roles with their secrets, and the ledger with its tables."""
        make_roles(self.postgres, {role: self._secret(f"{role}.password") for role in ROLES})
        for role, database in ROLES.items():
            self._write_secret(role, self._address(role, database))
        schema.upgrade((self.home / "secrets" / "habeas_ledger").read_text())

    def _write_files(self) -> None:
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        maps = self.home / "maps"
        maps.mkdir(exist_ok=True)
        texts = {"shop": map_text(self._mode)}
        if self.company:
            texts |= self.company.maps(self._environment, self._mode)
        for name, text in texts.items():
            if not (file := maps / f"{name}.yaml").exists():
                file.write_text(text)
        # The ports may be others than last time.
        (self.home / "secrets").mkdir(mode=0o700, exist_ok=True)
        (self.home / "habeas.toml").write_text(self._settings())
        private_parts(self.home)

    def _settings(self) -> str:
        return f"""# Written by habeas at each start of this local deployment.
environment = "{self._environment}"
ledger = "file:secrets/habeas_ledger"
keys = "file:keys"
checkpoints = "checkpoints.jsonl"
checkpoint_key = "file:checkpoint.pem"
parcels = "parcels"
maps = ["maps"]
backup_max_age_days = 35
temporal_address = "{self.temporal.address}"
temporal_ui = "{self.temporal.ui_url}"
health_port = {self.health_port}
drain_seconds = {DRAIN}
# So that a try takes seconds. A deployment leaves it at 72: the person is told, and can stop the erasure meanwhile.
cooling_off_hours = 0
log = "json"
{self._sign_in()}"""

    @property
    def api_url(self) -> str:
        """Where the API is once it was started; browsers keep its cookies without TLS for this name alone."""
        return f"http://localhost:{self.api_port}"

    def _sign_in(self) -> str:
        """The groups of settings by which made-up people sign in."""
        if self.people is None:
            return ""
        self._write_secret("people", SECRET)
        return f"""
[api]
url = "{self.api_url}"
port = {self.api_port}

[oidc]
issuer = "{self.people.issuer}"
client_id = "{CLIENT}"
client_secret = "file:secrets/people"
staff_claim = "staff_id"
"""

    def _secret(self, name: str) -> str:
        """A password that is made once."""
        path = self.home / "secrets" / name
        if not path.exists():
            self._write_secret(name, secrets.token_urlsafe(24))
        return path.read_text()

    def _write_secret(self, name: str, text: str) -> None:
        path = self.home / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(text)

    def _address(self, role: str, database: str) -> str:
        port = conninfo_to_dict(self.postgres.conninfo())["port"]
        return f"postgresql://{role}:{self._secret(f'{role}.password')}@{HOST}:{port}/{database}"

    # The command line, and the worker it starts.

    def habeas(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the public command in this deployment; `given` is its standard input."""
        return subprocess.run(
            [*command(), *arguments],
            cwd=self.home,
            env=environment(),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def worker_log(self) -> Path:
        """Where the worker's log goes."""
        return self.home / "worker.log"

    def start_worker(self) -> None:
        """Start the worker and return once it is ready.

        Raises:
            StackError: it ended, or was not ready in time; the text has its last words.
        """
        self._worker = self._program("The worker", "worker", self.worker_log)
        self._worker.wait_until(lambda: _answers(f"http://{HOST}:{self.health_port}/readyz"))

    @property
    def worker_alive(self) -> bool:
        """Whether the worker runs."""
        return self._worker is not None and self._worker.alive

    def stop_worker(self) -> None:
        """Let the worker drain and end."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    @property
    def api_log(self) -> Path:
        """Where the API's log goes."""
        return self.home / "api.log"

    def start_api(self) -> None:
        """Start the API, at which the made-up people sign in, and return once it answers.

        Raises:
            StackError: there is nobody to sign in, it ended, or it did not answer in time.
        """
        if self.people is None:
            raise StackError("the API of a local deployment is set up with the people who sign in there")
        self._api = self._program("The API", "api", self.api_log)
        self._api.wait_until(lambda: _answers(f"http://{HOST}:{self.api_port}/healthz"))

    @property
    def api_alive(self) -> bool:
        """Whether the API runs."""
        return self._api is not None and self._api.alive

    def _program(self, title: str, word: str, log: Path) -> Child:
        with lock(self.home / f"{word}.lock") as held:
            return Child(
                title,
                [*command(), word],
                log=log,
                lock=held,
                farewell=signal.SIGTERM,
                litter=None,
                options={"cwd": self.home, "env": environment()},
            )

    def close(self) -> None:
        """End the API and the worker, then the servers."""
        if self._api is not None:
            self._api.end()
            self._api = None
        self.stop_worker()
        for server in (self.temporal, self.company, self.people, self.postgres):
            if server is not None:
                with contextlib.suppress(StackError):
                    server.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            well: bool = answer.status == 200
    except (OSError, urllib.error.URLError):
        return False
    return well


def command() -> list[str]:
    """How the public command is run: the installed script, or the module where there is none."""
    script = Path(sys.executable).with_name("habeas")
    return [str(script)] if script.exists() else [sys.executable, "-m", "starter.cli"]


def environment() -> dict[str, str]:
    """Our environment without the person's own Habeas settings, which must not reach a local deployment."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HABEAS_")}
