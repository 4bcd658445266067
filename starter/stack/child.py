"""One server process: its start, its end, and the lock on its files.

The rule kept: a child never outlives the process that started it, and nothing else is signalled.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

HOST: Final = "127.0.0.1"

# Servers are up within a second or two; the rest is for crash recovery and a busy machine, on which
# half a minute was seen.
START_LIMIT_S: Final = 120.0
# PostgreSQL writes a checkpoint, Temporal drains its queues. Past this they are killed, and both
# survive that.
STOP_LIMIT_S: Final = 20.0
# How long an earlier server, told to end when its owner died, may still hold its files.
HANDOVER_LIMIT_S: Final = 10.0
POLL_S: Final = 0.02


class StackError(RuntimeError):
    """A server could not be found, started or reached; the text says which and what to do."""


# Run beside each server. Its standard input ends when the starter does, be it by a kill -9; the
# process file descriptor then names that one server, even if its number has been given away.
_WATCHER: Final = """
import select, shutil, signal, sys
server, farewell, patience, litter = *map(int, sys.argv[1:4]), sys.argv[4]
sys.stdin.buffer.read()
ended = select.poll()
ended.register(server, select.POLLIN)
for sign in (farewell, signal.SIGKILL):
    if not ended.poll(0):
        signal.pidfd_send_signal(server, sign)
        ended.poll(patience * 1000)
if litter:
    shutil.rmtree(litter, ignore_errors=True)
"""


class Child:
    """One server process, the watcher that ends it when this process dies, and its log."""

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        log: Path,
        lock: int,
        farewell: signal.Signals,
        litter: Path | None,
        options: Mapping[str, Any],
        patience: float = STOP_LIMIT_S,
    ) -> None:
        self._name, self._log, self._farewell, self._patience = name, log, farewell, patience
        log.touch(mode=0o600)
        self._log_start = log.stat().st_size
        with log.open("ab") as out:
            # A session of its own, so that Ctrl-C reaches the starter alone and it sets the order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
                **options,
            )
        self._watcher = self._watch(litter)
        atexit.register(self.end)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, answers: Callable[[], bool]) -> None:
        """Return once `answers()` is true; raise with the end of the log if that cannot be."""
        deadline = time.monotonic() + START_LIMIT_S
        while not (answers() and self.alive):
            if self.alive and time.monotonic() < deadline:
                time.sleep(POLL_S)
                continue
            code = self._process.poll()
            what = f"did not answer in {START_LIMIT_S:.0f} s" if code is None else f"ended ({code})"
            self.end()
            with self._log.open("rb") as log:
                log.seek(self._log_start)
                said = log.read().decode(errors="replace").strip().splitlines()[-5:]
            raise StackError(f"{self._name} {what}. Its last words: " + " / ".join(said))

    def end(self) -> None:
        """Ask the server to end, and see to it."""
        if self.alive:
            self._process.send_signal(self._farewell)
            try:
                self._process.wait(self._patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reap()

    def crash(self) -> None:
        """End the server by SIGKILL."""
        self._process.kill()
        self._reap()

    def _reap(self) -> None:
        self._process.wait()
        atexit.unregister(self.end)
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None

    def _watch(self, litter: Path | None) -> subprocess.Popen[bytes] | None:
        if not hasattr(os, "pidfd_open"):
            return None  # not Linux: only an orderly exit ends the server, through atexit
        server = os.pidfd_open(self._process.pid)
        words = [str(server), str(int(self._farewell)), str(int(self._patience)), str(litter or "")]
        try:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _WATCHER, *words],
                stdin=subprocess.PIPE,
                start_new_session=True,
                pass_fds=(server,),
            )
        finally:
            os.close(server)


@contextlib.contextmanager
def lock(path: Path) -> Iterator[int]:
    """Hold the file's lock; yields its descriptor.

    A server inherits it, children and all, so the lock is free only once every process that had
    the files open is gone, whoever started it. That is what makes a restart after a kill safe.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    deadline = time.monotonic() + HANDOVER_LIMIT_S
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StackError(
                        f"Another server is using {path.parent}. Stop the `habeas dev` that "
                        "started it, or set HABEAS_STATE to another directory."
                    ) from None
                time.sleep(POLL_S)
        yield descriptor
    finally:
        os.close(descriptor)


def started(child: Child | None, name: str) -> Child:
    if child is None:
        raise StackError(f"{name} is not running.")
    return child


def missing(distribution: str) -> StackError:
    return StackError(f"{distribution} is not installed. The local servers are an extra: pip install 'habeas[dev]'")
