"""A receiver hears of all that happens to requests, once or again, never not, whatever dies meanwhile."""

from __future__ import annotations

import json

import pytest
from standardwebhooks.webhooks import Webhook

from rights.webhooks import KINDS, new_secret
from tests.hook_receiver import receiver
from tests.world import World

SECRET = new_secret(bytes(range(32)))
WHO = (("erasure", "c1@shop.example"), ("access", "c2@shop.example"))


@pytest.mark.soak
def test_a_receiver_that_was_down_and_a_killed_worker_lose_no_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_HOOK", SECRET)
    with receiver() as crm:
        hook = {"url": crm.url, "secret": "env:TEST_HOOK", "private": ["127.0.0.1"]}
        world.environment["HABEAS_WEBHOOKS"] = json.dumps({"crm": hook})
        world.start_worker()
        world.wait(lambda: world.query("SELECT 1 FROM webhook_cursors"), 90, "the webhook is not seen")
        crm.answers = [(503, {"retry-after": "1"})] * 2
        asked = [world.open(right, [("email", who)]) for right, who in WHO]
        world.wait(lambda: len(crm.heard) >= 3, 60, "nothing is told")
        world.workers[0].kill()
        world.start_worker()
        for one in asked:
            world.wait_closed(one)
        world.wait(lambda: not world.ledger.webhooks_behind({"crm": KINDS}), 60, "something is left to be told")

    events = {}
    for headers, body in crm.heard:
        assert b"shop.example" not in body
        events[headers["webhook-id"]] = Webhook(SECRET).verify(body, headers)
    for one in asked:
        types = [said["type"] for said in events.values() if said["data"]["request"] == one]
        assert types[0] == "request.received"
        assert types[-1] == "request.closed"
        assert "request.moved" in types
    (standing,) = world.ledger.webhooks({"crm": KINDS})
    assert (standing.behind, standing.code, standing.attempts) == (0, None, 0)
