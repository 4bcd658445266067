"""What our connectors ask of the vendors is as the vendors' documents say, and a request that is not is found.

The fixture `vendors` compares the traffic of every test here; these show that there is something to compare, and that
it can fail.
"""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from connectors.errors import ConnectorError
from connectors.http.vendorfile import find_vendor
from rights.receipt import Tally
from tests.connectors.http_bench import AmplitudeBench
from tests.connectors.http_desk import GOOGLE, STRIPE, Desk
from tests.fakes.watched import Watched, differences

AMPLITUDE = dict(AmplitudeBench.secrets)


@pytest.fixture
def people(vendors: Watched) -> Watched:
    vendors.reset(people=5)
    vendors.freeze()
    return vendors


def ben(people: Watched) -> tuple[str, str]:
    """A customer of Stripe's without anything that stands in the way of a redaction."""
    customers = people.dump("stripe")["customers"].values()
    return "email", next(one["email"] for one in customers if one["name"].startswith("Ben"))


def test_each_documented_call_of_amplitude_is_compared(people: Watched) -> None:
    desk = Desk(people, "amplitude", AmplitudeBench.map, AMPLITUDE, hosts=["localhost"])
    call = desk.call(("customer_number", "3"))
    for part in desk.through("export", call):
        for _ in part.pages:
            pass
    assert desk.through("erase", call).changed == 1
    desk.connector.close()

    judged = people.judged()
    assert {name.partition(" ")[0] for name in judged["amplitude"].checked} == {
        *("deletion.create", "deletion.list", "access.create", "access.status", "access.output")
    }
    assert differences(judged) == []


def test_each_documented_call_of_google_is_compared(people: Watched) -> None:
    account = {"service_account": json.dumps(people.credentials()["google"]["service_account"])}
    older = GOOGLE.replace("google_analytics,", "google_analytics_v3,").replace(
        "      user_data: {category: contact, identity: email}\n", ""
    )
    for text in (GOOGLE, older):
        desk = Desk(people, "google", text, account)
        desk.connector.erase(desk.call(("customer_number", "3"), ("email", "anna@example.org")))
        desk.connector.close()

    judged = people.judged()
    assert judged["google"].checked == {"delete 200", "upsert 200"}
    assert differences(judged) == []


def test_each_documented_call_of_stripe_is_compared(people: Watched) -> None:
    desk = Desk(people, "stripe", STRIPE, {"key": "sk_test_fake"})
    assert isinstance(desk.through("erase", desk.call(ben(people))), Tally)
    desk.connector.close()

    judged = people.judged()
    assert judged["stripe"].checked == {"jobs.create 200", "jobs.get 200", "jobs.run 200"}
    assert differences(judged) == []


@pytest.mark.parametrize(
    ("vendor", "right", "wrong", "said"),
    [
        ("amplitude", 'ignore_invalid_id: "true"', 'skip_invalid: "true"', "deletion.create"),
        ("amplitude", "start_day:", "begin_day:", "deletion.list"),
        ("google_analytics", "userId:", "user:", "delete"),
        ("stripe", "validation_behavior: error", "validation_behavior: strict", "jobs.create"),
        ("stripe", '"objects[customers][]"', '"objects[clients][]"', "jobs.create"),
    ],
)
def test_a_wrong_request_is_found(
    people: Watched, tmp_path: Path, vendor: str, right: str, wrong: str, said: str
) -> None:
    text = find_vendor(vendor).read_text()
    assert right in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(right, wrong))
    fake = vendor.partition("_")[0]
    maps = {"amplitude": AmplitudeBench.map, "google": GOOGLE, "stripe": STRIPE}
    account = json.dumps(people.credentials()["google"]["service_account"])
    secrets = {"amplitude": AMPLITUDE, "google": {"service_account": account}, "stripe": {"key": "sk_test_fake"}}
    desk = Desk(people, fake, maps[fake].replace(f"vendor: {vendor}", f"vendor: {file}"), secrets[fake])

    # Whether the vendor minds or not: some take what they do not know, and do nothing.
    with suppress(ConnectorError):
        desk.connector.erase(desk.call(("customer_number", "3"), ben(people)))
    desk.connector.close()

    found = differences(people.judged())
    assert found, "the request went out, and nobody saw what was wrong with it"
    assert all(text.startswith(f"{fake}: {said}") for text in found), found
