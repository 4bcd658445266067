"""The page that stops an erasure: a button stops it, a look does not, and it tells strangers nothing."""

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from rights.letters import Office
from rights.request import Phase
from starter.desk import desk
from starter.endpoint import AT_ONCE
from starter.stopping import StopPage, serve_stop_page
from tests.activities.accessible import faults
from tests.certificates import certify
from tests.starter.conftest import PERSON, Deployment, one_sentence

OFFICE = Office(controller="Shop <b>Ltd</b>", dpo="dpo@shop.example", language="de")


def token_of(deployment: Deployment, *, hours: int = 72) -> str:
    """The token of an erasure that waits."""
    request = deployment.open("--confirmed-by", "s-17")
    now = datetime.now(UTC)
    with desk() as at:
        at.ledger.cool(request, now + timedelta(hours=hours), at=now)
        at.ledger.move(request, Phase.COOLING, at=now)
        token = at.ledger.stop_token(request)
    assert token
    return token


def frozen(deployment: Deployment) -> bool:
    return deployment.rows("SELECT state FROM coolings") == [("frozen",)]


@contextmanager
def page(now: datetime | None = None) -> Iterator[httpx2.Client]:
    with (
        desk() as at,
        serve_stop_page(StopPage(at.ledger, OFFICE, lambda: now or datetime.now(UTC)), "127.0.0.1", 0) as port,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        yield client


def test_a_look_stops_nothing_and_the_button_does(deployment: Deployment) -> None:
    token = token_of(deployment)
    with page() as client:
        for _ in range(3):
            seen = client.get(f"/stop/{token}", headers={"accept-language": "pt-BR, en-GB;q=0.9, de"})
            assert seen.status_code == 200
            assert '<html lang="en">' in seen.text
            assert faults(seen.text, "en") == []
            assert '<form method="post">' in seen.text
            assert client.head(f"/stop/{token}").text == ""
        assert not frozen(deployment)

        done = client.post(f"/stop/{token}")
        assert done.status_code == 200
        assert "Es wurde nichts gelöscht" in done.text
        assert frozen(deployment)
        assert client.post(f"/stop/{token}").text == done.text, "safe to repeat"
    assert deployment.rows("SELECT code FROM tasks") == [("stopped",)]


def test_who_has_looked_takes_no_seat_from_who_comes_after(deployment: Deployment) -> None:
    token = token_of(deployment)
    with page() as client, ExitStack() as open_lines:
        for _ in range(AT_ONCE + 1):
            scanner = open_lines.enter_context(httpx2.Client(base_url=client.base_url, timeout=20))
            assert scanner.get(f"/stop/{token}").status_code == 200
        assert client.post(f"/stop/{token}").status_code == 200
    assert frozen(deployment)


def test_whoever_holds_no_token_learns_nothing_and_stops_nothing(deployment: Deployment) -> None:
    token = token_of(deployment)
    request, mark = token.split(".")
    with page() as client:
        real = client.get(f"/stop/{token}")
        made_up = client.get(f"/stop/{'0' * 26}.{mark}")
        assert (made_up.status_code, made_up.text) == (real.status_code, real.text)

        wrong = {
            client.post(f"/stop/{one}").text for one in (f"{request}.{mark[::-1]}", f"{'0' * 26}.{mark}", "x.y", "stop")
        }
        assert len(wrong) == 1
        assert client.post(f"/stop/{token}", content=b"x" * 5000).status_code == 404
        assert client.put(f"/stop/{token}").status_code == 501
    assert not frozen(deployment)


def test_when_its_time_is_over_it_stops_nothing_and_says_so(deployment: Deployment) -> None:
    token = token_of(deployment)
    with page(datetime.now(UTC) + timedelta(hours=73)) as client:
        late = client.post(f"/stop/{token}", headers={"accept-language": "fr"})
    assert late.status_code == 404
    assert "son délai est passé" in late.text
    assert not frozen(deployment)


def test_the_page_loads_nothing_and_is_kept_by_nobody(deployment: Deployment) -> None:
    token = token_of(deployment)
    with page() as client:
        seen = client.get(f"/stop/{token}")
    assert seen.headers["cache-control"] == "no-store"
    assert seen.headers["referrer-policy"] == "no-referrer"
    assert seen.headers["content-security-policy"].startswith("default-src 'none'")
    assert "Shop &lt;b&gt;Ltd&lt;/b&gt;" in seen.text
    for leak in (token, PERSON, "src=", "href="):
        assert leak not in seen.text


def test_a_ledger_that_is_away_is_said_in_plain_words_and_the_button_stays(
    deployment: Deployment, postgres: object
) -> None:
    token = token_of(deployment)
    with page() as client:
        deployment.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
        deployment.rows("ALTER TABLE coolings RENAME TO coolings_away")
        away = client.post(f"/stop/{token}")
        deployment.rows("ALTER TABLE coolings_away RENAME TO coolings")
        assert away.status_code == 503
        assert "einigen Minuten" in away.text
        assert '<form method="post">' in away.text
        assert client.post(f"/stop/{token}").status_code == 200
    assert frozen(deployment)


def test_the_command_serves_it_by_https_and_logs_no_token(deployment: Deployment) -> None:
    token = token_of(deployment)
    certify(deployment.home)
    ready, log = deployment.home / "ready", deployment.home / "log"
    words = [
        "stop-page",
        "--port",
        "0",
        "--certificate",
        "cert.pem",
        "--key",
        "file:key.pem",
        "--ready-file",
        str(ready),
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "starter.cli", *words],
            cwd=deployment.home,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=out,
            stderr=out,
        )
    try:
        until = time.monotonic() + 120
        while not (ready.exists() and ready.read_text()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        known = ssl.create_default_context(cafile=str(deployment.home / "cert.pem"))
        with httpx2.Client(verify=known) as client:
            assert client.post(f"https://localhost:{ready.read_text()}/stop/{token}").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(180) == 0
    finally:
        process.kill()
        process.wait()
    assert frozen(deployment)
    assert token not in log.read_text()


@pytest.mark.parametrize(
    "words",
    [["--host", "0.0.0.0"], ["--certificate", "cert.pem"], ["--certificate", "none.pem", "--key", "file:none.pem"]],  # noqa: S104 - refused
)
def test_it_is_not_served_in_the_clear_to_others_nor_with_half_a_certificate(
    deployment: Deployment, words: list[str]
) -> None:
    answer = deployment("stop-page", "--port", "0", *words)
    assert answer.code != 0
    assert one_sentence(answer.err)
