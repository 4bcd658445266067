"""One database with everything that a schema can do to us: given out, erased and looked at again.

What has to go is said in SQL of our own, and every row of the database is compared before and after.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.finding import Severity
from connectors.sql.discovery import discover, page
from rights.codes import Code
from rights.mapfile import read_map
from rights.subject import Identity
from starter.stack import Postgres
from tests.conftest import Database
from tests.connectors.sql_place import Dump, Place, counted, email, place

SCHEMAS: Final = Path(__file__).parent.parent / "schemas"
MAP: Final = (SCHEMAS / "hostile.yaml").read_text()

# Anna is customer 1 of tenant a, her account marked as deleted; the others share her number, her name or her tenant.
ANNA: Final = email("Anna@Example.org")
HERS: Final = {
    "Sales.Customer": '"Tenant" = \'a\' AND "No" = 1',
    "Sales.order": '"group" = \'a\' AND "user" = 1',
    "Sales.line": '"order" IN (SELECT id FROM hers)',
    "Sales.payment": '"order" IN (SELECT id FROM hers) OR ("Tenant" = \'a\' AND "No" = 1)',
    "Sales.refund": '"order" IN (SELECT id FROM hers) OR payment IN (SELECT id FROM paid)',
    "select.from": "tenant = 'a' AND no = 1",
    "select.post": "id IN (101, 102, 103)",
    "public.attachment": "(owner_type = 'order' AND owner_id IN (SELECT id::text FROM hers)) OR "
    "(owner_type = 'payment' AND owner_id IN (SELECT id::text FROM paid))",
    "public.login": "mail = 'anna@example.org'",
    "public.newsletter": "mail = 'ANNA@EXAMPLE.ORG'",
    "public.event": "payload #>> '{who,order}' IN (SELECT id::text FROM hers)",
    "public.survey": "answers #>> '{parts,0,paid}' IN (SELECT id::text FROM paid)",
    "public.basket": "orders && ARRAY(SELECT id FROM hers)",
    "public.document": '"order" IN (SELECT id FROM hers)',
    "public.booking": "tenant = 'a' AND no = 1",
    "public.session": "tenant = 'a' AND no = 1",
    "public.secret": "tenant = 'a' AND no = 1",
}
"""By table, the condition of Anna's rows; `hers` are her orders, `paid` her payments."""
WITH: Final = (
    'WITH hers AS (SELECT id FROM "Sales"."order" WHERE "group" = \'a\' AND "user" = 1), paid AS (SELECT id FROM '
    '"Sales".payment WHERE "order" IN (SELECT id FROM hers) OR ("Tenant" = \'a\' AND "No" = 1)) '
)


def quoted(table: str) -> str:
    return ".".join(f'"{part}"' for part in table.split("."))


def hers(made: Place) -> Dump:
    """Anna's rows, read through the back door, by the table that really holds each."""
    found: Dump = {}
    for table, where in (HERS | {"public.invoice": HERS["public.document"]}).items():
        only = "ONLY" if table == "public.document" else ""
        query = (
            f"{WITH} SELECT t.tableoid::regclass::text, to_jsonb(t)::text FROM {only} {quoted(table)} t WHERE {where}"
        )
        for real, text in made.rows(query):
            found.setdefault(real.replace('"', ""), set()).add(text)
    return found


def leaves(made: Place) -> Dump:
    """Every row of every table, by the table that really holds it."""
    every = made.dump()
    whole = made.rows(
        "SELECT DISTINCT inhparent::regclass::text FROM pg_inherits JOIN pg_class c ON c.oid = inhparent "
        "WHERE c.relkind IN ('r', 'p')"
    )
    parents = {name if "." in name else f"public.{name}" for name in (text.replace('"', "") for (text,) in whole)}
    for parent in parents:
        own = made.rows(f"SELECT to_jsonb(t)::text FROM ONLY {quoted(parent)} t")
        every[parent] = {text for (text,) in own}
    return {name.removeprefix("public."): rows for name, rows in every.items()}


@pytest.fixture
def hostile(database: Database) -> Iterator[Place]:
    with place(database, (SCHEMAS / "hostile.sql").read_text(), MAP) as made:
        yield made


@pytest.mark.parametrize("batch_rows", [10_000, pytest.param(2, marks=pytest.mark.soak)], ids=["at once", "in batches"])
def test_all_of_this_person_goes_and_nothing_of_anybody_else(database: Database, batch_rows: int) -> None:
    with place(database, (SCHEMAS / "hostile.sql").read_text(), MAP, batch_rows=batch_rows) as made:
        before, doomed = leaves(made), hers(made)
        assert len(doomed) == len(HERS) + 3, "there is something of hers in every table, and in every partition"
        found = made.locate(ANNA)

        tally = made.erase(ANNA)

        after = leaves(made)
        assert {name: before[name] - rows for name, rows in after.items() if before[name] - rows} == doomed
        assert {name: rows - before[name] for name, rows in after.items() if rows - before[name]} == {}
        assert sum(counted(tally, "erased").values()) == found.tally.found == sum(map(len, doomed.values()))
        # By identities alone, and by what was known of her before the paths were cut.
        assert made.verify(ANNA).tally.found == 0
        assert made.verify(ANNA, anchors=found.anchors).tally.found == 0


def test_a_row_that_is_left_behind_anywhere_is_found_again(hostile: Place) -> None:
    anchors = hostile.locate(ANNA).anchors
    left = ("Sales.line", "Sales.refund", "public.basket", "public.survey", "public.attachment", "public.document")
    kept = {name: hostile.rows(f"{WITH} SELECT t.* FROM {quoted(name)} t WHERE {HERS[name]} LIMIT 1") for name in left}
    hostile.erase(ANNA)
    hostile.door.execute("SET session_replication_role = replica")  # as if it had come by another way
    for name, (row,) in kept.items():
        columns = [column.name for column in hostile.door.execute(f"TABLE {quoted(name)}".encode()).description or ()]
        values = [json.dumps(value) if isinstance(value, dict) else value for value in row]
        marks = ", ".join(["%s"] * len(columns))
        hostile.door.execute(f"INSERT INTO {quoted(name)} VALUES ({marks})".encode(), values)

    assert counted(hostile.verify(ANNA, anchors=anchors).tally, "left") == {
        "lines": 1, "refunds": 1, "baskets": 1, "surveys": 1, "attachments": 1, "documents": 1,
    }  # fmt: skip


def test_every_type_survives_the_way_out_and_back(hostile: Place) -> None:
    """What is given out is read back into a table of the same kind, and compared with her rows both ways."""
    given = hostile.export(ANNA)

    for collection, about in hostile.system.collections.items():
        table = about.name or collection
        name = table if "." in table else f"public.{table}"
        columns = ", ".join(f'"{field}"' for field in about.fields)
        lines = given[collection, "application/x-ndjson"].decode().splitlines()
        hostile.door.execute(f"CREATE TEMP TABLE back AS SELECT {columns} FROM {quoted(name)} WHERE false".encode())
        for line in lines:
            json.loads(line)
            hostile.door.execute(
                f"INSERT INTO back SELECT {columns} FROM json_populate_record(NULL::{quoted(name)}, %s)".encode(),
                [line],
            )
        # As texts, since not every type knows equality; and a text says all of a value.
        # Of JSON the blanks between two tokens are not part of the value: a line break there would end the line.
        texts = ", ".join(f"translate(\"{field}\"::text, E'\\n', ' ')" for field in about.fields)
        there = f"{WITH} SELECT {texts} FROM {quoted(name)} WHERE {HERS[name]}"
        ours = sorted(hostile.rows(there), key=repr)
        assert len(ours) == len(lines) > 0
        assert sorted(hostile.rows(f"SELECT {texts} FROM back"), key=repr) == ours, name
        hostile.door.execute("DROP TABLE back")


def test_a_draft_of_it_validates_and_its_check_has_no_error(hostile: Place) -> None:
    text = page(discover(hostile.database.url, system="shop", reader="env:SHOP"))

    (system,) = read_map({"shop.yaml": text}).systems.values()

    assert {"Sales.Customer", "newsletter"} <= system.collections.keys()
    assert "Full Name" in system.collections["Sales.Customer"].fields
    with place(hostile.database, "SELECT 1", text.partition("\ncollections:\n")[2]) as drafted:
        assert [f for f in drafted.connector.check() if f.severity is Severity.ERROR] == []


def test_a_check_names_what_an_erasure_does_not_reach(hostile: Place) -> None:
    found = [*hostile.connector.check(), *hostile.connector.survey()]
    said = {finding.code: str(finding) for finding in found if finding.severity is not Severity.NOTE}

    assert said.keys() == {"materialized", "inherits"}
    assert "public.spending holds a copy of rows of customers, orders" in said["materialized"]
    assert "total stand in invoice alone" in said["inherits"]

    hostile.erase(ANNA)
    assert hostile.rows("SELECT count(*) FROM spending WHERE email = 'anna@example.org'") == [(1,)]
    hostile.door.execute(said["materialized"].rpartition("run ")[2].encode())
    assert hostile.rows("SELECT count(*) FROM spending WHERE email = 'anna@example.org'") == [(0,)]


def test_rows_that_a_policy_hides_are_never_taken_for_none(hostile: Place) -> None:
    grants = [
        f"GRANT USAGE ON SCHEMA {schema} TO {{role}}; "
        f"GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {{role}}"
        for schema in ('"Sales"', '"select"', "public")
    ]
    url = hostile.role("clerk", *grants)
    hostile.connector.close()
    hostile.connector = hostile.connect(url)
    before = leaves(hostile)

    for ask in (hostile.locate, hostile.export, hostile.erase, hostile.verify):
        with pytest.raises(NeedsHuman) as refused:
            ask(ANNA)
        assert (refused.value.code, refused.value.about) == (Code.ROW_SECURITY, "secrets")
    assert leaves(hostile) == before

    hostile.door.execute(f"ALTER ROLE clerk_{hostile.database.name} BYPASSRLS")
    assert counted(hostile.erase(ANNA), "erased")["secrets"] == 1
    hostile.connector.close()
    hostile.drop_role("clerk")


@pytest.mark.parametrize("referenced", [True, False], ids=["with a foreign key", "without"])
def test_a_row_that_moves_to_another_partition_meanwhile_is_met_there(hostile: Place, *, referenced: bool) -> None:
    if not referenced:
        hostile.door.execute('ALTER TABLE "Sales".line DROP CONSTRAINT line_order_fkey')
    lines = {
        row for rows in (hers(hostile)[f"Sales.line_{part}"] for part in ("old", "new_0", "new_1")) for row in rows
    }
    refused: list[ConnectorError] = []

    def erase() -> None:
        try:
            hostile.erase(ANNA)
        except ConnectorError as error:
            refused.append(error)

    with psycopg.connect(hostile.database.conninfo) as clerk:
        moved = clerk.execute(
            f"{WITH} UPDATE \"Sales\".line SET shipped = '2026-01-01' WHERE shipped < '2024-01-01' AND n = 1 AND "
            '"order" IN (SELECT id FROM hers)'
        )
        assert moved.rowcount == 1
        erasing = threading.Thread(target=erase)
        erasing.start()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while erasing.is_alive() and hostile.rows(waiting) != [(1,)]:
            pass
        clerk.commit()
        erasing.join()

    # Whoever moves a row with a foreign key holds its parent, which the look waits for. Without one the server refuses,
    # and the step comes again.
    assert [(type(error), error.code) for error in refused] == ([] if referenced else [(Retryable, Code.BUSY)])
    if refused:
        assert counted(hostile.erase(ANNA), "erased")["lines"] == len(lines) == 12
    assert hostile.rows('SELECT count(*) FROM "Sales".line WHERE "order" NOT IN (SELECT id FROM "Sales"."order")') == [
        (0,)
    ]
    assert hers(hostile) == {}


REDACTED: Final = """
  customers:
    name: Sales.Customer
    key: [Tenant, "No"]
    erase: redact
    fields:
      Tenant: {}
      "No": {}
      email: {category: contact, identity: email, strategy: anonymise}
      Full Name: {category: name, strategy: pseudonym}
      name: {category: name, strategy: constant, value: "x'); --"}
      status: {strategy: constant, value: 'Old "friend"'}
      deletedAt: {strategy: generalise, to: month}
      balance: {strategy: constant, value: 0}
      photo: {strategy: null}
      tags: {strategy: constant, value: "{}"}
      stays: {strategy: constant, value: empty}
      born: {category: birth, strategy: generalise, to: decade}
      since: {strategy: generalise, to: year}
      ip: {category: device, strategy: generalise, to: network}
      ref: {strategy: anonymise}
      prefs: {category: preferences, strategy: constant, value: "{}"}
      raw: {strategy: null}
      home: {category: contact, strategy: null}
      flags: {strategy: constant, value: "0"}
      active: {strategy: constant, value: false}
"""


def test_rewritten_rows_keep_to_domains_enums_and_whatever_the_database_makes_itself(hostile: Place) -> None:
    with place(hostile.database, "SELECT 1", REDACTED) as made:
        before = made.dump()
        (was,) = [json.loads(row) for row in before["Sales.Customer"] if "anna@example.org" in row]

        tally = made.erase(ANNA)

        assert tally.of("customers").pseudonymised == 1
        after = made.dump()
        assert {name for name in before if before[name] != after[name]} == {"Sales.Customer"}
        (text,) = after["Sales.Customer"] - before["Sales.Customer"]
        row = json.loads(text)
        assert len(before["Sales.Customer"] - after["Sales.Customer"]) == 1, "nobody else's"
        rewritten = {field for field in row if row[field] != was[field]}
        fields = made.system.collections["customers"].fields
        written = {name for name, field in fields.items() if field.rewritten}
        # An infinite time has no year; the name in capitals follows the name.
        assert rewritten == (written - {"status", "since"}) | {"Display"}
        assert row["Display"] == "X'); --"
        assert row["born"] == "0051-01-01 BC"
        assert row["ip"] == "2001:db8::/48"
        assert (row["row_id"], row["status"]) == (was["row_id"], 'Old "friend"')
        # The key is all that is left of her, and a second time there is nothing to do.
        assert made.verify(ANNA).tally.left == 0
        assert made.erase(Identity("email", "anna@example.org")).changed == 0


def test_what_is_no_table_of_this_database_is_looked_at_and_never_written(hostile: Place, postgres: Postgres) -> None:
    info = hostile.door.info
    hostile.door.execute(
        "CREATE EXTENSION postgres_fdw; CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS "
        f"(host '{info.host}', port '{info.port}', dbname '{info.dbname}'); "
        f"CREATE USER MAPPING FOR CURRENT_USER SERVER there OPTIONS (user '{info.user}', password '{info.password}'); "
        "CREATE SCHEMA away; IMPORT FOREIGN SCHEMA public LIMIT TO (newsletter) FROM SERVER there INTO away; "
        "CREATE TABLE mixed (mail text PRIMARY KEY); "
        "CREATE FOREIGN TABLE mixed_away () INHERITS (mixed) SERVER there OPTIONS (table_name 'newsletter')"
    )
    every = {
        "away.newsletter": ("mail", "a foreign table"),
        "people": ("email", "a view"),
        "spending": ("email", "a materialized view"),
    }
    for name, (field, what) in every.items():
        about = f"  c: {{name: {name}, key: [{field}], fields: {{{field}: {{identity: email, category: contact}}}}}}\n"
        with place(hostile.database, "SELECT 1", about) as made:
            before = leaves(made)
            who = email("ben@example.org")
            assert made.locate(who).tally.found == 1
            with pytest.raises(NeedsHuman, match=rf"schema: c \({what}"):
                made.erase(who)
            assert leaves(made) == before
            assert "not_written" in {finding.code for finding in made.connector.check()}

    about = "  c: {name: mixed, key: [mail], fields: {mail: {identity: email, category: contact}}}\n"
    with place(hostile.database, "SELECT 1", about) as made, pytest.raises(NeedsHuman, match="a foreign part"):
        made.erase(email("ben@example.org"))
