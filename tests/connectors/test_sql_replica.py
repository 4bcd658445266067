"""A copy of the primary that lags behind: as the reader, and as the second place in which an erasure is looked at."""

import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from connectors.errors import NeedsHuman, Retryable
from connectors.protocol import Look, Pending
from connectors.sql import build
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
        with Postgres(durable=False, settings={"wal_level": "logical", "max_wal_senders": "4"}) as primary:
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


@pytest.mark.soak
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


ANNA = email("anna@example.org")


@pytest.fixture
def erased(replicated: tuple[Place, Postgres]) -> Iterator[tuple[Place, psycopg.Connection, str]]:
    """A shop in which Anna has been erased, with a copy that has not heard of it, and the copy's address."""
    shop, copy = replicated
    shop.door.execute("INSERT INTO customers VALUES (1, 'anna@example.org'), (2, 'ben@example.org')")
    shop.connector.close()
    shop.connector = shop.connect(replica=copy.dsn("shop"))
    with psycopg.connect(copy.conninfo("shop"), autocommit=True) as standby:
        while standby.execute("SELECT count(*) FROM customers").fetchone() != (2,):
            pass
        standby.execute("SELECT pg_wal_replay_pause()")
        while standby.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() != ("paused",):
            pass
        assert shop.erase(ANNA).of("customers").erased == 1
        yield shop, standby, copy.dsn("shop")


@pytest.mark.soak
def test_an_erasure_is_verified_once_the_copy_shows_it_too(erased: tuple[Place, psycopg.Connection, str]) -> None:
    shop, standby, _ = erased

    first = shop.connector.verify(shop.call(ANNA))
    assert isinstance(first, Pending), "it is open as long as the copy lags behind"
    assert standby.execute("SELECT count(*) FROM customers").fetchone() == (2,)
    # What comes later does not move the place that is waited for; and one that never catches up stays open.
    shop.door.execute("INSERT INTO customers SELECT n, 'x' || n FROM generate_series(10, 1000) n")
    late = shop.connector.verify(shop.call(ANNA, job={**first.job, "asked": "5000"}))
    assert isinstance(late, Pending)
    assert late.job["position"] == first.job["position"]
    assert first.check_after < late.check_after <= timedelta(minutes=15)

    standby.execute("SELECT pg_wal_replay_resume()")
    look: Look | Pending = first
    while isinstance(look, Pending):
        look = shop.connector.verify(shop.call(ANNA, job=late.job))

    assert look.tally.found == 0
    assert standby.execute("SELECT count(*) FROM customers WHERE email = 'anna@example.org'").fetchone() == (0,)


@pytest.mark.soak
def test_only_what_both_show_is_verified(erased: tuple[Place, psycopg.Connection, str]) -> None:
    shop, _, _ = erased
    shop.door.execute("INSERT INTO customers VALUES (3, 'anna@example.org')")
    assert shop.verify(ANNA).tally.left == 1, "what the primary shows is said without waiting for the copy"

    shop.erase(ANNA)
    shop.connector.close()
    shop.connector = shop.connect(replica="postgresql://habeas:secret@127.0.0.1:1/shop")
    with pytest.raises(Retryable) as refused:
        shop.connector.verify(shop.call(ANNA))
    assert refused.value.code is Code.UNREACHABLE, "a copy that is away verifies nothing"


@pytest.mark.soak
def test_a_server_that_is_no_streaming_copy_verifies_nothing(
    erased: tuple[Place, psycopg.Connection, str], postgres: Postgres, database: Database
) -> None:
    """A logical replica tells nobody how far it has come; this one subscribes, and has everything."""
    shop, _, streaming = erased
    with psycopg.connect(database.conninfo, autocommit=True) as logical:
        logical.execute("CREATE TABLE customers (id bigint PRIMARY KEY, email text)")
        shop.door.execute("CREATE PUBLICATION everything FOR TABLE customers")
        logical.execute(f"CREATE SUBSCRIPTION everything CONNECTION '{shop.database.conninfo}' PUBLICATION everything")
        try:
            while logical.execute("SELECT count(*) FROM customers").fetchone() != (1,):
                pass
            shop.connector.close()
            shop.connector = shop.connect(replica=database.url)

            with pytest.raises(NeedsHuman) as refused:
                shop.connector.verify(shop.call(ANNA))
            assert refused.value.code is Code.REPLICA
            assert "no_replica" in {finding.code for finding in shop.connector.check()}
        finally:
            logical.execute("DROP SUBSCRIPTION everything")
    shop.connector.close()
    shop.connector = shop.connect(replica=streaming)
    assert "no_replica" not in {finding.code for finding in shop.connector.check()}


@pytest.mark.soak
def test_a_copy_that_has_come_past_it_and_still_shows_rows_is_no_proof(replicated: tuple[Place, Postgres]) -> None:
    """One that was promoted, written to and made a copy again: it has gone a way of its own."""
    shop, copy = replicated
    shop.door.execute("INSERT INTO customers VALUES (1, 'anna@example.org')")
    with psycopg.connect(copy.conninfo("shop"), autocommit=True) as standby:
        while standby.execute("SELECT count(*) FROM customers").fetchone() != (1,):
            pass
        standby.execute("SELECT pg_promote()")
        standby.execute("CREATE TABLE noise AS SELECT n, repeat('x', 100) FROM generate_series(1, 100000) n")
    copy.stop()
    (copy.home / "data" / "standby.signal").touch()
    copy.start()
    shop.connector.close()
    shop.connector = shop.connect(replica=copy.dsn("shop"))
    assert shop.erase(ANNA).of("customers").erased == 1

    with pytest.raises(NeedsHuman) as refused:
        shop.connector.verify(shop.call(ANNA))
    assert refused.value.code is Code.REPLICA


@pytest.mark.parametrize("writer", [{}, {"writer": "sqlite:////a/till.db"}], ids=["no writer", "another kind"])
def test_a_replica_needs_a_primary_of_its_kind(database: Database, writer: dict[str, str]) -> None:
    with place(database, "CREATE TABLE customers (id bigint PRIMARY KEY, email text)", MAP) as made:
        secrets = {"reader": writer.get("writer", database.url), "replica": database.url}
        with pytest.raises(ValueError, match="connection: replica is a streaming copy"):
            build(made.system, secrets | writer)
