"""A database made by a test's own SQL, a connector on it, and a back door.

The one rule: what is asserted is read through the back door, as the database's owner, and compared as whole dumps.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from connectors.conformance import Gate
from connectors.protocol import Anchors, Call, Fence, Look, Rulings
from connectors.sql import SqlConnector, build
from rights.datamap import DataMap, System
from rights.mapfile import read_map
from rights.plan import make_plan
from rights.receipt import Tally
from rights.request import Right
from rights.subject import Identity
from tests.conftest import Database

AS_OF = datetime(2026, 6, 1, 12, tzinfo=UTC)
HEAD = "system: shop\nowner: commerce\nconnector: sql\nbackups: none\n"
SESSION = "habeas-0123456789abcdefghjkmnpq"

Dump = dict[str, set[str]]


class Place:
    """One database under test."""

    def __init__(self, database: Database, create: str, collections: str, **options: int | str) -> None:
        self.database = database
        (system,) = read_map({"shop.yaml": f"{HEAD}collections:\n{collections}"}).systems.values()
        self.system: System = system.model_copy(update={"options": options})
        self.connector = self.connect()
        self.door = psycopg.connect(database.conninfo, autocommit=True)
        self.door.execute(f"ALTER DATABASE {database.name} SET habeas.environment = 'test'")
        self.door.execute(create)

    def connect(self, reader: str = "", writer: str = "") -> SqlConnector:
        """A connector with roles of its own; without them, with the owner's."""
        url = self.database.url
        return build(self.system, {"reader": reader or url, "writer": writer or reader or url})

    def role(self, name: str, *statements: str, login: str = "LOGIN PASSWORD 'secret'") -> str:
        """A role with the given grants, and the address of the database for it. {role} stands for its name."""
        role = f"{name}_{self.database.name}"
        self.door.execute(f"CREATE ROLE {role} {login}")
        for statement in statements:
            self.door.execute(statement.format(role=role))
        host = self.door.info.host
        return f"postgresql://{role}:secret@{host}:{self.door.info.port}/{self.database.name}"

    def drop_role(self, name: str) -> None:
        role = f"{name}_{self.database.name}"
        self.door.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")

    def call(
        self,
        *identities: Identity,
        fence: Fence | None = None,
        beat: Callable[[], None] = lambda: None,
        anchors: Anchors | None = None,
        rulings: Rulings | None = None,
        environment: str = "test",
        cut_short: bool = False,
        **more: Any,
    ) -> Call:
        plan = make_plan(Right.ERASURE, DataMap.of({"shop": self.system}), AS_OF)
        return Call(
            key="0123456789abcdefghjkmnpqrs/shop/erase/0",
            session=SESSION,
            as_of=AS_OF,
            system=self.system,
            work=plan.of("shop").works,
            identities=identities,
            beat=beat,
            fence=fence or Gate(),
            anchors=anchors or {},
            rulings=rulings or Rulings(),
            environment=environment,
            cut_short=cut_short,
            pseudonym_key=b"a key of a request",
            **more,
        )

    def locate(self, *identities: Identity, **differs: Any) -> Look:
        return self.connector.locate(self.call(*identities, **differs))

    def erase(self, *identities: Identity, **differs: Any) -> Tally:
        tally = self.connector.erase(self.call(*identities, **differs))
        assert isinstance(tally, Tally)
        return tally

    def verify(self, *identities: Identity, **differs: Any) -> Look:
        return self.connector.verify(self.call(*identities, **differs))

    def export(self, *identities: Identity, **differs: Any) -> dict[tuple[str, str], bytes]:
        files = self.connector.export(self.call(*identities, **differs))
        return {(file.collection, file.media_type): b"".join(file.pages) for file in files}

    def dump(self) -> Dump:
        """Every row of every table of the database, as JSON text."""
        tables = self.door.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        rows = sql.SQL("SELECT to_jsonb(t)::text FROM {} t")
        return {
            f"{schema}.{table}": {text for (text,) in self.door.execute(rows.format(sql.Identifier(schema, table)))}
            for schema, table in tables
        }

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.door.execute(query.encode(), values or None).fetchall()

    def close(self) -> None:
        self.connector.close()
        self.door.close()


@contextmanager
def place(database: Database, create: str, collections: str, **options: int | str) -> Iterator[Place]:
    """Make a database and clear up behind it."""
    made = Place(database, create, collections, **options)
    try:
        yield made
    finally:
        made.close()


def email(value: str) -> Identity:
    return Identity("email", value)


def gone(before: Dump, after: Dump) -> dict[str, int]:
    """How many rows of each table are not there any more; none may have come."""
    assert all(after[name] <= rows for name, rows in before.items())
    return {name: len(rows - after[name]) for name, rows in before.items() if rows - after[name]}


def counted(tally: Tally, number: str) -> dict[str, int]:
    """One number of a tally by collection, where it is not zero."""
    counts: Iterable[tuple[str, int]] = ((count.collection, getattr(count, number)) for count in tally.counts)
    return {name: rows for name, rows in counts if rows}
