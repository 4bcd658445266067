"""Whoever was given what was wrong hears what is right of it (GDPR Art. 19)."""

import json
from datetime import date
from pathlib import Path

from activities.opening import Ask
from activities.store import FileStore
from activities.telling import TellingActivities
from activities.tools import Tools
from ledger.ledger import Ledger
from rights.plan import Operation
from rights.receipt import Count, Outcome, Receipt, Tally
from rights.recipients import Recipient, Register
from rights.request import Phase, Right
from tests.ledger.builders import ANNA, AT, a_map, a_step, opened_id


def recipient(*gets: str) -> Recipient:
    return Recipient.model_validate(
        {
            "name": "Acme GmbH",
            "country": "DE",
            "basis": {"kind": "contract", "document": "DPA 17", "since": date(2024, 1, 1)},
            "gets": list(gets),
            "knows_by": ["email"],
            "told_by": {"email": "privacy@acme.example"},
        }
    )


def test_REC_04_whoever_has_what_was_corrected_is_told_and_nobody_else(ledger: Ledger, tmp_path: Path) -> None:
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.RECTIFICATION)
    counts = (Count(collection="customers", found=1, rectified=1), Count(collection="orders", found=3))
    step = a_step(request_id, Operation.RECTIFY)
    ledger.keep_receipt(Receipt(step=step, outcome=Outcome.DONE, tally=Tally(counts=counts), at=AT))
    register = Register(recipients={"acme": recipient("shop.customers"), "other": recipient("shop.orders")})
    tools = Tools(ledger, {}, a_map(), FileStore(tmp_path), environment="test", register=register)

    for told in (1, 0):
        assert TellingActivities(tools).tell(Ask(request_id=request_id, as_of=AT)) == told

    assert [(one.recipient, one.operation, one.how) for one in ledger.notices(request_id)] == [
        ("acme", "rectified", "email")
    ]
    said = json.loads(ledger.unseal(request_id, "file", "letter/recipient_notice/0") or b"")
    assert said["about"] == [["email", ANNA[0].value]]
