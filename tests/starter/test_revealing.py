"""What the command line shows of a person is on record first, with a coded reason, and who has not said who they are is
named so."""

from __future__ import annotations

from datetime import UTC, datetime

from starter.desk import Desk, load_settings
from tests.starter.conftest import Deployment


def revealed(deployment: Deployment) -> list[tuple[str, str, str]]:
    rows = deployment.rows(
        "SELECT body::jsonb ->> 'what', body::jsonb ->> 'why', body::jsonb ->> 'by' FROM entries "
        "WHERE kind = 'revealed' ORDER BY seq"
    )
    return [(what, why, by) for what, why, by in rows]


def test_a_letter_that_is_read_is_on_record_and_one_that_is_not_is_none(deployment: Deployment) -> None:
    request = deployment.open("--confirmed-by", "desk")
    look = ("letter", "preview", "acknowledgement", "--request", request)
    assert deployment("letter", "outbox", "--request", request).code == 0
    assert revealed(deployment) == []

    wrong = deployment(*look, "--reason", "canary")
    assert (wrong.code, "canary" in wrong.err) == (2, False)
    assert revealed(deployment) == []
    deployment(*look)
    deployment(*look, "--reason", "complaint", "--by", "s-17")

    assert revealed(deployment) == [("letter", "handling", "command line"), ("letter", "complaint", "s-17")]


def test_a_parcel_is_on_record_before_it_is_opened(deployment: Deployment) -> None:
    request = deployment.open(right="access")
    at = Desk(load_settings())
    at.ledger.case_key(request, "parcel", create=True)
    at.ledger.note(request, "parcel", {"digest": "ab" * 32, "rows": 1, "size": 1}, at=datetime.now(UTC))
    at.ledger.close_connections()

    done = deployment("parcel", "open", request, "--reason", "audit", "--by", "s-17")

    assert done.code != 0, "there is nothing in the store"
    assert revealed(deployment) == [("parcel", "audit", "s-17")]
