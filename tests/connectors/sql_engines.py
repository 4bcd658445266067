"""Benches for the SQL connector on MariaDB and on SQLite, beside that on PostgreSQL.

The one rule: they go through connections of their own, as the database's owner, never through the connector.
"""

import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from connectors.conformance import Person
from connectors.fates import Row, key_of
from connectors.protocol import Key
from connectors.sql import build
from rights.datamap import Collection
from tests.connectors.mariadb_server import MariaDBServer
from tests.connectors.proxy import Proxy, Wire
from tests.connectors.sql_bench import SqlBench, system_of


class MariaDBProxy(Proxy):
    """A wire on which a COMMIT can be told from everything else."""

    def wire(self, client: socket.socket, server: socket.socket) -> Wire:
        return _MariaDBWire(self, client, server)


class _MariaDBWire(Wire):
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        super().__init__(proxy, client, server)
        self._committing = False

    def to_server(self) -> None:
        with self._client, suppress(OSError):
            while data := self._client.recv(65536):
                if b"\x03START TRANSACTION" in data:
                    self._writing = b"READ WRITE" in data
                self._committing = b"\x03COMMIT" in data
                self._server.sendall(data)
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)

    def to_client(self) -> None:
        with self._server, suppress(OSError):
            while data := self._server.recv(65536):
                if self._writing and self._committing and self._proxy.cut_commit:
                    self._proxy.cut_commit -= 1
                    if not self._proxy.cut_commit:
                        break
                self._client.sendall(data)
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)


class MariaDBBench(SqlBench):
    """One database behind a wire that can be cut, with an account of its own."""

    types: ClassVar = {"number": "bigint", "born": "date", "amount": "decimal(10,2)", "issued": "date"}

    def __init__(self, server: MariaDBServer, name: str, text: str, **options: int) -> None:
        self.system = system_of(text, **options)
        self._name, self._role = name, f"role_{name}"
        self._root = server.door(name)
        self._proxy = MariaDBProxy(server.port)
        self._batching = "batch_rows" in options
        self._numbers = count(1)
        self._seeded: dict[Person, dict[str, list[Row]]] = {}
        self._create()
        self.connector = build(self.system, self._secrets())

    @property
    def url(self) -> str:
        return f"mariadb://{self._role}:open@127.0.0.1:{self._proxy.port}/{self._name}"

    def close(self) -> None:
        self.connector.close()
        self._proxy.close()
        self._run(f"DROP USER '{self._role}'@'%'")
        self._root.close()

    def seed(self, person: Person, rows: int) -> None:
        hanging = [c for c in self.system.collections.values() if c.links]
        self._seeded[person] = {name: [] for name in self.system.collections}
        for name in self.system.parents_first:
            many = max(1, -(-rows // len(hanging))) if self.system.collections[name].links else 1
            self._insert(name, person, *range(many))

    @contextmanager
    def refused(self) -> Iterator[None]:
        self._run(f"ALTER USER '{self._role}'@'%' IDENTIFIED BY 'shut'")
        self._proxy.hang_up()
        yield
        self._run(f"ALTER USER '{self._role}'@'%' IDENTIFIED BY 'open'")

    def mark(self, environment: str) -> None:
        comment = f"The shop. habeas.environment={environment}" if environment else "The shop."
        self._run(f"ALTER DATABASE `{self._name}` COMMENT = '{comment}'")

    def overwrite(self, collection: str, key: Key, column: str, value: object) -> None:
        fields = self.system.collections[collection].key
        where = " AND ".join(f"CAST(`{field}` AS CHAR) = %s" for field in fields)
        self._run(f"UPDATE `{collection}` SET `{column}` = %s WHERE {where}", [value, *key])

    def revert(self, collection: str, column: str) -> None:
        back = f"SET NEW.`{column}` = OLD.`{column}`"
        self._run(f"CREATE TRIGGER back BEFORE UPDATE ON `{collection}` FOR EACH ROW {back}")

    def _create(self) -> None:
        self._run(f"CREATE USER '{self._role}'@'%' IDENTIFIED BY 'open'")
        for name in self.system.parents_first:
            self._run(self._table(name))
            self._run(f"GRANT SELECT, UPDATE, DELETE ON `{self._name}`.`{name}` TO '{self._role}'@'%'")

    def _table(self, name: str) -> str:
        collection = self.system.collections[name]
        parts = [f"`{field}` {self._type(collection, field)}" for field in collection.fields]
        parts.append(f"PRIMARY KEY ({', '.join(collection.key)})")
        for link in collection.links:
            parent, target = link.target
            parts.append(f"KEY (`{link.field}`)")
            if name not in {"order_lines", "visits"}:  # these can be left without a parent
                parts.append(f"FOREIGN KEY (`{link.field}`) REFERENCES `{parent}` (`{target}`)")
        parts += [f"KEY (`{field}`)" for field in collection.identities]
        return f"CREATE TABLE `{name}` ({', '.join(parts)}) ENGINE = InnoDB"

    def _type(self, collection: Collection, field: str) -> str:
        if field in collection.key or field in {link.field for link in collection.links}:
            return "bigint"
        return self.types.get(field, "varchar(400)" if collection.fields[field].identity else "mediumtext")

    def _dump(self, collection: str) -> list[dict[str, Any]]:
        with self._root.cursor() as cursor:
            cursor.execute(f"SELECT * FROM `{collection}`")
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _insert(self, name: str, person: Person, *numbers: int, day: date | None = None) -> None:
        rows = self._rows_of(name, person, numbers, day)
        into = ", ".join(f"`{field}`" for field in self.system.collections[name].fields)
        values = ", ".join(["%s"] * len(self.system.collections[name].fields))
        with self._root.cursor() as cursor:
            cursor.executemany(f"INSERT INTO `{name}` ({into}) VALUES ({values})", [list(row.values()) for row in rows])

    def _rows_of(self, name: str, person: Person, numbers: tuple[int, ...], day: date | None) -> list[Row]:
        collection = self.system.collections[name]
        rows: list[Row] = []
        for number in numbers:
            rows.append({column: self._value(name, column, person, number, day) for column in collection.fields})
            self._seeded[person][name].append(rows[-1])
        return rows

    def _run(self, statement: str, values: list[object] | None = None) -> None:
        with self._root.cursor() as cursor:
            cursor.execute(statement, values)


class SQLiteBench(MariaDBBench):
    """One file."""

    types: ClassVar = {"number": "integer", "born": "date", "amount": "decimal(10,2)", "issued": "date"}

    def __init__(self, path: Path, text: str, **options: int) -> None:
        self.system = system_of(text, **options)
        self.path = path
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._numbers = count(1)
        self._seeded: dict[Person, dict[str, list[Row]]] = {}
        self._create()
        self.connector = build(self.system, self._secrets())

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def close(self) -> None:
        self.connector.close()
        self._file.close()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """The volume is gone on which the file lies."""
        home = self.path.parent
        away = home.rename(home.with_name("away"))
        yield
        away.rename(home)

    # A file asks nobody who they are, and there is no wire to it.
    refused = None  # type: ignore[assignment]
    cut = None  # type: ignore[assignment]

    def mark(self, environment: str) -> None:
        self._run("CREATE TABLE IF NOT EXISTS habeas_environment (environment TEXT NOT NULL)")
        self._run("DELETE FROM habeas_environment")
        if environment:
            self._run("INSERT INTO habeas_environment VALUES (?)", [environment])

    def revert(self, collection: str, column: str) -> None:
        back = f"UPDATE `{collection}` SET `{column}` = OLD.`{column}` WHERE rowid = NEW.rowid"
        self._run(f"CREATE TRIGGER back AFTER UPDATE OF `{column}` ON `{collection}` BEGIN {back}; END")

    def _create(self) -> None:
        for name in self.system.parents_first:
            table = self._table(name).removesuffix(" ENGINE = InnoDB")
            self._run(re.sub(r", KEY \(`\w+`\)", "", table))
            collection = self.system.collections[name]
            for link in collection.links:
                self._run(f"CREATE INDEX `{name}_{link.field}` ON `{name}` (`{link.field}`)")
            for field, about in collection.identities.items():
                over = f"lower(`{field}`)" if about.casefold else f"`{field}`"
                self._run(f"CREATE INDEX `{name}_{field}` ON `{name}` ({over})")

    def _key(self, collection: str, row: Row) -> Key:
        return key_of(self.system.collections[collection].key, row)

    def _dump(self, collection: str) -> list[dict[str, Any]]:
        with closing(self._file.execute(f"SELECT * FROM `{collection}`")) as cursor:
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, map(_read, names, row), strict=True)) for row in cursor.fetchall()]

    def _insert(self, name: str, person: Person, *numbers: int, day: date | None = None) -> None:
        rows = self._rows_of(name, person, numbers, day)
        into = ", ".join(f"`{field}`" for field in self.system.collections[name].fields)
        values = ", ".join("?" * len(self.system.collections[name].fields))
        with self._file:
            self._file.execute("BEGIN")
            self._file.executemany(
                f"INSERT INTO `{name}` ({into}) VALUES ({values})", [list(map(_written, row.values())) for row in rows]
            )

    def _run(self, statement: str, values: list[object] | None = None) -> None:
        self._file.execute(statement.replace("%s", "?"), list(map(_written, values or ()))).close()


def _written(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else float(value) if isinstance(value, Decimal) else value


def _read(name: str, value: object) -> object:
    """What the file keeps as a text is a date to those who compare it."""
    return date.fromisoformat(value) if name in {"born", "issued"} and isinstance(value, str) else value
