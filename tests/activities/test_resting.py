"""What an erasure had to leave is locked away by a way that a hold allows; where there is none a person is asked."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.calls import Doing
from activities.resting import RestingActivities
from activities.store import FileStore
from activities.tools import Tools
from connectors.memory import Memory
from ledger.ledger import Ledger
from ledger.requests import Ending
from rights.codes import Code
from rights.datamap import DataMap
from rights.deferred import Deferral
from rights.holds import GROUND, Disclosure, Scope, Terms
from rights.mapfile import read_map
from rights.plan import Operation
from rights.receipt import Certainty, Count, Kept, Outcome, Receipt, Tally
from rights.request import Conclusion, Phase
from rights.restwords import OpenGround, RestWord
from rights.subject import Identity
from starter.stack.vendors import Vendors
from tests.connectors.http_bench import MailchimpBench
from tests.connectors.http_desk import Desk
from tests.connectors.memory_bench import FrailStore
from tests.connectors.test_http_vendors import email_of, members_of
from tests.connectors.variants import Restricting
from tests.ledger.builders import AT, a_step, close_one, later, opened_id
from tests.ledger.conftest import Door


def decide(door: Door, request_id: str) -> None:
    """Leave contact data out of an erasure, on a ground without an end, by the back door."""
    body = {"word": "in_part", "parts": [{"category": "contact", "ground": "gdpr_17_3_e"}]}
    door(
        "INSERT INTO decisions (tenant, id, request_id, body, state, approvers, consult, proposed_by, proposed_at) "
        "SELECT tenant, 'of-' || id, id, %s, 'in_force', '{}', false, 's-1', received_at FROM requests WHERE id = %s",
        json.dumps(body),
        request_id,
    )


SHOP = """
system: shop
owner: commerce
connector: memory
backups: none
mode: auto
collections:
  customers:
    key: [id]
    fields:
      id: {strategy: retain, ground: orders that are kept need it}
      email: {category: contact, identity: email, strategy: anonymise}
  orders:
    key: [id]
    fields: {id: {}, customer_id: {}, day: {}}
    links: [{field: customer_id, to: customers.id}]
    retention: [{ground: tax law, after: day, period: P10Y}]
"""
MAP = read_map({"shop.yaml": SHOP})
WHO = (Identity("email", "anna@example.org"),)
HELD, TAXED = Kept(ground=GROUND, rows=1), Kept(ground="tax law", until=date(2034, 1, 1), rows=1)
CASE = Scope(collections=("shop.orders",))


class Beside(Restricting):
    """Stands here for a way that leaves rows where they are: the engine goes by what a connector says of itself."""

    @property
    def locks_beside(self) -> bool:
        return True


class Shop:
    """A shop with two orders, of which an erasure has had to leave Anna's."""

    def __init__(self, ledger: Ledger, folder: Path, kind: type[Memory], kept: Kept, place: str = "orders") -> None:
        self.place = place
        self.ledger, system = ledger, MAP.systems["shop"]
        self.store = FrailStore(system)
        self.store.environment = "test"
        self.store.rows["customers"] += [{"id": n, "email": f"{n}@example.org"} for n in ("anna", "otto")]
        self.store.rows["orders"] += [{"id": n, "customer_id": n, "day": "2024-01-01"} for n in ("anna", "otto")]
        tools = Tools(ledger, {"shop": kind(system, self.store)}, MAP, FileStore(folder), environment="test")
        self.resting = RestingActivities(tools)
        self.request = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, identities=WHO, confirmed=True)
        ledger.pin_map(self.request, MAP, at=AT)
        self.has_left(kept)

    def has_left(self, *kept: Kept, round: int = 0) -> None:
        """What the erasure, and the look after it, say."""
        count = Count(collection=self.place, found=len(kept), kept=kept)
        outcome = Outcome.RETAINED if kept else Outcome.DONE
        for operation in (Operation.ERASE, Operation.VERIFY):
            self.ledger.keep_receipt(
                Receipt(
                    step=a_step(self.request, operation, round=round),
                    outcome=outcome,
                    certainty=Certainty.VERIFIED,
                    tally=Tally(counts=(count,)),
                    at=AT,
                )
            )

    def see_to(self) -> Receipt | None:
        doing = Doing(step=a_step(self.request, Operation.RESTRICT), as_of=AT)
        receipt: Receipt | None = ActivityEnvironment().run(self.resting.see_to, doing)
        return receipt

    @property
    def in_use(self) -> set[object]:
        """Whose orders an application reads, by the back door."""
        return {row["id"] for row in self.store.rows["orders"]}

    @property
    def desk(self) -> list[str]:
        return [task.code for task in self.ledger.tasks(request_id=self.request)]


def test_what_a_duty_keeps_is_locked_away_and_opened_once_nothing_stays(ledger: Ledger, tmp_path: Path) -> None:
    shop = Shop(ledger, tmp_path, Restricting, TAXED)

    done = shop.see_to()

    assert done
    assert (done.outcome, done.certainty) == (Outcome.DONE, Certainty.VERIFIED)
    assert shop.in_use == {"otto"}
    assert {row["id"] for row in shop.store.rows["customers"]} == {"anna", "otto"}, "nothing stayed in it"
    assert ledger.request(shop.request).rests == ("shop",)
    assert shop.see_to() == done, "an attempt whose answer was lost does it once"
    assert ledger.restrictions() == [], "nobody reviews it, and nobody has to be told before it ends"

    shop.has_left(round=1)
    shop.see_to()

    assert shop.in_use == {"anna", "otto"}
    assert (ledger.request(shop.request).rests, shop.desk) == ((), [])


@pytest.mark.parametrize("disclosure", list(Disclosure))
def test_a_way_that_changes_no_row_is_used_under_a_hold(ledger: Ledger, tmp_path: Path, disclosure: Disclosure) -> None:
    """Also under one that must stay secret, which is placed meanwhile: nothing looks otherwise than without it."""
    shop = Shop(ledger, tmp_path, Beside, TAXED)
    ledger.place_hold(WHO, "a case", at=AT, by="s-1", terms=Terms(scope=CASE, disclosure=disclosure))

    done = shop.see_to()

    assert done
    assert (done.outcome, shop.in_use, shop.desk) == (Outcome.DONE, {"otto"}, [])


def test_ERA_03_no_way_that_changes_rows_is_used_under_a_hold_and_a_person_is_asked(
    ledger: Ledger, tmp_path: Path
) -> None:
    shop = Shop(ledger, tmp_path, Restricting, HELD)
    ledger.place_hold(WHO, "a case", at=AT, by="s-1", terms=Terms(scope=CASE))

    receipt = shop.see_to()

    assert receipt
    assert (receipt.outcome, receipt.code) == (Outcome.HELD, Code.HOLD)
    assert shop.in_use == {"anna", "otto"}
    assert shop.desk == [Code.REST_IN_USE]
    assert ledger.request(shop.request).rests == ()

    # It stays on the desk when the person is answered, and a person sees to it.
    rest = Deferral(left={"shop": {"orders": 1}})
    close_one(ledger, shop.request, Conclusion.IN_PART, ending=Ending(erased=WHO, deferred=rest))
    (task,) = ledger.tasks(request_id=shop.request)
    assert ledger.rule(shop.request, task.id, "done", at=later(days=1))
    assert shop.desk == []


def two_open(ledger: Ledger, request: str, ground: OpenGround = OpenGround.CLAIMS) -> None:
    for by in ("s-1", "s-2"):
        ledger.say_of_rest(request, RestWord.OPEN, ground=ground, by=by, at=AT)


def test_ERA_03_what_a_person_has_decided_to_keep_is_locked_away(ledger: Ledger, door: Door, tmp_path: Path) -> None:
    """And what the map retains is not, whatever its ground."""
    shop = Shop(ledger, tmp_path, Restricting, Kept(ground="GDPR Art. 17(3)(e)", rows=1), place="customers")
    assert shop.see_to() is None, "nobody has decided anything"

    decide(door, shop.request)
    done = shop.see_to()

    assert done
    assert (done.outcome, done.certainty) == (Outcome.DONE, Certainty.VERIFIED)
    assert {row["id"] for row in shop.store.rows["customers"]} == {"otto"}
    assert ledger.request(shop.request).rests == ("shop",)


def test_two_people_open_what_is_locked_and_it_is_not_locked_again(ledger: Ledger, tmp_path: Path) -> None:
    """Whatever keeps it, before the request is answered as well."""
    shop = Shop(ledger, tmp_path, Restricting, TAXED)
    shop.see_to()
    two_open(ledger, shop.request)

    done = shop.see_to()

    assert done
    assert (done.step.operation, done.outcome) == (Operation.LIFT, Outcome.DONE)
    assert shop.in_use == {"anna", "otto"}
    assert ledger.request(shop.request).rests == ()
    shop.has_left(TAXED, round=1)
    assert shop.see_to() is None
    assert shop.in_use == {"anna", "otto"}


def test_a_secret_hold_that_is_placed_meanwhile_looks_like_a_busy_system(ledger: Ledger, tmp_path: Path) -> None:
    shop = Shop(ledger, tmp_path, Restricting, TAXED)
    secret = Terms(scope=CASE, disclosure=Disclosure.COUNSEL_TEXT)
    ledger.place_hold(WHO, "a case", at=AT, by="s-1", terms=secret)

    receipt = shop.see_to()

    assert receipt
    assert (receipt.outcome, receipt.code) == (Outcome.PENDING, Code.QUEUED)
    assert (shop.in_use, shop.desk) == ({"anna", "otto"}, [])


def test_a_hold_on_something_else_there_stops_nothing(ledger: Ledger, tmp_path: Path) -> None:
    shop = Shop(ledger, tmp_path, Restricting, TAXED)
    ledger.place_hold(WHO, "a case", at=AT, by="s-1", terms=Terms(scope=Scope(systems=("mail",))))
    shop.see_to()
    assert shop.in_use == {"otto"}


def test_where_the_map_has_no_way_nobody_is_asked_each_time_and_nothing_is_called_locked(
    ledger: Ledger, tmp_path: Path
) -> None:
    shop = Shop(ledger, tmp_path, Memory, TAXED)

    receipt = shop.see_to()

    assert receipt
    assert (receipt.outcome, receipt.code) == (Outcome.UNSUPPORTED, Code.UNSUPPORTED)
    assert (shop.in_use, shop.desk) == ({"anna", "otto"}, [])
    assert ledger.request(shop.request).rests == ()


@pytest.mark.parametrize("taken_back", [True, False])
def test_what_is_taken_back_is_opened_again(ledger: Ledger, tmp_path: Path, taken_back: bool) -> None:
    shop = Shop(ledger, tmp_path, Restricting, TAXED)
    shop.see_to()
    if taken_back:
        ledger.withdraw(shop.request, at=AT)
    shop.see_to()
    assert shop.in_use == ({"anna", "otto"} if taken_back else {"otto"})


def test_what_a_person_gave_up_opening_is_not_said_to_be_open(ledger: Ledger, tmp_path: Path) -> None:
    shop = Shop(ledger, tmp_path, Restricting, TAXED)
    shop.see_to()
    ledger.withdraw(shop.request, at=AT)
    step = a_step(shop.request, Operation.LIFT)
    task = ledger.open_task(shop.request, step.key, Code.BLOCKED, "shop", at=AT)
    assert ledger.rule(shop.request, task, "give_up", at=AT)

    receipt = shop.see_to()

    assert receipt
    assert (receipt.step, receipt.code) == (step, Code.RULED_OUT)
    assert shop.in_use == {"otto"}
    assert ledger.request(shop.request).rests == ("shop",)


def test_each_later_look_is_told_where_it_lies_whoever_asks(ledger: Ledger, door: Door, tmp_path: Path) -> None:
    """A false 'nothing is held' would follow: of a copy, and of an erasure that is asked for anew."""
    shop = Shop(ledger, tmp_path, Restricting, TAXED)
    shop.see_to()
    other = opened_id(ledger, Phase.LOCATING, identities=WHO)
    stranger = opened_id(ledger, Phase.LOCATING, identities=(Identity("email", "otto@example.org"),))
    (at_once,) = ledger.restricted_elsewhere(other, "shop")
    assert b"habeas-" in at_once

    rest = Deferral(left={"shop": {"orders": 1}})
    close_one(ledger, shop.request, Conclusion.IN_PART, ending=Ending(erased=WHO, deferred=rest))
    assert set(ledger.restricted_elsewhere(other, "shop")) == {at_once}
    ledger.shred_due(later(days=400))
    assert ledger.restricted_elsewhere(other, "shop") == [at_once], "when its identities are long shredded"
    assert ledger.restricted_elsewhere(stranger, "shop") == []
    assert ledger.restricted_elsewhere(other, "mail") == []


@pytest.fixture
def newsletter(vendors: Vendors) -> Iterator[Desk]:
    vendors.reset(people=20)
    vendors.freeze()
    desk = Desk(vendors, "mailchimp", f"{MailchimpBench.map}mode: auto\n", dict(MailchimpBench.secrets))
    yield desk
    desk.connector.close()


def test_at_a_vendor_what_was_locked_and_is_erased_is_no_task(ledger: Ledger, tmp_path: Path, newsletter: Desk) -> None:
    """What a duty had kept is erased when it ends, with the lock on it: nobody is asked why it is locked still."""
    who = (Identity(*email_of(newsletter.vendors, 3)),)
    data_map = DataMap.of({"newsletter": newsletter.system})
    tools = Tools(ledger, {"newsletter": newsletter.connector}, data_map, FileStore(tmp_path), environment="test")
    request = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, identities=who, confirmed=True)
    ledger.pin_map(request, data_map, at=AT)

    def see_to(*kept: Kept, round: int) -> Receipt:
        count = Count(collection="members", found=len(kept), kept=kept)
        for operation in (Operation.ERASE, Operation.VERIFY):
            step = a_step(request, operation, system="newsletter", round=round)
            outcome, tally = Outcome.RETAINED if kept else Outcome.DONE, Tally(counts=(count,))
            ledger.keep_receipt(Receipt(step=step, outcome=outcome, certainty=Certainty.VERIFIED, tally=tally, at=AT))
        doing = Doing(step=a_step(request, Operation.RESTRICT, system="newsletter"), as_of=AT)
        receipt: Receipt | None = ActivityEnvironment().run(RestingActivities(tools).see_to, doing)
        assert receipt
        return receipt

    assert see_to(TAXED, round=0).outcome is Outcome.DONE
    call = newsletter.call(*((one.kind, one.value) for one in who))
    assert members_of(newsletter.vendors, who[0].value)[0]["status"] == "unsubscribed"
    newsletter.through("erase", call)

    opened = see_to(round=1)

    assert (opened.step.operation, opened.outcome, opened.code) == (Operation.LIFT, Outcome.DONE, "")
    assert ledger.request(request).rests == ()
    assert ledger.tasks(request_id=request) == []
