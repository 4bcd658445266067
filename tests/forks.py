"""Workers forked from a process that has loaded their modules: some 0.1 CPU-seconds each in place of 1.5.

The rule kept: each is a process of its own with its own environment, directory and log, that can be frozen and killed;
nothing but modules is shared. What is to find other modules than these (a `PYTHONPATH`) is started, not forked.
"""

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["worker"])


class Running(Protocol):
    """A process as a test sees it."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def returncode(self) -> int | None:
        """How it ended, once somebody has looked; below 0: by which signal."""

    def poll(self) -> int | None:
        """Look: how it has ended; None while it lives."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends; how it did.

        Raises:
            subprocess.TimeoutExpired: it has not.
        """

    def send_signal(self, sig: int) -> None:
        """Send it a signal, if it lives."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Fork:
    """One of them, with the words of `subprocess.Popen`."""

    def __init__(self, module: str, cwd: Path, environment: Mapping[str, str], log: Path) -> None:
        self._process = _CONTEXT.Process(target=_live, args=(module, cwd, dict(environment), log), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _live(module: str, cwd: Path, environment: dict[str, str], log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(written, sys.stdout.fileno())
    os.dup2(written, sys.stderr.fileno())
    # Imported here: it reads its environment.
    try:
        importlib.import_module(module).main()
    except Exception:  # noqa: BLE001 - whatever it is
        # As an interpreter of its own would: the hook is part of what a worker sets up.
        sys.excepthook(*sys.exc_info())
        os._exit(1)
