"""`habeas demo`: an access and an erasure request for two people, on real servers, checked independently.

The one rule: everything goes through the public command line, and what the engine says is believed only after the
demo's own dump of the shop agrees.
"""

import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from ledger.ledger import Ledger
from ledger.standing import Standing
from rights.request import Right
from settings import Settings
from starter.demo import check
from starter.desk import now, open_ledger
from starter.exits import Exit, Failure
from starter.local import ATTRIBUTES, Local
from starter.pages import add_systems, concluded, show_page, waits_for
from starter.show import Cell, Page, day, minute, out, render, screen, working
from starter.stack import Postgres, Temporal
from starter.stack.place import temporary
from starter.watch import changes, live_page

ASKS_ACCESS: Final = "umut.ulrich@example.org"
ASKS_ERASURE: Final = "hugo.ivanov@example.org"
"""Two customers of the shop, by the address they would give; both have rows in all eight tables, and orders on both
sides of the ten years that tax law asks for."""
ROLE: Final = "support desk"
LIMIT: Final = 60.0
"""Seconds that the two requests may take; they take two."""
POLL: Final = 0.15


@dataclass(frozen=True)
class _Submitted:
    """A request, and the command that opened it."""

    right: Right
    id: str
    typed: str


def run(*, keep: bool = False) -> bool:
    """Run the demo; whether everything was as it should be.

    Raises:
        Failure: a command of the engine's failed.
        StackError: a server could not be started.
    """
    began = time.monotonic()
    place = temporary("habeas-demo-")
    out(Page().heading("Habeas demo: an access and an erasure request on real servers"))
    postgres = Postgres(durable=False)
    temporal = Temporal(ui=True, search_attributes=ATTRIBUTES)
    local = Local(place / "deployment", postgres, temporal, environment="demo", mode="auto")
    ok = False
    try:
        with working("starting PostgreSQL, Temporal and a worker"):
            local.start()
        ok = _story(local, place, began)
        if keep:
            with suppress(KeyboardInterrupt):
                _keep(local)
    finally:
        with working("stopping"):
            local.close()
        if ok:
            # The parcel stays to be looked at; the rest has done its work.
            shutil.rmtree(local.home, ignore_errors=True)
        else:
            out(Page().line(Cell(f"the worker's log and the settings are left in {local.home}", "quiet")))
    return ok


def _story(local: Local, place: Path, began: float) -> bool:
    _say(f"PostgreSQL, Temporal with its Web UI at {local.temporal.ui_url}, and a worker are up", began)
    with closing(check.connect(local.postgres.conninfo("shop"))) as shop:
        started = time.monotonic()
        with working("dumping the shop"):
            before = check.dump(shop)
        who = {Right.ACCESS: check.person(shop, ASKS_ACCESS), Right.ERASURE: check.person(shop, ASKS_ERASURE)}
        rows = sum(map(len, before.values()))
        _say(f"the shop has {len(before)} tables and {rows:,} rows; all of them are dumped", started)
        with _ledger(local) as ledger:
            with working("habeas request open"):
                submitted = _submit_both(local)
            out(_submissions(submitted))
            standings = _follow(ledger, submitted)
        with working("opening the parcel, dumping the shop again, comparing"), ThreadPoolExecutor(1) as aside:
            verifying = aside.submit(local.habeas, "ledger", "verify")
            parcel = _open_parcel(local, standings[Right.ACCESS], place / "parcel.zip")
            after = check.dump(shop)
            findings = list(_check(local, shop, who, before, after, parcel))
            verified = verifying.result()
    findings.append(check.Finding(verified.returncode == Exit.DONE, f"habeas ledger verify: {verified.stdout.strip()}"))
    for standing in standings.values():
        out(_summary(standing, parcel if standing.request.right is Right.ACCESS else None))
    out(_findings(findings))
    ok = all(finding.ok for finding in findings)
    out(_farewell(local, ok, time.monotonic() - began))
    return ok


@contextmanager
def _ledger(local: Local) -> Iterator[Ledger]:
    """The ledger, to look at while the requests run; nothing is written through it."""
    secrets = local.home / "secrets"
    settings = Settings(
        environment="demo",
        ledger=f"file:{secrets / 'habeas_ledger'}",
        keys=f"file:{local.home / 'keys'}",
        checkpoints=local.home / "checkpoints.jsonl",
        checkpoint_key=f"file:{local.home / 'checkpoint.pem'}",
        parcels=local.home / "parcels",
        maps=(local.home / "maps",),
        backup_max_age_days=35,
    )
    ledger = open_ledger(settings)
    try:
        yield ledger
    finally:
        ledger.close_connections()


# The requests.


def _submit_both(local: Local) -> list[_Submitted]:
    with ThreadPoolExecutor(2) as both:
        access = both.submit(_submit, local, Right.ACCESS, ASKS_ACCESS)
        erasure = both.submit(_submit, local, Right.ERASURE, ASKS_ERASURE)
        return [access.result(), erasure.result()]


def _submissions(submitted: Sequence[_Submitted]) -> Page:
    page = Page()
    for one in submitted:
        page.line(Cell(f"$ {one.typed}", "quiet"))
        page.line(f"{one.right} request {one.id}", indent=2)
    return page


def _submit(local: Local, right: Right, email: str) -> _Submitted:
    """Open a request as an agent would, with the identity on standard input."""
    arguments = ["request", "open", str(right), "--identities", "-", "--confirmed-by", ROLE, "--json"]
    done = local.habeas(*arguments, given=json.dumps({"email": email}))
    if done.returncode != Exit.DONE:
        raise Failure(Exit(done.returncode), f"the request was refused: {done.stderr.strip()}")
    return _Submitted(right, json.loads(done.stdout)["id"], f"habeas {shlex.join(arguments)} < identities.json")


def _follow(ledger: Ledger, submitted: Sequence[_Submitted]) -> dict[Right, Standing]:
    """Show how both go on until they are closed.

    Raises:
        Failure: one of them waits for a person, or takes too long.
    """
    until = time.monotonic() + LIMIT
    show = _on_terminal if sys.stdout.isatty() else _in_lines
    with show() as update:
        while True:
            standings = {one.right: ledger.standing(one.id) for one in submitted}
            update(list(standings.values()))
            if not any(standing.request.phase.open for standing in standings.values()):
                return standings
            for standing in standings.values():
                if code := waits_for(standing):
                    out(show_page(standing, {}, now(), standing.request.clock.zone))
                    raise Failure(Exit.WAITING, f"the {standing.request.right} request waits for a person: {code}")
            if time.monotonic() > until:
                raise Failure(Exit.BAD, f"the requests were not closed within {LIMIT:.0f} s")
            time.sleep(POLL)


Update = Callable[[Sequence[Standing]], None]


@contextmanager
def _on_terminal() -> Iterator[Update]:
    from rich.console import Group
    from rich.live import Live

    with Live(console=screen(), auto_refresh=False, transient=True) as live:
        yield lambda standings: live.update(Group(*(render(live_page(s)) for s in standings)), refresh=True)


@contextmanager
def _in_lines() -> Iterator[Update]:
    told: set[tuple[str, ...]] = set()

    def update(standings: Sequence[Standing]) -> None:
        for standing in standings:
            right = str(standing.request.right)
            for change in changes(standing):
                if (right, *change) not in told:
                    told.add((right, *change))
                    out(Page().line("  ".join(filter(None, (f"{right:<8}", *change))).rstrip(), indent=2))

    yield update


def _open_parcel(local: Local, standing: Standing, target: Path) -> Path:
    done = local.habeas("parcel", "open", standing.request.id, "--out", str(target))
    if done.returncode != Exit.DONE:
        raise Failure(Exit(done.returncode), f"the parcel cannot be opened: {done.stderr.strip()}")
    return target


# The check, and what is said of it all.


def _check(
    local: Local,
    shop: check.Connection,
    who: dict[Right, check.Person],
    before: check.Dump,
    after: check.Dump,
    parcel: Path,
) -> Iterator[check.Finding]:
    access, erasure = who[Right.ACCESS], who[Right.ERASURE]
    yield from check.check_erasure(before, after, erasure, now())
    yield check.check_traces(shop, erasure, "the shop")
    with closing(check.connect(local.postgres.conninfo("ledger"))) as ledger:
        yield check.check_traces(ledger, erasure, "the ledger")
    yield check.check_log(local.worker_log, who.values())
    yield from check.check_access(before, after, access, parcel)


def _summary(standing: Standing, parcel: Path | None) -> Page:
    row, zone = standing.request, standing.request.clock.zone
    page = Page().heading(f"The {row.right} request")
    page.pairs(
        (
            ("conclusion", concluded(row)),
            ("received", minute(row.clock.received_at, zone)),
            ("due", f"{day(row.clock.internal_due, zone)}, by law {day(row.clock.legal_due, zone)}"),
            (
                "closed",
                f"{minute(row.closed_at, zone)}, {_seconds(row.clock.received_at, row.closed_at)} after receipt",
            ),
            ("parcel", str(parcel) if parcel else None),
            ("opened with", f"habeas parcel open {row.id} --out {parcel.name}" if parcel else None),
        )
    )
    add_systems(page, standing)
    return page


def _seconds(start: datetime, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.1f} s" if end else ""


def _findings(findings: Sequence[check.Finding]) -> Page:
    page = Page().heading("Checked by a full dump before and after, over a connection of the demo's own")
    for finding in findings:
        page.mark(finding.ok, finding.said, indent=2)
    return page


def _farewell(local: Local, ok: bool, seconds: float) -> Page:
    page = Page()
    if ok:
        page.heading(Cell(f"All is as it should be, in {seconds:.1f} s.", "good"))
        page.line("Next: habeas demo --keep leaves it running, to look at the Temporal UI; habeas dev keeps its state.")
    else:
        page.heading(Cell("Something is not as it should be: see the lines marked ✗.", "bad"))
    return page


def _keep(local: Local) -> None:
    """Leave everything running until Ctrl-C."""
    page = Page().heading("Still running, until Ctrl-C")
    page.pairs(
        (
            ("Temporal UI", local.temporal.ui_url),
            ("use it", f"habeas -C {local.home} request list"),
        )
    )
    out(page)
    while True:
        time.sleep(1)


def _say(what: str, since: float) -> None:
    out(Page().mark(True, f"{what} ({time.monotonic() - since:.1f} s)"))
