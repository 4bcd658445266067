"""The client of docs/examples, against `habeas api` itself: over TLS, and through its end."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import psycopg
import pytest

from tests.certificates import certify
from tests.ledger.test_incidents import waits_for_a_lock
from tests.starter.conftest import PERSON, Deployment, one_sentence

ROOT = Path(__file__).parents[3]


def client_of_the_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("habeas_client", ROOT / "docs/examples/client.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def served(deployment: Deployment) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """`habeas api` as its own process, by HTTPS; its address, and what it logs."""
    certify(deployment.home)
    file = deployment.home / "habeas.toml"
    file.write_text(
        f'{file.read_text()}\nlog = "json"\n[api]\nurl = "https://localhost"\nport = 0\n'
        'certificate = "cert.pem"\nkey = "file:key.pem"\n'
    )
    with running(deployment) as (port, process, log):
        yield f"https://localhost:{port}", process, log


@contextmanager
def running(deployment: Deployment) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """`habeas api` as its settings say; its port, and what it logs."""
    ready, log = deployment.home / "ready", deployment.home / "log"
    ready.unlink(missing_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "starter.cli", "api", "--ready-file", str(ready)],
            cwd=deployment.home,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=out,
        )
    try:
        until = time.monotonic() + 120
        while not (ready.exists() and ready.read_text()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield ready.read_text(), process, log
    finally:
        process.kill()
        process.wait()


def token_for(deployment: Deployment, *scopes: str) -> str:
    until = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    words = [word for scope in scopes for word in ("--scope", scope)]
    made = deployment("token", "make", "web-shop", *words, "--until", until, "--by", "s-17", "--json")
    assert made.code == 0, made.err
    token: str = made.json["token"]
    return token


def test_the_client_opens_follows_and_takes_back_and_the_server_ends_what_it_has_begun(
    deployment: Deployment,
) -> None:
    module = client_of_the_docs()
    token = token_for(
        deployment, "requests:open", "requests:read", "requests:withdraw", "holds:place", "suppression:check",
        "deadlines:read",
    )  # fmt: skip
    with served(deployment) as (url, process, log):
        known = ssl.create_default_context(cafile=str(deployment.home / "cert.pem"))
        with module.Habeas(url, token, verify=known) as habeas:
            opened = habeas.open("erasure", {"email": PERSON}, key="form-17", text=f"erase {PERSON}")
            assert habeas.open("erasure", {"email": PERSON}, key="form-17", text=f"erase {PERSON}") == opened
            with pytest.raises(module.Problem) as refused:
                habeas.open("access", {"email": PERSON}, key="form-17")
            assert (refused.value.status, refused.value.code) == (422, "key_reused")

            others = [habeas.open("access", {"email": f"p{n}@example.org"}).id for n in range(60)]
            assert [row.id for row in habeas.requests()] == [*reversed(others), opened.id]
            assert next(iter(habeas.due(60))).id == opened.id
            assert not habeas.check("email", PERSON).barred
            assert habeas.barred_rows([b"mail\n", b"a@example.org\n", b"canary\n"], "mail") == [2]

            seen = habeas.standing(opened.id)
            hold = habeas.place_hold({"email": PERSON}, "why", key="matter-1")
            assert hold.in_force
            assert habeas.withdraw(opened.id, note=f"{PERSON} called", seen=seen).withdrawn
            with pytest.raises(module.Problem, match="look") as stale:
                habeas.withdraw(opened.id, seen=seen)
            assert stale.value.code == "changed"
            assert next(habeas.timeline(opened.id)).kind == "opened"

            assert httpx2.get(f"{url}/v1/requests", verify=known).status_code == 401

            # Nobody can add to the journal meanwhile: a call is under way while the server is told to end.
            answers: list[Any] = []
            with psycopg.connect(deployment.database.conninfo) as blocking:
                blocking.execute("SELECT 1 FROM chain_heads FOR UPDATE")
                call = threading.Thread(target=lambda: answers.append(habeas.open("access", {"email": PERSON})))
                call.start()
                waits_for_a_lock(deployment.database)
                process.send_signal(signal.SIGTERM)
                time.sleep(0.5)
                assert process.poll() is None, "it waits for what it has begun"
            call.join(180)
        assert process.wait(180) == 0
        assert len(answers) == 1
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(url)
        said = log.read_text()
    assert '"route": "/v1/requests/{request_id}"' in said
    calls = [json.loads(line) for line in said.splitlines() if '"answered"' in line]
    assert {call["status"] for call in calls if "staff" not in call} == {401}, "whoever is known is named"
    assert {call["staff"] for call in calls if "staff" in call} == {"system-web-shop"}
    assert all("staff" not in call for call in calls if call["status"] == 401), "and nobody by the call before"
    for secret in (PERSON, token, opened.id):
        assert secret not in said


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ("", "no group"),
        ('[api]\nurl = "http://localhost"\nhost = "0.0.0.0"\n', "in the clear"),
        ('[api]\nurl = "https://localhost"\ncertificate = "none.pem"\nkey = "file:habeas.toml"\n', "cannot be used"),
    ],
)
def test_it_is_not_served_by_halves_nor_in_the_clear_to_others(deployment: Deployment, group: str, words: str) -> None:
    file = deployment.home / "habeas.toml"
    file.write_text(f"{file.read_text()}\n{group}")

    refused = deployment("api")

    assert refused.code in {1, 2}
    assert one_sentence(refused.err), refused.err
    assert words in refused.err


def test_tables_of_another_version_are_not_served(deployment: Deployment) -> None:
    file = deployment.home / "habeas.toml"
    file.write_text(f'{file.read_text()}\n[api]\nurl = "http://localhost"\nport = 0\n')
    deployment.rows("UPDATE alembic_version SET version_num = '0001'")

    refused = deployment("api")

    assert refused.code == 2
    assert "habeas migrate" in refused.err
