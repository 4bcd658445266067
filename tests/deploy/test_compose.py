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

from settings import Settings
from starter.commands.api import open_to_all
from starter.desk import load_map
from starter.letterpress import check_letters
from starter.mailserver import build_mail
from starter.stack import Postgres
from tests.commandline import COMMANDS

DEPLOY = Path(__file__).parents[2] / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"worker", "api", "due", "migrate", "doctor"}
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


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of the trial, as a container reads them."""
    monkeypatch.chdir(DEPLOY / "compose")
    for name in os.environ:
        if name.startswith("HABEAS_"):
            monkeypatch.delenv(name)
    return Settings.load()


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
                assert variable.endswith(("_FILE", "_TLS_KEY")), variable
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


def test_its_commands_settings_and_map_stand(settings: Settings) -> None:
    assert load_map(settings).systems
    assert settings.temporal_address.split(":")[0] in SERVICES
    named = {getattr(settings, name) for name in ("ledger", "checkpoint_key")}
    assert named == {"file:/run/secrets/ledger_url", "file:/run/secrets/checkpoint.pem"}
    for name in OURS:
        words = [word for word in SERVICES[name]["command"] if word.isalpha()]
        assert " ".join(["habeas", *words]) in COMMANDS


@pytest.mark.parametrize("name", ["secrets.sh", "compose/databases.sh", "compose/temporal-schema.sh"])
def test_a_shell_reads_the_scripts(name: str) -> None:
    done = subprocess.run(["sh", "-n", DEPLOY / name], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_api_starts_on_an_address_of_the_network_since_the_port_is_this_machine_s(settings: Settings) -> None:
    assert settings.api is not None
    assert not open_to_all(settings.api)
    assert open_to_all(settings.api.model_copy(update={"behind_proxy": False}))
    assert SERVICES["api"]["ports"] == [f"127.0.0.1:{settings.api.port}:{settings.api.port}"]


def test_the_web_ui_has_payloads_opened_where_they_are(settings: Settings) -> None:
    ui = SERVICES["temporal-ui"]
    said = ui["environment"]

    assert settings.api is not None
    assert said["TEMPORAL_CODEC_ENDPOINT"] == f"{settings.api.url}/codec/{settings.temporal_namespace}"
    # By the session of the browser: it signs nobody in, so it has no token to pass on.
    assert said["TEMPORAL_CODEC_INCLUDE_CREDENTIALS"] == "true"
    assert not {"TEMPORAL_CODEC_PASS_ACCESS_TOKEN", "TEMPORAL_AUTH_ENABLED"} & set(said)
    assert settings.temporal_ui == f"http://localhost:{ui['ports'][0].split(':')[1]}"


def test_letters_can_be_written_and_go_to_the_sink(settings: Settings) -> None:
    sink = SERVICES["mail"]

    assert settings.mail is not None
    build_mail(settings.mail)
    assert (settings.mail.host, settings.mail.port, settings.mail.plaintext) == ("mail", 1025, False)
    assert set(sink["networks"]) & set(SERVICES["worker"]["networks"])
    assert settings.mail.ca_file == sink["environment"]["MP_SMTP_TLS_CERT"] == "/run/secrets/mail.pem"
    assert "mail.pem" in SERVICES["worker"]["secrets"]
    written, lacks = check_letters(settings.office, ["eu-gdpr"], ("en",))
    assert written > 50
    assert lacks == []


Made = tuple[subprocess.CompletedProcess[str], dict[str, str]]
"""How the script ended, and who was given each file, as user:group."""


def run_secrets(folder: Path, user: int) -> Made:
    """Run secrets.sh in a folder as if by this user; what it gives away is noted and not done, since root alone can."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, line in (("id", f"echo {user}"), ("chown", f'echo "$@" >> {folder}/given')):
        program = programs / name
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
    script = folder / "secrets.sh"
    script.write_text((DEPLOY / "secrets.sh").read_text())
    path = f"{programs}:{os.environ['PATH']}"
    done = subprocess.run(["sh", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    given: dict[str, str] = {}
    if (folder / "given").exists():
        for line in (folder / "given").read_text().splitlines():
            owner, *files = line.split()
            given |= {Path(file).name: owner for file in files}
    return done, given


def test_secrets_are_made_once_and_by_root_alone(tmp_path: Path) -> None:
    refused, _ = run_secrets(tmp_path, 1000)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("secrets.sh: run it as root")
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "secrets").exists()

    done, _ = run_secrets(tmp_path, 0)
    first = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    run_secrets(tmp_path, 0)
    again = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert first == again
    assert set(first) == {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} | {"s3_key", "s3_secret"}
    assert all(first.values())
    assert len({first[name] for name in ("postgres_password", "temporal_password", "ledger_password")}) == 3
    assert first["ledger_password"] in first["ledger_url"]
    # Each certificate vouches for itself, and for the name that it goes by.
    issuer = yaml.safe_load((DEPLOY / "compose" / "dex.yaml").read_text())["issuer"]
    for name, host in (("oidc", issuer.split("/")[2].split(":")[0]), ("mail", "mail")):
        serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        serving.load_cert_chain(tmp_path / "secrets" / f"{name}.pem", tmp_path / "secrets" / f"{name}.key")
        believing = ssl.create_default_context(cafile=str(tmp_path / "secrets" / f"{name}.pem"))
        assert shake_hands(serving, believing, host)


def test_a_container_can_read_its_secrets_and_nobody_else_s(tmp_path: Path) -> None:
    """Compose mounts a file with the owner and the mode that it has."""
    _, given = run_secrets(tmp_path, 0)
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "secrets").iterdir()}

    def reads(user: str, name: str) -> bool:
        owner, group = given.get(name, "0:0").split(":")
        uid, gid = user.split(":")
        return bool(modes[name] & (0o400 if uid == owner else 0o040 if gid == group else 0o004))

    everybodys = {"oidc.pem", "mail.pem"}
    for service in SERVICES.values():
        wanted = set(service.get("secrets", ()))
        # One image may run as two services of one user, so another's secret may be in reach, and is not mounted.
        same = {n for other in SERVICES.values() if other["user"] == service["user"] for n in other.get("secrets", ())}
        readable = {name for name in modes if reads(service["user"], name)}
        assert wanted <= readable, service["image"]
        assert readable <= same | everybodys, service["image"]
    for name in everybodys:
        assert "PRIVATE" not in (tmp_path / "secrets" / name).read_text()


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
