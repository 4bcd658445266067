"""A database of one of the three kinds, made by a test's own SQL, a connector on it, and a back door.

The one rule: what is asserted is read through the back door, as the database's owner, and compared as whole dumps.
"""

import itertools
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from connectors.conformance import Gate
from connectors.protocol import Call, Look
from connectors.sql import build
from rights.datamap import DataMap, System
from rights.mapfile import read_map
from rights.plan import make_plan
from rights.receipt import Tally
from rights.request import Right
from rights.subject import Identity
from tests.conftest import Database
from tests.connectors.mariadb_server import MariaDBServer
from tests.connectors.sql_place import AS_OF, HEAD, SESSION, Dump

_numbers = itertools.count(1)


class Anywhere:
    """One database under test. In statements of the back door a value is a %s, whatever the driver wants."""

    engine: str
    url: str

    def __init__(self, create: str, system: System | str, **options: int) -> None:
        if isinstance(system, str):
            (system,) = read_map({"shop.yaml": f"{HEAD}collections:\n{system}"}).systems.values()
        self.system: System = system.model_copy(update={"options": options})
        for statement in filter(str.strip, create.split(";")):
            self.run(statement)
        self.connector = build(self.system, {"reader": self.url, "writer": self.url})

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def tables(self) -> list[str]:
        """The tables of the database, as they are written in a statement."""
        raise NotImplementedError

    def run(self, statement: str, *values: object) -> None:
        self.rows(statement, *values)

    def insert(self, table: str, *rows: Sequence[object]) -> None:
        """All of them or none, in one transaction."""
        self.run("BEGIN")
        try:
            for row in rows:
                self.run(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", *row)
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    def call(self, *identities: Identity, **differs: Any) -> Call:
        plan = make_plan(Right.ERASURE, DataMap.of({"shop": self.system}), AS_OF)
        given: dict[str, Any] = {"beat": lambda: None, "fence": Gate(), "environment": "test", **differs}
        works = plan.of("shop").works
        return Call("key", AS_OF, self.system, works, identities, session=SESSION, pseudonym_key=b"key", **given)

    def locate(self, *identities: Identity, **differs: Any) -> Look:
        return self.connector.locate(self.call(*identities, **differs))

    def verify(self, *identities: Identity, **differs: Any) -> Look:
        return self.connector.verify(self.call(*identities, **differs))

    def erase(self, *identities: Identity, **differs: Any) -> Tally:
        tally = self.connector.erase(self.call(*identities, **differs))
        assert isinstance(tally, Tally)
        return tally

    def export(self, *identities: Identity) -> dict[tuple[str, str], str]:
        files = self.connector.export(self.call(*identities))
        return {(file.collection, file.media_type): b"".join(file.pages).decode() for file in files}

    def dump(self) -> Dump:
        """Every row of every table."""
        return {table: {repr(row) for row in self.rows(f"SELECT * FROM {table}")} for table in self.tables()}

    def close(self) -> None:
        self.connector.close()


class OnPostgreSQL(Anywhere):
    engine = "postgresql"

    def __init__(self, database: Database, create: str, system: System | str, **options: int) -> None:
        self.url = database.url
        self._door = psycopg.connect(database.conninfo, autocommit=True)
        self.run(f"ALTER DATABASE {database.name} SET habeas.environment = 'test'")
        self.run("DROP SCHEMA public CASCADE")
        self.run("CREATE SCHEMA public")
        super().__init__(create, system, **options)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._door.cursor() as cursor:
            cursor.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> list[str]:
        schemas = "schemaname NOT IN ('pg_catalog', 'information_schema')"
        return [f'"{s}"."{t}"' for s, t in self.rows(f"SELECT schemaname, tablename FROM pg_tables WHERE {schemas}")]

    def close(self) -> None:
        super().close()
        self._door.close()


class OnMariaDB(Anywhere):
    engine = "mariadb"

    def __init__(self, server: MariaDBServer, create: str, system: System | str, **options: int) -> None:
        self._server, self.name = server, f"anywhere_{next(_numbers)}"
        server.create_database(self.name)
        self._door = server.door(self.name)
        self.url = f"mariadb://root:@127.0.0.1:{server.port}/{self.name}"
        self.run(f"ALTER DATABASE `{self.name}` COMMENT = 'habeas.environment=test'")
        super().__init__(create, system, **options)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._door.cursor() as cursor:
            cursor.execute(query, values or None)
            return list(cursor.fetchall())

    def tables(self) -> list[str]:
        listed = self.rows("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()")
        return [f"`{name}`" for (name,) in listed]

    def close(self) -> None:
        super().close()
        if self._door.open:
            self._door.close()
            self._server.drop_database(self.name)


class OnSQLite(Anywhere):
    engine = "sqlite"

    def __init__(self, path: Path, create: str, system: System | str, **options: int) -> None:
        self.path, self.url = path, f"sqlite:///{path}"
        self._door = sqlite3.connect(path, isolation_level=None, timeout=0)
        self.run("PRAGMA foreign_keys = ON")
        self.run("CREATE TABLE habeas_environment AS SELECT 'test' AS environment")
        super().__init__(create, system, **options)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(self._door.execute(query.replace("%s", "?"), values)) as cursor:
            return cursor.fetchall()

    def tables(self) -> list[str]:
        return [f'"{name}"' for (name,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]

    def close(self) -> None:
        super().close()
        self._door.close()


class Make:
    """Makes databases of one kind in one place, of a create script, and of a map's collections or a whole system."""

    def __init__(self, kind: type[OnPostgreSQL | OnMariaDB | OnSQLite], place: Any) -> None:
        self._kind, self._place, self.engine = kind, place, kind.engine
        self._made: list[Anywhere] = []

    def __call__(self, create: str, system: System | str, **options: int) -> Anywhere:
        place = self._place / f"{next(_numbers)}.db" if self._kind is OnSQLite else self._place
        made = self._kind(place, create, system, **options)
        self._made.append(made)
        return made

    def close(self) -> None:
        for database in self._made:
            database.close()
