"""`habeas doctor` says what is wrong with a live installation: on a real ledger, a real Temporal and real workers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from temporalio import activity
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.worker import Worker

from settings import Settings
from starter.checks import NotSo
from starter.desk import now, open_ledger
from starter.ledgerchecks import skew
from starter.local import command
from starter.stack import Postgres, Temporal
from starter.temporal import bare_client
from starter.versions import versioned
from tests.starter.conftest import Deployment
from workflows.upkeep import Upkeep

Found = dict[str, tuple[bool, str, str]]
MAP = """
system: shop
owner: shop team
connector: sql
backups: none
mode: approve
connection: {reader: "file:secrets/shop_reader", writer: "file:secrets/shop_writer"}
collections:
  people:
    key: [id]
    purpose: to run the shop
    fields:
      id: {}
      email: {category: contact, identity: email}
"""


@dataclass(frozen=True)
class Installation:
    """A deployment at a queue and under a tenant of its own, with a shop that can be worked with."""

    deployment: Deployment
    shop: str
    """The shop's database."""
    conninfo: str

    def shop_rows(self, statement: str) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture
def installation(deployment: Deployment, temporal_server: Temporal, postgres: Postgres) -> Iterator[Installation]:
    name = deployment.database.name
    shop = f"{name}_shop"
    postgres.create_database(shop)
    made = Installation(deployment, shop, postgres.conninfo(shop))
    made.shop_rows("CREATE TABLE people (id bigint PRIMARY KEY, email text NOT NULL)")
    made.shop_rows("CREATE INDEX ON people (lower(email))")
    made.shop_rows(f"ALTER DATABASE {shop} SET habeas.environment = 'production'")
    (deployment.home / "maps" / "shop.yaml").write_text(MAP)
    for role in ("shop_reader", "shop_writer"):
        (deployment.home / "secrets" / role).write_text(postgres.dsn(shop))
    deployment.setting("temporal_address", temporal_server.address)
    deployment.setting("environment", "production")
    deployment.setting("tenant", name.replace("_", "-"))
    deployment.setting("task_queue", name)
    yield made
    postgres.drop_database(shop)


def doctor(deployment: Deployment) -> Found:
    """What it finds, by the line's name; a name with several lines has the first that is not well."""
    answer = deployment("doctor", "--json")
    checks = answer.json["checks"]
    assert answer.code == (0 if all(c["ok"] for c in checks) else 1)
    found: Found = {}
    for c in sorted(checks, key=lambda c: c["ok"], reverse=True):
        found[c["name"]] = (c["ok"], c["about"], c["advice"])
    assert all(advice for ok, _, advice in found.values() if not ok)
    return found


@contextmanager
def working(deployment: Deployment) -> Iterator[None]:
    """A worker of it, as a process of its own, that polls."""
    with (deployment.home / "worker.log").open("wb") as log:
        process = subprocess.Popen([*command(), "worker"], cwd=deployment.home, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(180)


def tamper(deployment: Deployment, statement: str) -> None:
    """Write behind the ledger's back."""
    with psycopg.connect(deployment.database.conninfo, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.encode())


@pytest.mark.soak
def test_a_live_installation_is_well_and_its_foreign_history_is_not(installation: Installation) -> None:
    request = installation.deployment.open(right="access")
    with working(installation.deployment):
        until = time.monotonic() + 60
        while "what a worker has sealed was opened" not in doctor(installation.deployment)["codec"][1]:
            assert time.monotonic() < until, (installation.deployment.home / "worker.log").read_text()
            time.sleep(2)
        found = doctor(installation.deployment)
        # Its own history key is taken from the ledger: a new one is made, which opens nothing that was sealed before.
        tamper(installation.deployment, "DELETE FROM case_keys WHERE purpose = 'history' AND case_id = tenant")
        other = doctor(installation.deployment)

    assert {name: said for name, said in found.items() if not said[0]} == {}
    assert found["system shop"][1] == "sql, mode approve, reached"
    assert "agrees with this machine's" in found["clock of the ledger"][1]
    assert "agrees with this machine's" in found["clock of Temporal"][1]
    assert "keys in use, each tried" in found["keys in use"][1]
    assert "1 worker at the task queue" in found["workers"][1]
    assert "retention" in found
    assert not other["codec"][0]
    assert "cannot be opened with the keys here" in other["codec"][1]
    assert request


def test_what_does_not_run_is_named(installation: Installation) -> None:
    found = doctor(installation.deployment)

    assert found["workers"][0] is False
    assert found["workers"][2] == "start one: habeas worker"
    installation.deployment.setting("temporal_address", "127.0.0.1:1")
    away = doctor(installation.deployment)
    assert away["temporal"][:2] == (False, "no answer")
    assert "retention" not in away  # nothing is said of what could not be asked
    assert "keys in use" in away


def test_a_system_of_another_environment_is_named(installation: Installation) -> None:
    installation.shop_rows(f"ALTER DATABASE {installation.shop} SET habeas.environment = 'staging'")

    ok, about, _ = doctor(installation.deployment)["system shop"]

    assert not ok
    assert about == "it is marked 'staging', and this is 'production': nothing is erased in it"


def test_rights_that_a_role_lacks_are_named(installation: Installation) -> None:
    name = f"poor_{installation.shop}"
    installation.shop_rows(f"CREATE ROLE {name} LOGIN PASSWORD 'poor'; GRANT SELECT ON people TO {name}")
    address = psycopg.conninfo.conninfo_to_dict(installation.conninfo)
    poor = f"postgresql://{name}:poor@{address['host']}:{address['port']}/{address['dbname']}"
    (installation.deployment.home / "secrets" / "shop_writer").write_text(poor)
    try:
        ok, about, _ = doctor(installation.deployment)["system shop"]
    finally:
        installation.shop_rows(f"DROP OWNED BY {name}; DROP ROLE {name}")

    assert not ok
    assert "people" in about


def test_a_journal_that_was_changed_at_its_end_is_named(installation: Installation) -> None:
    installation.deployment.open(right="access")
    tamper(installation.deployment, "UPDATE entries SET body = replace(body, 'access', 'erasure') WHERE seq = 1")

    ok, about, advice = doctor(installation.deployment)["journal"]

    assert (ok, about) == (False, "entry 1 does not say what it said when it was written")
    assert "habeas ledger verify" in advice


def test_a_journal_that_was_cut_is_named(installation: Installation) -> None:
    """The head is set back too, so that all that is left hangs together."""
    installation.deployment.open(right="access")
    installation.deployment.open(right="erasure")
    ledger = open_ledger(Settings.load())
    ledger.checkpoint(at=now())
    ledger.close_connections()
    sound = doctor(installation.deployment)["journal"]
    tamper(
        installation.deployment,
        "DELETE FROM entries WHERE seq > 1; "
        "UPDATE chain_heads SET seq = 1, hash = (SELECT hash FROM entries WHERE seq = 1)",
    )

    cut = doctor(installation.deployment)["journal"]

    assert sound[0]
    assert "its end is sound" in sound[1]
    assert not cut[0]
    assert "the entries after 1 are missing" in cut[1]


def test_a_key_that_is_lost_is_named(installation: Installation) -> None:
    installation.deployment.open(right="access")
    (lost, *_) = sorted((installation.deployment.home / "keys").glob("*.key"))
    lost.unlink()

    ok, about, _ = doctor(installation.deployment)["keys in use"]

    assert not ok
    assert lost.stem in about


@pytest.mark.parametrize(
    ("days", "well", "said"),
    [
        ([], False, "there is no backup"),
        ([0, 1, 34], True, "3 backups, the newest"),
        ([0, 40], False, "1 backup older than 35 days"),
        ([9], False, "the newest backup is 9 days old"),
    ],
)
def test_backups_have_an_age(
    installation: Installation, tmp_path: Path, days: list[int], well: bool, said: str
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for number in days:
        file = folder / f"ledger-{number}.dump"
        file.write_text("a backup")
        moment = (datetime.now(UTC) - timedelta(days=number)).timestamp()
        os.utime(file, (moment, moment))
    installation.deployment.setting("backups", str(folder))

    ok, about, _ = doctor(installation.deployment)["backups"]

    assert ok is well
    assert about.startswith(said)


def test_clocks_that_differ_are_told_apart_from_slow_answers() -> None:
    asked = datetime(2026, 11, 27, 12, tzinfo=UTC)
    answered = asked + timedelta(seconds=20)

    assert "agrees" in skew(asked + timedelta(seconds=10), asked, answered, "theirs")
    with pytest.raises(NotSo, match="30 seconds behind") as behind:
        skew(asked - timedelta(seconds=30), asked, answered, "theirs")
    with pytest.raises(NotSo, match="90 seconds ahead of") as ahead:
        skew(answered + timedelta(seconds=90), asked, answered, "theirs")
    assert behind.value.warning
    assert not ahead.value.warning


@activity.defn
def idle() -> None:
    """What a worker offers that is to poll for activities too."""


def test_a_version_that_nobody_polls_for_is_named(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two builds poll: at first none of them serves, then one, then one that nobody has ever started."""
    deployment = installation.deployment
    told: dict[str, tuple[bool, str, str]] = {}

    def look(when: str, until: str) -> None:
        """The server takes a moment to know who polls, and for whom."""
        last = time.monotonic() + 60
        while until not in (said := doctor(deployment)["workers"])[1] and time.monotonic() < last:
            time.sleep(0.5)
        told[when] = said

    async def story() -> None:
        settings = Settings.load()
        client = await bare_client(settings)

        def worker(build: str) -> Worker:
            config = versioned(Settings.load(build_id=build))
            return Worker(
                client, task_queue=settings.task_queue, workflows=[Upkeep], activities=[idle],
                activity_executor=ThreadPoolExecutor(1), deployment_config=config,
            )  # fmt: skip

        async with worker("old"), worker("new"):
            await asyncio.to_thread(look, "none serves", "told no version that serves")
            assert (await asyncio.to_thread(deployment, "promote")).code == 0
            await asyncio.to_thread(look, "old serves", "new is not needed any more")
            # As a slip of an operator has it.
            await client.workflow_service.set_worker_deployment_current_version(
                SetWorkerDeploymentCurrentVersionRequest(
                    namespace=client.namespace,
                    deployment_name=settings.task_queue,
                    build_id="unborn",
                    allow_no_pollers=True,
                    ignore_missing_task_queues=True,
                )
            )
            await asyncio.to_thread(look, "unborn serves", "unborn serves")

    monkeypatch.setenv("HABEAS_BUILD_ID", "old")
    asyncio.run(story())

    assert "told no version that serves" in told["none serves"][1]
    assert told["none serves"][2].endswith("habeas promote")
    assert told["old serves"][:2] == (True, "version old serves; new is not needed any more and can be stopped")
    assert told["unborn serves"][:2] == (False, "version unborn serves, and no worker polls for it")
    monkeypatch.setenv("HABEAS_BUILD_ID", "never-seen")
    assert deployment("promote").code == 5
    monkeypatch.delenv("HABEAS_BUILD_ID")
    assert deployment("promote").code == 2
