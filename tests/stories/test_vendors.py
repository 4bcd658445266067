"""Vendors behind a request: a key found in the database finds the person there, and the engine waits by timers."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

import worker
from rights.receipt import Certainty, Outcome
from rights.subject import Identity
from starter.stack import Vendors
from tests.world import ROWS, World, dump, shop_map

ALLOWED = 'base_url: "{base}/{vendor}", private: ["127.0.0.1"], environment: test, timeout: 5s, grace: 3s'
MAILCHIMP = """
system: newsletter
owner: marketing
connector: http
mode: auto
max_people_per_hour: 1000
connection: {{key: "env:TEST_MAILCHIMP"}}
options: {{vendor: mailchimp, dc: us1, {allowed}}}
collections:
  members:
    key: [list_id, id]
    fields:
      list_id: {{}}
      id: {{}}
      email: {{category: contact, identity: email}}
      first_name: {{category: name}}
      status: {{}}
"""
AMPLITUDE = """
system: analytics
owner: product
connector: http
mode: auto
max_people_per_hour: 1000
connection: {{key: "env:TEST_AMPLITUDE_KEY", secret: "env:TEST_AMPLITUDE_SECRET"}}
options: {{vendor: amplitude, {allowed}}}
collections:
  users:
    key: [amplitude_id]
    fields:
      amplitude_id: {{}}
      user_id: {{identity: customer_id}}
"""


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with Vendors() as vendors:
        yield vendors


@pytest.fixture
def people(vendors: Vendors, world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Twenty customers of the shop, who are known to both vendors."""
    vendors.reset()
    vendors.seed([{"id": n, "email": f"c{n}@shop.example", "name": f"Name {n}"} for n in range(1, 21)])
    vendors.clear_traffic()
    monkeypatch.setenv("TEST_MAILCHIMP", "mailchimp-key-us1")
    monkeypatch.setenv("TEST_AMPLITUDE_KEY", "amplitude-project-key")
    monkeypatch.setenv("TEST_AMPLITUDE_SECRET", "amplitude-project-secret")
    allowed = {vendor: ALLOWED.format(base=vendors.base, vendor=vendor) for vendor in ("mailchimp", "amplitude")}
    world.write_maps(
        {
            "shop": shop_map(),
            "newsletter": MAILCHIMP.format(allowed=allowed["mailchimp"]),
            "analytics": AMPLITUDE.format(allowed=allowed["amplitude"]),
        }
    )
    return world


def wake(world: World, request: str) -> None:
    """What a sweep's answer does: the request asks again before its timer ends."""

    async def signal() -> None:
        client = await worker.connect(world.settings, world.ledger)
        await client.get_workflow_handle(f"erasure/{world.ledger.tenant}/{request}").signal("refresh")

    asyncio.run(signal())


def accepted(world: World, request: str) -> bool:
    """The vendor has taken the work on."""
    said = [r for r in world.ledger.receipts(request) if r.step.system == "analytics"]
    return any(r.certainty is Certainty.ACCEPTED for r in said)


def members(vendors: Vendors) -> set[str]:
    state = vendors.dump("mailchimp")["members"]
    return {member["email_address"] for of in state.values() for member in of.values()}


def test_one_person_goes_everywhere_and_each_system_says_how_certain(people: World, vendors: Vendors) -> None:
    before = dump(people.shop)
    people.start_worker()
    request = people.open("erasure", [("email", "c7@shop.example")])
    people.wait(lambda: accepted(people, request), 60, "the vendor to take the work on")
    people.wait(lambda: "c7@shop.example" not in members(vendors), 30, "the newsletter to be rid of the person")
    assert people.phase(request) != "closed"

    vendors.advance("P35D")
    wake(people, request)
    people.wait_closed(request, 90)

    assert sum(map(len, before.values())) - sum(map(len, dump(people.shop).values())) == ROWS
    assert len(members(vendors)) == 19
    assert len(vendors.traffic("amplitude", "deletion.create")) == 1
    last = {r.step.system: r for r in people.ledger.receipts(request) if r.step.operation == "verify"}
    assert {name: r.certainty for name, r in last.items()}["shop"] is Certainty.VERIFIED
    assert {r.outcome for r in last.values()} == {Outcome.DONE}
    assert people.conclusion(request) == "answered"
    assert people.query("SELECT count(*) FROM sweep_steps") == [(0,)]


def test_many_are_erased_by_few_calls_and_a_hold_takes_one_out(people: World, vendors: Vendors) -> None:
    held = 5
    people.ledger.place_hold([Identity("email", f"c{held}@shop.example")], "a claim", at=datetime.now(UTC))
    people.start_worker()
    requests = {n: people.open("erasure", [("email", f"c{n}@shop.example")]) for n in range(1, 13)}

    others = [request for n, request in requests.items() if n != held]
    people.wait(lambda: all(accepted(people, one) for one in others), 90, "the vendor's yes for all but one")

    calls = vendors.traffic("amplitude", "deletion.create")
    assert 1 <= len(calls) <= 4
    ids = [i for call in calls if call["worked"] for i in json.loads(call["body"])["amplitude_ids"]]
    assert len(ids) == len(set(ids)) == 11
    assert any(r.outcome is Outcome.HELD for r in people.ledger.receipts(requests[held]))


@pytest.mark.soak
@pytest.mark.parametrize("place", ["fence:done", "fence:left", "after:sweep"])
def test_killed_between_the_vendors_answer_and_the_receipt_the_vendor_is_not_asked_twice(
    people: World, vendors: Vendors, place: str
) -> None:
    text = (people.home / "maps" / "analytics.yaml").read_text()
    people.write_maps({"analytics": text})
    doomed = people.start_worker(trip=place)
    request = people.open("erasure", [("customer_id", "7")])
    assert doomed.wait(60) == -9, people.log
    people.start_worker()
    people.wait(lambda: accepted(people, request), 400, "the vendor to take the work on")

    assert len(vendors.traffic("amplitude", "deletion.create")) == 1
