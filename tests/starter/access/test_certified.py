"""A certified provider, as strict as one in use: it wants PKCE, and gives systems access tokens that are JWTs.

It comes from npm; where that or node is missing, nothing is tried here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from starter.stack import free_port
from tests.starter.access.conftest import AUDIENCE, URL, Door

PACKAGE = "oidc-provider@9.13.3"
SCRIPT = Path(__file__).parents[2] / "fakes" / "provider.mjs"

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its issuer."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not here: the certified provider comes from npm")
    home = tmp_path_factory.mktemp("provider")
    (home / "package.json").write_text('{"type": "module"}')
    got = subprocess.run([npm, "install", "--silent", "--no-audit", PACKAGE], cwd=home, check=False, timeout=100)
    if got.returncode:
        pytest.skip(f"npm install {PACKAGE} did not work: no registry is reached from here")
    shutil.copy(SCRIPT, home)
    issuer = f"http://localhost:{(port := free_port())}"
    with (home / "log").open("w") as log:
        running = subprocess.Popen(
            [node, SCRIPT.name, str(port), f"{URL}/signin/callback", AUDIENCE], cwd=home, stdout=log, stderr=log
        )
    try:
        for _ in range(600):
            try:
                httpx2.get(f"{issuer}/.well-known/openid-configuration").raise_for_status()
                break
            except httpx2.HTTPError:
                time.sleep(0.1)
        else:
            pytest.fail((home / "log").read_text())
        yield issuer
    finally:
        running.kill()
        running.wait()


def through(url: str, name: str) -> str:
    """What somebody does at the provider: follows it, signs in, agrees; where they are sent in the end."""
    with httpx2.Client() as browser:
        answer = browser.get(url)
        for _ in range(20):
            if answer.is_redirect:
                there = str(answer.headers["location"])
                if there.startswith(URL):
                    return there
                answer = browser.get(str(httpx2.URL(str(answer.url)).join(there)))
                continue
            action = re.search(r'action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert action, answer.text
            assert prompt, answer.text
            form = {"prompt": prompt[1], "login": name, "password": "any"}
            answer = browser.post(str(httpx2.URL(str(answer.url)).join(action[1])), data=form)
    raise AssertionError("it goes round in circles")


def test_somebody_signs_in_with_pkce_and_proves_anew_who_they_are(
    open_door: Callable[..., Door], provider: str
) -> None:
    browser = open_door(issuer=provider).browser()
    back = ""
    for fresh in (False, True):
        back = through(browser.leave(fresh=fresh), "approver")
        assert browser.client.get(back).status_code == 303
        me = browser.me().json()
        assert (me["roles"], me["second_factor"]) == (["approver"], True)
    assert browser.client.get(back).status_code == 401, "once"


def test_a_system_gets_a_token_there_and_may_what_its_scopes_name(
    open_door: Callable[..., Door], provider: str
) -> None:
    door = open_door(issuer=provider, systems=("web-shop",))
    got = httpx2.post(
        f"{provider}/token",
        data={"grant_type": "client_credentials", "scope": "requests:open decisions:approve"},
        auth=("web-shop", "shop-secret-of-a-test"),
    )
    me = door.bearer(got.json()["access_token"]).json()
    assert (me["staff"], me["is_system"], me["may"]) == ("system-web-shop", True, ["requests:open"])
    nobody = open_door(issuer=provider)
    assert nobody.bearer(got.json()["access_token"]).status_code == 401, "no system that the settings name"
