"""Benches whose tables have a flag: on PostgreSQL with policies, on MariaDB with views, and an application's own role.

The one rule: they go through connections of their own, never through the connector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import psycopg
import pymysql

from connectors.conformance import Person
from rights.datamap import System
from starter.stack import HOST, Postgres
from tests.conftest import Database
from tests.connectors.mariadb_server import MariaDBServer
from tests.connectors.sql_bench import SqlBench
from tests.connectors.sql_engines import MariaDBBench

FLAG = "restricted_for"


def flagged(system: System, *, seen_in: str = "") -> System:
    """A system whose every collection names its flag."""
    collections = {}
    for name, collection in system.collections.items():
        view = {"seen_in": f"{seen_in}{name}"} if seen_in else {}
        collections[name] = collection.model_copy(update={"options": {"flag": FLAG, **view}})
    return system.model_copy(update={"collections": collections, "options": {**system.options, "restrict": "flag"}})


class Flags(ABC):
    """What both have in common: what the application sees, and what a row is beside its flag."""

    system: System
    seen_in = ""

    @abstractmethod
    def application(self) -> AbstractContextManager[Any]:
        """The application's own cursor."""

    def readable(self, person: Person) -> int:
        """How many of a person's rows the application reads."""
        seen = 0
        with self.application() as cursor:
            for name, keys in self.rows(person).items():  # type: ignore[attr-defined]  # a bench's
                cursor.execute(f"SELECT {', '.join(self.system.collections[name].key)} FROM {self.seen_in}{name}")
                seen += len({tuple(str(part) for part in row) for row in cursor.fetchall()} & keys)
        return seen

    def contents(self, person: Person) -> object:
        """All columns but the flag, the one that the server stamps among them."""
        dump, rows = self.everything(), self.rows(person)  # type: ignore[attr-defined]  # a bench's
        return {
            name: [{c: v for c, v in dump[name][key].items() if c != FLAG} for key in sorted(keys)]
            for name, keys in rows.items()
        }

    def flags(self) -> set[tuple[str, str]]:
        """Every flag that is set, by table."""
        dump = self.everything()  # type: ignore[attr-defined]  # a bench's
        return {(name, row[FLAG]) for name, rows in dump.items() for row in rows.values() if row[FLAG] is not None}


class PostgresFlagBench(Flags, SqlBench):
    """Policies hide flagged rows from the application."""

    def __init__(self, postgres: Postgres, database: Database, text: str, **options: int | str) -> None:
        self._application = f"app_{database.name}"
        self._port = postgres.port
        super().__init__(postgres, database, text, **options)

    def _create(self) -> None:
        self.system = flagged(self.system)
        super()._create()
        door = self._door
        door.execute(f"CREATE ROLE {self._application} LOGIN PASSWORD 'open'")
        door.execute(f"ALTER ROLE {self._role} BYPASSRLS")
        for name in self.system.collections:
            door.execute(
                f"ALTER TABLE {name} ADD {FLAG} text, ADD touched timestamptz DEFAULT now();"
                f"CREATE POLICY unflagged ON {name} USING ({FLAG} IS NULL);"
                f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;"
                f"GRANT SELECT, UPDATE, DELETE ON {name} TO {self._application}".encode()
            )

    def _secrets(self) -> dict[str, str]:
        return {**super()._secrets(), "application": self.application_url}

    @property
    def application_url(self) -> str:
        return f"postgresql://{self._application}:open@127.0.0.1:{self._port}/{self._name}"

    @contextmanager
    def application(self) -> Iterator[Any]:
        with psycopg.connect(self.application_url, autocommit=True) as connection:
            yield connection.cursor()

    def change(self, statements: str) -> None:
        """Change the database as its owner; {app} is the application's role."""
        self._door.execute(statements.format(app=self._application, flag=FLAG).encode())

    def close(self) -> None:
        self._door.execute(f"DROP OWNED BY {self._application}")
        self._door.execute(f"DROP ROLE {self._application}")
        super().close()


class MariaDBFlagBench(Flags, MariaDBBench):
    """The application has no right to the tables, and reads and writes views that leave flagged rows out."""

    seen_in = "seen_"

    def __init__(self, server: MariaDBServer, name: str, text: str, **options: int) -> None:
        self._server, self._application = server, f"app_{name}"
        super().__init__(server, name, text, **options)

    def _create(self) -> None:
        self.system = flagged(self.system, seen_in=self.seen_in)
        super()._create()
        self._run(f"CREATE USER '{self._application}'@'%' IDENTIFIED BY 'open'")
        for name in self.system.collections:
            stamp = "timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)"
            self._run(f"ALTER TABLE `{name}` ADD {FLAG} varchar(200) NULL, ADD touched {stamp}")
            self._run(f"CREATE VIEW seen_{name} AS SELECT * FROM `{name}` WHERE {FLAG} IS NULL WITH CHECK OPTION")
            self._run(f"GRANT SELECT, UPDATE, DELETE ON `{self._name}`.seen_{name} TO '{self._application}'@'%'")

    def _secrets(self) -> dict[str, str]:
        url = f"mariadb://{self._application}:open@127.0.0.1:{self._server.port}/{self._name}"
        return {**super()._secrets(), "application": url}

    @contextmanager
    def application(self) -> Iterator[Any]:
        door = pymysql.connect(
            host=HOST, port=self._server.port, user=self._application, password="open", database=self._name,
            autocommit=True,
        )  # fmt: skip
        with closing(door), door.cursor() as cursor:
            yield cursor

    def change(self, statement: str) -> None:
        """Change the database as its owner; {app} is the application's account."""
        self._run(statement.format(app=f"'{self._application}'@'%'", flag=FLAG, name=self._name))

    def close(self) -> None:
        self._run(f"DROP USER '{self._application}'@'%'")
        super().close()
