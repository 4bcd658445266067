"""What a vendor allows is kept by all workers together, and many people are one call; the vendor's record says so."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.http.vendorfile import find_vendor
from rights.receipt import Certainty, Outcome
from starter.stack import Vendors
from tests.stories.vendors import accepted, analytics, wake, website
from tests.world import World

DAY = timedelta(days=1)


def refused(vendors: Vendors, vendor: str) -> list[str]:
    """Requests that the vendor has refused because they were too many."""
    return [call["operation"] for call in vendors.traffic(vendor) if call["status"] == 429]


@pytest.mark.soak
def test_two_workers_never_ask_more_often_than_a_vendor_allows(people: World, vendors: Vendors) -> None:
    people.write_maps({"analytics": analytics(vendors)})
    for _ in range(2):
        people.start_worker()
    requests = [people.open("erasure", [("customer_id", str(number))]) for number in range(1, 7)]
    people.wait(lambda: all(accepted(people, one) for one in requests), 90, "the vendor's yes")

    # All at once: the vendor takes one of these questions a second.
    vendors.advance("P35D")
    wake(people, *requests)
    for request in requests:
        people.wait_closed(request, 120)

    asked = [call for call in vendors.traffic("amplitude") if call["operation"].startswith("deletion.")]
    assert len(asked) >= 2 + len(requests)
    assert refused(vendors, "amplitude") == []
    assert {people.conclusion(request) for request in requests} == {"answered"}


@pytest.mark.soak
def test_a_days_allowance_is_for_all_and_the_rest_wait_for_the_next(
    people: World, vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = json.dumps(vendors.credentials()["google"]["service_account"])
    monkeypatch.setenv("TEST_GOOGLE", account)
    people.write_maps({"website": website(vendors)})
    # Earlier today 497 of the 500 that the vendor allows were made.
    assert not people.ledger.take_turn("website/daily", "earlier", 497, 497, 500, DAY, timedelta(seconds=5))
    for _ in range(2):
        people.start_worker()
    requests = [people.open("erasure", [("customer_id", str(number))]) for number in range(1, 7)]

    kept = "SELECT count(*) FROM quota_uses WHERE name = 'website/daily' AND at > now() + interval '23 hours'"
    people.wait(lambda: people.query(kept) == [(3,)], 90, "three to be given their turns of tomorrow")
    people.wait(lambda: sum(accepted(people, one, "website") for one in requests) == 3, 30, "three of today")

    assert len([call for call in vendors.traffic("google", "delete") if call["worked"]]) == 3
    assert refused(vendors, "google") == []


@pytest.mark.soak
def test_250_people_are_three_calls_and_each_has_receipts_of_their_own(
    people: World, vendors: Vendors, tmp_path: Path
) -> None:
    numbers, held = range(1_000, 1_250), 1_017
    vendors.seed([{"id": str(number), "events": 1} for number in numbers], ["amplitude"])
    # The vendor allows 360 look-ups an hour, and 250 people need 500 to get as far as its yes: its clock runs ahead
    # here, and we count by the second.
    file = tmp_path / "amplitude.yaml"
    text = find_vendor("amplitude").read_text()
    assert "lookups: {most: 360, within: 1h}" in text
    file.write_text(text.replace("lookups: {most: 360, within: 1h}", "lookups: {most: 360, within: 1s}"))
    people.write_maps({"analytics": analytics(vendors, str(file))})
    people.place_hold([("customer_id", str(held))])
    requests = {number: people.open("erasure", [("customer_id", str(number))]) for number in numbers}
    people.start_worker()

    others = [request for number, request in requests.items() if number != held]

    def all_accepted() -> bool:
        vendors.advance("PT1H")
        (done,) = people.query("SELECT count(DISTINCT request_id) FROM entries WHERE body LIKE '%%\"accepted\"%%'")[0]
        return bool(done == len(others))

    people.wait(all_accepted, 500, "the vendor's yes to all but one")

    calls = [call for call in vendors.traffic("amplitude", "deletion.create") if call["worked"]]
    asked = [ident for call in calls for ident in json.loads(call["body"])["amplitude_ids"]]
    assert len(calls) == 3
    assert max(len(json.loads(call["body"])["amplitude_ids"]) for call in calls) <= 100
    assert sorted(asked) == [300_000_000_000 + number for number in numbers if number != held]
    for number, request in requests.items():
        own = [r for r in people.ledger.receipts(request) if r.step.operation == "erase"]
        assert {r.step.request_id for r in own} == {request}
        assert [r.tally.found for r in own if r.certainty is Certainty.ACCEPTED] == ([] if number == held else [1])
        assert any(r.outcome is Outcome.HELD for r in own) is (number == held)
    assert refused(vendors, "amplitude") == []

    vendors.advance("P35D")
    some = others[:5]
    wake(people, *some)
    for request in some:
        people.wait_closed(request, 120)
    assert {people.conclusion(request) for request in some} == {"answered"}
    assert str(300_000_000_000 + held) in vendors.dump("amplitude")["users"]
