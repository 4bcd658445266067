"""An answer of another shape, of any call whose answer is read: a task with its place in the file, and no guess."""

import json
from dataclasses import replace

import pytest

from connectors.errors import NeedsHuman
from connectors.http.connector import HttpConnector
from connectors.protocol import Call, Exports
from rights.codes import Code
from tests.connectors.http_bench import AmplitudeBench, MailchimpBench, ZendeskBench
from tests.connectors.http_desk import GOOGLE, STRIPE, Desk
from tests.fakes.watched import Watched

READ = {
    "amplitude": ("user.search", "deletion.list", "deletion.create", "access.create", "access.status"),
    "mailchimp": ("lists", "member"),
    "zendesk": ("user.search", "deleted.list", "user.requested", "user.compliance"),
    "stripe": ("customers.list", "customers.search", "jobs.create", "jobs.get"),
    "google": ("delete",),
}
"""The operations whose answers are read; of the others the status says all."""


@pytest.fixture
def people(vendors: Watched) -> Watched:
    vendors.reset(people=5)
    vendors.freeze()
    return vendors


def desk_of(people: Watched, vendor: str) -> Desk:
    """A desk at one of the vendors."""
    account = json.dumps(people.credentials()["google"]["service_account"])
    maps = {"amplitude": AmplitudeBench.map, "mailchimp": MailchimpBench.map, "zendesk": ZendeskBench.map}
    maps |= {"stripe": STRIPE, "google": GOOGLE}
    secrets = {
        "amplitude": dict(AmplitudeBench.secrets),
        "mailchimp": dict(MailchimpBench.secrets),
        "zendesk": dict(ZendeskBench.secrets),
        "stripe": {"key": "sk_test_fake"},
        "google": {"service_account": account},
    }
    return Desk(people, vendor, maps[vendor], secrets[vendor])


def a_person(people: Watched) -> tuple[tuple[str, str], ...]:
    """Somebody whom every vendor knows, and against whose erasure none has anything."""
    email = people.dump("stripe")["customers"]
    return ("customer_number", "1"), ("email", next(c["email"] for c in email.values() if c["name"].startswith("Ben")))


def everything(desk: Desk, call: Call) -> None:
    """Look, export and erase, as far as the vendor lets it."""
    connector: HttpConnector = desk.connector
    call = replace(call, anchors=connector.locate(call).anchors)
    exporter: object = connector
    if isinstance(exporter, Exports):
        for part in desk.through("export", call):
            for _ in part.pages:
                pass
    desk.through("erase", call)
    connector.verify(call)


@pytest.mark.parametrize(("vendor", "operation"), [(name, each) for name, known in READ.items() for each in known])
def test_what_nobody_understands_is_a_persons_matter(people: Watched, vendor: str, operation: str) -> None:
    desk = desk_of(people, vendor)
    people.fault(vendor, "wrong_shape", operation, times=10_000)

    with pytest.raises(NeedsHuman) as caught:
        everything(desk, desk.call(*a_person(people)))
    desk.connector.close()

    assert (caught.value.code, caught.value.about.partition(".")[0]) == (Code.SHAPE, "collections")
    assert caught.value.tally.of(caught.value.about.split(".")[1]).changed == 0


@pytest.mark.parametrize(
    ("vendor", "operation", "name", "field"),
    [
        ("mailchimp", "member", "email_address", "email"),
        ("zendesk", "user.search", "email", "email"),
        ("amplitude", "user.search", "user_id", "user_id"),
    ],
)
def test_a_field_that_is_not_there_any_more_is_not_nobody(
    people: Watched, vendor: str, operation: str, name: str, field: str
) -> None:
    """The search finds the person, and the answer does not say by what: that is not 'nothing held'."""
    desk = desk_of(people, vendor)
    desk.connector.locate(desk.call(*a_person(people)))
    right = next(one for one in reversed(people.traffic(vendor, operation)) if one["status"] == 200)
    bent = json.loads(right["answer"].replace(f'"{name}"', f'"new_{name}"'))
    people.fault(vendor, "wrong_shape", operation, times=10_000, body=bent)

    with pytest.raises(NeedsHuman) as caught:
        desk.connector.locate(desk.call(*a_person(people)))
    desk.connector.close()

    assert (caught.value.code, caught.value.about.split(".")[2:]) == (Code.SHAPE, ["fields", field])
