"""A demand is carried on by its days, and what may not leave is not even looked for."""

from datetime import UTC, date, datetime
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.authorities import AuthorityActivities, Carried
from activities.opening import Ask
from activities.store import FileStore
from activities.tools import Tools
from ledger.ledger import Ledger
from rights.authorities import Gag
from rights.authoritylaw import Word
from rights.mapfile import read_map
from rights.recipients import Register
from tests.activities.test_replaying import MAP
from tests.ledger.builders import AT
from tests.ledger.conftest import Door
from tests.ledger.test_authorities import answer, approve, decide, received


def carried_on(ledger: Ledger, folder: Path, demand: str, at: datetime, register: Register | None = None) -> Carried:
    data_map = read_map({"shop.yaml": MAP})
    tools = Tools(ledger, {}, data_map, FileStore(folder), environment="test", register=register or Register())
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
        assert carried_on(ledger, tmp_path, demand.id, ends).state == "tell"
    assert door(over) == [(1,)]

    ledger.told_of_demand(demand.id, by="s-17", text="canary", at=ends)
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
