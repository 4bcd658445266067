"""A draft data map from a database itself: its tables, keys, comments and types, and what they suggest.

The one rule: nothing is changed and nothing that a person's row holds comes out; and the draft validates as it stands.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from connectors.errors import ConnectorError
from connectors.sql.catalogue import read_catalogue
from connectors.sql.discovery.draft import Draft, decide, skeleton
from connectors.sql.discovery.findings import Findings, guess
from connectors.sql.discovery.page import page
from connectors.sql.discovery.samples import sample
from connectors.sql.discovery.schema import Progress, TableFacts, read_schema
from connectors.sql.errors import explain
from connectors.sql.session import read_url
from connectors.sql.statement import quoted

__all__ = ["Draft", "discover", "draft_from", "page", "reading"]

STATEMENT_TIMEOUT: Final = 30
"""Seconds for one question to the catalogue; that of a thousand tables is answered in two."""
SAMPLE_TIMEOUT: Final = 2
"""Seconds for one look at a table's values: its first rows by key, or none."""
LOCK_TIMEOUT: Final = 2
"""Seconds to wait for a table that somebody is changing."""


def discover(
    secret: str, *, system: str, reader: str, sampling: bool = False, progress: Progress = lambda _: None
) -> Draft:
    """Read a database and draft its map.

    Args:
        secret: the database's address; the role needs to see the tables, and SELECT where values are sampled.
        system: the system's name in the map.
        reader: where the map finds the address: env:NAME or file:/path.
        sampling: also look at some values of each table.
        progress: told what is being done.

    Raises:
        ValueError: the address is none; the text does not quote it.
        SQLAlchemyError, psycopg.Error: the database cannot be asked.
    """
    with reading(read_url(secret, "url")) as connection:
        schema = read_schema(connection, progress)
        sampled = {}
        if sampling:
            connection.execute(text(f"SET LOCAL statement_timeout = '{SAMPLE_TIMEOUT}s'"))
            total = len(schema.tables)

            def told(number: int) -> None:
                if number % 100 == 0:
                    progress(f"looking at values: table {number:,} of {total:,}")

            sampled = sample(connection, schema.tables.values(), told)
            connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}s'"))
        progress(f"{len(schema.tables):,} tables read, drafting")
        return draft_of(connection, guess(schema, sampled), system, reader)


def draft_from(
    secret: str, *, system: str, reader: str, sampling: bool = False, progress: Progress = lambda _: None
) -> Draft:
    """`discover`, with what goes wrong in the contract's words.

    Raises:
        ValueError: the address is none.
        ConnectorError: the database cannot be asked.
    """
    try:
        return discover(secret, system=system, reader=reader, sampling=sampling, progress=progress)
    except (psycopg.Error, SQLAlchemyError) as error:
        trouble: ConnectorError = explain(error, system, lambda *_: False)
    raise trouble


def draft_of(connection: Connection, findings: Findings, system: str, reader: str) -> Draft:
    """Decide what was found, with the connector's own view of the columns."""
    draft = skeleton(findings, system, reader)
    if not draft.collections:
        return draft
    connection.execute(text("SET LOCAL search_path = " + quoted(findings.schema.default)))
    driver: Any = connection.connection.driver_connection
    catalogue = read_catalogue(driver, draft.read())
    decided = decide(draft, findings, catalogue, _Asking(driver))
    decided.read()  # what does not validate is our mistake, and better seen here
    return decided


@contextmanager
def reading(url: URL) -> Iterator[Connection]:
    """A read-only connection under time limits, on which nothing can be committed."""
    engine = create_engine(
        url, pool_size=1, max_overflow=0, connect_args={"application_name": "habeas", "connect_timeout": 5}
    )
    try:
        with engine.connect() as connection:
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            limits = f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}s'; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s'"
            connection.execute(text(limits))
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


class _Asking:
    """Asks PostgreSQL whether a column takes a value: types, domains and CHECKs speak, and nothing is written."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def takes(self, table: TableFacts, column: str, value: object, checks: tuple[str, ...]) -> bool:
        record = f"jsonb_populate_record(NULL::{quoted(*table.name)}, %s::jsonb)"
        conditions = " AND ".join(f"({check.replace('%', '%%')}) IS NOT FALSE" for check in checks) or "true"
        query = f"SELECT {conditions} FROM {record} AS t"  # noqa: S608 - names and CHECKs of the catalogue
        try:
            with self._connection.transaction():
                row = self._connection.execute(query.encode(), [json.dumps({column: value})]).fetchone()
        except psycopg.Error:
            return False
        return bool(row and row[0])
