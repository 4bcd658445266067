"""What a system holds by itself reads as a hold of that system, and goes when that ends: on a real object store."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.calls import Doing
from activities.closing import ClosingActivities
from activities.deferring import DeferringActivities
from activities.fulfil import FulfilActivities
from activities.opening import Ask
from activities.planning import Planning, PlanningActivities
from activities.store import FileStore
from activities.tools import Tools
from connectors.s3 import build
from ledger.ledger import Ledger
from rights.audience import answer
from rights.datamap import DataMap, Mode
from rights.deferred import REVIEW_EVERY, SystemHold, held_by_systems
from rights.holds import OBJECT_LOCK, OF_SYSTEM
from rights.plan import Operation, Step
from rights.receipt import Certainty, Kept, Outcome, Receipt
from rights.request import Conclusion, Phase, Right
from rights.subject import Identity
from starter.commands.deferred import held_by_systems_of, listed
from starter.stack import Objects
from tests.connectors.s3_bench import S3Bench
from tests.ledger.builders import open_one

pytestmark = pytest.mark.soak  # they start an object store

WHO = (Identity("user_id", "1"),)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def objects() -> Iterator[Objects]:
    with Objects() as server:
        yield server


@pytest.fixture
def locked(objects: Objects) -> Iterator[S3Bench]:
    bench = S3Bench(objects, lock=True)
    bench.mark("test")
    yield bench
    bench.close()


class Office:
    """A worker of one bucket, one step at a time."""

    def __init__(self, ledger: Ledger, bench: S3Bench, folder: Path) -> None:
        system = bench.system.model_copy(update={"mode": Mode.AUTO})
        data_map = DataMap.of({"uploads": system})
        self.ledger, self.bench = ledger, bench
        secrets = {
            name: f"{who.access_key}:{who.secret_key}"
            for name, who in (("reader", bench.reader), ("writer", bench.writer))
        }
        self.tools = Tools(ledger, {"uploads": build(system, secrets)}, data_map, FileStore(folder), environment="test")

    def opened(self, at: datetime) -> str:
        request = open_one(self.ledger, WHO, at=at, confirmed=True).request_id
        self.ledger.pin_map(request, self.tools.data_map, at=at)
        return request

    def does(self, request: str, operation: Operation, at: datetime) -> Receipt:
        fulfil = FulfilActivities(self.tools)
        act = {
            Operation.LOCATE: fulfil.locate, Operation.ERASE: fulfil.erase, Operation.VERIFY: fulfil.verify
        }[operation]  # fmt: skip
        step = Step(request_id=request, system="uploads", operation=operation)
        receipt: Receipt = ActivityEnvironment().run(act, Doing(step=step, as_of=at))
        return receipt

    def looks(self, request: str, at: datetime) -> None:
        if self.ledger.request(request).phase is not Phase.LOCATING:
            self.ledger.move(request, Phase.LOCATING, at=at)
        self.does(request, Operation.LOCATE, at)
        planning = Planning(ask=Ask(request_id=request, as_of=at), round=0, holding=("uploads",))
        ActivityEnvironment().run(PlanningActivities(self.tools).plan, planning)

    def erases(self, request: str, at: datetime) -> tuple[Receipt, Receipt]:
        return self.does(request, Operation.ERASE, at), self.does(request, Operation.VERIFY, at)

    def closes(self, request: str, at: datetime) -> Conclusion:
        closing = ClosingActivities(self.tools)
        closed: Conclusion = ActivityEnvironment().run(closing.close, Ask(request_id=request, as_of=at)).conclusion
        return closed

    def comes_back(self, request: str, at: datetime) -> str:
        """The request that carries out the rest on a day; empty: it waits."""
        reviewed = DeferringActivities(self.tools).review(Ask(request_id=request, as_of=at))
        left = self.ledger.deferral(request)
        assert left is not None
        assert reviewed.over is bool(left.by_request)
        return left.by_request or ""

    def asked(self, request: str) -> list[str]:
        return [str(task.code) for task in self.ledger.tasks(request_id=request)]


@pytest.fixture
def office(ledger: Ledger, locked: S3Bench, tmp_path: Path) -> Office:
    return Office(ledger, locked, tmp_path)


def keys(bench: S3Bench) -> set[str]:
    """By the back door."""
    return {key for key, _ in bench.everything()["objects"]}


def told(office: Office, request: str) -> tuple[Kept, ...]:
    """What the person is answered about what stays."""
    (one,) = answer(Right.ERASURE, ["uploads"], office.ledger.receipts(request), {}, {}, "Europe/Berlin")
    return one.kept


def test_HLD_04_a_legal_hold_of_a_bucket_is_waited_for_said_and_come_back_to_until_it_ends(
    office: Office, locked: S3Bench
) -> None:
    locked.put("users/1/evidence", b"x", ObjectLockLegalHoldStatus="ON")
    locked.put("users/1/other", b"x")
    at = datetime.now(UTC)
    request = office.opened(at)
    office.looks(request, at)

    stopped = office.does(request, Operation.ERASE, at)

    assert (stopped.outcome, stopped.code, stopped.tally.kept_rows) == (Outcome.HELD, "legal_hold", 1)
    assert keys(locked) == {"users/1/evidence"}
    assert office.asked(request) == ["legal_hold"]
    itself = SystemHold(system="uploads", collection="objects", ground=OF_SYSTEM, rows=1)
    assert held_by_systems_of(office.ledger) == {request: (itself,)}
    assert listed({request: (itself,)})[0] == {"request_id": request, **itself.model_dump(mode="json")}
    assert office.does(request, Operation.ERASE, at + DAY).outcome is Outcome.HELD, "it is waited for"

    # The day of the answer.
    due = office.ledger.request(request).clock.internal_due
    erased, seen = office.erases(request, due)
    assert (erased.outcome, seen.outcome, seen.certainty) == (Outcome.RETAINED, Outcome.RETAINED, Certainty.VERIFIED)
    assert told(office, request) == (Kept(ground=OF_SYSTEM, rows=1),)
    assert office.closes(request, due) is Conclusion.IN_PART
    assert office.asked(request) == []
    assert held_by_systems_of(office.ledger) == {request: (itself,)}, "it is still to be seen who keeps it"

    # It is looked at again each month, and the person's data stays with the bucket, not with an open request.
    assert office.comes_back(request, due + DAY) == ""
    second = office.comes_back(request, due + REVIEW_EVERY)
    assert second
    office.looks(second, due + REVIEW_EVERY)
    again, _ = office.erases(second, due + REVIEW_EVERY)
    assert (again.outcome, office.asked(second)) == (Outcome.RETAINED, [])
    assert office.closes(second, due + REVIEW_EVERY) is Conclusion.IN_PART
    assert office.comes_back(second, due + REVIEW_EVERY + DAY) == ""

    for key, version in locked.everything()["objects"]:
        locked.door.put_object_legal_hold(Bucket=locked.bucket, Key=key, VersionId=version, LegalHold={"Status": "OFF"})
    third = office.comes_back(second, due + 2 * REVIEW_EVERY)
    office.looks(third, due + 2 * REVIEW_EVERY)
    gone, checked = office.erases(third, due + 2 * REVIEW_EVERY)
    assert (gone.outcome, gone.tally.changed, checked.outcome) == (Outcome.DONE, 1, Outcome.DONE)
    assert keys(locked) == set()
    assert office.closes(third, due + 2 * REVIEW_EVERY) is Conclusion.ANSWERED
    assert office.ledger.deferrals() == []
    assert held_by_systems_of(office.ledger) == {}


def test_what_a_bucket_locks_until_a_day_is_said_with_it_and_goes_after_it(office: Office, locked: S3Bench) -> None:
    at = datetime.now(UTC)
    until = at + timedelta(days=200)
    for mode in ("COMPLIANCE", "GOVERNANCE"):
        locked.put(f"users/1/{mode}", b"x", ObjectLockMode=mode, ObjectLockRetainUntilDate=until)
    request = office.opened(at)
    office.looks(request, at)
    erased, _ = office.erases(request, at)
    assert erased.outcome is Outcome.RETAINED
    assert told(office, request) == (Kept(ground=OBJECT_LOCK, until=until.date(), rows=2),)
    assert office.closes(request, at) is Conclusion.IN_PART

    (held,) = held_by_systems(office.ledger.receipts(request))
    assert (held.ground, held.rows, held.until) == (OBJECT_LOCK, 2, until.date())
    assert held_by_systems_of(office.ledger) == {request: (held,)}
    assert office.comes_back(request, until) == ""
    assert office.comes_back(request, until + 3 * DAY), "and a request of its own carries it out"


def test_what_a_person_gave_up_on_is_not_come_back_to(office: Office, locked: S3Bench) -> None:
    locked.put("users/1/evidence", b"x", ObjectLockLegalHoldStatus="ON")
    at = datetime.now(UTC)
    request = office.opened(at)
    office.looks(request, at)
    office.does(request, Operation.ERASE, at)
    (task,) = office.ledger.tasks(request_id=request)
    office.ledger.rule(request, task.id, "give_up", at=at, note="by the test")
    office.does(request, Operation.ERASE, at)

    assert office.closes(request, at) is Conclusion.IN_PART
    assert office.ledger.deferral(request) is None
    assert keys(locked) == {"users/1/evidence"}
