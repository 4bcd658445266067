"""Campaigns in the ledger: nobody forgotten, nobody twice, whoever stops and whoever dies."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from ledger.campaigns import Listed
from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.letters import LetterState
from tests.conftest import Database
from tests.ledger.builders import AT, later
from tests.ledger.conftest import Door


def started(ledger: Ledger) -> str:
    campaign = ledger.prepare_campaign("policy", "{}", at=AT).id
    ledger.start_campaign("policy", at=AT)
    return campaign


def people(*numbers: int) -> list[Listed]:
    return [Listed(f"p{number}@example.org", "en") for number in numbers]


def page(ledger: Ledger, campaign: str, *numbers: int, last: bool = False) -> int:
    return ledger.list_people(campaign, people(*numbers), [str(numbers[-1])], unreachable=0, last=last, at=AT)


def test_whoever_is_on_several_pages_gets_one_letter(ledger: Ledger, door: Door) -> None:
    campaign = started(ledger)
    assert page(ledger, campaign, 1, 2, 3) == 3
    assert page(ledger, campaign, 1, 2, 3) == 0
    assert (
        ledger.list_people(
            campaign, [Listed("P3@EXAMPLE.org", "de"), *people(4)], ["4"], unreachable=2, last=True, at=AT
        )
        == 1
    )

    assert ledger.campaign_letters(campaign) == {LetterState.QUEUED: 4}
    assert ledger.campaign_cursor(campaign) == ("4",)
    found = ledger.campaign("policy")
    assert (found.state, found.listed, found.repeated, found.unreachable) == ("listed", 4, 4, 2)
    channels = ledger.letter_channels(ledger.letters_to_send(10))
    assert sorted(channel.address for channel in channels.values()) == [f"p{n}@example.org" for n in range(1, 5)]
    for table in ("letters", "campaigns", "campaign_people", "entries", "outbox"):
        assert "@example" not in str(door(f"SELECT * FROM {table}")).casefold()


def test_two_workers_with_the_same_page_queue_it_once(
    make_ledger: Callable[..., Ledger], tables: Database, ledger: Ledger
) -> None:
    campaign = started(ledger)
    workers = [make_ledger(tables.url) for _ in range(3)]

    with ThreadPoolExecutor(3) as pool:
        new = list(pool.map(lambda one: page(one, campaign, *range(200)), workers))

    assert sorted(new) == [0, 0, 200]
    assert ledger.campaign_letters(campaign) == {LetterState.QUEUED: 200}
    assert ledger.campaign("policy").listed == 200


def test_what_is_stopped_is_not_sent_until_it_is_started_again(ledger: Ledger) -> None:
    campaign = started(ledger)
    page(ledger, campaign, 1, 2)
    assert ledger.stop_campaign("policy", at=AT) == 2
    assert ledger.letters_to_send(10) == []
    assert page(ledger, campaign, 3) == 0
    assert ledger.campaign_cursor(campaign) == ("2",)

    assert ledger.start_campaign("policy", at=AT)
    assert not ledger.start_campaign("policy", at=AT)
    assert len(ledger.letters_to_send(10)) == 2
    assert page(ledger, campaign, 3, last=True) == 1


def test_what_somebody_asked_for_goes_before_a_campaign(ledger: Ledger) -> None:
    from tests.ledger.test_letters import ask, queue

    page(ledger, started(ledger), 1, 2)
    request = ask(ledger)
    queue(ledger, request)

    assert [letter.request_id for letter in ledger.letters_to_send(10)] == [request, None, None]


def test_addresses_and_digests_go_on_their_day(ledger: Ledger, door: Door) -> None:
    campaign = started(ledger)
    page(ledger, campaign, 1, 2, last=True)
    assert ledger.end_campaign(campaign, at=AT, working_until=later(days=14))
    assert not ledger.end_campaign(campaign, at=AT, working_until=later(days=99))
    ledger.shred_due(later(days=13))
    assert door("SELECT count(*) FROM campaign_people") == [(2,)]

    ledger.shred_due(later(days=15))

    assert door("SELECT count(*) FROM campaign_people") == [(0,)]
    assert door("SELECT count(*) FROM vault") == [(0,)]
    assert ledger.letter_channels(ledger.letters_to_send(10)) == {}
    assert ledger.verify().sound


def test_a_name_is_used_once_and_an_ended_campaign_is_over(ledger: Ledger) -> None:
    campaign = started(ledger)
    with pytest.raises(LedgerRefusal, match="of this name"):
        ledger.prepare_campaign("policy", "{}", at=AT)
    page(ledger, campaign, 1, last=True)
    ledger.end_campaign(campaign, at=AT, working_until=AT + timedelta(days=14))
    with pytest.raises(LedgerRefusal, match="was seen to"):
        ledger.start_campaign("policy", at=AT)
    with pytest.raises(LedgerRefusal, match="nothing to stop"):
        ledger.stop_campaign("policy", at=AT)
