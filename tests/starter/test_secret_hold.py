"""A hold that must stay secret is nowhere to be seen: of two people of whom one is held, everybody is told the same.

What is random by nature is taken out before the two are compared: ids, times of day and of the journal, its entries'
numbers, hashes and sealed values. Dates, codes, counts, orders and lengths stay.
"""

from __future__ import annotations

import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql
from temporalio.testing import ActivityEnvironment

import worker
from activities.calls import Doing
from activities.fulfil import FulfilActivities
from activities.opening import Ask, OpeningActivities
from activities.planning import Planning, PlanningActivities
from activities.sweep import SweepActivities, Sweeping
from ledger.ledger import Ledger
from rights.holds import ANSWER_BEFORE, Disclosure, Reason, Scope, Terms
from rights.plan import Operation, Step
from rights.receipt import Certainty, Count, Outcome, Receipt, Tally
from rights.subject import parse_identities
from rights.webhooks import KINDS
from settings import Settings
from starter.stack import free_port
from starter.submit import submit
from tests.starter.conftest import Deployment

SHOP = """
system: shop
owner: commerce
connector: sql
backups: none
mode: auto
max_people_per_hour: 1000
connection: {reader: "env:TEST_SECRET_SHOP", writer: "env:TEST_SECRET_SHOP"}
collections:
  customers:
    key: [id]
    fields: {id: {identity: customer_id}, email: {category: contact, identity: email}, name: {category: name}}
  orders:
    key: [id]
    fields: {id: {}, customer_id: {}, note: {category: free_text, strategy: "null"}, placed: {}}
    links: [{field: customer_id, to: customers.id}]
"""
ANALYTICS = """
system: analytics
owner: product
connector: http
backups: none
mode: auto
max_people_per_hour: 1000
connection: {key: "env:TEST_SECRET_KEY", secret: "env:TEST_SECRET_KEY"}
options: {vendor: amplitude, base_url: "http://127.0.0.1:%s", private: ["127.0.0.1"], environment: test}
collections:
  users:
    key: [amplitude_id]
    fields: {amplitude_id: {}, user_id: {identity: customer_id}}
"""
ROWS = """
CREATE TABLE habeas_environment (environment TEXT);
INSERT INTO habeas_environment VALUES ('test');
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, name TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), note TEXT, placed TEXT);
"""
_RANDOM = (
    (re.compile(r"\\+x[0-9a-f]+"), "SEALED"),
    (re.compile(r"\b[0-9a-f]{32,}\b"), "HASH"),
    (re.compile(r"\b[0-7][0-9a-hjkmnp-tv-z]{25}\b"), "ID"),
    (re.compile(r"[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d| [A-Z]{3,4})?"), " TIME"),
    (re.compile(r"entry \d+ *"), "entry N "),
    (re.compile(r'"(seq|id)": ?\d+'), "NUMBER"),
)
TOLD = (
    ("request", "show", "REQUEST"),
    ("request", "show", "REQUEST", "--json"),
    ("request", "preview", "REQUEST"),
    ("request", "preview", "REQUEST", "--json"),
    ("request", "interim", "REQUEST"),
    ("request", "answer", "REQUEST"),
    ("explain", "REQUEST"),
    ("explain", "REQUEST", "--json"),
    ("task", "list", "--request", "REQUEST"),
    ("clock", "show", "REQUEST"),
    ("identity", "status", "REQUEST"),
)
"""What agents, and by them the person, can read of a request."""
HIDDEN = {"hold_tasks", "hold_terms", "hold_subjects", "hold_answers", "holds"}
"""The tables of holds themselves: whoever reads those must be allowed to."""


def plain(text: str) -> str:
    """A text without what is random by nature."""
    for pattern, word in _RANDOM:
        text = pattern.sub(word, text)
    return text


@dataclass(repr=False)
class Place:
    """A deployment whose worker is this test: it does what a run would have it do, one step at a time."""

    deployment: Deployment
    ledger: Ledger
    tools: Any
    door: sqlite3.Connection
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    def person(self) -> list[tuple[str, str]]:
        """Somebody new, with a row and two orders in the shop."""
        number = next(self.numbers)
        email = f"p{number:04}@example.org"
        self.door.execute("INSERT INTO customers VALUES (?, ?, 'Paul Prior')", (number, email))
        placed = [(number * 2, number, "2019-05-01"), (number * 2 + 1, number, "2024-05-01")]
        self.door.executemany("INSERT INTO orders VALUES (?, ?, 'a note', ?)", placed)
        return [("email", email), ("customer_id", str(number))]

    def rows(self, who: list[tuple[str, str]]) -> list[Any]:
        """What the shop has of somebody."""
        number = who[1][1]
        return [
            *self.door.execute("SELECT * FROM customers WHERE id = ?", (number,)),
            *self.door.execute("SELECT * FROM orders WHERE customer_id = ? ORDER BY id", (number,)),
        ]

    def opened(self, who: list[tuple[str, str]], at: datetime) -> str:
        """A request to be erased, of somebody who is known."""
        rules = worker.rules(Settings.load())
        return submit(
            self.ledger, self.tools.data_map, rules, "erasure", who, received_at=at, confirmed=True
        ).request_id

    def does(self, request: str, operation: Operation, system: str, at: datetime) -> Receipt:
        """One step, as Temporal has it done: what comes back stands in the run's history."""
        fulfil = FulfilActivities(self.tools)
        act = {Operation.LOCATE: fulfil.locate, Operation.ERASE: fulfil.erase}[operation]
        step = Step(request_id=request, system=system, operation=operation)
        receipt: Receipt = ActivityEnvironment().run(act, Doing(step=step, as_of=at))
        return receipt

    def reads(self, request: str, at: datetime) -> str:
        """What a run begins with, and reads now and then."""
        asked = Ask(request_id=request, as_of=at)
        facts: str = ActivityEnvironment().run(OpeningActivities(self.tools).open, asked).model_dump_json()
        return facts

    def looked(self, request: str, at: datetime) -> list[str]:
        """The look and the plan; what a run is answered. The vendor is away here: what it found is put down."""
        begun = self.reads(request, at)
        found = Tally(counts=(Count(collection="users", found=1),))
        step = Step(request_id=request, system="analytics", operation=Operation.LOCATE)
        there = Receipt(step=step, outcome=Outcome.DONE, certainty=Certainty.COMPLETED, tally=found, at=at)
        look = self.does(request, Operation.LOCATE, "shop", at)
        self.ledger.keep_receipt(there)
        asked = Planning(ask=Ask(request_id=request, as_of=at), round=0, holding=("shop", "analytics"))
        planned = ActivityEnvironment().run(PlanningActivities(self.tools).plan, asked)
        return [begun, look.model_dump_json(), planned.model_dump_json()]

    def told(self, request: str) -> dict[str, str]:
        """All that anybody can read of a request, who may not read of holds."""
        seen = {}
        for words in TOLD:
            answer = self.deployment(*(request if word == "REQUEST" else word for word in words))
            seen[" ".join(words)] = plain(f"{answer.code}\n{answer.out}\n{answer.err}")
        listed = self.deployment("request", "list", "--json").json["requests"]
        seen["request list"] = plain(json.dumps([one for one in listed if one["id"] == request]))
        out = self.deployment.home / f"{request}.zip"
        assert self.deployment("audit-pack", request, "--out", str(out)).code == 0
        with zipfile.ZipFile(io.BytesIO(out.read_bytes())) as pack:
            seen["audit-pack names"] = plain(" ".join(sorted(pack.namelist())))
            seen["timeline"] = plain(pack.read("timeline.txt").decode())
        seen["what the run reads"] = plain(self.reads(request, datetime.now(UTC)))
        heard = [one.event.body().decode() for one in self.ledger.untold("crm", KINDS, 1_000)]
        seen["webhook"] = plain("\n".join(body for body in heard if request in body))
        return seen | self._kept(request)

    def _kept(self, request: str) -> dict[str, str]:
        """What the tables have of a request, beside those of holds."""
        tables = self.deployment.rows(
            "SELECT table_name FROM information_schema.columns WHERE column_name = 'request_id' AND "
            "table_schema = 'public'"
        )
        kept = {}
        for (table,) in tables:
            if table not in HIDDEN:
                query = sql.SQL("SELECT to_jsonb(t)::text FROM {} t WHERE request_id = %s").format(
                    sql.Identifier(table)
                )
                rows = self.deployment.rows(query.as_string(), (request,))
                kept[f"table {table}"] = "\n".join(sorted(plain(row) for (row,) in rows))
        return kept


@pytest.fixture
def place(deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    file = tmp_path / "shop.db"
    monkeypatch.setenv("TEST_SECRET_SHOP", f"sqlite:///{file}")
    monkeypatch.setenv("TEST_SECRET_KEY", "a-key")
    deployment.setting("environment", "test")
    deployment.setting("cooling_off_hours", 0)
    (tmp_path / "maps" / "shop.yaml").write_text(SHOP)
    (tmp_path / "maps" / "analytics.yaml").write_text(ANALYTICS % free_port())
    loaded = Settings.load()
    ledger = worker.open_ledger(loaded)
    with closing(sqlite3.connect(file, isolation_level=None)) as door:
        door.executescript(ROWS)
        ledger.untold("crm", KINDS, 1)  # it hears of what happens from here on
        yield Place(deployment, ledger, worker.build_tools(loaded, ledger), door)
    ledger.close_connections()


scopes = st.builds(
    Scope,
    systems=st.sampled_from([(), ("shop",), ("analytics",), ("shop", "analytics")]),
    collections=st.sampled_from([(), ("shop.orders",), ("shop.customers",), ("analytics.users",)]),
    categories=st.sampled_from([(), ("free_text",), ("contact",)]),
    since=st.none() | st.just(date(2020, 1, 1)),
)
secrets = st.one_of(
    st.builds(Terms, scope=scopes, reason=st.sampled_from(Reason), disclosure=st.just(Disclosure.COUNSEL_TEXT)),
    st.builds(
        Terms,
        scope=scopes,
        disclosure=st.just(Disclosure.AFTER),
        tell_from=st.none() | st.just(date(2100, 1, 1)),
    ),
)


@pytest.mark.soak
@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(terms=secrets, moment=st.sampled_from(["before the request", "after it", "after the look", "in the queue"]))
def test_HLD_03_with_and_without_a_secret_hold_everybody_is_told_the_same(
    place: Place, terms: Terms, moment: str
) -> None:
    at = datetime.now(UTC)
    held, free = place.person(), place.person()
    before = place.rows(held)

    def placed(now: str) -> None:
        if now == moment:
            place.ledger.place_hold(parse_identities(held), "a secret matter", at=at, by="s-1", terms=terms)

    placed("before the request")
    requests = [place.opened(who, at) for who in (held, free)]
    placed("after it")
    looks = [place.looked(request, at) for request in requests]
    assert plain(str(looks[0])) == plain(str(looks[1]))
    placed("after the look")
    waits: list[str] = []
    for _ in range(2):
        # The vendor's queue: the free one waits there for its turn, and the held one as if it did.
        waits = [place.does(request, Operation.ERASE, "analytics", at).model_dump_json() for request in requests]
        assert plain(waits[0]) == plain(waits[1])
        assert '"queued"' in waits[0]
        placed("in the queue")
        moment = moment.replace("in the queue", "")

    told = [place.told(request) for request in requests]
    for where in told[0]:
        assert told[0][where] == told[1][where], f"{where} tells of the hold"

    # Whatever the system is: a step that is held back bears the very receipt of one that waits for its turn.
    shop = place.does(requests[0], Operation.ERASE, "shop", at)
    if terms.scope.held(place.tools.data_map.systems["shop"]):
        assert plain(shop.model_dump_json()).replace("shop", "analytics") == plain(waits[0])
        assert place.rows(held) == before, "nothing in it, and not half of it either"
    else:
        assert shop.outcome is Outcome.DONE


@pytest.mark.soak
def test_the_answer_is_counsels_task_and_nobody_elses(place: Place) -> None:
    at = datetime.now(UTC)
    held, free = place.person(), place.person()
    place.ledger.place_hold(
        parse_identities(held), "a matter", at=at, by="s-1", terms=Terms(disclosure=Disclosure.COUNSEL_TEXT)
    )
    requests = [place.opened(who, at) for who in (held, free)]
    for request in requests:
        place.looked(request, at)
    due = place.ledger.request(requests[0]).clock.internal_due - ANSWER_BEFORE

    place.ledger.ask_about_holds(at=due + timedelta(hours=1))

    asked = [task for task in place.ledger.hold_tasks() if task.code == "answer"]
    assert [task.about for task in asked] == requests[:1]
    assert place.deployment("task", "list", "--json").json == {"tasks": [], "incidents": []}
    assert place.told(requests[0]) == place.told(requests[1])


def test_a_sweep_leaves_a_held_step_in_its_queue_as_one_that_the_vendor_has_put_off(place: Place) -> None:
    at = datetime.now(UTC)
    held = place.person()
    request = place.opened(held, at)
    place.looked(request, at)
    place.does(request, Operation.ERASE, "analytics", at)
    place.ledger.place_hold(
        parse_identities(held), "a matter", at=at, by="s-1", terms=Terms(disclosure=Disclosure.COUNSEL_TEXT)
    )
    place.deployment.rows("UPDATE sweep_steps SET due_at = due_at - interval '1 minute'")
    sent = place.deployment.rows("SELECT kind, count(*) FROM outbox GROUP BY 1 ORDER BY 1")

    swept = ActivityEnvironment().run(SweepActivities(place.tools).sweep, Sweeping(system="analytics"))

    assert (swept.steps, swept.left) == (1, 1)
    assert place.deployment.rows("SELECT answer, attempts FROM sweep_steps") == [(None, 1)]
    assert place.deployment.rows("SELECT kind, count(*) FROM outbox GROUP BY 1 ORDER BY 1") == sent, "nobody is woken"
