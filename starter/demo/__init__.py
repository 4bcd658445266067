"""`habeas demo`: an access and an erasure request for two people, on real servers, checked independently.

The one rule: everything goes through the public command line, and what the engine says is believed only after the
demo's own dump of the shop agrees.
"""

import json
import shlex
import shutil
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.ledger import Ledger
from ledger.standing import Standing
from rights.request import Right
from settings import Settings
from starter.company import Company
from starter.demo import check, inventory
from starter.demo import summary as telling
from starter.demo.follow import follow
from starter.desk import now, open_ledger
from starter.exits import Exit, Failure
from starter.local import ATTRIBUTES, Local
from starter.show import Cell, Page, out, working
from starter.stack import Mail, Objects, Postgres, Temporal, Vendors
from starter.stack.place import temporary

ASKS_ACCESS: Final = "umut.ulrich@example.org"
ASKS_ERASURE: Final = "hugo.ivanov@example.org"
"""Two customers of the shop, by the address they would give. Both have rows in all eight tables, orders on both sides
of the ten years that tax law asks for, letters in the mailbox, uploads in the bucket, and accounts at both vendors."""
ROLE: Final = "support desk"


@dataclass(frozen=True)
class _Submitted:
    """A request, and the command that opened it."""

    right: Right
    id: str
    typed: str


@dataclass(frozen=True)
class _Dumped:
    """All that the shop's systems hold at a moment."""

    shop: check.Dump
    bucket: inventory.Inventory
    mailbox: inventory.Inventory
    amplitude: inventory.Inventory
    mailchimp: inventory.Inventory

    @property
    def others(self) -> tuple[inventory.Inventory, ...]:
        return (self.bucket, self.mailbox, self.amplitude, self.mailchimp)


def run(*, keep: bool = False) -> bool:
    """Run the demo; whether everything was as it should be.

    Raises:
        Failure: a command of the engine's failed.
        StackError: a server could not be started.
    """
    began = time.monotonic()
    place = temporary("habeas-demo-")
    out(Page().heading("Habeas demo: one person's data handed over, another's erased, in five systems"))
    company = Company(Mail(), Objects(), Vendors())
    local = Local(
        place / "deployment",
        Postgres(durable=False),
        Temporal(ui=True, search_attributes=ATTRIBUTES),
        environment="demo",
        mode="auto",
        company=company,
    )
    ok = False
    try:
        with working(
            "starting PostgreSQL, an object store, a mail server, two vendors' stand-ins, Temporal and a worker"
        ):
            local.start()
        ok = _story(local, company, place, began)
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


class _Phases:
    """How long each part of the demo took."""

    def __init__(self, began: float) -> None:
        self._last, self._took = began, dict[str, float]()

    def over(self, what: str) -> float:
        """A part is over; how many seconds it took."""
        now = time.monotonic()
        self._took[what], self._last = now - self._last, now
        return self._took[what]

    def __str__(self) -> str:
        return ", ".join(f"{what} {took:.1f} s" for what, took in self._took.items())


def _story(local: Local, company: Company, place: Path, began: float) -> bool:
    phases = _Phases(began)
    _say(
        "PostgreSQL, an object store, a mail server, stand-ins for Amplitude and Mailchimp, "
        f"Temporal with its Web UI at {local.temporal.ui_url}, and a worker are up",
        phases.over("servers and data"),
    )
    with closing(check.connect(local.postgres.conninfo("shop"))) as shop:
        with working("dumping everything"):
            before = _dump(shop, company)
        who = {Right.ACCESS: check.person(shop, ASKS_ACCESS), Right.ERASURE: check.person(shop, ASKS_ERASURE)}
        _say(_contents(before), phases.over("dump"))
        with _ledger(local) as ledger:
            with working("habeas request open"):
                submitted = _submit_both(local)
            phases.over("opening the requests")
            out(_submissions(submitted))
            standings = follow(ledger, {one.right: one.id for one in submitted}, company.vendors)
            phases.over("carrying them out")
        with working("opening the parcel, dumping everything again, comparing"), ThreadPoolExecutor(1) as aside:
            verifying = aside.submit(local.habeas, "ledger", "verify")
            parcel = _open_parcel(local, standings[Right.ACCESS], place / "parcel.zip")
            findings = list(_check(local, shop, who, before, _dump(shop, company), parcel))
            verified = verifying.result()
            phases.over("parcel, second dump and check")
    findings.append(check.Finding(verified.returncode == Exit.DONE, f"habeas ledger verify: {verified.stdout.strip()}"))
    out(telling.summary(standings[Right.ACCESS], parcel, _unpacked(parcel, place)))
    out(telling.summary(standings[Right.ERASURE]))
    out(telling.found_by_key(standings.values()))
    out(telling.certainty(standings[Right.ERASURE], company.vendors))
    out(telling.checked(findings))
    ok = all(finding.ok for finding in findings)
    out(telling.farewell(ok, time.monotonic() - began, str(phases)))
    return ok


def _dump(shop: check.Connection, company: Company) -> _Dumped:
    return _Dumped(
        check.dump(shop),
        inventory.bucket(company.objects.client()),
        inventory.mailbox(company.mail),
        inventory.amplitude(company.vendors),
        inventory.mailchimp(company.vendors),
    )


def _contents(dumped: _Dumped) -> str:
    rows = sum(map(len, dumped.shop.values()))
    units = [f"{len(held.things):,} {held.unit}s ({held.system})" for held in dumped.others]
    return f"all of it is dumped: {len(dumped.shop)} tables with {rows:,} rows, {', '.join(units)}"


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


def _open_parcel(local: Local, standing: Standing, target: Path) -> Path:
    done = local.habeas("parcel", "open", standing.request.id, "--out", str(target))
    if done.returncode != Exit.DONE:
        raise Failure(Exit(done.returncode), f"the parcel cannot be opened: {done.stderr.strip()}")
    return target


# The check.


def _check(
    local: Local,
    shop: check.Connection,
    who: dict[Right, check.Person],
    before: _Dumped,
    after: _Dumped,
    parcel: Path,
) -> Iterator[check.Finding]:
    access, erasure = who[Right.ACCESS], who[Right.ERASURE]
    yield from check.check_erasure(before.shop, after.shop, erasure, now())
    yield check.check_traces(shop, erasure, "database")
    for held, left in zip(before.others, after.others, strict=True):
        yield from inventory.check_erased(held, left, erasure)
        yield from inventory.check_untouched(held, left, access)
    with closing(check.connect(local.postgres.conninfo("ledger"))) as ledger:
        yield check.check_traces(ledger, erasure, "ledger")
    yield check.check_log(local.worker_log, who.values())
    yield from check.check_access(before.shop, after.shop, access, parcel)
    yield from inventory.check_parcel(before.others, access, parcel)


def _unpacked(parcel: Path, place: Path) -> Path:
    """The parcel's page, unpacked beside it."""
    with zipfile.ZipFile(parcel) as bag:
        bag.extractall(place)
        return next(place / name for name in bag.namelist() if name.endswith("/data/index.html"))


def _keep(local: Local) -> None:
    """Leave everything running until Ctrl-C."""
    out(telling.still_running(local))
    while True:
        time.sleep(1)


def _say(what: str, seconds: float) -> None:
    out(Page().mark(True, f"{what} ({seconds:.1f} s)"))
