"""How far each webhook is: nothing is lost, nothing comes out of order, and what is not told is passed over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.request import Phase
from rights.webhooks import KINDS
from tests.ledger.builders import AT, close_one, later, open_one, opened_id
from tests.ledger.conftest import Door


def types(ledger: Ledger, hook: str = "crm", kinds: frozenset[str] = KINDS, most: int = 100) -> list[str]:
    return [one.event.type for one in ledger.untold(hook, kinds, most)]


def test_a_new_webhook_hears_of_what_happens_from_then_on(ledger: Ledger) -> None:
    opened_id(ledger)
    assert types(ledger) == []
    opened_id(ledger)
    assert types(ledger) == ["request.received"]


def test_each_event_is_offered_until_it_was_taken_in_and_in_order(ledger: Ledger) -> None:
    ledger.untold("crm", KINDS, 1)
    one = opened_id(ledger, Phase.LOCATING)
    close_one(ledger, one)
    all_of_them = types(ledger)
    assert all_of_them[0] == "request.received"
    assert all_of_them[-1] == "request.closed"
    heard = []
    while found := ledger.untold("crm", KINDS, 1):
        assert found == ledger.untold("crm", KINDS, 1)
        heard.append(found[0].event.type)
        ledger.webhook_told("crm", found[0], at=AT)
    assert heard == all_of_them


def test_webhooks_do_not_wait_for_each_other(ledger: Ledger) -> None:
    for hook in ("crm", "mail"):
        ledger.untold(hook, KINDS, 1)
    opened_id(ledger)
    ledger.webhook_told("crm", ledger.untold("crm", KINDS, 1)[0], at=AT)
    assert list(ledger.webhooks_behind({"crm": KINDS, "mail": KINDS})) == ["mail"]


def test_what_nobody_may_hear_of_is_passed_over_once(ledger: Ledger, door: Door) -> None:
    ledger.untold("crm", KINDS, 1)
    request_id = opened_id(ledger)
    closed = frozenset({"closed"})
    assert types(ledger, kinds=closed) == []
    head = door("SELECT max(seq) FROM entries")[0][0]
    assert door("SELECT position FROM webhook_cursors") == [(head,)]
    close_one(ledger, request_id)
    assert types(ledger, kinds=closed) == ["request.closed"]


def test_a_failure_is_counted_and_forgotten_when_it_is_over(ledger: Ledger) -> None:
    ledger.untold("crm", KINDS, 1)
    opened_id(ledger)
    for minutes in (0, 5):
        ledger.webhook_failed("crm", "refused", 503, at=AT + timedelta(minutes=minutes))
    (failing,) = ledger.webhooks({"crm": KINDS})
    assert (failing.behind, failing.failing_since, failing.attempts, failing.code, failing.status) == (
        1, AT, 2, "refused", 503,
    )  # fmt: skip
    ledger.webhook_told("crm", ledger.untold("crm", KINDS, 1)[0], at=later(days=1))
    (well,) = ledger.webhooks({"crm": KINDS})
    assert (well.behind, well.failing_since, well.attempts, well.code, well.told_at) == (
        0,
        None,
        0,
        None,
        later(days=1),
    )


def test_a_webhook_is_told_again_under_the_same_ids_and_a_delivery_under_way_does_not_undo_that(
    ledger: Ledger,
) -> None:
    ledger.untold("crm", KINDS, 1)
    opened_id(ledger)
    close_one(ledger, opened_id(ledger))
    first = ledger.untold("crm", KINDS, 100)
    for one in first[:-1]:
        ledger.webhook_told("crm", one, at=AT)
    (last,) = ledger.untold("crm", KINDS, 100)
    ledger.tell_again("crm", AT - timedelta(days=400))
    ledger.webhook_told("crm", last, at=AT)
    again = ledger.untold("crm", KINDS, 100)
    assert [one.event.id for one in again][-len(first) :] == [one.event.id for one in first]


def test_telling_again_needs_a_webhook_that_was_told(ledger: Ledger) -> None:
    with pytest.raises(LedgerRefusal, match="no webhook of this name"):
        ledger.tell_again("crm", AT)


OPENED = frozenset({"opened"})


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["open", "told", "failed", "twice"]), max_size=12), hook=st.uuids())
def test_whatever_comes_between_each_event_is_taken_in_once_or_again_never_not(
    ledger: Ledger, steps: list[str], hook: object
) -> None:
    name, heard, opened = str(hook), [], 0
    ledger.untold(name, OPENED, 1)
    for step in [*steps, *["told"] * 12]:
        if step == "open":
            open_one(ledger)
            opened += 1
            continue
        found = ledger.untold(name, OPENED, 1)
        if step == "failed":
            ledger.webhook_failed(name, "unreachable", None, at=AT)
        elif found:
            heard.append(found[0].event.id)
            if step != "twice":  # taken in, and we died before we noted it
                ledger.webhook_told(name, found[0], at=AT)
    assert len(set(heard)) == opened
    assert ledger.untold(name, OPENED, 1) == []
