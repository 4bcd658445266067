"""A reader that is a copy of the primary, and lags behind."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from connectors.errors import Retryable
from rights.codes import Code
from starter.stack import Postgres
from starter.stack.postgres import _account, _as_account, _postgres_programs
from tests.conftest import Database
from tests.connectors.sql_place import Place, email, place

MAP = """
  customers:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}}
"""


@pytest.fixture
def replicated() -> Iterator[tuple[Place, Postgres]]:
    """A primary with a shop, and a streaming copy of it."""
    with tempfile.TemporaryDirectory(prefix="habeas-replica-") as folder:
        Path(folder).chmod(0o711)
        with Postgres(durable=False, settings={"wal_level": "replica", "max_wal_senders": "4"}) as primary:
            primary.create_database("shop")
            shop = Database("shop", primary.dsn("shop"), primary.conninfo("shop"))
            create = "CREATE TABLE customers (id bigint PRIMARY KEY, email text)"
            with place(shop, create, MAP) as made, copy_of(primary, Path(folder) / "copy") as copy:
                made.connector.close()
                made.connector = made.connect(copy.dsn("shop"), primary.dsn("shop"))
                yield made, copy


def copy_of(primary: Postgres, home: Path) -> Postgres:
    """A server that starts from a base backup and streams on."""
    copy, account = Postgres(home), _account()
    home.mkdir(mode=0o755)
    if account:
        home.chmod(0o700)
        subprocess.run(["chown", account.pw_name, home], check=True)
    (home / "password").write_text((primary.home / "password").read_text())
    subprocess.run(
        [
            _postgres_programs(account) / "pg_basebackup",
            f"--dbname={primary.conninfo()}",
            f"--pgdata={home / 'data'}",
            "--write-recovery-conf",
            "--checkpoint=fast",
        ],
        check=True,
        **_as_account(account, home),
    )
    return copy


def test_a_copy_that_lags_behind_never_says_that_nothing_is_held(replicated: tuple[Place, Postgres]) -> None:
    shop, copy = replicated
    with psycopg.connect(copy.conninfo("shop"), autocommit=True) as standby:
        assert standby.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        standby.execute("SELECT pg_wal_replay_pause()")
        shop.door.execute("INSERT INTO customers VALUES (1, 'anna@example.org')")
        assert standby.execute("SELECT count(*) FROM customers").fetchone() == (0,)

        for ask in (shop.locate, shop.export):
            with pytest.raises(Retryable) as refused:
                ask(email("anna@example.org"))
            assert refused.value.code is Code.BUSY

        standby.execute("SELECT pg_wal_replay_resume()")
        assert shop.locate(email("anna@example.org")).tally.found == 1
        assert b"anna@example.org" in b"".join(shop.export(email("anna@example.org")).values())


def test_what_is_erased_is_proven_on_the_primary(replicated: tuple[Place, Postgres]) -> None:
    shop, copy = replicated
    shop.door.execute("INSERT INTO customers VALUES (1, 'anna@example.org')")
    assert shop.locate(email("anna@example.org")).tally.found == 1
    with psycopg.connect(copy.conninfo("shop"), autocommit=True) as standby:
        standby.execute("SELECT pg_wal_replay_pause()")

        assert shop.erase(email("anna@example.org")).of("customers").erased == 1
        assert shop.verify(email("anna@example.org")).tally.found == 0

        standby.execute("SELECT pg_wal_replay_resume()")
