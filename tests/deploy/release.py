"""A release of Habeas as whoever runs it has it: a checkout, and its commands as processes.

The rule kept: nothing of a release is imported but by its own processes; two of them meet in the ledger and Temporal.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.forks import Running
from tests.world import ROOT, World

MANY = """
import json, sys
from starter.cli import app
for line in sys.stdin:
    try:
        app(json.loads(line))
    except SystemExit as end:
        if end.code:
            raise
"""
"""Commands in one process, since to start one takes seconds; their words are lines of JSON."""


@dataclass(frozen=True)
class Release:
    """One release at an installation."""

    world: World
    build: str
    tree: Path = ROOT
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings that are otherwise than the installation's; what is empty is not set."""

    @property
    def python(self) -> str:
        """Of its own environment if it has one; else of this one, whose packages it then runs with."""
        own = self.tree / ".venv" / "bin" / "python"
        return str(own) if own.exists() else sys.executable

    @property
    def environment(self) -> dict[str, str]:
        """What its processes are started with."""
        named = {**self.world.environment, "HABEAS_BUILD_ID": self.build, **self.settings}
        # Before the checkout that is installed in the environment.
        return {**os.environ, **{k: v for k, v in named.items() if v}, "PYTHONPATH": str(self.tree)}

    def habeas(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command, as an operator types it."""
        return self._run("-m", "starter.cli", *words)

    def done(self, *words: str) -> None:
        """A command that does what it is for."""
        said = self.habeas(*words)
        assert said.returncode == 0, said.stderr + self.world.log[-3000:]

    def many(self, commands: Iterable[Sequence[str]]) -> list[dict[str, object]]:
        """What many commands answer, each with `--json`."""
        said = self._run("-c", MANY, given="\n".join(json.dumps(words) for words in commands))
        assert said.returncode == 0, said.stderr + self.world.log[-3000:]
        return [json.loads(line) for line in said.stdout.splitlines()]

    def start_worker(self) -> Running:
        """Start a worker."""
        return self.world.run_worker([self.python, "-m", "starter.cli", "worker"], self.world.home, self.environment)

    def promote(self) -> None:
        """Have it serve, once its workers poll; whoever polls serves in a release that knows no versions."""
        if self.habeas("promote", "--help").returncode == 2:
            return
        until = time.monotonic() + 60
        while (done := self.habeas("promote")).returncode == 5 and time.monotonic() < until:
            time.sleep(0.5)
        assert done.returncode == 0, done.stderr + self.world.log[-3000:]

    def _run(self, *how: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, *how],
            cwd=self.world.home,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
