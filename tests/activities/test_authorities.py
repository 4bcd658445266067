"""A demand is carried on by its days, and what may not leave is not even looked for."""

import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pytest
from temporalio.testing import ActivityEnvironment

from activities.authorities import AuthorityActivities, Carried
from activities.opening import Ask
from activities.parcels import open_parcel
from activities.spool import CSV, JSON_LINES
from activities.store import FileStore
from activities.tools import Tools
from connectors.protocol import Call, Connector, Export, Look
from ledger.ledger import Ledger
from rights.authorities import Demand, Gag, Scope
from rights.authoritylaw import Word
from rights.decision import Role
from rights.demandletters import Whom
from rights.mapfile import read_map
from rights.receipt import Tally
from rights.recipients import Register, read_register
from tests.activities.test_replaying import MAP
from tests.ledger.builders import AT
from tests.ledger.conftest import Door
from tests.ledger.test_authorities import answer, approve, decide, received


def carried_on(
    ledger: Ledger,
    folder: Path,
    demand: str,
    at: datetime,
    register: Register | None = None,
    vendor: Connector | None = None,
) -> Carried:
    data_map = read_map({"shop.yaml": MAP.replace("id: {}", "id: {category: other}")})
    connectors = {"shop": vendor} if vendor else {}
    tools = Tools(ledger, connectors, data_map, FileStore(folder), environment="test", register=register or Register())
    carried: Carried = ActivityEnvironment().run(AuthorityActivities(tools).carry_on, Ask(request_id=demand, as_of=at))
    return carried


def test_trf_04_when_a_gag_ends_the_person_is_to_be_told(ledger: Ledger, door: Door, tmp_path: Path) -> None:
    gag = {"gag": Gag.UNTIL, "gag_until": date(2026, 3, 10), "gag_basis": "canary"}
    demand = received(ledger, clauses=True, due_on=date(2026, 3, 20), **gag)
    answer(ledger, demand, lawful=False)
    decide(ledger, demand, Word.REFUSE, "no_legal_basis")
    approve(ledger, demand)
    # Berlin's midnight is 23:00 in UTC.
    ends = datetime(2026, 3, 10, 23, tzinfo=UTC)
    over = "SELECT count(*) FROM entries WHERE kind = 'demand_gag_over'"

    before = carried_on(ledger, tmp_path, demand.id, AT)
    assert (before.state, before.next_in_seconds) == ("gag", (ends - AT).total_seconds())
    assert door(over) == [(0,)]

    for _ in range(2):
        assert carried_on(ledger, tmp_path, demand.id, ends).state == "post", "nobody knows where the person lives"
    assert door(over) == [(1,)]

    ledger.posted_demand_letter(demand.id, Whom.PERSON, by="s-17", at=ends)
    assert carried_on(ledger, tmp_path, demand.id, ends).over
    assert ledger.demand(demand.id).closed_at == ends


def test_trf_04_nothing_is_looked_for_without_a_basis_in_the_register(ledger: Ledger, tmp_path: Path) -> None:
    demand = received(ledger)
    answer(ledger, demand)
    decide(ledger, demand)
    approve(ledger, demand)

    assert carried_on(ledger, tmp_path, demand.id, AT).state == "seal"
    assert ledger.demand(demand.id).trouble == "egress"
    assert ledger.demand(demand.id).sealed_at is None
    assert not list(tmp_path.rglob("*.sealed"))
    assert decide(ledger, demand).trouble == "", "it can be decided anew"


REGISTER: Final = read_register(
    "recipients.yaml",
    """
recipients:
  police-berlin:
    name: Police of Berlin
    country: DE
    role: authority
    basis: {kind: law, document: section 95 StPO, since: 2024-01-01}
    told_by: {post: [Police of Berlin, 1 Platz der Luftbruecke]}
""",
)


class Vendor:
    """A connector that makes its own table, and may say more than it is asked for."""

    def __init__(self, **last: str) -> None:
        self.rows = [*({"id": number} for number in range(200)), {"id": 200, **last}]

    def locate(self, call: Call) -> Look:
        return Look(Tally())

    def export(self, call: Call) -> Iterator[Export]:
        for work in call.work:
            if work.export:
                yield Export(work.collection, CSV, iter([b'"id","more"\r\n1,"beyond"\r\n']))
                yield Export(work.collection, JSON_LINES, (json.dumps(row).encode() + b"\n" for row in self.rows))


def sealed(ledger: Ledger, folder: Path, vendor: Vendor, *without: str) -> Demand:
    """A demand for customers that two have decided to answer without some categories, once it was tried."""
    demand = received(ledger, demanded=("shop.customers",))
    answer(ledger, demand)
    scope = Scope(collections=("shop.customers",), without=without)
    words = {"reason": "canary", "by": "s-17", "seat": Role.COUNSEL, "at": AT}
    ledger.decide_demand(demand.id, Word.IN_PART, "legal_obligation", scope, **words)  # type: ignore[arg-type]
    approve(ledger, demand)
    carried_on(ledger, folder, demand.id, AT, REGISTER, vendor)
    return ledger.demand(demand.id)


def test_trf_04_a_table_that_a_connector_makes_itself_is_not_handed_over(ledger: Ledger, tmp_path: Path) -> None:
    demand = sealed(ledger, tmp_path, Vendor(), "contact")
    assert demand.rows == {"shop.customers": 201}
    key = ledger.case_key(demand.id, "parcel")
    assert key is not None
    open_parcel(FileStore(tmp_path), demand.id, key, tmp_path / "out.zip", digest=demand.digest)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        (table,) = [name for name in archive.namelist() if name.endswith(".csv")]
        lines = archive.read(table).splitlines()
    assert (lines[0], len(lines)) == (b'"id"', 202)


@pytest.mark.parametrize(("last", "without"), [({"more": "beyond"}, ("contact",)), ({}, ("contact", "other"))])
def test_trf_04_what_is_beyond_the_scope_or_was_not_asked_for_is_a_persons(
    ledger: Ledger, tmp_path: Path, last: dict[str, str], without: tuple[str, ...]
) -> None:
    demand = sealed(ledger, tmp_path, Vendor(**last), *without)
    assert (demand.sealed_at, demand.trouble, demand.trouble_at) == (None, "unsupported", "shop")
