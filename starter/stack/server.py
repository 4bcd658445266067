"""What the servers have in common: one child process, started, waited for, and ended.

The one rule: whoever starts a server ends it, and a start on what an earlier one left is a start like any other.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from starter.stack.child import Child, started


class Server(ABC):
    """One server of one's own, on loopback. As a context it is started, and closed at the end."""

    title: ClassVar[str]
    """What messages call it."""
    _litter: Path | None
    """What is removed when it is closed."""
    _child: Child | None = None

    @property
    def pid(self) -> int:
        """The server's process id; of several processes, the first one's."""
        return started(self._child, self.title).pid

    @property
    @abstractmethod
    def log(self) -> Path:
        """The server's log."""

    def start(self) -> None:
        """Start, on the same ports each time, and return once the server answers; no effect when it runs."""
        if self._child is not None and self._child.alive:
            return
        self.stop()  # what is left of one that ended by itself
        self._child = self._launched()
        self._child.wait_until(self._answers)

    def stop(self) -> None:
        """Shut down, ending open sessions; no effect when not running."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def kill(self) -> None:
        """End the server as a crash of the machine would (SIGKILL)."""
        started(self._child, self.title).crash()
        self._child = None

    def close(self) -> None:
        """Stop, and remove what is not to outlive it."""
        self.stop()
        if self._litter:
            shutil.rmtree(self._litter, ignore_errors=True)

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

    @abstractmethod
    def _launched(self) -> Child:
        """The process, which need not answer yet."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it is ready for whoever wants something of it."""
