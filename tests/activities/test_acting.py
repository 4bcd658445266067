"""Nothing is called locked away while rows of the person stay open."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.calls import Doing
from activities.fulfil import FulfilActivities
from activities.restricting import RestrictingActivities
from activities.store import FileStore
from activities.tools import Tools
from connectors.protocol import Call, Restricted
from ledger.ledger import Ledger
from rights.codes import Code
from rights.plan import Operation
from rights.receipt import Outcome, Receipt, Tally
from rights.request import Phase, Right
from rights.restriction import Ground
from tests.activities.test_resting import MAP, WHO
from tests.connectors.memory_bench import FrailStore
from tests.connectors.variants import Restricting
from tests.ledger.builders import AT, a_step, later, opened_id


class Partly(Restricting):
    """Can lock customers away, and orders not."""

    def restrict(self, call: Call) -> Restricted:
        works = tuple(work.model_copy(update={"locks": work.collection == "customers"}) for work in call.work)
        done = super().restrict(replace(call, work=works))
        left = any(row["customer_id"] == "anna" for row in self.store.rows["orders"])
        return replace(done, without=("orders",) if left else ())


def test_a_system_that_can_lock_only_some_collections_is_not_called_restricted(ledger: Ledger, tmp_path: Path) -> None:
    system = MAP.systems["shop"]
    store = FrailStore(system)
    store.environment = "test"
    store.rows["customers"] += [{"id": n, "email": f"{n}@example.org"} for n in ("anna", "otto")]
    store.rows["orders"] += [{"id": n, "customer_id": n, "day": "2024-01-01"} for n in ("anna", "otto")]
    connector = Partly(system, store)
    tools = Tools(ledger, {"shop": connector}, MAP, FileStore(tmp_path), environment="test")
    request = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.OBJECTION, identities=WHO, confirmed=True)
    ledger.pin_map(request, MAP, at=AT)

    def act(operation: Operation, round: int = 0) -> Receipt:
        doing = Doing(step=a_step(request, operation, round=round), as_of=AT)
        fulfil = FulfilActivities(tools)
        work = fulfil.lift if operation is Operation.LIFT else fulfil.restrict
        return ActivityEnvironment().run(work, doing)

    receipt = act(Operation.RESTRICT)

    assert (receipt.outcome, receipt.code, receipt.about) == (Outcome.UNSUPPORTED, Code.UNSUPPORTED, "orders")
    assert {row["id"] for row in store.rows["customers"]} == {"otto"}, "what can be locked away is"

    # What was locked away is put back in the end, whatever became of the rest.
    steps = RestrictingActivities(tools)._steps(request)
    assert [(step.system, step.operation) for step in steps] == [("shop", Operation.LIFT)]
    assert act(Operation.LIFT).outcome is Outcome.DONE
    assert {row["id"] for row in store.rows["customers"]} == {"anna", "otto"}


class Telling(Restricting):
    """Notes what it was told of others."""

    told: tuple[Mapping[str, str], ...] = ()

    def lift(self, call: Call) -> Tally:
        self.told = call.restricted_too
        return super().lift(call)


def test_whoever_lifts_is_told_what_other_requests_keep_locked_away(ledger: Ledger, tmp_path: Path) -> None:
    system = MAP.systems["shop"]
    store = FrailStore(system)
    store.environment = "test"
    connector = Telling(system, store)
    tools = Tools(ledger, {"shop": connector}, MAP, FileStore(tmp_path), environment="test")
    mine, theirs = (
        opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=right, identities=WHO, confirmed=True)
        for right in (Right.OBJECTION, Right.RECTIFICATION)
    )
    ledger.begin_restriction(theirs, Ground.ACCURACY, at=AT, review_on=later(days=90))
    ledger.seal(theirs, "working", "restricted/shop", b'{"rows":"theirs"}', at=AT)
    ledger.pin_map(mine, MAP, at=AT)

    doing = Doing(step=a_step(mine, Operation.LIFT), as_of=AT)
    ActivityEnvironment().run(FulfilActivities(tools).lift, doing)

    assert connector.told == ({"rows": "theirs"},)
