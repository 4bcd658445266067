"""compose.yaml keeps to what it says: nobody is root, nothing is in the open, and everything tells how it is."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from rights.mapfile import read_map
from settings import Settings
from starter.stack import Postgres
from tests.commandline import COMMANDS

DEPLOY = Path(__file__).parents[2] / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"worker", "api", "migrate", "doctor"}
ONCE = {"migrate", "doctor", "temporal-schema", "temporal-namespace"}
"""They end by themselves."""
WRITES = {"temporal", "temporal-ui"}
"""Images that write their settings where they start."""


def shake_hands(serving: ssl.SSLContext, believing: ssl.SSLContext, host: str) -> bool:
    """Whether a client believes a server of this name; in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = believing.wrap_bio(to_client, to_server, server_hostname=host)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (client, server):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return client.getpeercert() is not None


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_is_root_and_nobody_can_become_it(name: str) -> None:
    service = SERVICES[name]

    user, _, group = service["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert service["read_only"] is (name not in WRITES)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_a_version_and_no_registry(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")

    assert re.search(r"\d", tag)
    assert tag != "latest"
    assert "." not in image.split("/")[0]


@pytest.mark.parametrize("name", SERVICES)
def test_what_goes_on_tells_how_it_is(name: str) -> None:
    check = SERVICES[name]["healthcheck"]

    if name in ONCE:
        assert check == {"disable": True}
        assert SERVICES[name]["restart"] != "unless-stopped"
    else:
        assert check["test"][0] in {"CMD", "CMD-SHELL"}
        assert {"interval", "timeout"} <= set(check)


def test_ports_are_open_to_this_machine_alone_and_the_ledger_s_is_not() -> None:
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
    assert not {"ports"} & {*SERVICES["postgres"], *SERVICES["temporal"], *SERVICES["s3"]}
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_no_password_stands_anywhere() -> None:
    """Every secret is a file that secrets.sh makes, and no variable of an environment holds one."""
    made = set(re.findall(r"\| new (\S+)", script := (DEPLOY / "secrets.sh").read_text()))
    made |= set(re.findall(r"-(?:key)?out secrets/(\S+)", script))
    secrets = COMPOSE["secrets"]

    assert {Path(secret["file"]).name for secret in secrets.values()} <= made
    for service in SERVICES.values():
        assert set(service.get("secrets", ())) <= set(secrets)
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSW|SECRET|PWD|KEY", variable):
                assert variable.endswith("_FILE"), variable
                assert value.startswith("/run/secrets/")


def test_what_is_mounted_and_waited_for_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            made = source.removeprefix("./secrets/") in COMPOSE["secrets"]
            assert made or ((DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"])
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how == {"condition": wanted}
        assert set(service["networks"]) <= set(COMPOSE["networks"])


def test_a_worker_is_given_the_time_it_drains_for() -> None:
    settings = tomllib.loads((DEPLOY / "compose" / "habeas.toml").read_text())

    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > settings["drain_seconds"]


def test_its_commands_settings_and_map_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DEPLOY / "compose")
    for name in os.environ:
        if name.startswith("HABEAS_"):
            monkeypatch.delenv(name)

    settings = Settings.load()

    assert read_map(settings.map_files).systems
    assert settings.temporal_address.split(":")[0] in SERVICES
    named = {getattr(settings, name) for name in ("ledger", "checkpoint_key")}
    assert named == {"file:/run/secrets/ledger_url", "file:/run/secrets/checkpoint.pem"}
    for name in OURS:
        assert f"habeas {SERVICES[name]['command'][0]}" in COMMANDS


@pytest.mark.parametrize("name", ["secrets.sh", "compose/databases.sh", "compose/temporal-schema.sh"])
def test_a_shell_reads_the_scripts(name: str) -> None:
    done = subprocess.run(["sh", "-n", DEPLOY / name], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_secrets_are_made_once_and_are_for_their_user_alone(tmp_path: Path) -> None:
    script = tmp_path / "secrets.sh"
    # Not as another user's: what is owned by whom can only be given away by root, and is not what is looked at here.
    script.write_text((DEPLOY / "secrets.sh").read_text().replace("id -u", "echo 1"))

    done = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
    first = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    subprocess.run(["sh", script], check=True)
    again = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert first == again
    assert set(first) == {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} | {"s3_key", "s3_secret"}
    assert all(first.values())
    assert len({first[name] for name in ("postgres_password", "temporal_password", "ledger_password")}) == 3
    assert first["ledger_password"] in first["ledger_url"]
    assert {(tmp_path / "secrets" / name).stat().st_mode & 0o077 for name in first} == {0}
    # The provider's certificate vouches for itself, and for the name that it goes by.
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(tmp_path / "secrets" / "oidc.pem", tmp_path / "secrets" / "oidc.key")
    believing = ssl.create_default_context(cafile=str(tmp_path / "secrets" / "oidc.pem"))
    host = yaml.safe_load((DEPLOY / "compose" / "dex.yaml").read_text())["issuer"].split("/")[2].split(":")[0]
    assert shake_hands(serving, believing, host)


def test_the_databases_are_made_by_their_script(postgres: Postgres, tmp_path: Path) -> None:
    """On a real server, through a psql that hands what it is given to the driver."""
    sql = (DEPLOY / "compose" / "databases.sh").read_text().split("<<'SQL'\n")[1].split("SQL\n")[0]
    names = {
        "habeas": "deploy_habeas",
        "temporal_visibility": "deploy_temporal_visibility",
        "temporal": "deploy_temporal",
    }
    for old, new in names.items():
        sql = re.sub(rf"\b{old}\b", new, sql)
    sql = sql.replace(":'ledger'", "'one'").replace(":'temporal'", "'two'").replace(":'deploy_temporal'", "'two'")
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        try:
            for statement in filter(str.strip, sql.split(";")):
                connection.execute(statement.encode())
            query = "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE datname LIKE 'deploy%'"
            owners = {str(name): str(owner) for name, owner in connection.execute(query)}
        finally:
            for name in names.values():
                connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
            for role in ("deploy_habeas", "deploy_temporal"):
                connection.execute(f"DROP ROLE IF EXISTS {role}".encode())

    assert owners == {
        "deploy_habeas": "deploy_habeas",
        "deploy_temporal": "deploy_temporal",
        "deploy_temporal_visibility": "deploy_temporal",
    }
