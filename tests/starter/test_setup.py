"""From nothing to a deployment: `init`, `config check`, `map check`, `migrate`, and how the command itself behaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from starter.local import command, environment
from starter.shop import map_text
from starter.stack import Postgres, Temporal
from tests.starter.conftest import PERSON, Deployment, one_sentence


def test_init_writes_what_a_deployment_needs(deployment: Deployment, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"

    answer = deployment("init", str(fresh), "--json")

    assert all(file["new"] for file in answer.json["files"])
    names = {str(path.relative_to(fresh)) for path in fresh.rglob("*")}
    assert names == {
        "habeas.toml", "maps", "maps/example.yaml", ".env.example", ".gitignore", "keys", "parcels", "checkpoint.pem",
    }  # fmt: skip
    assert (fresh / "keys").stat().st_mode & 0o777 == 0o700
    assert (fresh / "checkpoint.pem").stat().st_mode & 0o777 == 0o600


def test_init_never_writes_over_anything(deployment: Deployment, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    deployment("init", str(fresh))
    files = [path for path in fresh.rglob("*") if path.is_file()]
    for path in files:
        path.write_text(f"mine: {path.name}")

    again = deployment("init", str(fresh), "--json")

    assert not any(file["new"] for file in again.json["files"])
    assert all(path.read_text() == f"mine: {path.name}" for path in files)


def test_init_where_nothing_can_be_written_says_so(deployment: Deployment) -> None:
    answer = deployment("init", "/proc/nothing-here")

    assert answer.code == 2
    assert one_sentence(answer.err)


def test_the_first_map_and_settings_are_valid(deployment: Deployment, tmp_path: Path) -> None:
    deployment("init", str(tmp_path / "fresh"))

    assert deployment("map", "check", str(tmp_path / "fresh" / "maps")).code == 0


def checks(deployment: Deployment) -> dict[str, tuple[bool, str, str]]:
    answer = deployment("config", "check", "--json")
    found = {c["name"]: (c["ok"], c["about"], c["advice"]) for c in answer.json["checks"]}
    assert answer.json["ok"] == all(ok for ok, _, _ in found.values())
    assert answer.code == (0 if answer.json["ok"] else 1)
    return found


def test_config_check_names_each_missing_setting_with_an_example(deployment: Deployment) -> None:
    (deployment.home / "habeas.toml").write_text("")

    found = checks(deployment)

    assert {"environment", "ledger", "keys", "checkpoints", "checkpoint_key", "parcels", "maps"} <= found.keys()
    ok, about, advice = found["ledger"]
    assert not ok
    assert "is missing" in about
    assert "HABEAS_LEDGER=env:HABEAS_LEDGER_URL" in advice


def test_config_check_finds_what_does_not_work(deployment: Deployment) -> None:
    (deployment.home / "keys").chmod(0o755)
    (deployment.home / "checkpoint.pem").write_text("no key at all")
    (deployment.home / "parcels").rmdir()
    (deployment.home / "ledger-url").write_text("postgresql://a:canary-secret@127.0.0.1:1/none")
    (deployment.home / "secrets" / "shop_writer").unlink()

    found = checks(deployment)

    assert found["keys"] == (False, "keys can be read by others (mode 755)", "chmod 700 keys")
    assert not found["checkpoint_key"][0]
    assert found["parcels"][2] == "mkdir -m 700 parcels, or habeas init"
    assert found["ledger"][1] == "no answer"
    assert found["temporal"][1] == "no answer"
    assert "write the secret to secrets/shop_writer" in found["system shop"][2]
    assert "canary" not in str(found)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_config_check_takes_a_key_as_an_orchestrator_mounts_it(deployment: Deployment) -> None:
    """Another's file that our group alone may read; never one that others can."""
    key = deployment.home / "checkpoint.pem"
    os.chown(key, 4711, os.getegid())
    key.chmod(0o440)
    mounted = checks(deployment)["checkpoint_key"]
    key.chmod(0o444)
    open_to_all = checks(deployment)["checkpoint_key"]
    os.chown(key, os.geteuid(), os.getegid())
    key.chmod(0o440)
    ours = checks(deployment)["checkpoint_key"]

    assert mounted[0]
    assert not open_to_all[0]
    assert not ours[0]


def test_config_check_quotes_the_maps_mistakes(deployment: Deployment) -> None:
    file = deployment.home / "maps" / "shop.yaml"
    file.write_text(file.read_text().replace("category: correspondence", "categorie: correspondence", 1))

    ok, about, advice = checks(deployment)["maps"]

    assert not ok
    assert about.startswith("maps/shop.yaml:")
    assert "did you mean 'category'?" in advice


def test_migrate_makes_ledger_and_temporal_ready(deployment: Deployment, postgres: Postgres) -> None:
    """On a Temporal server that knows no search attribute yet, and a ledger without a table."""
    postgres.create_database("bare_ledger")
    (deployment.home / "ledger-url").write_text(postgres.dsn("bare_ledger"))
    with Temporal() as bare:
        deployment.setting("temporal_address", bare.address)
        before = checks(deployment)
        first, again = deployment("migrate", "--json"), deployment("migrate", "--json")
        after = checks(deployment)

    assert (before["ledger"][1], before["ledger"][2]) == ("it has no tables yet", "habeas migrate")
    assert "HabeasPhase" in before["temporal"][1]
    assert "HabeasPhase" in first.json["attributes_added"]
    assert first.json["before"] is None
    assert again.json == {"schema": first.json["schema"], "before": first.json["schema"], "attributes_added": []}
    assert all(ok for ok, _, _ in after.values()), after


def test_a_ledger_of_a_later_release_is_refused_in_one_sentence_and_left_alone(deployment: Deployment) -> None:
    """As after an upgrade that is gone back on: the tables are the later release's, and so is all that uses them."""
    deployment.rows("UPDATE alembic_version SET version_num = '9999_later'")
    with (deployment.home / "habeas.toml").open("a") as file:
        file.write('\n[api]\nurl = "https://habeas.shop.example"\n')
    before = deployment.everything()

    for word in ("migrate", "worker", "api"):
        answer = deployment(word)
        assert (answer.code, answer.out, one_sentence(answer.err)) == (5, "", True), (word, answer)
        assert "at version '9999_later', of a later release than this one" in answer.err
        assert "habeas migrate" not in answer.err
    assert "of a later release than this one" in checks(deployment)["ledger"][1]
    assert deployment.everything() == before


def test_migrate_says_when_temporal_is_away(deployment: Deployment) -> None:
    answer = deployment("migrate")

    assert answer.code == 3
    assert one_sentence(answer.err)


def test_map_check_names_file_line_and_path(deployment: Deployment, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(map_text("observe").replace("purpose: Delivering orders", "porpoise: Delivering orders"))

    answer = deployment("map", "check", str(wrong))

    line = wrong.read_text().splitlines().index("    porpoise: Delivering orders") + 1
    assert answer.code == 1
    assert f"{wrong}:{line}: collections.addresses.porpoise" in answer.out
    assert "did you mean 'purpose'?" in answer.out


def test_map_check_live_asks_the_database(deployment: Deployment) -> None:
    """The ledger's own database stands in: it has none of the shop's tables."""
    answer = deployment("map", "check", "--live", "maps")

    assert answer.code == 1
    assert "customers" in answer.out


def test_map_check_says_when_a_database_is_away(deployment: Deployment) -> None:
    (deployment.home / "secrets" / "shop_reader").write_text("postgresql://a:canary-secret@127.0.0.1:1/none")

    answer = deployment("map", "check", "--live", "maps")

    assert answer.code == 1
    assert "unreachable" in answer.out
    assert "canary" not in answer.out + answer.err


@pytest.mark.parametrize("files", [["not-there.yaml"], ["ledger-url", "not-there"]])
def test_map_check_of_a_file_that_is_not_there(deployment: Deployment, files: list[str]) -> None:
    answer = deployment("map", "check", *files)

    assert answer.code == 2
    assert one_sentence(answer.err)


def test_secrets_may_stand_in_the_env_file(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    (deployment.home / ".env").write_text(f"TEST_LEDGER_FROM_FILE={deployment.database.url}\n")
    deployment.setting("ledger", "env:TEST_LEDGER_FROM_FILE")
    monkeypatch.setenv("TEST_LEDGER_FROM_FILE", "")  # restored afterwards, whatever the command sets
    monkeypatch.delenv("TEST_LEDGER_FROM_FILE")

    assert deployment("request", "list", "--json").json == {"requests": []}


def test_another_directory_is_worked_in_from_outside(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")

    assert deployment("-C", str(deployment.home), "request", "list").code == 0
    assert deployment("-C", "/not-there", "request", "list").code == 2


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The installed command, as a process of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HABEAS_")} | more
    return subprocess.run([*command(), *arguments], capture_output=True, text=True, check=False, env=environment)


def test_help_loads_nothing_heavy(deployment: Deployment) -> None:
    """`habeas --help` answers at once because none of these is loaded for it."""
    code = "import sys; from starter.cli import app; print([m for m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    for heavy in ("sqlalchemy", "temporalio", "psycopg", "cryptography", "rich", "boto3", "settings", "asyncio"):
        assert f"'{heavy}'" not in done.stdout, heavy


def test_the_installed_command_prints_sentences_and_no_traceback(deployment: Deployment) -> None:
    helped, wrong, bare = run("--help"), run("forget", "me@example.org"), run()

    assert (helped.returncode, helped.stderr) == (0, "")
    assert "Exit codes: 0 " in helped.stdout
    assert wrong.returncode == 2
    assert one_sentence(wrong.stderr)
    assert "example.org" not in wrong.stderr
    assert bare.returncode == 2


def test_a_bug_shows_class_and_line_and_no_value(deployment: Deployment) -> None:
    """An error nobody foresaw, raised by a ledger whose tables are of another make."""
    with psycopg.connect(deployment.database.conninfo, autocommit=True) as connection:
        connection.execute("ALTER TABLE requests RENAME TO canary_requests")

    answer = deployment("request", "list")

    assert answer.code in {3, 70}
    assert one_sentence(answer.err)
    assert "canary" not in answer.err


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["re"], {"request"}),
        (["request", "w"], {"watch", "withdraw"}),
        (["request", "open", ""], {"access", "erasure"}),
        (["request", "rule", "x", "g"], {"give_up"}),
        (["request", "open", "access", "--ident"], {"--identity", "--identities"}),
    ],
)
def test_the_shell_completes_commands_options_and_words(typed: list[str], offered: set[str]) -> None:
    asked = {
        "_HABEAS_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["habeas", *typed]),
        "COMP_CWORD": str(len(typed)),
    }
    done = subprocess.run(command(), env=environment() | asked, capture_output=True, text=True, check=True)

    assert {word.rstrip("\r") for word in done.stdout.split()} >= offered
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://u:pw@canary:secret@h:notaport/db", "the ledger's address cannot be read"),
        ("mysql://u:canary@h/db", "the ledger's address cannot be read"),
        ("postgresql://u:canary@127.0.0.1:1/db?canary=1", "the ledger's address cannot be read"),
        ("canary", "the ledger's address cannot be read"),
        ("postgresql://u:canary@127.0.0.1:1/db", "does not answer"),
    ],
)
def test_an_address_that_cannot_be_used_is_never_quoted(deployment: Deployment, address: str, said: str) -> None:
    (deployment.home / "ledger-url").write_text(address)
    for command_line in (("request", "list"), ("migrate",)):
        answer = deployment(*command_line)
        assert answer.code in {2, 3}
        assert said in answer.err
        assert one_sentence(answer.err)
        assert "canary" not in answer.err
    assert "canary" not in str(checks(deployment))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda home: (home / "habeas.toml").write_text("ledger = canary"), "habeas.toml is not TOML, at line 1"),
        (lambda home: (home / "habeas.toml").write_bytes(b"\xff"), "habeas.toml or .env cannot be read"),
        (lambda home: (home / ".env").write_bytes(b"\xff"), ".env cannot be read"),
        (lambda home: (home / "maps" / "b.yaml").write_bytes(b"\xff"), "b.yaml cannot be read"),
        (lambda home: (home / "maps" / "b.yaml").mkdir(), "b.yaml cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_in_one_sentence(
    deployment: Deployment, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(deployment.home)

    answer = deployment("request", "open", "erasure", "--identities", "-", given=f"email={PERSON}")

    assert answer.code == 2
    assert said in answer.err
    assert one_sentence(answer.err)
    assert "canary" not in answer.err


def test_a_list_that_is_no_list_is_named(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HABEAS_MAPS", "canary")

    answer = deployment("request", "list")

    assert (answer.code, one_sentence(answer.err)) == (2, True)
    assert "maps in the environment cannot be read" in answer.err


ESCAPES = """
import sys, threading, warnings
from starter import logs
logs.set_up("json")
class Falls:
    def __del__(self):
        raise ValueError("canary in a destructor")
def run():
    raise KeyError("canary in a thread")
warnings.warn("canary in a warning")
Falls()
thread = threading.Thread(target=run)
thread.start()
thread.join()
raise RuntimeError("canary in the process")
"""


def test_what_escapes_everybody_is_named_and_not_quoted() -> None:
    done = subprocess.run([sys.executable, "-c", ESCAPES], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "canary" not in done.stdout + done.stderr
    escaped = [json.loads(line) for line in done.stderr.splitlines() if '"escaped"' in line]
    assert {(line["kind"], line["error"]) for line in escaped} == {
        ("destructor", "ValueError"), ("thread", "KeyError"), ("process", "RuntimeError"),
    }  # fmt: skip


@pytest.mark.parametrize("day", ["", "canary", "2026-02-30"])
@pytest.mark.parametrize(
    "words",
    [
        f"decision paid {'0' * 26} --by s-31 --on",
        f"recipient answered {'0' * 26} mailer confirmed --by desk --on",
        "recipient ended mailer confirmed --by desk --on",
        "metrics list --since",
        f"hold review {'0' * 26} --by s-21 --until",
        f"clock resume {'0' * 26} --for identity --by desk --on",
        "deadline eu-gdpr --received 2026-11-26 --appealed",
    ],
)
def test_a_day_that_is_none_is_refused_by_the_name_of_its_option(deployment: Deployment, words: str, day: str) -> None:
    answer = deployment(*words.split(), day)

    assert answer.code == 2
    assert answer.err.count(f"{words.split()[-1]} is a day such as 2026-11-20") == 1
    assert "canary" not in answer.err
