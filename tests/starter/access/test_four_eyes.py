"""Two people are two people: by two sessions, two roles, or by what is sent, nobody becomes the second one."""

from __future__ import annotations

from typing import Any

from tests.starter.access.conftest import OURS, Browser, Door
from tests.starter.api.test_nouns import HOLD


def test_nobody_confirms_their_own_hold_from_another_session_or_under_another_name(door: Door) -> None:
    first, second, another = door.browser(), door.browser(), door.browser()
    for browser in (first, second):
        browser.sign_in(roles=["counsel", "delegate"])
    another.sign_in(sub="sub-2", roles=["delegate"])

    def ask(browser: Browser, path: str, **sent: Any) -> Any:
        return browser.client.post(path, headers={**OURS, **sent.pop("headers", {})}, **sent)

    placed = ask(first, "/v1/holds", json=HOLD | {"systems": ["shop"]})
    assert placed.status_code == 201, placed.text
    hold, staff = placed.json(), first.me().json()["staff"]
    assert hold["placed_by"] == staff
    confirm = f"/v1/holds/{hold['id']}/confirm"
    assert ask(first, confirm, json={}).status_code == 409
    assert ask(second, confirm, json={}).status_code == 409
    other = another.me().json()["staff"]
    for sent in (
        {"json": {"by": other}},
        {"json": {"staff": other, "confirmed_by": other}},
        {"json": {}, "params": {"by": other}},
        {"json": {}, "headers": {"x-forwarded-user": other}},
    ):
        assert ask(second, confirm, **sent).status_code in {409, 422}
    assert ask(another, confirm, json={}).json()["confirmed_by"] == other
