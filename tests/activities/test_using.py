"""A copy of what may be used is made of what is locked away, and not while anything of the person is still open."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
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
from rights.uses import Use, UseEnded, UseGround
from tests.activities.test_replaying import MAP
from tests.ledger.builders import AT, later, opened_id

FOUND = Tally(counts=(Count(collection="customers", found=1),))


@dataclass
class Vendor:
    """A connector with one row, which is open until it is locked."""

    locked: bool = False
    asked: list[str] = field(default_factory=list)
    holds: Tally = FOUND
    """What there is; only customers can be locked away."""

    def locate(self, call: Call) -> Look:
        return Look(self.holds)

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


def a_use(ledger: Ledger, *covers: str) -> Use:
    """A use that somebody asks for."""
    request = opened_id(ledger, Phase.LOCATING, right=Right.RESTRICTION, confirmed=True)
    ledger.begin_restriction(request, Ground.CLAIMS, at=AT, review_on=later(days=90))
    step = Step(request_id=request, system="shop", operation=Operation.RESTRICT)
    ledger.keep_receipt(Receipt(step=step, outcome=Outcome.DONE, certainty=Certainty.VERIFIED, tally=FOUND, at=AT))
    return ledger.ask_to_use(
        request,
        UseGround.CLAIMS,
        covers,
        article="GDPR Art. 18(2)",
        until=(AT + timedelta(days=30)).date(),
        zone="Europe/Berlin",
        recipient="own",
        new_purpose=False,
        evidence="canary",
        by="s-17",
        at=AT,
    )


def sealing(ledger: Ledger, folder: Path, vendor: Vendor, use: Use, text: str = MAP) -> str:
    """What keeps the copy from being made."""
    data_map = read_map({"shop.yaml": text.replace("connector:", "mode: auto\nconnector:", 1)})
    tools = Tools(ledger, {"shop": vendor}, data_map, FileStore(folder), environment="test")
    ActivityEnvironment().run(UsingActivities(tools).seal, Ask(request_id=use.id, as_of=AT))
    return ledger.use(use.id).trouble


def test_RES_02_nothing_is_copied_while_a_row_of_the_person_is_still_open(ledger: Ledger, tmp_path: Path) -> None:
    vendor, use = Vendor(), a_use(ledger, "shop.customers")
    seal = partial(sealing, ledger, tmp_path, vendor, use)

    assert (seal(), vendor.asked) == ("", []), "one person's word copies nothing"
    ledger.approve_use(use.id, by="s-21", note=None, at=AT)
    assert (seal(), vendor.asked, vendor.locked) == ("not_locked", [], False)
    assert not list(tmp_path.rglob("*.sealed"))

    vendor.locked = True
    assert seal() == ""
    assert ledger.use(use.id).rows == {"shop.customers": 1}
    assert vendor.asked == ["customers"], "and of no other collection"
    ledger.end_use(use.id, UseEnded.DONE, by="s-17", note=None, at=AT)


def test_RES_02_what_the_system_has_no_way_to_lock_is_not_copied(ledger: Ledger, tmp_path: Path) -> None:
    two = Tally(counts=(*FOUND.counts, Count(collection="orders", found=2)))
    vendor, use = Vendor(locked=True, holds=two), a_use(ledger, "shop.customers", "shop.orders")
    ledger.approve_use(use.id, by="s-21", note=None, at=AT)
    both = f"{MAP}  orders:\n    key: [id]\n    fields: {{id: {{}}, mail: {{category: contact, identity: email}}}}\n"

    assert (sealing(ledger, tmp_path, vendor, use, both), vendor.asked) == ("not_locked", [])
    assert ledger.use(use.id).sealed_at is None
    assert not list(tmp_path.rglob("*.sealed"))

    vendor.holds = FOUND
    assert sealing(ledger, tmp_path, vendor, use, both) == "", "where nothing stands, nothing is open"
