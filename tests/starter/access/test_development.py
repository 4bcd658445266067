"""Signing in without a secret is `habeas dev`'s alone: the API has no way for it that could be switched on."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from settings import Settings
from starter.groups import OidcSettings
from starter.local import Local
from starter.stack import StackError, Temporal
from starter.stack.people import People
from starter.stack.postgres import Postgres
from tests.starter.conftest import Deployment

ROOT = Path(__file__).parents[3]


def imports(path: Path) -> set[str]:
    """The modules that a file imports, and what it takes from each."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return found


def test_nothing_but_habeas_dev_starts_the_stand_in() -> None:
    files = [path for folder in ("starter", "activities", "workflows") for path in (ROOT / folder).rglob("*.py")]
    files += [ROOT / "worker.py", ROOT / "settings.py"]
    knows = {
        str(path.relative_to(ROOT))
        for path in files
        if {"starter.stack.people", "starter.stack.People"} & imports(path) or "oidc_provider_mock" in path.read_text()
    }
    assert knows == {"starter/stack/__init__.py", "starter/stack/people.py", "starter/local.py", "starter/dev.py"}
    made = [path for path in files if re.search(r"\bPeople\(", path.read_text())]
    assert [path.name for path in made if path.name != "people.py"] == ["dev.py"]


def test_a_deployment_does_not_install_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not [one for one in project["dependencies"] if "mock" in one]
    assert "oidc-provider-mock" in project["optional-dependencies"]["dev"]


def test_no_setting_lets_anybody_in() -> None:
    """What is set says who vouches for people, and nothing says that nobody has to."""
    words = {*OidcSettings.model_fields, *Settings.model_fields}
    assert not [word for word in words if re.search(r"dev|insecure|bypass|skip|trust|anonym|disable", word)]


@pytest.mark.parametrize(
    ("issuer", "taken"),
    [
        ("https://id.example.com", True),
        ("http://localhost:9400", True),
        ("http://127.0.0.1:9400", True),
        ("http://oidc.localhost:5556/dex", True),
        ("http://id.example.com", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost@example.com", False),
        ("http://10.0.0.5", False),
    ],
)
def test_without_tls_only_a_provider_of_this_machine_is_believed(issuer: str, taken: bool) -> None:
    try:
        OidcSettings(issuer=issuer, client_id="habeas")
    except ValidationError:
        assert not taken
    else:
        assert taken


def test_a_deployment_of_init_and_of_the_demo_has_no_provider(deployment: Deployment, tmp_path: Path) -> None:
    assert "\n[oidc]" not in (deployment.home / "habeas.toml").read_text()
    for people in (None, People()):
        local = Local(
            tmp_path / "local",
            Postgres(durable=False),
            Temporal(ui=True),
            environment="demo",
            mode="auto",
            people=people,
        )
        local._write_files()
        assert ("[oidc]" in (tmp_path / "local" / "habeas.toml").read_text()) is (people is not None)
        if people is None:
            with pytest.raises(StackError, match="people who sign in there"):
                local.start_api()
        local.close()
