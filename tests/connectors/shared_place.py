"""One map and the same rows in the reference connector and in databases of each kind, with a back door into each.

The one rule: what is asserted is read through the back door, and compared as whole dumps.
"""

import json
import sqlite3
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pymysql

from connectors.conformance import Gate
from connectors.memory import Memory
from connectors.memorystore import Store
from connectors.protocol import Anchors, Call, Look, Rulings
from connectors.sql import build
from rights.datamap import DataMap, System
from rights.mapfile import read_map
from rights.plan import make_plan
from rights.receipt import Tally
from rights.request import Right
from tests.conftest import Database
from tests.connectors.mariadb_server import MariaDBServer
from tests.connectors.sql_place import AS_OF, HEAD, SESSION, email

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
Dump = dict[str, dict[tuple[Any, ...], dict[str, Any]]]
"""By table and key, every row."""


class Place:
    """A system under test, and what it is asked about one person."""

    connector: Any

    def __init__(self, system: System) -> None:
        self.system = system

    @abstractmethod
    def rows(self, name: str) -> list[dict[str, Any]]:
        """All rows of a table, by the back door."""

    @abstractmethod
    def change(self, name: str, where: Mapping[str, Any], values: Mapping[str, Any] | None) -> None:
        """Set fields of rows by the back door; None: delete them."""

    def close(self) -> None: ...

    def call(self, who: str, anchors: Anchors | None = None, **differs: Any) -> Call:
        works = make_plan(Right.ERASURE, DataMap.of({"shop": self.system}), AS_OF).of("shop").works
        values: dict[str, Any] = {"fence": Gate(), "environment": "test", "rulings": Rulings(), "session": SESSION}
        values |= {"beat": lambda: None, "pseudonym_key": b"key of a request", **differs}
        return Call("key", AS_OF, self.system, works, (email(f"{who}@example.org"),), anchors=anchors or {}, **values)

    def locate(self, who: str, anchors: Anchors | None = None, **differs: Any) -> Look:
        look = self.connector.locate(self.call(who, anchors, **differs))
        assert isinstance(look, Look)
        return look

    def verify(self, who: str, anchors: Anchors, **differs: Any) -> Look:
        look = self.connector.verify(self.call(who, anchors, **differs))
        assert isinstance(look, Look)
        return look

    def erase(self, who: str, anchors: Anchors | None = None, **differs: Any) -> Tally:
        tally = self.connector.erase(self.call(who, anchors, **differs))
        assert isinstance(tally, Tally)
        return tally

    def erased(self, who: str, **differs: Any) -> Look:
        """Locate, erase and verify, as a request does; what the last look found."""
        anchors = self.locate(who, **differs).anchors
        self.erase(who, anchors, **differs)
        return self.verify(who, anchors, **differs)

    def export(self, who: str, **differs: Any) -> dict[str, list[dict[str, Any]]]:
        """What a parcel would hold, by collection."""
        found: dict[str, list[dict[str, Any]]] = {}
        for file in self.connector.export(self.call(who, **differs)):
            text = b"".join(file.pages).decode()
            if file.media_type == "application/x-ndjson":
                found[file.collection] = [json.loads(line) for line in text.splitlines()]
        return {name: sorted(rows, key=str) for name, rows in found.items()}

    def dump(self) -> Dump:
        return {
            name: {tuple(row[field] for field in collection.key): row for row in self.rows(name)}
            for name, collection in self.system.collections.items()
        }


class InMemory(Place):
    def __init__(self, system: System, rows: Rows) -> None:
        super().__init__(system)
        self.store = Store(system, "test")
        for name, several in rows.items():
            self.store.rows[name] = [dict(row) for row in several]
        self.connector = Memory(system, self.store, batch=int(str(system.options.get("batch_rows", 500))))

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self.store.rows[name]]

    def change(self, name: str, where: Mapping[str, Any], values: Mapping[str, Any] | None) -> None:
        met = [row for row in self.store.rows[name] if all(row[field] == value for field, value in where.items())]
        self.store.rows[name] = [row for row in self.store.rows[name] if row not in met]
        self.store.rows[name] += [{**row, **values} for row in met if values is not None]


class InPostgreSQL(Place):
    def __init__(self, system: System, create: str, rows: Rows, database: Database) -> None:
        super().__init__(system)
        self.door = psycopg.connect(database.conninfo, autocommit=True, row_factory=psycopg.rows.dict_row)
        self.door.execute(f"ALTER DATABASE {database.name} SET habeas.environment = 'test'")
        self.door.execute(create.encode())
        for name, several in rows.items():
            for row in several:
                self.door.execute(_insert(name, row, "%s").encode(), list(row.values()))
        self.connector = build(system, {"reader": database.url, "writer": database.url})

    def rows(self, name: str) -> list[dict[str, Any]]:
        return self.door.execute(f"SELECT * FROM {name}".encode()).fetchall()

    def change(self, name: str, where: Mapping[str, Any], values: Mapping[str, Any] | None) -> None:
        self.door.execute(_change(name, where, values, "%s").encode(), [*(values or {}).values(), *where.values()])

    def close(self) -> None:
        self.connector.close()
        self.door.close()


class InSQLite(Place):
    def __init__(self, system: System, create: str, rows: Rows, path: Path) -> None:
        super().__init__(system)
        self.door = sqlite3.connect(path, isolation_level=None)
        self.door.executescript(create + "CREATE TABLE habeas_environment AS SELECT 'test' AS environment;")
        for name, several in rows.items():
            for row in several:
                self.door.execute(_insert(name, row, "?"), list(row.values()))
        url = f"sqlite:///{path}"
        self.connector = build(system, {"reader": url, "writer": url})

    def rows(self, name: str) -> list[dict[str, Any]]:
        with closing(self.door.execute(f"SELECT * FROM {name}")) as cursor:
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def change(self, name: str, where: Mapping[str, Any], values: Mapping[str, Any] | None) -> None:
        self.door.execute(_change(name, where, values, "?"), [*(values or {}).values(), *where.values()])

    def close(self) -> None:
        self.connector.close()
        self.door.close()


class InMariaDB(Place):
    def __init__(self, system: System, create: str, rows: Rows, server: MariaDBServer, name: str) -> None:
        super().__init__(system)
        self.door = server.door(name)
        with self.door.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE `{name}` COMMENT = 'habeas.environment=test'")
            for statement in filter(str.strip, create.split(";")):
                cursor.execute(statement)
            for table, several in rows.items():
                for row in several:
                    cursor.execute(_insert(table, row, "%s"), list(row.values()))
        url = f"mariadb://root:@127.0.0.1:{server.port}/{name}"
        self.connector = build(system, {"reader": url, "writer": url})

    def rows(self, name: str) -> list[dict[str, Any]]:
        with self.door.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(f"SELECT * FROM {name}")
            return [dict(row) for row in cursor.fetchall()]

    def change(self, name: str, where: Mapping[str, Any], values: Mapping[str, Any] | None) -> None:
        with self.door.cursor() as cursor:
            cursor.execute(_change(name, where, values, "%s"), [*(values or {}).values(), *where.values()])

    def close(self) -> None:
        self.connector.close()
        self.door.close()


def system_of(text: str, connector: str = "sql", **options: int) -> System:
    (system,) = read_map({"shop.yaml": f"{HEAD}collections:\n{text}"}).systems.values()
    return system.model_copy(update={"connector": connector, "options": options})


def _insert(name: str, row: Mapping[str, Any], place: str) -> str:
    return f"INSERT INTO {name} ({', '.join(row)}) VALUES ({', '.join([place] * len(row))})"


def _change(name: str, where: Mapping[str, Any], values: Mapping[str, Any] | None, place: str) -> str:
    there = " AND ".join(f"{field} = {place}" for field in where)
    if values is None:
        return f"DELETE FROM {name} WHERE {there}"
    return f"UPDATE {name} SET {', '.join(f'{field} = {place}' for field in values)} WHERE {there}"
