"""The fake as a process of one's own, and the handle on its controls.

The rule kept: it listens on loopback, and is ended by whoever started it.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from starter.stack.child import HOST, Child, StackError, lock, missing
from starter.stack.place import temporary
from starter.stack.ports import free_port
from starter.stack.server import Server

# Thousands of people take some seconds to seed.
CONTROL_LIMIT_S: Final = 60.0


class Vendors(Server):
    """The vendors of a made-up shop.

    `home` holds state and log and survives a restart and a kill -9; without it everything is in memory
    and gone after `close`. `people` of the demo's shop are known to all vendors at first.
    """

    title = "The vendors' fake"

    def __init__(self, home: Path | None = None, *, port: int | None = None, people: int = 0) -> None:
        self._litter = None if home else temporary("habeas-vendors-")
        self.home = (home or self._litter or Path()).absolute()
        self.port: Final = port or free_port()
        self._keep, self._people = home is not None, people

    @property
    def log(self) -> Path:
        """The server's log: its life only."""
        return self.home / "vendors.log"

    @property
    def base(self) -> str:
        """The address that stands for all vendors' hosts; a vendor's own is `url(name)`."""
        return f"http://{HOST}:{self.port}"

    def url(self, vendor: str) -> str:
        """The address that stands for a vendor's host, without a slash at its end."""
        return f"{self.base}/{vendor}"

    def _launched(self) -> Child:
        """Goes on from the saved state if there is one."""
        for distribution in ("starlette", "uvicorn"):
            if importlib.util.find_spec(distribution) is None:
                raise missing(distribution)
        self.home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "starter.stack.vendors.server", "--port", str(self.port)]
        command += ["--people", str(self._people)]
        command += ["--state", str(self.home / "vendors.json")] if self._keep else []
        with lock(self.home / "vendors.lock") as held:
            return Child(
                self.title,
                command,
                log=self.log,
                lock=held,
                farewell=signal.SIGTERM,
                litter=self._litter,
                options={},
            )

    # Controls

    def advance(self, by: str) -> str:
        """Move the vendors' clock on by an ISO duration such as P30D; returns its new time."""
        return str(self.control("POST", "clock", {"advance": by})["now"])

    @property
    def now(self) -> datetime:
        """The time at the vendors, in UTC."""
        return datetime.fromisoformat(self.control("GET", "clock")["now"])

    def freeze(self, frozen: bool = True) -> None:
        """Make the vendors' clock stand still, or run again."""
        self.control("POST", "clock", {"frozen": frozen})

    def fault(self, vendor: str, kind: str, operation: str = "*", **more: Any) -> None:
        """Let something go wrong; the kinds and further fields are those of `faults.Fault`."""
        self.control("POST", "faults", {"vendor": vendor, "kind": kind, "operation": operation, **more})

    def call_back(self, **urls: str) -> None:
        """Let a vendor send its events to an address, e.g. stripe="http://127.0.0.1:8000/"; others fall silent."""
        self.control("POST", "callbacks", urls)

    def clear_faults(self) -> None:
        """Nothing goes wrong any more."""
        self.control("DELETE", "faults")

    def seed(self, people: Sequence[Mapping[str, Any]], vendors: Sequence[str] | None = None) -> dict[str, int]:
        """Add people (see `seeding.completed` for the keys); returns how many each vendor took."""
        body: dict[str, Any] = {"people": list(people), "vendors": vendors and list(vendors)}
        return dict(self.control("POST", "seed", body))

    def reset(self, people: int = 0) -> None:
        """Begin anew, as `start` without a saved state does, but in the same process."""
        self.control("POST", "reset")
        if people:
            self.control("POST", "seed", {"count": people})

    def dump(self, vendor: str) -> dict[str, Any]:
        """The vendor's state, by the back door."""
        return dict(self.control("GET", f"dump?{urlencode({'vendor': vendor})}"))

    def traffic(self, vendor: str | None = None, operation: str | None = None) -> list[dict[str, Any]]:
        """Every request seen, oldest first: `worked` says whether the vendor did what was asked."""
        wanted = {"vendor": vendor, "operation": operation}
        return list(self.control("GET", "traffic?" + urlencode({k: v for k, v in wanted.items() if v})))

    def clear_traffic(self) -> None:
        """Forget the requests seen."""
        self.control("DELETE", "traffic")

    def credentials(self) -> dict[str, Any]:
        """What lets a client in, by vendor."""
        return dict(self.control("GET", "credentials"))

    def control(self, method: str, path: str, body: object = None) -> Any:
        """One call of the controls.

        Raises:
            StackError: it refused; the text is its own.
        """
        data = None if body is None else orjson.dumps(body)
        request = urllib.request.Request(f"{self.base}/_control/{path}", data, method=method)  # noqa: S310 - ours
        try:
            with urllib.request.urlopen(request, timeout=CONTROL_LIMIT_S) as answer:  # noqa: S310
                return orjson.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise StackError(f"The vendors' fake refused: {error.read().decode()}") from None

    def _answers(self) -> bool:
        try:
            return bool(self.control("GET", "health")["ok"])
        except OSError:
            return False
