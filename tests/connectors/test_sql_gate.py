"""Roles are kept out of a database and let in again, and nobody else is."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from connectors.errors import ConnectorError
from connectors.registry import SetupError, build
from connectors.sql import build as connect
from connectors.sql.connector import SqlConnector
from connectors.traits import Quarantines
from rights.datamap import System
from rights.mapfile import read_map
from tests.conftest import Database

MAP = """
system: shop
owner: shop team
connector: {connector}
backups: none
mode: observe
connection: {{reader: env:X, writer: env:X}}
quarantine: [till_of_gate]
collections:
  people:
    key: [id]
    fields: {{id: {{}}, email: {{identity: email, category: contact}}}}
"""


def a_map(connector: str = "sql") -> System:
    return read_map({"shop.yaml": MAP.format(connector=connector)}).systems["shop"]


@pytest.fixture
def till(database: Database) -> Iterator[str]:
    """The address of an application with a role of its own."""
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute("CREATE TABLE people (id int PRIMARY KEY, email text)")
        door.execute("CREATE ROLE till_of_gate LOGIN PASSWORD 'till'")
        yield psycopg.conninfo.make_conninfo(database.conninfo, user="till_of_gate", password="till")
        door.execute("DROP ROLE till_of_gate")


def test_roles_are_kept_out_sessions_ended_and_let_in_again(database: Database, till: str) -> None:
    connector = connect(a_map(), {"reader": database.url, "writer": database.url})
    assert isinstance(connector, SqlConnector)
    assert isinstance(connector, Quarantines)
    with closing(connector), psycopg.connect(till, autocommit=True) as session:
        connector.shut()
        connector.shut()

        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            psycopg.connect(till)
        with psycopg.connect(database.conninfo) as everybody_else:
            everybody_else.execute("SELECT 1")

        connector.admit()
        connector.admit()
        with psycopg.connect(till) as again:
            again.execute("SELECT 1")


def test_who_could_not_log_in_before_cannot_afterwards_and_what_was_said_of_a_role_is_said_still(
    database: Database, till: str
) -> None:
    connector = connect(a_map().model_copy(update={"quarantine": ("till_of_gate", "left_of_gate")}),
                        {"reader": database.url, "writer": database.url})  # fmt: skip
    assert isinstance(connector, SqlConnector)
    roles = (
        "SELECT rolname, rolcanlogin, shobj_description(oid, 'pg_authid') FROM pg_roles "
        "WHERE rolname LIKE '%_of_gate' ORDER BY 1"
    )
    with psycopg.connect(database.conninfo, autocommit=True) as door, closing(connector):
        door.execute("CREATE ROLE left_of_gate NOLOGIN PASSWORD 'left'")
        door.execute("COMMENT ON ROLE till_of_gate IS 'the till''s\nown'")
        try:
            before = door.execute(roles).fetchall()
            connector.shut()
            shut = door.execute(roles).fetchall()
            connector.shut()
            assert door.execute(roles).fetchall() == shut
            assert [login for _, login, _ in shut] == [False, False]
            door.execute("ALTER ROLE till_of_gate LOGIN")  # by hand, meanwhile: it is kept out once more
            connector.shut()
            assert door.execute(roles).fetchall() == shut
            connector.admit()
            connector.admit()
            assert door.execute(roles).fetchall() == before
        finally:
            door.execute("DROP ROLE left_of_gate")


@pytest.mark.parametrize("slip", ["tll_of_gate", ""])
def test_a_role_that_is_not_kept_out_is_said_and_the_others_are(database: Database, till: str, slip: str) -> None:
    name = slip or database.url.split("//")[1].partition(":")[0]  # nobody of this name; or the engine itself
    system = a_map().model_copy(update={"quarantine": ("till_of_gate", name)})
    connector = connect(system, {"reader": database.url, "writer": database.url})
    assert isinstance(connector, SqlConnector)
    with closing(connector):
        with pytest.raises(ConnectorError) as said:
            connector.shut()
        assert (said.value.code, said.value.about) == ("schema", name)
        with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
            psycopg.connect(till)
        connector.admit()


def test_a_role_that_may_not_do_so_says_it(database: Database, till: str) -> None:
    writer = f"postgresql+psycopg://till_of_gate:till@{database.url.partition('@')[2]}"
    system = a_map().model_copy(update={"quarantine": ("other_of_gate",)})
    connector = connect(system, {"reader": database.url, "writer": writer})
    assert isinstance(connector, SqlConnector)
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute("CREATE ROLE other_of_gate LOGIN")
        with closing(connector), pytest.raises(ConnectorError) as said:
            connector.shut()
        door.execute("DROP ROLE other_of_gate")
    assert said.value.code == "rights"


def test_a_map_that_asks_for_it_where_nobody_can_be_kept_out_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", f"sqlite:///{tmp_path / 'shop.db'}")

    with pytest.raises(SetupError, match="quarantine"):
        build(a_map())
