"""Events reach a real receiver: signed, in order, under one id; and no address that is not allowed is spoken to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.hooking import HookActivities, Hooked
from activities.hooks import LARGEST, Hook, Refused, tell
from activities.store import FileStore
from activities.tools import Tools
from connectors.http.transport import Transport
from ledger.ledger import Ledger
from rights.mapfile import read_map
from rights.webhooks import KINDS, Event, key_of, new_secret, trial
from tests.hook_receiver import Receiver, receiver
from tests.ledger.builders import opened_id
from tests.world import shop_map

SECRET = new_secret(bytes(range(32)))
TRIAL: Event = trial(bytes(16), datetime.now(UTC))


@pytest.fixture
def crm() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def hook(url: str, *, private: bool = True, resolver: Any = None) -> Hook:
    more = {"resolver": resolver} if resolver else {}
    host = url.split("/")[2].rpartition(":")[0]
    transport = Transport(
        "webhook crm",
        [host],
        private=[ip_address("127.0.0.1")] if private else [],
        timeout=timedelta(seconds=3),
        largest=LARGEST,
        **more,
    )
    return Hook(name="crm", url=url, keys=[key_of(SECRET)], kinds=KINDS, transport=transport)


def refusal(of: Hook) -> Refused:
    with pytest.raises(Refused) as refused:
        tell(of, TRIAL, datetime.now(UTC))
    return refused.value


def test_a_receiver_can_check_what_it_hears(crm: Receiver) -> None:
    assert tell(hook(crm.url), TRIAL, datetime.now(UTC)) == 204
    headers, body = crm.heard[0]
    assert Webhook(SECRET).verify(body, headers)["type"] == "habeas.test"


@pytest.mark.parametrize("status", [301, 308, 400, 404, 410, 500])
def test_only_a_2xx_answer_means_taken_in(crm: Receiver, status: int) -> None:
    crm.answers = [(status, {})]
    assert (refusal(hook(crm.url)).code, len(crm.heard)) == ("refused", 1)


def test_a_redirect_leads_nowhere(crm: Receiver) -> None:
    with receiver() as elsewhere:
        crm.answers = [(307, {"location": elsewhere.url})]
        assert refusal(hook(crm.url)).code == "address"
        assert elsewhere.heard == []


def test_an_address_of_our_own_network_is_not_spoken_to_unless_it_is_listed(crm: Receiver) -> None:
    assert refusal(hook(crm.url, private=False)).code == "address"
    assert crm.heard == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
)
def test_a_name_that_is_rebound_to_an_inner_address_is_not_spoken_to(address: str) -> None:
    rebound = hook("https://crm.example:443/x", private=False, resolver=lambda *_: [ip_address(address)])
    assert refusal(rebound).code == "address"


def test_a_receiver_that_is_not_there_is_unreachable() -> None:
    with receiver() as gone:
        url = gone.url
    assert refusal(hook(url)).code == "unreachable"


def test_a_receiver_says_when_to_try_again_up_to_an_hour(crm: Receiver) -> None:
    said = ["120", "86400", "later", "9" * 20, "9" * 5000, "²"]
    crm.answers = [(503, {"retry-after": one}) for one in said]
    waits = [refusal(hook(crm.url)).again for _ in said]
    assert waits == [timedelta(minutes=2), timedelta(hours=1), *[None] * 4]


def told(crm: Receiver) -> list[str]:
    return [json.loads(body)["type"] for _, body in crm.heard]


@pytest.fixture
def tools(ledger: Ledger, tmp_path: Path) -> Tools:
    return Tools(ledger, {}, read_map({"shop": shop_map()}), FileStore(tmp_path), environment="test")


def test_what_failed_is_sent_again_under_its_id_before_what_came_after(
    crm: Receiver, tools: Tools, ledger: Ledger
) -> None:
    activities = HookActivities(replace(tools, hooks={"crm": hook(crm.url)}))
    run = ActivityEnvironment().run
    assert run(activities.tell, Hooked(webhook="crm")) is False
    opened_id(ledger)
    opened_id(ledger)
    crm.answers = [(500, {})]
    with pytest.raises(ApplicationError) as failed:
        run(activities.tell, Hooked(webhook="crm"))
    assert failed.value.type == "refused"
    assert ledger.webhooks({"crm": KINDS})[0].status == 500
    run(activities.tell, Hooked(webhook="crm"))
    ids = [headers["webhook-id"] for headers, _ in crm.heard]
    assert ids[0] == ids[1]
    assert len(set(ids)) == len(ids) - 1
    assert [json.loads(body)["type"] for _, body in crm.heard] == ["request.received"] * 3
    assert ledger.untold("crm", KINDS, 1) == []


def test_a_webhook_that_was_taken_out_of_the_settings_is_left(tools: Tools) -> None:
    assert ActivityEnvironment().run(HookActivities(tools).tell, Hooked(webhook="crm")) is False
