"""`habeas dev`: what it keeps outlives it, however it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from starter.local import command, environment
from tests.starter.test_deployment import processes_in

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory that PostgreSQL's own account can reach too, for root; pytest's are private."""
    with tempfile.TemporaryDirectory(prefix="habeas-dev-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "state"
        # The servers of one that was killed go by themselves, and write until they have gone.
        assert until(lambda: not processes_in(Path(folder)))


class Dev:
    """A `habeas dev`, and commands given in its deployment from another terminal."""

    def __init__(self, process: subprocess.Popen[str], state: Path, said: str) -> None:
        self.process, self.home, self.said = process, state / "deployment", said
        self._vendors = f"http://127.0.0.1:{json.loads((state / 'ports.json').read_text())['vendors']}/_control"

    def habeas(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        words = [*command(), "-C", str(self.home), *arguments]
        return subprocess.run(words, input=given, capture_output=True, text=True, check=False, env=environment())

    def at_amplitude(self) -> dict[str, Any]:
        """What the stand-in has, by its back door."""
        state: dict[str, Any] = httpx2.get(f"{self._vendors}/dump?vendor=amplitude").json()
        return state

    def pass_at_the_vendors(self, span: str) -> None:
        assert httpx2.post(f"{self._vendors}/clock", json={"advance": span}).status_code == 200

    def requests(self) -> list[str]:
        return [r["id"] for r in json.loads(self.habeas("request", "list", "--json").stdout)["requests"]]


@contextmanager
def dev(state: Path, *options: str) -> Iterator[Dev]:
    """Start it, wait until it says that it runs, and kill it in the end if it still does."""
    process = subprocess.Popen(
        [*command(), "dev", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment() | {"HABEAS_STATE": str(state)},
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Try it"):
                break
        assert "Habeas runs on this machine, until Ctrl-C\n" in said, said
        yield Dev(process, state, "".join(said))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def until(holds: Callable[[], bool]) -> bool:
    """Whether something becomes true within three minutes."""
    for _ in range(900):
        if holds():
            return True
        time.sleep(0.2)
    return False


def test_requests_and_addresses_survive_a_kill(state: Path) -> None:
    with dev(state) as first:
        opened = first.habeas("request", "open", "erasure", "--identities", "-", given="email=hugo.ivanov@example.org")
        assert opened.returncode == 0, opened.stderr
        before, ids = (first.home / "habeas.toml").read_text(), first.requests()
        first.habeas("request", "confirm-identity", ids[0], "--by", "desk")
        assert first.habeas("request", "watch", ids[0]).returncode == 6  # the maps are in mode approve
        first.habeas("request", "approve", ids[0])
        assert until(lambda: first.at_amplitude()["jobs"] != [])
        (job,) = first.at_amplitude()["jobs"]
        first.process.kill()
        first.process.wait()

    assert until(lambda: not processes_in(state))
    with dev(state) as second:
        assert (second.home / "habeas.toml").read_text() == before
        assert second.requests() == ids
        assert second.at_amplitude()["jobs"] == [job]
        second.pass_at_the_vendors("P30D")
        assert second.habeas("request", "watch", ids[0]).returncode == 0
        assert second.at_amplitude()["jobs"] == [job | {"ran": True}]
        assert second.habeas("ledger", "verify").returncode == 0


def signed_in_as(sign_in: str, role: str) -> list[str]:
    """The roles that the API knows somebody by who clicks on one where it sends them. Browsers give the cookies back to
    localhost without TLS; this client does not by itself."""
    begun = httpx2.get(sign_in)
    clicked = httpx2.post(begun.headers["location"], data={"sub": role})
    back = httpx2.get(clicked.headers["location"], headers=cookies(begun))
    roles: list[str] = httpx2.get(sign_in.replace("/signin", "/v1/me"), headers=cookies(back)).json()["roles"]
    return roles


def _anew(home: Path, word: str, old: list[int]) -> bool:
    return processes_in(home, word) not in ([], old)


def cookies(answer: httpx2.Response) -> dict[str, str]:
    return {"cookie": "; ".join(one.split(";")[0] for one in answer.headers.get_list("set-cookie"))}


def test_worker_and_api_that_die_are_started_again_and_ctrl_c_ends_all(state: Path) -> None:
    with dev(state) as running:
        api = json.loads((state / "ports.json").read_text())["api"]
        assert f"http://localhost:{api}/openapi.json" in running.said
        assert signed_in_as(f"http://localhost:{api}/signin", "agent") == ["agent"]
        assert httpx2.get(f"http://localhost:{api}/v1/me").status_code == 401, "nobody is let in who is not signed in"
        before = [processes_in(running.home, word) for word in ("worker", "api")]
        assert list(map(len, before)) == [1, 1]
        subprocess.run(["kill", "-9", *(str(pid) for pids in before for pid in pids)], check=True)
        for word, old in zip(("worker", "api"), before, strict=True):
            assert until(partial(_anew, running.home, word, old))

        opened = running.habeas(
            "request", "open", "access", "--identities", "-", "--confirmed-by", "desk", "--json",
            given="email=umut.ulrich@example.org",
        )  # fmt: skip
        assert until(lambda: running.at_amplitude()["requests"] != {})
        running.pass_at_the_vendors("P1D")
        assert running.habeas("request", "watch", json.loads(opened.stdout)["id"]).returncode == 0
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(180) == 0

    assert processes_in(state) == []


def test_a_port_that_somebody_else_has_taken_is_replaced_and_said(state: Path) -> None:
    with dev(state) as first:
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(180) == 0
    saved = json.loads((state / "ports.json").read_text())
    with socket.create_server(("127.0.0.1", saved["temporal"])), dev(state, "--without-api") as second:
        assert second.habeas("request", "list").returncode == 0
        assert processes_in(second.home, "api") == [], "it was not wanted"
    now = json.loads((state / "ports.json").read_text())

    assert {name for name in now if now[name] != saved[name]} == {"temporal"}


def test_maps_of_an_earlier_version_are_refused_with_what_to_remove(state: Path) -> None:
    maps = state / "deployment" / "maps"
    maps.mkdir(parents=True)
    old = "system: shop\nowner: shop\nconnector: sql\ncollections:\n  c: {key: [id], fields: {id: {identity: email}}}\n"
    (maps / "shop.yaml").write_text(old)

    done = subprocess.run(
        [*command(), "dev"],
        env=environment() | {"HABEAS_STATE": str(state)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode != 0
    assert f"remove the directory {state} " in done.stderr
    assert "HABEAS_STATE" in done.stderr
    assert "shop.yaml" in done.stderr
    assert not (state / "postgres").exists(), "nothing was started"
