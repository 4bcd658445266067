"""`habeas dev`: the whole engine on this machine, with state that survives a restart and a kill -9.

The one rule: its state is one directory; deleting that while nothing runs is the way to start anew.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

from rights.mapfile import MapErrors, read_map
from starter.company import Company
from starter.company.letters import ACCOUNT
from starter.local import ATTRIBUTES, Local
from starter.show import Cell, Page, out
from starter.stack import Mail, Objects, People, Postgres, StackError, Temporal, Vendors, free_port, state_dir
from starter.stack.child import HANDOVER_LIMIT_S, lock
from starter.stack.ports import claim, is_free

CALM: Final = 60.0
"""Seconds that a program must have run for its next restart to come at once."""
SLOWEST: Final = 30.0
"""Seconds between restarts of a program that keeps ending, at most."""
_PORTS: Final = ("postgres", "temporal", "temporal_ui", "health", "mail", "smtp", "objects", "vendors", "people", "api")
EVERY: Final = "15s"
"""How often the vendors' stand-in is asked how its work stands: days may pass before somebody moves its clock."""


def run(*, api: bool) -> None:
    """Run until Ctrl-C or SIGTERM; with the HTTP API, if it is wanted.

    Raises:
        StackError: a server or the worker cannot be started; the text says which and what to do.
    """
    home = state_dir()
    home.mkdir(parents=True, exist_ok=True)
    with lock(home / "lock"):
        _refuse_old(home)
        _run(home, _ports(home / "ports.json"), api=api)


def _refuse_old(home: Path) -> None:
    """See that the maps of last time can still be read: they are the person's to change, and are not written anew.

    Raises:
        StackError: they cannot; the text says what is wrong, and which directory to remove.
    """
    maps = sorted((home / "deployment" / "maps").glob("*.yaml"))
    if not maps:
        return
    try:
        read_map({str(path): path.read_text() for path in maps})
    except MapErrors as errors:
        more = f" (and {len(errors.errors) - 1} more)" if len(errors.errors) > 1 else ""
        raise StackError(
            f"what is kept here from before has maps that do not fit this version: {errors.errors[0]}{more}. "
            f"Correct that, or remove the directory {home} to start anew, with all that was tried there, "
            "or set HABEAS_STATE to another one."
        ) from None


def _run(home: Path, ports: dict[str, int], *, api: bool) -> None:
    company = Company(
        Mail(port=ports["mail"], smtp_port=ports["smtp"]),
        Objects(home / "objects", port=ports["objects"]),
        Vendors(home / "vendors", port=ports["vendors"]),
        every=EVERY,
    )
    local = Local(
        home / "deployment",
        Postgres(home / "postgres", port=ports["postgres"]),
        Temporal(
            home / "temporal.db",
            port=ports["temporal"],
            ui=True,
            ui_port=ports["temporal_ui"],
            search_attributes=ATTRIBUTES,
        ),
        environment="dev",
        mode="approve",
        company=company,
        health_port=ports["health"],
        people=People(port=ports["people"]),
        api_port=ports["api"],
    )
    out(
        Page().line(
            "starting PostgreSQL, an object store, a mail server, two vendors' stand-ins, Temporal, a worker"
            f"{' and the API' if api else ''} ..."
        )
    )
    with _stoppable(), local:
        kept = [_Kept("worker", local.worker_log, lambda: local.worker_alive, local.start_worker)]
        if api:
            local.start_api()
            kept.append(_Kept("API", local.api_log, lambda: local.api_alive, local.start_api))
        out(_welcome(local, company.vendors, api=api))
        while True:
            time.sleep(0.5)
            for one in kept:
                one.see_to()


def _ports(path: Path) -> dict[str, int]:
    """The ports of last time, so that addresses stay the same; another one where somebody else has taken one since."""
    ports: dict[str, int] = {}
    with suppress(OSError, ValueError, TypeError, AttributeError):
        ports = {name: int(port) for name, port in json.loads(path.read_text()).items()}
    # Servers of a run that was killed just now are on their way out.
    until = time.monotonic() + HANDOVER_LIMIT_S
    while not all(map(is_free, ports.values())) and time.monotonic() < until:
        time.sleep(0.1)
    for name in _PORTS:
        taken = name in ports and not claim(ports[name])
        if taken:
            out(Page().line(Cell(f"port {ports[name]} is taken by another program: {name} gets another one", "warn")))
        while name not in ports or taken:
            port = free_port()
            taken = port in ports.values()
            ports[name] = port
    path.write_text(json.dumps(ports))
    return ports


class _Stop(Exception):
    """Somebody asked it to stop."""


@contextmanager
def _stoppable() -> Iterator[None]:
    """End quietly on Ctrl-C and SIGTERM."""

    def stop(number: int, frame: FrameType | None) -> None:
        # Once is enough: a second one would cut the clean end short.
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        raise _Stop

    before = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except _Stop:
        out(Page().line(Cell("stopped; the state is kept", "good")))
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


class _Kept:
    """A program that is started again whenever it ends, sooner or later by how long it has run."""

    def __init__(self, name: str, log: Path, alive: Callable[[], bool], start: Callable[[], None]) -> None:
        self._name, self._log, self._alive, self._start = name, log, alive, start
        self._pause, self._started = 1.0, time.monotonic()
        self._again: float | None = None

    def see_to(self) -> None:
        """Start it again if it has ended and its pause is over."""
        now = time.monotonic()
        if self._again is None:
            if not self._alive():
                self._pause = 1.0 if now - self._started > CALM else min(self._pause * 2, SLOWEST)
                self._again = now + self._pause
                words = f"the {self._name} has ended; it is started again in {self._pause:.0f} s ({self._log})"
                out(Page().line(Cell(words, "warn")))
        elif now >= self._again:
            self._again, self._started = None, now
            try:
                self._start()
            except StackError as error:
                out(Page().line(Cell(str(error), "bad")))
            else:
                out(Page().line(Cell(f"the {self._name} runs again", "good")))


def _welcome(local: Local, vendors: Vendors, *, api: bool) -> Page:
    here = f"habeas -C {local.home}"
    page = Page().heading(Cell("Habeas runs on this machine, until Ctrl-C", "good"))
    shown = [
        ("Temporal UI", local.temporal.ui_url),
        ("settings and maps", str(local.home)),
        ("worker's log", str(local.worker_log)),
        ("health", f"http://127.0.0.1:{local.health_port}/readyz"),
    ]
    if api:
        shown += [
            ("API", f"{local.api_url}/v1, described in {local.api_url}/openapi.json"),
            ("sign in", f"{local.api_url}/signin"),
            ("API's log", str(local.api_log)),
        ]
    page.pairs(shown)
    page.heading("Try it from another terminal")
    move = f"curl {vendors.base}/_control/clock -d"
    for line in (
        f"echo email=umut.ulrich@example.org | {here} request open access --identities - --confirmed-by desk",
        f"echo email=hugo.ivanov@example.org | {here} request open erasure --identities - --confirmed-by desk",
        f"{here} request list",
        f"""{move} '{{"advance": "P1D"}}'    # a day passes at the vendors: an export is made there""",
        f"""{move} '{{"advance": "P30D"}}'   # a month: a deletion is carried out""",
    ):
        page.line(line, indent=2)
    page.line(
        "Amplitude and Mailchimp are stand-ins on this machine. What takes a vendor days is done once its clock was "
        f"moved, as the last lines do; it is asked for every {EVERY.removesuffix('s')} seconds."
    )
    page.line(
        ("To sign in at the API, open" if api else f"For the HTTP API run {here} api, then open")
        + f" {local.api_url}/signin: one made-up member of staff per role signs in by a click, at a stand-in for an "
        "OpenID provider that runs here alone. docs/api.md has the calls."
    )
    page.line(
        f"Everything survives a restart and a kill -9 but the mailbox {ACCOUNT}, which its server has in memory: it "
        "starts with the same letters each time, those of people who were erased too."
    )
    return page
