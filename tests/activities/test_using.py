"""A copy of what may be used is made of what is locked away, and not while anything of the person is still open."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.opening import Ask
from activities.spool import JSON_LINES
from activities.store import FileStore
from activities.tools import Tools
from activities.using import UsingActivities
from connectors.protocol import Call, Export, Look, Restricted
from ledger.ledger import Ledger
from rights.mapfile import read_map
from rights.plan import Operation, Step
from rights.receipt import Certainty, Count, Outcome, Receipt, Tally
from rights.request import Phase, Right
from rights.restriction import Ground
from rights.uses import UseEnded, UseGround
from tests.activities.test_replaying import MAP
from tests.ledger.builders import AT, later, opened_id

FOUND = Tally(counts=(Count(collection="customers", found=1),))


@dataclass
class Vendor:
    """A connector with one row, which is open until it is locked."""

    locked: bool = False
    asked: list[str] = field(default_factory=list)

    def locate(self, call: Call) -> Look:
        return Look(FOUND)

    def export(self, call: Call) -> Iterator[Export]:
        for work in call.work:
            if work.export:
                self.asked.append(work.collection)
                yield Export(work.collection, JSON_LINES, iter([json.dumps({"id": 7}).encode() + b"\n"]))

    def restrict(self, call: Call) -> Restricted:
        if not self.locked:
            with call.fence({"customers": 1}, FOUND) as intent:
                self.locked = True
                intent.done(FOUND)
        return Restricted(FOUND)

    def lift(self, call: Call) -> Tally:
        return FOUND


def test_RES_02_nothing_is_copied_while_a_row_of_the_person_is_still_open(ledger: Ledger, tmp_path: Path) -> None:
    data_map = read_map({"shop.yaml": MAP.replace("connector:", "mode: auto\nconnector:", 1)})
    vendor, store = Vendor(), FileStore(tmp_path)
    using = UsingActivities(Tools(ledger, {"shop": vendor}, data_map, store, environment="test"))
    request = opened_id(ledger, Phase.LOCATING, right=Right.RESTRICTION, confirmed=True)
    ledger.begin_restriction(request, Ground.CLAIMS, at=AT, review_on=later(days=90))
    step = Step(request_id=request, system="shop", operation=Operation.RESTRICT)
    ledger.keep_receipt(Receipt(step=step, outcome=Outcome.DONE, certainty=Certainty.VERIFIED, tally=FOUND, at=AT))
    use = ledger.ask_to_use(
        request,
        UseGround.CLAIMS,
        ("shop.customers",),
        article="GDPR Art. 18(2)",
        until=(AT + timedelta(days=30)).date(),
        zone="Europe/Berlin",
        recipient="own",
        new_purpose=False,
        evidence="canary",
        by="s-17",
        at=AT,
    )

    def seal() -> str:
        ActivityEnvironment().run(using.seal, Ask(request_id=use.id, as_of=AT))
        return ledger.use(use.id).trouble

    assert (seal(), vendor.asked) == ("", []), "one person's word copies nothing"
    ledger.approve_use(use.id, by="s-21", note=None, at=AT)
    assert (seal(), vendor.asked, vendor.locked) == ("not_locked", [], False)
    assert not list(tmp_path.rglob("*.sealed"))

    vendor.locked = True
    assert seal() == ""
    assert ledger.use(use.id).rows == {"shop.customers": 1}
    assert vendor.asked == ["customers"], "and of no other collection"
    ledger.end_use(use.id, UseEnded.DONE, by="s-17", note=None, at=AT)
