"""Vendors behind a request: a key found in the database finds the person there, and the engine waits by timers."""

import json
from datetime import UTC, datetime

import pytest

from rights.receipt import Certainty, Outcome
from rights.subject import Identity
from starter.stack import Vendors
from tests.stories.vendors import accepted, members, wake
from tests.world import ROWS, World, dump


@pytest.mark.soak
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


@pytest.mark.soak
def test_many_are_erased_by_few_calls_and_a_hold_takes_one_out(people: World, vendors: Vendors) -> None:
    held = 5
    people.ledger.place_hold([Identity("email", f"c{held}@shop.example")], "a claim", at=datetime.now(UTC))
    requests = {n: people.open("erasure", [("email", f"c{n}@shop.example")]) for n in range(1, 13)}
    people.start_worker()

    others = [request for n, request in requests.items() if n != held]
    people.wait(lambda: all(accepted(people, one) for one in others), 90, "the vendor's yes for all but one")

    calls = vendors.traffic("amplitude", "deletion.create")
    assert 1 <= len(calls) <= 4
    ids = [i for call in calls if call["worked"] for i in json.loads(call["body"])["amplitude_ids"]]
    assert len(ids) == len(set(ids)) == 11

    def kept_out() -> bool:
        return any(r.outcome is Outcome.HELD for r in people.ledger.receipts(requests[held]))

    people.wait(kept_out, 60, "the one to be held")


@pytest.mark.soak
@pytest.mark.parametrize("place", ["fence:done", "fence:left", "after:sweep"])
def test_killed_between_the_vendors_answer_and_the_receipt_the_vendor_is_not_asked_twice(
    people: World, vendors: Vendors, place: str
) -> None:
    text = (people.home / "maps" / "analytics.yaml").read_text()
    people.write_maps({"analytics": text})
    doomed = people.start_worker(trip=place)
    request = people.open("erasure", [("customer_id", "7")])
    assert doomed.wait(180) == -9, people.log
    people.start_worker()
    people.wait(lambda: accepted(people, request), 400, "the vendor to take the work on")

    assert len(vendors.traffic("amplitude", "deletion.create")) == 1
