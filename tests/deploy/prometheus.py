"""A Prometheus server of Debian's package: what it makes of what is told to it."""

from __future__ import annotations

import json
import shutil
import signal
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from starter.stack import HOST, free_port
from starter.stack.child import Child, lock
from starter.stack.place import temporary
from starter.stack.server import Server

PROGRAM = shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(PROGRAM is None, reason="no Prometheus here: apt-get install prometheus")


class Prometheus(Server):
    """A server that asks some ports of this machine every other second, and weighs some rules each second."""

    title = "Prometheus"

    def __init__(self, rules: Path, ports: Sequence[int]) -> None:
        self.home = self._litter = temporary("habeas-prometheus-", in_memory=True)
        self.port = free_port()
        settings = {
            "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [
                {"job_name": "habeas", "static_configs": [{"targets": [f"{HOST}:{port}" for port in ports]}]}
            ],
        }
        # JSON is YAML.
        (self.home / "prometheus.yaml").write_text(json.dumps(settings))

    @property
    def log(self) -> Path:
        return self.home / "child.log"

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """What an expression is at this moment: each series' labels (`metric`) and `value`."""
        return list(self._get("query", query=expression)["result"])

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with its `state`, its `health` and its `lastError`."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def targets(self) -> dict[str, str]:
        """What went wrong when each port was last asked; empty where nothing did."""
        return {one["labels"]["instance"]: one["lastError"] for one in self._get("targets")["activeTargets"]}

    def _get(self, what: str, **words: str) -> dict[str, Any]:
        url = f"http://{HOST}:{self.port}/api/v1/{what}?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)["data"]
        return found

    def _launched(self) -> Child:
        assert PROGRAM is not None
        command = [
            PROGRAM,
            f"--config.file={self.home / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self.home / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
            "--log.level=warn",
        ]
        with lock(self.home / "lock") as held:
            return Child(
                self.title,
                command,
                log=self.log,
                lock=held,
                farewell=signal.SIGTERM,
                litter=self._litter,
                options={"cwd": self.home},
            )

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
