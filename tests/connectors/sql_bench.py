"""A bench for the SQL connector: a database of its own, made and filled by what the map says.

The one rule: it goes through connections of its own, as the database's owner, never through the connector.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import psycopg
from psycopg import sql

from connectors.conformance import AS_OF, Dump, Person
from connectors.fates import Row, key_of
from connectors.finding import code_of
from connectors.protocol import Key
from connectors.sql import build
from rights.datamap import Collection, System
from rights.mapfile import read_map
from starter.stack import Postgres
from tests.conftest import Database
from tests.connectors.proxy import Proxy

TYPES = {"number": "bigint", "born": "date", "login": "text", "amount": "numeric(10,2)", "issued": "date"}
"""Columns that are neither texts nor keys."""

REVERTING = """
CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW."{column}" := OLD."{column}"; RETURN NEW; END $$;
CREATE TRIGGER back BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION back();
"""
RESTRICTING = """
CREATE TABLE public.habeas_restricted (
  relation text, key text[], request text, PRIMARY KEY (relation, key, request));
GRANT SELECT (relation, key) ON public.habeas_restricted TO PUBLIC;
GRANT SELECT, INSERT, DELETE ON public.habeas_restricted TO {role};
"""
"""What docs/postgresql.md has the operator set up once."""
DENYING = """
CREATE POLICY habeas_restricted_denied ON {table} AS RESTRICTIVE USING (
  NOT EXISTS (SELECT 1 FROM public.habeas_restricted
    WHERE habeas_restricted.relation = 'public.{table}' AND habeas_restricted.key = ARRAY[{key}]));
CREATE POLICY habeas_restricted_others ON {table} USING (true);
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
"""
"""And for each table."""


def system_of(text: str, **options: int | str) -> System:
    """The one system of a map, for this connector."""
    (system,) = read_map({"map.yaml": text}).systems.values()
    return system.model_copy(update={"connector": "sql", "options": options})


class SqlBench:
    """One database behind a wire that can be cut, with a role of its own."""

    shares = "email"

    def __init__(self, postgres: Postgres, database: Database, text: str, **options: int | str) -> None:
        self.system = system_of(text, **options)
        self._name = database.name
        self._door = psycopg.connect(database.conninfo, autocommit=True)
        self._proxy = Proxy(postgres.port)
        self._role = f"role_{database.name}"
        self._batching = "batch_rows" in options
        self._numbers = count(1)
        self._seeded: dict[Person, dict[str, list[Row]]] = {}
        self._create()
        self.connector = build(self.system, self._secrets())

    def _secrets(self) -> dict[str, str]:
        return {"reader": self.url, "writer": self.url}

    @property
    def url(self) -> str:
        return f"postgresql://{self._role}:open@127.0.0.1:{self._proxy.port}/{self._name}"

    def close(self) -> None:
        self.connector.close()
        self._proxy.close()
        self._door.execute(f"REASSIGN OWNED BY {self._role} TO CURRENT_USER")
        self._door.execute(f"DROP OWNED BY {self._role}")
        self._door.execute(f"DROP ROLE {self._role}")
        self._door.close()

    def seed(self, person: Person, rows: int) -> None:
        hanging = [c for c in self.system.collections.values() if c.links]
        self._seeded[person] = {name: [] for name in self.system.collections}
        with self._door.transaction():
            for name in self.system.parents_first:
                many = max(1, -(-rows // len(hanging))) if self.system.collections[name].links else 1
                self._insert(name, person, *range(many))

    def rows(self, person: Person) -> dict[str, frozenset[Key]]:
        everything = self.everything()
        return {
            name: frozenset(self._key(name, row) for row in rows) & frozenset(everything[name])
            for name, rows in self._seeded[person].items()
        }

    def everything(self) -> Dump:
        return {name: {self._key(name, row): row for row in self._dump(name)} for name in self.system.collections}

    @contextmanager
    def outage(self) -> Iterator[None]:
        self._proxy.away = True
        self._proxy.hang_up()
        yield
        self._proxy.away = False

    @contextmanager
    def refused(self) -> Iterator[None]:
        self._door.execute(f"ALTER ROLE {self._role} PASSWORD 'shut'")
        self._proxy.hang_up()
        yield
        self._door.execute(f"ALTER ROLE {self._role} PASSWORD 'open'")

    @contextmanager
    def cut(self) -> Iterator[None]:
        # In batches the first transaction only looks.
        self._proxy.cut_commit = 2 if self._batching else 1
        yield
        self._proxy.cut_commit = 0

    def mark(self, environment: str) -> None:
        setting = sql.SQL("ALTER DATABASE {} SET habeas.environment = {}")
        self._door.execute(setting.format(sql.Identifier(self._name), sql.Literal(environment)))
        self._proxy.hang_up()  # a session takes the mark when it begins

    def arrive(self, person: Person) -> None:
        if "visits" in self.system.collections:
            self._insert("visits", person, 0)
        elif self.rows(person)["customers"]:
            self._insert("addresses", person, 0)
        else:
            self._insert("newsletter", person, 0)

    def orphan(self, person: Person) -> None:
        self._insert("order_lines" if "order_lines" in self.system.collections else "visits", person, 77)

    def overwrite(self, collection: str, key: Key, column: str, value: object) -> None:
        fields = self.system.collections[collection].key
        where = sql.SQL(" AND ").join(sql.SQL("{}::text = %s").format(sql.Identifier(field)) for field in fields)
        statement = sql.SQL("UPDATE {} SET {} = %s WHERE ").format(sql.Identifier(collection), sql.Identifier(column))
        self._door.execute(statement + where, [value, *key])

    def revert(self, collection: str, column: str) -> None:
        self._door.execute(REVERTING.format(table=collection, column=column).encode())

    def seed_dated(self, person: Person, collection: str, day: date) -> None:
        self._insert(collection, person, 0, day=day)

    def _create(self) -> None:
        door = self._door
        door.execute(f"CREATE ROLE {self._role} LOGIN PASSWORD 'open'")
        for name in self.system.parents_first:
            collection = self.system.collections[name]
            columns = [f'"{field}" {self._type(collection, field)}' for field in collection.fields]
            columns.append(f"PRIMARY KEY ({', '.join(collection.key)})")
            for link in collection.links:
                parent, target = link.target
                if name not in {"order_lines", "visits"}:  # these can be left without a parent
                    columns.append(f"FOREIGN KEY ({link.field}) REFERENCES {parent} ({target})")
            door.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
            for link in collection.links:
                door.execute(f"CREATE INDEX ON {name} ({link.field})")
            for field, about in collection.identities.items():
                door.execute(f"CREATE INDEX ON {name} ({f'lower({field})' if about.casefold else field})")
            door.execute(f"GRANT SELECT, UPDATE, DELETE ON {name} TO {self._role}")

    def _type(self, collection: Collection, field: str) -> str:
        if field in collection.key or field in {link.field for link in collection.links}:
            return "bigint"
        return TYPES.get(field, "text")

    def _key(self, collection: str, row: Row) -> Key:
        return key_of(self.system.collections[collection].key, row)

    def _dump(self, collection: str) -> list[dict[str, Any]]:
        cursor = self._door.cursor(row_factory=psycopg.rows.dict_row)
        return cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(collection))).fetchall()

    def _insert(self, name: str, person: Person, *numbers: int, day: date | None = None) -> None:
        collection = self.system.collections[name]
        rows: list[Row] = []
        for number in numbers:
            rows.append({column: self._value(name, column, person, number, day) for column in collection.fields})
            self._seeded[person][name].append(rows[-1])
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, collection.fields))
        )
        with self._door.cursor().copy(into) as copy:
            for row in rows:
                copy.write_row(tuple(row.values()))

    def _value(self, name: str, column: str, person: Person, number: int, day: date | None) -> object:
        collection = self.system.collections[name]
        field = collection.fields[column]
        for link in collection.links:
            if link.field == column:
                parent, target = link.target
                parents = self._seeded[person][parent]
                if parent == name:  # a chain: each hangs on the one before
                    return parents[-1][target] if parents else None
                return parents[number % len(parents)][target]
        if field.identity:
            return person.of(field.identity)
        if field.yields:
            return f"{name}/{next(self._numbers)}/Scan.pdf"
        if column in {rule.after for rule in collection.retention}:
            # Old parents have young children: what is kept of these makes shells of those.
            ages = (9000, 1500, 100) if "line" in collection.fields else (100, 1500, 9000)
            return day or AS_OF.date() - timedelta(days=ages[number % 3])
        special: Mapping[str, object] = {
            "born": date(1984, 7, 15),
            "login": "192.0.2.77",
            "amount": Decimal("12.30"),
        }
        if column in special:
            return special[column]
        return person.text if field.category else next(self._numbers)


class RestrictingBench(SqlBench):
    """A database whose tables deny what is listed as restricted to an application with a role of its own."""

    def __init__(self, postgres: Postgres, database: Database, text: str, **options: int | str) -> None:
        super().__init__(postgres, database, text, restrict="row_security", **options)
        self._application = f"app_{database.name}"
        self._door.execute(f"CREATE ROLE {self._application} LOGIN PASSWORD 'open'")
        for name in self.system.collections:
            self._door.execute(f"GRANT SELECT, UPDATE, DELETE ON {name} TO {self._application}")
        self._door.execute(f"ALTER ROLE {self._role} BYPASSRLS")
        self._door.execute(RESTRICTING.format(role=self._role).encode())
        for name, collection in self.system.collections.items():
            key = ", ".join(f"{field}::text" for field in collection.key)
            self._door.execute(DENYING.format(table=name, key=key).encode())

    @property
    def application(self) -> str:
        return f"postgresql://{self._application}:open@{self._door.info.host}:{self._door.info.port}/{self._name}"

    def close(self) -> None:
        self._door.execute(f"DROP OWNED BY {self._application}")
        self._door.execute(f"DROP ROLE {self._application}")
        super().close()

    def readable(self, person: Person) -> int:
        with psycopg.connect(self.application) as application:
            seen = 0
            for name, keys in self.rows(person).items():
                fields = self.system.collections[name].key
                rows = application.execute(f"SELECT {', '.join(fields)} FROM {name}".encode()).fetchall()
                seen += len({tuple(str(part) for part in row) for row in rows} & keys)
        return seen

    def contents(self, person: Person) -> object:
        """With the transaction that wrote each row: a row that was written again would not be as it was."""
        found = {}
        for name, keys in self.rows(person).items():
            rows = self._door.execute(f"SELECT xmin::text, ctid::text, * FROM {name}".encode())
            columns = [column.name for column in rows.description or ()]
            every = [dict(zip(columns, row, strict=True)) for row in rows]
            found[name] = [row for row in every if self._key(name, row) in keys]
        return found

    def listed(self) -> set[tuple[str, str, str]]:
        """What is restricted: relation, key, request."""
        rows = self._door.execute("SELECT relation, key::text, request FROM habeas_restricted").fetchall()
        return set(rows)

    def change(self, statements: str) -> None:
        """Change the database as its owner; {app} and {role} stand for the two roles."""
        self._door.execute(statements.format(app=self._application, role=self._role).encode())

    def findings(self) -> list[str]:
        """The codes of what a check finds."""
        return [code_of(finding) for finding in self.connector.check()]
