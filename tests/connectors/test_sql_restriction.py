"""Restriction on PostgreSQL: the application cannot get at a listed row, and nothing is listed that policies do not
deny."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from connectors.conformance import Gate, Trial
from connectors.errors import NeedsHuman, Retryable
from connectors.finding import code_of
from connectors.protocol import Call, Correction, Rectifies, Restricted, Restricts, capabilities
from connectors.sql import build
from rights.codes import Code
from rights.plan import Operation
from rights.subject import Identity
from starter.stack import Postgres
from tests.conftest import Database
from tests.connectors.memory_bench import BOOKS, SHOP
from tests.connectors.sql_bench import RestrictingBench, system_of
from tests.connectors.sql_place import Place, email, place
from tests.connectors.test_sql_faults import Within

MANUAL = Path(__file__).parents[2] / "docs" / "postgresql.md"
URL = "postgresql://user:Secret@127.0.0.1/shop"
COMPANY = """
CREATE SCHEMA "Sales";
CREATE TABLE "Sales"."Order" (shop varchar(9), "No-1" int, email text, PRIMARY KEY (shop, "No-1"));
CREATE TABLE visits (id uuid, year int, email text, PRIMARY KEY (id, year)) PARTITION BY LIST (year);
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES IN (2026);
CREATE INDEX ON "Sales"."Order" (lower(email));
CREATE INDEX ON visits (lower(email));
INSERT INTO "Sales"."Order" SELECT 'it''s', n, 'p' || n || '@example.org' FROM generate_series(1, 3) n;
INSERT INTO visits SELECT gen_random_uuid(), 2026, 'p' || n || '@example.org' FROM generate_series(1, 3) n;
"""
COMPANY_MAP = """
  orders:
    name: Sales.Order
    key: [shop, No-1]
    fields: {shop: {}, No-1: {}, email: {identity: email}}
  visits:
    key: [id, year]
    fields: {id: {}, year: {}, email: {identity: email}}
"""
ONE = email("p1@example.org")


@pytest.fixture
def shop(postgres: Postgres, database: Database) -> Iterator[Trial]:
    with closing(RestrictingBench(postgres, database, SHOP)) as bench:
        yield Trial(bench)


@pytest.fixture
def company(database: Database) -> Iterator[Place]:
    """A database in which nothing is set up yet. The connector is its owner."""
    with place(database, COMPANY, COMPANY_MAP, restrict="row_security") as made:
        yield made


def bench_of(trial: Trial) -> RestrictingBench:
    assert isinstance(trial.bench, RestrictingBench)
    return trial.bench


def restricts(connector: object) -> Restricts:
    assert isinstance(connector, Restricts)
    return connector


def restricted(trial: Trial, call: Call) -> Restricted:
    return restricts(trial.connector).restrict(call)


def set_up(company: Place) -> None:
    """Do what the checks say, until they say nothing any more."""
    for _ in range(2):
        for finding in company.connector.check():
            assert code_of(finding) == "not_denied"
            company.door.execute(finding.partition(": ")[2].encode())
    assert company.connector.check() == []


def test_the_application_can_neither_read_nor_change_nor_delete_the_rows(shop: Trial) -> None:
    anna, ben = shop.seeded(), shop.seeded()
    bench, before, theirs = bench_of(shop), shop.bench.everything(), shop.bench.rows(ben)
    call = shop.call(anna)

    state = restricted(shop, call).state

    with psycopg.connect(bench.application, autocommit=True) as application:
        for name in reversed(shop.system.parents_first):
            collection = shop.system.collections[name]
            column = next(column for column in collection.fields if column not in collection.key)
            for statement in (f"SELECT FROM {name}", f"UPDATE {name} SET {column} = {column}", f"DELETE FROM {name}"):
                assert application.execute(statement.encode()).rowcount == len(theirs[name])
        for statement in ("DELETE FROM habeas_restricted", "SELECT request FROM habeas_restricted"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(statement.encode())
    after = shop.bench.everything()
    for name, keys in shop.bench.rows(anna).items():
        assert after[name] == {key: before[name][key] for key in keys}, "the rows are there, as they were"
    restricts(shop.connector).lift(replace(call, restricted=state))
    assert bench.readable(anna) == sum(shop.held(anna).values())


def rows_in(bench: RestrictingBench) -> int:
    """How many rows are listed, without what rows that are written later would point to."""
    return sum("(" not in relation for relation, *_ in bench.listed())


def set_up_for_later(shop: Trial) -> None:
    """Have the policies that the check prints in place of those that know of keys alone."""
    bench = bench_of(shop)
    for name in shop.system.collections:
        bench.change(f"DROP POLICY habeas_restricted_denied ON {name}; GRANT INSERT ON {name} TO {{app}}")
    for finding in bench.connector.check():
        if code_of(finding) == "not_denied":
            bench.change(finding.partition(": ")[2].replace("{", "{{").replace("}", "}}"))
    assert "not_denied" not in bench.findings()


LATER = """
INSERT INTO orders (id, customer, remark) VALUES (90{n}, {customer}, 'written later');
INSERT INTO order_lines (order_id, line, engraving) VALUES ({old}, 77, 'written later')
"""


def test_a_row_that_is_written_later_is_denied_from_the_first_moment_and_stored(shop: Trial) -> None:
    anna, ben = shop.seeded(), shop.seeded()
    set_up_for_later(shop)
    bench = bench_of(shop)
    before = {person: bench.readable(person) for person in (anna, ben)}
    call = shop.call(anna)
    state = restricted(shop, call).state

    olds = []
    with psycopg.connect(bench.application, autocommit=True) as application:
        for number, person in enumerate((anna, ben)):
            rows = bench.rows(person)
            ((customer,), *_), ((old,), *_) = sorted(rows["customers"]), sorted(rows["orders"])
            olds.append(int(old))
            for statement in LATER.format(n=number, customer=customer, old=old).split(";"):
                assert application.execute(statement.encode()).rowcount == 1, "storing is not refused"
        seen = application.execute("SELECT id FROM orders WHERE remark = 'written later'").fetchall()
        assert seen == [(901,)], "of the one nothing is read, of the other it is"
        lines = application.execute("SELECT order_id FROM order_lines WHERE engraving = 'written later'").fetchall()
        assert lines == [(olds[1],)]
    assert (bench.readable(anna), bench.readable(ben)) == (0, before[ben]), "and what was there before is as it was"

    again = restricted(shop, replace(call, restricted=state))
    assert again.tally.found == sum(shop.held(anna).values()) + 2, "a look finds them, and lists them as well"
    restricts(shop.connector).lift(replace(call, restricted=state))
    assert bench.readable(anna) == before[anna]
    assert not bench.listed()


def test_an_erasure_takes_what_denies_later_rows_with_it(shop: Trial) -> None:
    """The key may be somebody else's one day; and nothing of whoever was erased stays behind."""
    anna = shop.seeded()
    set_up_for_later(shop)
    call = shop.call(anna)
    state = restricted(shop, call).state

    shop.erase(replace(call, restricted=state))

    assert not bench_of(shop).listed()


def test_policies_that_know_of_keys_alone_still_do(shop: Trial) -> None:
    anna = shop.seeded()
    assert "not_denied" not in bench_of(shop).findings()
    restricted(shop, shop.call(anna))
    assert bench_of(shop).readable(anna) == 0


def test_what_is_listed_says_nothing_but_keys(shop: Trial) -> None:
    anna = shop.seeded()

    said = restricted(shop, shop.call(anna))

    rows = shop.bench.rows(anna)
    keys = {(f"public.{name}", *key) for name, keys in rows.items() for key in keys}
    # What rows that are written later would point to.
    keys |= {(f"public.{name} (customer)", *key) for name in ("addresses", "orders") for key in rows["customers"]}
    keys |= {("public.order_lines (order_id)", *key) for key in rows["orders"]}
    listed = bench_of(shop).listed()
    assert {(relation, *key.strip("{}").split(",")) for relation, key, _ in listed} == keys
    assert said.state == {"method": "row_security", "request": "conformance-0"}
    assert {request for *_, request in listed} == {"conformance-0"}
    assert {count.collection: count.found for count in said.tally.counts} == shop.held(anna)


@pytest.mark.parametrize(
    ("spoil", "about"),
    [
        ("DROP POLICY habeas_restricted_denied ON orders", "orders"),
        ("ALTER TABLE orders DISABLE ROW LEVEL SECURITY", "orders"),
        ("ALTER TABLE orders NO FORCE ROW LEVEL SECURITY; ALTER TABLE orders OWNER TO {app}", "orders"),
        ("ALTER POLICY habeas_restricted_denied ON orders USING (true)", "orders"),
        ("ALTER POLICY habeas_restricted_denied ON orders TO {app}", "orders"),
        ("ALTER POLICY habeas_restricted_denied ON orders WITH CHECK (true)", "orders"),
        ("CREATE TABLE part () INHERITS (orders)", "orders"),
        (
            "ALTER POLICY habeas_restricted_denied ON orders USING (NOT EXISTS (SELECT 1 FROM public.habeas_restricted "
            "WHERE habeas_restricted.relation = 'public.lines' AND habeas_restricted.key = ARRAY[orders.id::text]))",
            "orders",
        ),
        (
            "ALTER POLICY habeas_restricted_denied ON orders USING (NOT EXISTS (SELECT 1 FROM public.habeas_restricted "
            "WHERE habeas_restricted.relation = 'public.orders' AND habeas_restricted.key = "
            "ARRAY[orders.customer::text]))",
            "orders",
        ),
        (
            "CREATE SCHEMA other; CREATE TABLE other.habeas_restricted (relation text, key text[], request text); "
            "ALTER POLICY habeas_restricted_denied ON orders USING (NOT EXISTS (SELECT 1 FROM other.habeas_restricted "
            "WHERE habeas_restricted.relation = 'public.orders' AND habeas_restricted.key = ARRAY[orders.id::text]))",
            "orders",
        ),
        (
            "ALTER ROLE {role} SET search_path = other, public; CREATE SCHEMA other; GRANT USAGE ON SCHEMA other TO "
            "{role}; CREATE TABLE other.habeas_restricted (relation text, key text[], request text); "
            "ALTER POLICY habeas_restricted_denied ON orders USING (NOT EXISTS (SELECT 1 FROM other.habeas_restricted "
            "WHERE habeas_restricted.relation = 'public.orders' AND habeas_restricted.key = ARRAY[orders.id::text]))",
            "orders",
        ),
        (
            "DROP POLICY habeas_restricted_denied ON orders; CREATE POLICY denied ON orders USING (NOT EXISTS (SELECT "
            "1 FROM public.habeas_restricted WHERE habeas_restricted.relation = 'public.orders' AND "
            "habeas_restricted.key = ARRAY[orders.id::text]))",
            "orders",
        ),
        (
            "DROP POLICY habeas_restricted_denied ON orders; CREATE POLICY denied ON orders AS RESTRICTIVE FOR SELECT "
            "USING (NOT EXISTS (SELECT 1 FROM public.habeas_restricted WHERE habeas_restricted.relation = "
            "'public.orders' AND habeas_restricted.key = ARRAY[orders.id::text]))",
            "orders",
        ),
        (
            "DROP POLICY habeas_restricted_denied ON orders; CREATE POLICY denied ON orders AS RESTRICTIVE "
            "WITH CHECK (NOT EXISTS (SELECT 1 FROM public.habeas_restricted WHERE habeas_restricted.relation = "
            "'public.orders' AND habeas_restricted.key = ARRAY[orders.id::text]))",
            "orders",
        ),
        ("GRANT DELETE ON habeas_restricted TO {app}", "habeas_restricted"),
        ("GRANT INSERT ON habeas_restricted TO PUBLIC", "habeas_restricted"),
        ("ALTER TABLE habeas_restricted ENABLE ROW LEVEL SECURITY", "habeas_restricted"),
        ("ALTER TABLE habeas_restricted SET UNLOGGED", "habeas_restricted"),
        ("CREATE RULE nothing AS ON INSERT TO habeas_restricted DO INSTEAD NOTHING", "habeas_restricted"),
        ("ALTER TABLE habeas_restricted DROP CONSTRAINT habeas_restricted_pkey", "habeas_restricted"),
        ("REVOKE INSERT ON habeas_restricted FROM {role}", "habeas_restricted"),
        ("ALTER TABLE habeas_restricted RENAME TO restricted", "habeas_restricted"),
    ],
)
def test_where_policies_do_not_deny_it_is_a_task_and_nothing_is_listed(shop: Trial, spoil: str, about: str) -> None:
    bench = bench_of(shop)
    bench.change(spoil)
    anna = shop.seeded()
    before, gate = shop.bench.everything(), Gate()

    with pytest.raises(NeedsHuman) as caught:
        restricted(shop, shop.call(anna, fence=gate))

    assert (caught.value.code, caught.value.about) == (Code.NOT_DENIED, about)
    assert gate.passages == []
    assert shop.bench.everything() == before
    assert "RENAME" in spoil or bench.listed() == set()
    assert any(code == "not_denied" for code in bench.findings())


def test_the_statements_that_a_check_prints_close_the_gaps(company: Place) -> None:
    app = company.role("app", 'GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, "Sales" TO {role}')
    company.door.execute(f'GRANT USAGE ON SCHEMA "Sales" TO app_{company.database.name}')
    with pytest.raises(NeedsHuman) as caught:
        restricts(company.connector).restrict(company.call(ONE))
    assert (caught.value.code, caught.value.about) == (Code.NOT_DENIED, "habeas_restricted")

    set_up(company)

    questions = ('SELECT FROM "Sales"."Order"', "SELECT FROM visits", "SELECT FROM visits_2026")
    with psycopg.connect(app, autocommit=True) as application:
        assert [application.execute(question.encode()).rowcount for question in questions] == [3, 3, 3]
        restricts(company.connector).restrict(company.call(ONE))
        assert [application.execute(question.encode()).rowcount for question in questions] == [2, 2, 2]
        assert company.locate(ONE).tally.found == 2
        company.erase(ONE)
        assert company.rows("SELECT count(*) FROM habeas_restricted") == [(0,)]
        assert [application.execute(question.encode()).rowcount for question in questions] == [2, 2, 2]
    company.drop_role("app")


def test_the_statements_of_the_manual_are_those_that_a_check_wants(database: Database) -> None:
    create = "CREATE TABLE customers (id int PRIMARY KEY, email text); CREATE INDEX ON customers (lower(email));"
    collections = "  customers:\n    key: [id]\n    fields: {id: {}, email: {identity: email}}\n"
    (block,) = re.findall(r"```sql\n(CREATE TABLE public.habeas_restricted.*?)```", MANUAL.read_text(), re.DOTALL)
    with place(database, create, collections, restrict="row_security") as made:
        grant = "GRANT SELECT, UPDATE, DELETE ON customers TO {role}"
        reader, writer = (made.role(name, grant) for name in ("habeas_reader", "habeas_writer"))
        connector = made.connect(reader, writer)
        assert any("habeas_restricted" in finding for finding in connector.check())

        made.door.execute(re.sub(r"(habeas_(?:reader|writer))", rf"\1_{database.name}", block).encode())

        assert connector.check() == []
        connector.close()
        for name in ("habeas_reader", "habeas_writer"):
            made.drop_role(name)


def test_nobody_drops_a_policy_between_the_check_and_the_commit(shop: Trial) -> None:
    anna, bench = shop.seeded(), bench_of(shop)

    def drop() -> None:
        with pytest.raises(psycopg.errors.LockNotAvailable):
            bench.change("SET lock_timeout = '200ms'; DROP POLICY habeas_restricted_denied ON order_lines")

    restricted(shop, shop.call(anna, fence=Within(drop)))

    assert bench.readable(anna) == 0


def test_a_key_that_is_written_differently_in_each_session_is_a_task(database: Database) -> None:
    create = "CREATE TABLE visits (at timestamptz PRIMARY KEY, email text); CREATE INDEX ON visits (lower(email));"
    collections = "  visits:\n    key: [at]\n    fields: {at: {}, email: {identity: email}}\n"
    with place(database, create, collections, restrict="row_security") as made:
        for _ in range(3):
            for finding in made.connector.check():
                if "CREATE" in finding:
                    made.door.execute(finding.partition(": ")[2].encode())

        (finding,) = made.connector.check()
        assert "the key visits.at is of type timestamptz" in finding
        with pytest.raises(NeedsHuman) as caught:
            restricts(made.connector).restrict(made.call(ONE))
        assert (caught.value.code, caught.value.about) == (Code.NOT_DENIED, "visits")


def test_a_row_that_two_requests_restrict_is_free_when_both_are_lifted(shop: Trial) -> None:
    anna, bench = shop.seeded(), bench_of(shop)
    held = bench.readable(anna)
    calls = [replace(shop.call(anna), session=name) for name in ("first", "second")]
    calls = [replace(call, restricted=restricted(shop, call).state) for call in calls]

    for call, readable in zip(calls, (0, held), strict=True):
        lifted = restricts(shop.connector).lift(call)
        assert lifted.found == held
        assert bench.readable(anna) == readable


@pytest.mark.parametrize("options", [{}, {"batch_rows": 4}])
def test_an_erasure_forgets_the_entries_of_every_request(
    postgres: Postgres, database: Database, options: dict[str, int]
) -> None:
    with closing(RestrictingBench(postgres, database, SHOP, **options)) as bench:
        trial = Trial(bench)
        anna, ben = trial.seeded(), trial.seeded()
        for name, person in (("first", anna), ("second", anna), ("third", ben)):
            restricted(trial, replace(trial.call(person), session=name))

        trial.erase(trial.call(anna))

        assert {request for *_, request in bench.listed()} == {"third"}
        assert rows_in(bench) == sum(trial.held(ben).values())


def test_a_row_that_is_kept_stays_restricted(postgres: Postgres, database: Database) -> None:
    with closing(RestrictingBench(postgres, database, BOOKS)) as bench:
        trial = Trial(bench)
        anna = trial.seeded()
        call = trial.call(anna)
        call = replace(call, restricted=restricted(trial, call).state)
        gone = trial.outlook(anna).gone

        trial.erase(call)

        left = {name: keys for name, keys in bench.rows(anna).items() if keys}
        assert gone
        assert left
        assert rows_in(bench) == sum(map(len, left.values()))
        assert bench.readable(anna) == 0


def test_an_answer_that_is_lost_after_the_commit_is_given_again(shop: Trial) -> None:
    anna, bench = shop.seeded(), bench_of(shop)
    gate = Gate()
    with bench.cut(), pytest.raises(Retryable):
        restricted(shop, shop.call(anna, fence=gate))
    (passage,) = gate.passages
    assert passage.tally is None, "nobody knows"
    listed = bench.listed()
    assert bench.readable(anna) == 0, "it had been done"

    again = restricted(shop, shop.call(anna, fence=gate, cut_short=True))

    assert (bench.listed(), len(gate.passages)) == (listed, 1)
    with bench.cut(), pytest.raises(Retryable):
        restricts(shop.connector).lift(replace(shop.call(anna), restricted=again.state))
    restricts(shop.connector).lift(replace(shop.call(anna), restricted=again.state))
    assert bench.listed() == set()
    assert bench.readable(anna) == sum(shop.held(anna).values())


def test_who_is_in_doubt_is_not_restricted(shop: Trial) -> None:
    anna, ben = shop.seeded(), shop.seeded()
    phone = Identity("phone", anna.of("phone"))
    for key in shop.bench.rows(ben)["customers"]:
        bench_of(shop).overwrite("customers", key, "phone", phone.value)

    with pytest.raises(NeedsHuman) as caught:
        restricted(shop, shop.call([phone]))

    assert caught.value.code is Code.SEVERAL_PEOPLE
    assert bench_of(shop).listed() == set()


def test_a_preview_takes_the_list_for_no_surprise(company: Place) -> None:
    set_up(company)
    restricts(company.connector).restrict(company.call(ONE))
    before = company.dump()

    trial = company.connector.attempt(company.call(ONE))

    assert {effect.table for effect in trial.effects} == {"Sales.Order", "public.visits"}
    assert not any(effect.surprise for effect in trial.effects)
    assert company.dump() == before


@pytest.mark.parametrize(
    ("secrets", "way", "message"),
    [
        ({"reader": URL, "writer": URL}, "yes", "options: restrict is row_security or flag, or left out"),
        ({"reader": URL}, "row_security", "options: restrict needs a role that may write"),
        ({"reader": "sqlite:////shop.db", "writer": "sqlite:////shop.db"}, "row_security", "on PostgreSQL alone"),
        ({"reader": "mariadb://u:p@h/d", "writer": "mariadb://u:p@h/d"}, "row_security", "on PostgreSQL alone"),
    ],
)
def test_what_cannot_be_enforced_is_refused_at_once(secrets: dict[str, str], way: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(system_of(SHOP, restrict=way), secrets)


def test_without_the_option_it_is_not_offered() -> None:
    with closing(build(system_of(SHOP), {"reader": URL, "writer": URL})) as connector:
        assert not capabilities(connector) & {Operation.RESTRICT, Operation.LIFT}


def test_what_is_restricted_is_rectified_and_stays_denied(shop: Trial) -> None:
    anna, bench = shop.seeded(), bench_of(shop)
    before = bench.readable(anna)
    restricted(shop, shop.call(anna))
    listed = bench.listed()

    corrections = [Correction("customers", {"name": "Anna"})]
    assert isinstance(shop.connector, Rectifies)
    tally = shop.connector.rectify(shop.call(anna, corrections=corrections))

    assert tally.rectified == 1
    (key,) = bench.rows(anna)["customers"]
    assert bench.everything()["customers"][key]["name"] == "Anna"
    assert (before > 0, bench.readable(anna), bench.listed()) == (True, 0, listed)
