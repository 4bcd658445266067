"""A flag is a restriction only where the application, asked as itself, gets at nothing that bears it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pymysql
import pytest

from connectors.conformance import Trial
from connectors.errors import NeedsHuman, Retryable
from connectors.protocol import Call, Restricted, Restricts, capabilities
from connectors.sql import build
from rights.codes import Code
from rights.plan import Operation
from starter.stack import Postgres
from tests.conftest import Database
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.memory_bench import SHOP
from tests.connectors.sql_bench import system_of
from tests.connectors.sql_flag_benches import MariaDBFlagBench, PostgresFlagBench, flagged

URL = "postgresql://user:Secret@127.0.0.1/shop"
_numbers = itertools.count(1)

FlagBench = PostgresFlagBench | MariaDBFlagBench
Refused = (psycopg.errors.InsufficientPrivilege, pymysql.err.OperationalError)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDBServer]:
    with MariaDBServer() as server:
        yield server


@pytest.fixture
def postgres_shop(postgres: Postgres, database: Database) -> Iterator[Trial]:
    with closing(PostgresFlagBench(postgres, database, SHOP)) as bench:
        yield Trial(bench)


@pytest.fixture
def mariadb_shop(mariadb: MariaDBServer) -> Iterator[Trial]:
    name = f"flag_{next(_numbers)}"
    mariadb.create_database(name)
    with closing(MariaDBFlagBench(mariadb, name, SHOP)) as bench:
        yield Trial(bench)
    mariadb.drop_database(name)


@pytest.fixture(params=["postgres_shop", pytest.param("mariadb_shop", marks=[needs_mariadb, pytest.mark.soak])])
def shop(request: pytest.FixtureRequest) -> Trial:
    made: Trial = request.getfixturevalue(request.param)
    return made


def bench_of(trial: Trial) -> FlagBench:
    assert isinstance(trial.bench, FlagBench)
    return trial.bench


def restricts(trial: Trial) -> Restricts:
    assert isinstance(trial.connector, Restricts)
    return trial.connector


def restricted(trial: Trial, call: Call) -> Restricted:
    return restricts(trial).restrict(call)


def not_denied(trial: Trial) -> tuple[object, str]:
    """Try to restrict somebody: the code and the place; nothing is left of the attempt."""
    anna = trial.seeded()
    before = trial.bench.everything()
    with pytest.raises(NeedsHuman) as caught:
        restricted(trial, trial.call(anna))
    assert trial.bench.everything() == before
    return caught.value.code, caught.value.about


def test_the_application_can_neither_read_nor_change_nor_delete_the_rows(shop: Trial) -> None:
    anna, ben = shop.seeded(), shop.seeded()
    bench, before, theirs = bench_of(shop), shop.bench.everything(), shop.bench.rows(ben)
    call = shop.call(anna)

    state = restricted(shop, call).state

    assert state == {"method": "flag", "request": call.session}
    with bench.application() as application:
        for name in reversed(shop.system.parents_first):
            collection, place = shop.system.collections[name], f"{bench.seen_in}{name}"
            column = next(column for column in collection.fields if column not in collection.key)
            for statement in (f"SELECT 1 FROM {place}", f"UPDATE {place} SET {column} = NULL", f"DELETE FROM {place}"):
                application.execute(statement)
                assert application.rowcount == len(theirs[name]), "without any condition, and only Ben's"
    after = shop.bench.everything()
    for name, keys in shop.bench.rows(anna).items():
        for key in keys:
            assert {**after[name][key], "restricted_for": None} == before[name][key]
    restricts(shop).lift(replace(call, restricted=state))
    assert bench.readable(anna) == sum(shop.held(anna).values())


@pytest.mark.parametrize(
    "spoil",
    [
        "CREATE POLICY all_of_it ON orders USING (true)",
        "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE orders OWNER TO {app}",
        "ALTER POLICY unflagged ON orders TO CURRENT_USER; CREATE POLICY others ON orders USING (true)",
        # Read they cannot be, and changed without being read.
        "DROP POLICY unflagged ON orders; CREATE POLICY seen ON orders FOR SELECT USING ({flag} IS NULL); "
        "CREATE POLICY written ON orders FOR UPDATE USING (true)",
        "REVOKE ALL ON orders FROM {app}; GRANT DELETE ON orders TO {app}; "
        "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
    ],
)
def test_on_postgresql_what_the_application_gets_at_is_a_task_and_no_flag_stays(
    postgres_shop: Trial, spoil: str
) -> None:
    bench_of(postgres_shop).change(spoil)

    assert not_denied(postgres_shop) == (Code.NOT_DENIED, "orders")
    assert bench_of(postgres_shop).flags() == set()


def test_a_role_that_policies_do_not_bind_is_not_denied_anything(postgres_shop: Trial) -> None:
    bench_of(postgres_shop).change("ALTER ROLE {app} BYPASSRLS")

    code, _ = not_denied(postgres_shop)

    assert code == Code.NOT_DENIED


@needs_mariadb
@pytest.mark.soak
@pytest.mark.parametrize(
    "spoil",
    [
        "GRANT SELECT ON {name}.orders TO {app}",
        "GRANT DELETE ON {name}.orders TO {app}",
        "GRANT UPDATE ({flag}) ON {name}.orders TO {app}",
        "CREATE OR REPLACE VIEW seen_orders AS SELECT * FROM orders",
    ],
)
def test_on_mariadb_what_the_application_gets_at_is_a_task_and_no_flag_stays(mariadb_shop: Trial, spoil: str) -> None:
    bench_of(mariadb_shop).change(spoil)

    assert not_denied(mariadb_shop) == (Code.NOT_DENIED, "orders")
    assert bench_of(mariadb_shop).flags() == set()


def test_a_row_that_two_requests_flag_is_free_when_both_have_lifted(shop: Trial) -> None:
    anna, bench = shop.seeded(), bench_of(shop)
    held = bench.readable(anna)
    (key,) = bench.rows(anna)["customers"]
    bench.overwrite("customers", key, "restricted_for", "legal")
    calls = [replace(shop.call(anna), session=name) for name in ("first", "first-2")]
    calls = [replace(call, restricted=restricted(shop, call).state) for call in calls]

    assert ("customers", "legal first first-2") in bench.flags()
    assert restricts(shop).lift(calls[0]).found == held
    assert bench.readable(anna) == 0
    restricts(shop).lift(calls[1])
    assert bench.flags() == {("customers", "legal")}, "what the application has flagged itself is its own"
    assert bench.readable(anna) == held - 1


def test_a_lift_finds_its_flags_wherever_they_stand(shop: Trial) -> None:
    anna, ben, bench = shop.seeded(), shop.seeded(), bench_of(shop)
    call = shop.call(anna)
    call = replace(call, restricted=restricted(shop, call).state)
    (customer,) = bench.rows(ben)["customers"]
    bench.overwrite("orders", min(bench.rows(anna)["orders"]), "customer", customer[0])

    restricts(shop).lift(call)

    assert bench.flags() == set()


def test_a_trigger_that_changes_more_stops_it(postgres_shop: Trial) -> None:
    bench_of(postgres_shop).change(
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN NEW.touched := clock_timestamp(); RETURN NEW; END$$; "
        "CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch()"
    )

    assert not_denied(postgres_shop) == (Code.SCHEMA, "orders (more changes with the flag)")


def test_while_the_application_cannot_be_asked_the_flags_stand_and_it_is_asked_again(postgres_shop: Trial) -> None:
    anna, bench = postgres_shop.seeded(), bench_of(postgres_shop)
    bench.change("ALTER ROLE {app} CONNECTION LIMIT 0")

    with pytest.raises(Retryable):
        restricted(postgres_shop, postgres_shop.call(anna))

    assert len(bench.flags()) > 0
    bench.change("ALTER ROLE {app} CONNECTION LIMIT -1")
    call = postgres_shop.call(anna)
    call = replace(call, restricted=restricted(postgres_shop, call).state)
    assert bench.readable(anna) == 0
    restricts(postgres_shop).lift(call)
    assert bench.flags() == set()


def test_a_view_through_which_the_application_sees_them_is_looked_into(postgres: Postgres, database: Database) -> None:
    with closing(PostgresFlagBench(postgres, database, SHOP)) as bench:
        for name in bench.system.collections:
            bench.change(
                f"REVOKE ALL ON {name} FROM {{app}}; CREATE VIEW seen_{name} AS SELECT * FROM {name} "
                f"WHERE {{flag}} IS NULL; GRANT SELECT ON seen_{name} TO {{app}}"
            )
        bench.connector.close()
        bench.system = flagged(bench.system, seen_in="seen_")
        bench.connector = build(bench.system, bench._secrets())
        trial = Trial(bench)
        anna = trial.seeded()

        call = trial.call(anna)
        restricts(trial).lift(replace(call, restricted=restricted(trial, call).state))
        bench.change("CREATE OR REPLACE VIEW seen_orders AS SELECT * FROM orders")

        assert not_denied(trial) == (Code.NOT_DENIED, "orders")


@pytest.mark.parametrize(
    ("spoil", "column"),
    [
        ("ALTER TABLE orders DROP {flag} CASCADE", "orders.restricted_for"),
        ("ALTER TABLE orders ALTER {flag} SET DEFAULT '', ALTER {flag} SET NOT NULL", "orders.restricted_for"),
    ],
)
def test_a_column_that_cannot_be_a_flag_is_found_before_anything_is_changed(
    postgres_shop: Trial, spoil: str, column: str
) -> None:
    bench = bench_of(postgres_shop)
    bench.change(spoil)
    check: Callable[[], list[Any]] = bench.connector.check

    assert [(f.code, column in f) for f in check()] == [("no_flag", True)]
    if "DROP" not in spoil:
        assert not_denied(postgres_shop) == (Code.NOT_DENIED, column)


@pytest.mark.parametrize(
    ("secrets", "options", "said"),
    [
        ({}, {}, "connection: application is missing"),
        ({"application": "mariadb://a:b@127.0.0.1/shop"}, {}, "servers of one kind"),
        ({"application": URL, "more": URL}, {}, "'more' is unknown: write reader and writer and application"),
        ({"application": URL}, {"flag": ""}, "write flag: COLUMN, seen_in: VIEW"),
        ({"application": URL}, {"colour": "red"}, "'colour' is unknown"),
        ({"application": URL}, {"flag": "email"}, "flag names a field of the map"),
        ({"application": URL}, {"seen_in": "v"}, "flag is missing: name the column"),
    ],
)
def test_a_map_that_cannot_stand_is_refused(secrets: dict[str, str], options: dict[str, str], said: str) -> None:
    system = flagged(system_of(SHOP))
    if options:
        customers = system.collections["customers"].model_copy(update={"options": options})
        system = system.model_copy(update={"collections": {**system.collections, "customers": customers}})

    with pytest.raises(ValueError, match=said):
        build(system, {"reader": URL, "writer": URL, **secrets})


def test_without_the_option_there_is_neither_a_flag_nor_an_application() -> None:
    system = system_of(SHOP)
    made = build(system, {"reader": URL, "writer": URL})

    assert Operation.RESTRICT not in capabilities(made)
    with pytest.raises(ValueError, match="'application' is unknown"):
        build(system, {"reader": URL, "writer": URL, "application": URL})
    with pytest.raises(ValueError, match="is unknown"):
        build(flagged(system).model_copy(update={"options": {}}), {"reader": URL, "writer": URL})
