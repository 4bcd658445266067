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
from activities.facts import ParcelFacts
from activities.opening import Ask
from activities.parcels import open_parcel
from activities.spool import CSV, JSON_LINES
from activities.store import FileStore
from activities.tools import Tools
from connectors.memory import Memory
from connectors.memorystore import Store
from connectors.protocol import Call, Connector, Export, Look
from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.authorities import Demand, Scope, Waits
from rights.authoritylaw import Word
from rights.decision import Role
from rights.demanddays import Days
from rights.demandfile import Gag
from rights.demandletters import Whom
from rights.mapfile import read_map
from rights.receipt import Tally
from rights.recipients import Register, read_register
from rights.transparency import transparency
from rights.yamlfile import FileErrors
from tests.activities.test_replaying import MAP
from tests.ledger.builders import AT, a_clock, later
from tests.ledger.conftest import Door
from tests.ledger.test_authorities import answer, approve, decide, received


def carried_on(
    ledger: Ledger,
    folder: Path,
    demand: str,
    at: datetime,
    register: Register | None = None,
    vendor: Connector | None = None,
    text: str = "",
) -> Carried:
    data_map = read_map({"shop.yaml": text or MAP.replace("id: {}", "id: {category: other}")})
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


AUTHORITY: Final = """
recipients:
  police-berlin:
    name: Police of Berlin
    country: DE
    role: authority
    basis: {kind: law, document: section 95 StPO, since: 2024-01-01}
    told_by: {post: [Police of Berlin, 1 Platz der Luftbruecke]}
"""
REGISTER: Final = read_register("recipients.yaml", AUTHORITY)


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


DATED: Final = MAP.replace("id: {}", "id: {}, made: {}") + (
    "    retention:\n      - {ground: tax, after: made, period: P1Y}\n"
)
MARCH: Final = Days(since=date(2026, 3, 1), until=date(2026, 3, 31))


class Dated(Vendor):
    """Rows of several days, in pages that are cut anywhere, and a file."""

    def export(self, call: Call) -> Iterator[Export]:
        lines = b"\n".join(json.dumps({"id": n, "made": made}).encode() for n, made in enumerate(self.MADE))
        for work in call.work:
            if work.export:
                yield Export(work.collection, JSON_LINES, iter([lines[i : i + 7] for i in range(0, len(lines), 7)]))
                yield Export(work.collection, "text/plain", iter([b"beyond"]), name="a.txt")

    MADE = ("2026-02-28", "2026-03-01", "2026-03-31T21:00:00+00:00", "2026-03-31T22:00:00+00:00", None, "soon")


@pytest.mark.parametrize(("undated", "rows"), [(False, [1, 2]), (True, [1, 2, 4, 5])])
def test_trf_04_rows_of_other_days_stay_here_and_those_without_a_day_but_for_counsels_word(
    ledger: Ledger, tmp_path: Path, undated: bool, rows: list[int]
) -> None:
    demand = received(ledger, demanded=("shop.customers",), dates=MARCH)
    answer(ledger, demand)
    scope = Scope(collections=("shop.customers",), days=MARCH, undated=undated)
    words = {"reason": "canary", "by": "s-17", "seat": Role.COUNSEL, "at": AT}
    ledger.decide_demand(demand.id, Word.DISCLOSE, "legal_obligation", scope, **words)  # type: ignore[arg-type]
    approve(ledger, demand)
    carried_on(ledger, tmp_path, demand.id, AT, REGISTER, Dated(), text=DATED)

    found = ledger.demand(demand.id)
    assert (found.trouble, found.rows) == ("", {"shop.customers": len(rows)})
    key = ledger.case_key(demand.id, "parcel")
    assert key is not None
    open_parcel(FileStore(tmp_path), demand.id, key, tmp_path / "out.zip", digest=found.digest)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    (lines,) = [body for name, body in files.items() if name.endswith(".jsonl")]
    assert [json.loads(line)["id"] for line in lines.splitlines()] == rows
    assert b"beyond" not in b"".join(files.values())
    (about,) = [json.loads(body) for name, body in files.items() if name.endswith("about.json")]
    assert (about["days"], about["rows_without_a_day"]) == ({"since": "2026-03-01", "until": "2026-03-31"}, undated)


@pytest.mark.parametrize("text", ["", MAP.replace("system: shop", "system: till")])
def test_trf_04_where_the_map_has_no_day_any_more_nothing_is_sealed(ledger: Ledger, tmp_path: Path, text: str) -> None:
    demand = received(ledger, demanded=("shop.customers",), dates=MARCH)
    answer(ledger, demand)
    scope = Scope(collections=("shop.customers",), days=MARCH)
    words = {"reason": "canary", "by": "s-17", "seat": Role.COUNSEL, "at": AT}
    ledger.decide_demand(demand.id, Word.DISCLOSE, "legal_obligation", scope, **words)  # type: ignore[arg-type]
    approve(ledger, demand)
    carried_on(ledger, tmp_path, demand.id, AT, REGISTER, Dated(), text)
    assert (ledger.demand(demand.id).sealed_at, ledger.demand(demand.id).trouble) == (None, "map_changed")


def emergency(ledger: Ledger, folder: Path) -> Demand:
    """What one person has decided in an emergency, sealed."""
    demand = received(ledger, demanded=("shop.customers",), emergency=True)
    answer(ledger, demand)
    scope = Scope(collections=("shop.customers",))
    words = {"reason": "canary", "by": "s-17", "seat": Role.COUNSEL, "at": AT}
    ledger.decide_demand(demand.id, Word.DISCLOSE, "vital_interests", scope, **words)  # type: ignore[arg-type]
    carried_on(ledger, folder, demand.id, AT, REGISTER, Vendor())
    found = ledger.demand(demand.id)
    assert found.waits_for(AT)[:2] == (Waits.HAND_OVER, Waits.REVIEW)
    return found


def objected(ledger: Ledger, demand: Demand) -> Demand:
    return ledger.object_to_emergency(demand.id, reason="canary", by="s-21", seat=Role.DELEGATE, at=later(hours=1))


def test_trf_04_an_emergency_that_is_found_unsound_is_stopped_before_it_is_out(
    ledger: Ledger, tmp_path: Path, door: Door
) -> None:
    demand = emergency(ledger, tmp_path)

    def parcels() -> list[Path]:
        return [one for one in tmp_path.rglob("*.sealed") if demand.id in str(one)]

    assert parcels()

    after = objected(ledger, demand)

    with pytest.raises(LedgerRefusal, match="nothing is sealed"):
        ledger.hand_over(demand.id, by="s-17", at=later(hours=1))
    with pytest.raises(LedgerRefusal, match="no decision in force"):
        ledger.keep_disclosure(demand.id, "d" * 64, 1, {}, decided_at=AT, at=AT)
    assert after.waits_for(AT) == (Waits.DECIDE,)
    assert carried_on(ledger, tmp_path, demand.id, later(hours=2), REGISTER, Vendor()).state == "decide"
    with pytest.raises(LedgerRefusal, match="no emergency"):
        objected(ledger, demand)

    # From now on it takes two, and every question.
    scope = Scope(collections=("shop.customers",))
    words = {"reason": "canary", "by": "s-17", "seat": Role.COUNSEL, "at": later(hours=3)}
    once = ledger.decide_demand(demand.id, Word.DISCLOSE, "vital_interests", scope, **words)  # type: ignore[arg-type]
    assert once.waits_for(AT) == (Waits.APPROVE,)
    assert (once.sealed_at, once.digest) == (None, "")
    ledger.answer_question(demand.id, "competent", met=False, known_contact=True, by="s-17", note=None, at=AT)
    ledger.decide_demand(demand.id, Word.REFUSE, "not_competent", Scope(), **words)  # type: ignore[arg-type]
    approve(ledger, demand)
    assert carried_on(ledger, tmp_path, demand.id, later(hours=4), REGISTER, Vendor()).over
    assert not parcels(), "what it had sealed is thrown away"
    assert door("SELECT count(*) FROM entries WHERE kind = 'demand_disclosed'") == [(0,)]


def test_trf_04_an_emergency_that_is_found_unsound_once_it_is_out_is_on_record_as_that(
    ledger: Ledger, tmp_path: Path, door: Door
) -> None:
    demand = emergency(ledger, tmp_path)
    ledger.hand_over(demand.id, by="s-17", at=AT)

    after = objected(ledger, demand)

    ((body,),) = door("SELECT body FROM entries WHERE kind = 'demand_objected'")
    noted = json.loads(body)
    assert (noted["handed_over"], noted["by"], noted["digest"]) == (True, "s-21", demand.digest)
    assert after.waits_for(AT) == (Waits.TELL,), "the person hears of it, and there is nothing to approve"
    with pytest.raises(LedgerRefusal, match="second word"):
        approve(ledger, demand)
    (count,) = transparency([after], AT.year)
    assert (count.unsound, count.fates) == (1, {"disclosed": 1})


def test_trf_04_who_has_decided_an_emergency_does_not_look_at_it_afterwards(ledger: Ledger, tmp_path: Path) -> None:
    demand = emergency(ledger, tmp_path)
    for by, seat in (("s-17", Role.DELEGATE), ("s-18", Role.COUNSEL)):
        with pytest.raises(LedgerRefusal, match="two people"):
            ledger.object_to_emergency(demand.id, reason="canary", by=by, seat=seat, at=AT)
    assert ledger.demand(demand.id).gives


def test_trf_04_in_an_emergency_rows_without_a_day_are_counsels_to_give(ledger: Ledger) -> None:
    demand = received(ledger, demanded=("shop.customers",), dates=MARCH, emergency=True)
    answer(ledger, demand)
    scope = Scope(collections=("shop.customers",), days=MARCH, undated=True)
    words = {"reason": "canary", "by": "s-21", "seat": Role.DELEGATE, "at": AT}
    with pytest.raises(LedgerRefusal, match="counsel's"):
        ledger.decide_demand(demand.id, Word.DISCLOSE, "vital_interests", scope, **words)  # type: ignore[arg-type]


def test_trf_04_what_an_authority_was_given_is_in_no_list_of_recipients(ledger: Ledger, tmp_path: Path) -> None:
    """GDPR Art. 4(9): who receives data in a particular inquiry is no recipient, in Art. 15(1)(c) and in Art. 19."""
    demand = sealed(ledger, tmp_path, Vendor(), "contact")
    ledger.hand_over(demand.id, by="s-17", at=AT)
    carrier = read_register("recipients.yaml", CARRIER).recipients
    register = Register(recipients={**REGISTER.recipients, **carrier})
    data_map = read_map({"shop.yaml": MAP})

    facts = ParcelFacts.of("r1", data_map, a_clock(), {}, register=register)
    named = [name for one in facts.systems for collection in one.collections for name in collection.recipients]
    assert [name.partition(" (")[0] for name in named] == ["Carrier"], "and whoever is one is named"
    assert set(register.told_of({"shop": {"customers"}})) == {"carrier"}
    assert register.shown_by({"shop": {"customers"}}) == {}
    for slip in ("gets: [shop]", "shows: [shop.customers]"):
        with pytest.raises(FileErrors, match="an authority gets nothing"):
            read_register("recipients.yaml", AUTHORITY.replace("role: authority", f"role: authority\n    {slip}"))


CARRIER: Final = """
recipients:
  carrier:
    name: Carrier
    country: DE
    basis: {kind: contract, document: agreement 7, since: 2024-01-01}
    gets: [shop]
    told_by: {email: privacy@carrier.example}
"""


FOLLOWED: Final = {
    "shop.yaml": """
system: shop
owner: commerce
connector: memory
backups: none
collections:
  customers:
    key: [id]
    fields:
      id: {category: other, identity: account}
      email: {category: contact, identity: email}
      household: {category: contact, identity: phone, sharing: shared}
""",
    "crm.yaml": """
system: crm
owner: sales
connector: memory
backups: none
collections:
  contacts:
    key: [id]
    fields:
      id: {category: other}
      customer: {category: other, identity: account}
      handle: {category: contact, identity: handle}
""",
    "chat.yaml": """
system: chat
owner: support
connector: memory
backups: none
collections:
  messages:
    key: [id]
    fields:
      id: {category: other}
      handle: {category: contact, identity: handle}
      phone: {category: contact, identity: phone}
""",
}
ROWS: Final[dict[str, dict[str, list[dict[str, object]]]]] = {
    "shop": {
        "customers": [
            {"id": 7, "email": "Anna.Berg@example.org", "household": "030 1"},
            {"id": 8, "email": "otto@example.org", "household": "030 1"},
        ]
    },
    "crm": {
        "contacts": [{"id": 70, "customer": "7", "handle": "quill"}, {"id": 80, "customer": "8", "handle": "otto"}]
    },
    "chat": {
        "messages": [
            {"id": 1, "handle": "quill", "phone": None},
            {"id": 2, "handle": "otto", "phone": "030 1"},
            {"id": 3, "handle": None, "phone": "030 1"},
        ]
    },
}


class Counting(Memory):
    """A system that counts how often it is looked into."""

    looks = 0

    def locate(self, call: Call) -> Look:
        self.looks += 1
        return super().locate(call)


@pytest.mark.parametrize(
    ("scope", "rows", "looks"),
    [
        (("shop", "crm", "chat"), {"shop": [7], "crm": [70], "chat": [1]}, {"shop": 1, "crm": 2, "chat": 2}),
        (("shop", "chat"), {"shop": [7], "chat": []}, {"shop": 1, "crm": 0, "chat": 1}),
        (("crm",), {"crm": []}, {"shop": 0, "crm": 1, "chat": 0}),
    ],
)
def test_trf_04_what_one_system_of_the_decision_tells_is_followed_into_another_and_into_no_other(
    ledger: Ledger,
    door: Door,
    tmp_path: Path,
    scope: tuple[str, ...],
    rows: dict[str, list[int]],
    looks: dict[str, int],
) -> None:
    """A system beyond the decision is not looked into, not even as a bridge, and a number that several have is none."""
    data_map = read_map(FOLLOWED)
    systems = {name: Counting(one, Store(one)) for name, one in data_map.systems.items()}
    for name, connector in systems.items():
        for collection, of in ROWS[name].items():
            connector.rows[collection] += [dict(row) for row in of]
    places = {"shop": "shop.customers", "crm": "crm.contacts", "chat": "chat.messages"}
    demanded = tuple(places[name] for name in scope)
    demand = received(ledger, demanded=demanded)
    answer(ledger, demand)
    words = {"reason": "canary", "by": "s-17", "seat": Role.COUNSEL, "at": AT}
    ledger.decide_demand(demand.id, Word.DISCLOSE, "legal_obligation", Scope(collections=demanded), **words)  # type: ignore[arg-type]
    approve(ledger, demand)
    tools = Tools(ledger, systems, data_map, FileStore(tmp_path), environment="test", register=REGISTER)
    ActivityEnvironment().run(AuthorityActivities(tools).carry_on, Ask(request_id=demand.id, as_of=AT))

    found = ledger.demand(demand.id)
    assert (found.trouble, found.rows) == ("", {places[name]: len(of) for name, of in rows.items()})
    assert {name: connector.looks for name, connector in systems.items()} == looks
    key = ledger.case_key(demand.id, "parcel")
    assert key is not None
    open_parcel(FileStore(tmp_path), demand.id, key, tmp_path / "out.zip", digest=found.digest)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        given = {
            name.split("/")[2]: [json.loads(line)["id"] for line in archive.read(name).splitlines()]
            for name in archive.namelist()
            if name.endswith(".jsonl")
        }
    assert given == rows
    (noted,) = door("SELECT body FROM entries WHERE kind = 'demand_sealed'")
    assert json.loads(noted[0]).get("learnt", 0) == {3: 2, 2: 1, 1: 0}[len(scope)]
    assert "quill" not in str(door("SELECT body FROM entries"))
