"""Migrations: up, down, and the same as the models."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ledger import schema
from ledger.errors import NewerLedger
from ledger.ledger import connect
from ledger.models import metadata
from tests.conftest import Database


def names(database: Database) -> set[str]:
    """Tables and functions that are there."""
    with psycopg.connect(database.conninfo) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        )
        return {name for (name,) in rows}


def test_up_down_and_up_again(database: Database) -> None:
    assert schema.current(database.url) == ""

    schema.upgrade(database.url)
    assert schema.current(database.url) == schema.head()
    assert set(metadata.tables) < names(database)

    schema.downgrade(database.url)
    assert schema.current(database.url) == ""
    assert names(database) == {"alembic_version"}

    schema.upgrade(database.url)
    schema.upgrade(database.url)
    assert schema.current(database.url) == schema.head()


def test_a_ledger_of_a_later_release_is_left_as_it_is(tables: Database) -> None:
    with psycopg.connect(tables.conninfo, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_later'")
    before = names(tables)

    with pytest.raises(NewerLedger, match=f"at version '9999_later', of a later release .* up to '{schema.head()}'"):
        schema.upgrade(tables.url)

    assert schema.current(tables.url) == "9999_later"
    assert names(tables) == before


def test_what_the_migrations_make_is_what_the_models_say(tables: Database) -> None:
    engine = connect(tables.url)
    try:
        with engine.connect() as connection:
            options = {"compare_type": True, "compare_server_default": True}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, metadata) == []
            made = _details(connection.connection.driver_connection)
            metadata.drop_all(connection)
            metadata.create_all(connection)
            # What Alembic does not compare: checks, and the conditions of partial indexes.
            assert made == _details(connection.connection.driver_connection)
            connection.rollback()
    finally:
        engine.dispose()


def test_workers_that_migrate_at_once_do_not_collide(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(schema.upgrade, [database.url] * 4))

    assert schema.current(database.url) == schema.head()


def test_every_key_begins_with_the_tenant() -> None:
    for table in metadata.tables.values():
        assert next(iter(table.primary_key.columns)).name == "tenant", table.name
        for index in table.indexes:
            assert index.columns[0].name == "tenant", index.name
        for key in table.foreign_key_constraints:
            assert key.column_keys[0] == "tenant", key.name


def _details(connection: object) -> set[tuple[str, ...]]:
    """Indexes and constraints in PostgreSQL's own words."""
    assert isinstance(connection, psycopg.Connection)
    rows = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version' "
        "UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass"
    )
    return set(rows)
