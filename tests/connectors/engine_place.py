"""A MariaDB database or a SQLite file made by a test's own SQL, a connector on it, and a back door.

The one rule: as beside it on PostgreSQL (`sql_place`): what is asserted is read through the back door, as whole dumps.
"""

import itertools
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Self

from connectors.sql import SqlConnector, build
from rights.mapfile import read_map
from tests.connectors.mariadb_server import MariaDBServer
from tests.connectors.sql_place import HEAD, Dump, Place

_TABLES: Final = """
SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND ENGINE IS NOT NULL"""
_numbers = itertools.count(1)
_STATEMENT_END: Final = re.compile(r";\s*(?:\n|\Z)")


class EnginePlace(Place):
    """One database under test; it has a connector once it has a map."""

    url: str

    def __init__(self) -> None:
        """Each engine makes its own."""

    def mapped(self, collections: str, **options: int) -> Self:
        """Give it a map: the text below `collections:`."""
        (system,) = read_map({"shop.yaml": f"{HEAD}collections:\n{collections}"}).systems.values()
        self.system = system.model_copy(update={"options": options})
        self.connector = self.connect()
        return self

    def connect(self, reader: str = "", writer: str = "") -> SqlConnector:
        return build(self.system, {"reader": reader or self.url, "writer": writer or reader or self.url})

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.rows(statement)

    def tables(self) -> list[str]:
        raise NotImplementedError

    def dump(self) -> Dump:
        """Every row of every table, as text."""
        return {table: {repr(row) for row in self.rows(f"SELECT * FROM `{table}`")} for table in self.tables()}


class FilePlace(EnginePlace):
    """A SQLite file."""

    def __init__(self, path: Path, create: str, *functions: str) -> None:
        """`functions` are some that the application has and nobody else."""
        self.path, self.url = path, f"sqlite:///{path}"
        self._file = sqlite3.connect(path, isolation_level=None, timeout=0)
        for name in functions:
            self._file.create_function(name, -1, lambda *_: 1, deterministic=True)
        self._file.executescript(create)
        self.run(
            "CREATE TABLE habeas_environment (environment TEXT NOT NULL)",
            "INSERT INTO habeas_environment VALUES ('test')",
            "PRAGMA journal_mode = WAL",
        )

    def tables(self) -> list[str]:
        return [name for (name,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(self._file.execute(query, values)) as cursor:
            return cursor.fetchall()

    def close(self) -> None:
        self._file.close()


class ServerPlace(EnginePlace):
    """A database of a MariaDB."""

    def __init__(self, server: MariaDBServer, create: str) -> None:
        self.server, self.name = server, f"place_{next(_numbers)}"
        server.create_database(self.name)
        self.url = f"mariadb://root:@127.0.0.1:{server.port}/{self.name}"
        self._door = server.door(self.name)
        self.run(f"ALTER DATABASE `{self.name}` COMMENT = 'habeas.environment=test'")
        plain = re.sub(r"(?m)^--.*$", "", create)
        self.run(*filter(str.strip, _STATEMENT_END.split(plain)))

    def account(self, name: str, *grants: str) -> str:
        """An account with the given grants, each ending in its ON, and the database's address for it. {db} stands for
        the database."""
        self.run(f"CREATE OR REPLACE USER {name}")
        self.run(*(f"GRANT {grant.format(db=f'`{self.name}`')} TO {name}" for grant in grants))
        return self.url.replace("root:@", f"{name}:@")

    def tables(self) -> list[str]:
        query = (
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND ENGINE IS NOT NULL"
        )
        return [name for (name,) in self.rows(query)]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._door.cursor() as cursor:
            cursor.execute(query, values or None)
            return list(cursor.fetchall())

    def close(self) -> None:
        if hasattr(self, "connector"):
            self.connector.close()
        self._door.close()
        self.server.drop_database(self.name)
