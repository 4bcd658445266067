"""kill -9 between every call to a vendor and its receipt: nothing is asked for twice, and the request finishes.

What a vendor did is read from its own records. A vendor whose answer is still to come has done its work already: the
worker is killed while it waits. The calls' limits are seconds here (options `timeout` and `grace`), since whoever comes
next waits until a cut call is surely over.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.service import RPCError

import connectors.http
import worker
from rights.receipt import Certainty
from starter.stack import Vendors
from tests.connectors.http_bench import AmplitudeBench, MailchimpBench, ZendeskBench
from tests.connectors.http_desk import GOOGLE, STRIPE
from tests.world import World

PERSON = {"id": 7, "email": "c7@shop.example", "name": "Anna Berg", "tickets": 1, "charges": 1}
ZENDESK_ID = "900000000007"


@dataclass(frozen=True)
class Kind:
    """One vendor: its map and secrets, how far its clock is moved at once, and what it has done for whom."""

    name: str
    map: str
    secrets: dict[str, str]
    identity: tuple[str, str]
    step: str
    done: Callable[[Vendors], object]
    once: object


def worked(vendors: Vendors, vendor: str, *operations: str) -> list[int]:
    """How often the vendor did each of these."""
    return [sum(one["worked"] for one in vendors.traffic(vendor, operation)) for operation in operations]


def _of_zendesk(vendors: Vendors) -> object:
    user = vendors.dump("zendesk")["users"][ZENDESK_ID]
    calls = worked(vendors, "zendesk", "ticket.delete", "deleted_ticket.delete", "user.delete", "deleted.delete")
    return bool(user["permanent_at"]), calls


def _of_stripe(vendors: Vendors) -> object:
    jobs = [job["status"] for job in vendors.dump("stripe")["jobs"].values()]
    return jobs, worked(vendors, "stripe", "jobs.run")


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "amplitude",
            AmplitudeBench.map,
            dict(AmplitudeBench.secrets),
            ("customer_number", "7"),
            "P20D",
            lambda v: (list(v.dump("amplitude")["users"]), worked(v, "amplitude", "deletion.create")),
            ([], [1]),
        ),
        Kind(
            "mailchimp",
            MailchimpBench.map,
            dict(MailchimpBench.secrets),
            ("email", "c7@shop.example"),
            "PT1H",
            lambda v: (
                [len(of) for of in v.dump("mailchimp")["members"].values()],
                worked(v, "mailchimp", "member.delete"),
            ),
            ([0, 0], [2]),
        ),
        Kind(
            "zendesk",
            ZendeskBench.map,
            dict(ZendeskBench.secrets),
            ("email", "c7@shop.example"),
            "P2D",
            _of_zendesk,
            (True, [1, 1, 1, 1]),
        ),
        Kind(
            "stripe",
            STRIPE,
            {"key": "sk_test_fake"},
            ("email", "c7@shop.example"),
            "PT1H",
            _of_stripe,
            (["succeeded"], [1]),
        ),
        Kind(
            "google",
            GOOGLE,
            {},
            ("customer_number", "7"),
            "PT1H",
            # Submitting is the same twice over, and nothing can be looked up: a lost answer is asked for again.
            lambda v: {(one["kind"], one["value"]) for one in v.dump("google")["deletions"]},
            {("userId", "7")},
        ),
    )
}


@pytest.fixture(scope="module")
def process() -> Iterator[Vendors]:
    with Vendors() as vendors:
        yield vendors


class Place:
    """A deployment with one vendor."""

    def __init__(self, world: World, vendors: Vendors, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.vendors, self.kind = world, vendors, kind
        vendors.reset()
        vendors.seed([PERSON])
        vendors.clear_traffic()
        secrets = dict(kind.secrets)
        text = kind.map
        if kind.name == "google":
            secrets["service_account"] = json.dumps(vendors.credentials()["google"]["service_account"])
            text = text.replace("vendor: google_analytics", f"vendor: {_soon_over(world.home)}")
        for name, value in secrets.items():
            monkeypatch.setenv(f"TEST_{name.upper()}", value)
        said = ", ".join(f'{name}: "env:TEST_{name.upper()}"' for name in secrets)
        place = f'base_url: "{vendors.url(kind.name)}", private: ["127.0.0.1"], environment: test'
        world.write_maps(
            {
                kind.name: text.replace(
                    "connector: http\n",
                    f"connector: http\nmode: auto\nmax_people_per_hour: 10\nconnection: {{{said}}}\n",
                ).replace("options: {", f"options: {{{place}, timeout: 5s, grace: 2s, ")
            }
        )
        self.request = ""

    def open(self) -> None:
        self.request = self.world.open("erasure", [self.kind.identity])

    def answers(self) -> int:
        """How often the erasure has come to an answer of the vendor's."""
        said = [r for r in self.world.ledger.receipts(self.request) if r.step.operation == "erase"]
        return sum(r.certainty in {Certainty.ACCEPTED, Certainty.COMPLETED} for r in said)

    def finish(self, answers: int) -> None:
        """Let a new worker take over, and the vendor's time pass once it has asked."""
        world, vendors = self.world, self.vendors
        world.start_worker()
        world.wait(lambda: self.answers() > answers, 90, "an answer of the vendor's")

        def on() -> bool:
            vendors.advance(self.kind.step)
            asyncio.run(self.wake())
            return world.phase(self.request) == "closed"

        world.wait(on, 90, "the request to close")
        assert world.conclusion(self.request) == "answered"
        assert self.kind.done(vendors) == self.kind.once
        settled = world.query("SELECT key FROM entries WHERE request_id = %s AND kind = 'settled'", self.request)
        assert len(settled) == len(set(settled))

    async def wake(self) -> None:
        """What the end of a timer of hours does: the request asks again."""
        client = await worker.connect(self.world.settings, self.world.ledger)
        handle = client.get_workflow_handle(f"erasure/{self.world.ledger.tenant}/{self.request}")
        with suppress(RPCError):  # it has just closed
            await handle.signal("refresh")


def _soon_over(home: Path) -> Path:
    """The vendor's file, with a term of seconds in place of two months."""
    file = Path(connectors.http.__file__).parent / "vendors" / "google_analytics.yaml"
    soon = home / "soon_over.yaml"
    soon.write_text(file.read_text().replace("term: 63d", "term: 3s"))
    return soon


CALLS = [
    ("amplitude", "deletion.create"),
    ("amplitude", "deletion.list"),
    ("mailchimp", "member.delete"),
    ("zendesk", "ticket.delete"),
    ("zendesk", "deleted_ticket.delete"),
    ("zendesk", "user.delete"),
    ("zendesk", "deleted.delete"),
    ("zendesk", "user.compliance"),
    ("stripe", "jobs.create"),
    ("stripe", "jobs.get"),
    ("stripe", "jobs.run"),
    ("google", "delete"),
]


@pytest.mark.soak
@pytest.mark.parametrize(("name", "operation"), CALLS)
def test_killed_when_the_vendor_has_done_it_and_its_answer_is_still_to_come(
    world: World, process: Vendors, monkeypatch: pytest.MonkeyPatch, name: str, operation: str
) -> None:
    place = Place(world, process, KINDS[name], monkeypatch)
    process.fault(name, "timeout", operation, seconds=60)
    doomed = world.start_worker()
    place.open()

    def done() -> bool:
        if name == "stripe" and place.request and place.answers():
            # Its jobs are checked before they are run.
            process.advance("PT1M")
            asyncio.run(place.wake())
        return any(one["fault"] and one["worked"] for one in process.traffic(name, operation))

    world.wait(done, 60, f"{name} to have done {operation}")
    answers = place.answers()
    doomed.kill()
    place.finish(answers)


@pytest.mark.soak
@pytest.mark.parametrize("trip", ["fence:done", "fence:left"])
@pytest.mark.parametrize("name", KINDS)
def test_killed_between_the_vendors_answer_and_its_receipt(
    world: World, process: Vendors, monkeypatch: pytest.MonkeyPatch, name: str, trip: str
) -> None:
    place = Place(world, process, KINDS[name], monkeypatch)
    doomed = world.start_worker(trip=trip)
    place.open()

    def dead() -> bool:
        if name == "stripe" and place.answers():
            process.advance("PT1M")
            asyncio.run(place.wake())
        return doomed.poll() is not None

    world.wait(dead, 60, "the worker to die")
    place.finish(place.answers())
