"""Looking for many people at once: each has the answer that looking for that one alone gives."""

from dataclasses import replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.protocol import Call, Look, Looks, Rulings
from connectors.sql.locating import AT_ONCE
from rights.subject import Identity
from tests.conftest import Database
from tests.connectors.sql_place import Place, place

CREATE = """
CREATE TABLE people (id int PRIMARY KEY, email text, phone text);
CREATE INDEX ON people (email); CREATE INDEX ON people (phone);
CREATE TABLE orders (id int PRIMARY KEY, person int, voucher text);
CREATE INDEX ON orders (person);
"""
MAP = """
  people:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email}
      phone: {category: contact, identity: phone, sharing: shared}
  orders:
    key: [id]
    fields: {id: {}, person: {}, voucher: {yields: voucher}}
    links: [{field: person, to: people.id}]
"""
some = st.integers(0, 5)
people = st.lists(st.tuples(some, some), max_size=8)
orders = st.lists(st.tuples(st.integers(0, 9), some), max_size=12)
asked = st.lists(
    st.one_of(
        some.map(lambda n: Identity("email", f"p{n}@shop.example")),
        some.map(lambda n: Identity("phone", f"+49{n}")),
        st.sampled_from([Identity("email", ""), Identity("email", "no\\0body"), Identity("other", "p1@shop.example")]),
    ),
    max_size=6,
)


def many(made: Place, calls: list[Call]) -> list[Look | ConnectorError]:
    assert isinstance(made.connector, Looks)
    return list(made.connector.locate_many(calls))


def test_each_answer_is_that_of_a_look_for_one(database: Database) -> None:
    with place(database, CREATE, MAP) as made:

        @settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(people, orders, asked, st.sets(some))
        def same(
            people: list[tuple[int, int]], orders: list[tuple[int, int]], asked: list[Identity], ruled: set[int]
        ) -> None:
            made.door.execute("TRUNCATE people, orders")
            for number, (address, phone) in enumerate(people):
                values = [number, f"p{address}@shop.example", f"+49{phone}"]
                made.door.execute("INSERT INTO people VALUES (%s, %s, %s)", values)
            for number, (person, voucher) in enumerate(orders):
                made.door.execute("INSERT INTO orders VALUES (%s, %s, %s)", [number, person, f"v{voucher}"])
            rulings = Rulings(mine={"people": frozenset((str(key),) for key in ruled)})
            calls = [made.call(one, rulings=rulings if n % 2 else None) for n, one in enumerate(asked)]

            assert many(made, calls) == [made.connector.locate(call) for call in calls]

        same()


def test_more_than_are_asked_at_once(database: Database) -> None:
    with place(database, CREATE, MAP) as made:
        made.door.execute("INSERT INTO people SELECT n, 'p' || n, 'x' FROM generate_series(1, 300) n")
        made.door.execute("INSERT INTO orders SELECT n, n % 100, 'v' FROM generate_series(1, 2000) n")
        beats = [0]

        def beat() -> None:
            beats[0] += 1

        calls = [made.call(Identity("email", f"p{n}"), beat=beat) for n in range(2 * AT_ONCE + 5)]
        looks = many(made, calls)

        found = [look.tally.found if isinstance(look, Look) else -1 for look in looks]
        assert found == [0, *[21] * 99, *[1] * (AT_ONCE + 5)]
        assert beats[0] >= 3
        assert many(made, []) == []


def test_whoever_is_only_mentioned_is_not_nobody(database: Database) -> None:
    notes = MAP + "  notes:\n    key: [id]\n    fields: {id: {}, body: {category: free_text, search: true}}\n"
    with place(database, CREATE + "CREATE TABLE notes (id int PRIMARY KEY, body text);", notes) as made:
        made.door.execute("INSERT INTO notes VALUES (1, 'call anna@shop.example back')")
        calls = [made.call(Identity("email", f"{name}@shop.example")) for name in ("anna", "bert")]

        looks = many(made, calls)

        assert [look.tally.mentions if isinstance(look, Look) else -1 for look in looks] == [1, 0]
        assert looks == [made.connector.locate(call) for call in calls]


def test_trouble_with_one_is_that_ones_own(database: Database) -> None:
    with place(database, CREATE, MAP) as made:
        made.door.execute("INSERT INTO people VALUES (1, 'a', 'x'), (2, 'b', 'x'), (3, 'b', 'x')")
        other = made.system.model_copy(update={"collections": {"people": made.system.collections["people"]}})
        calls = [made.call(Identity("email", value)) for value in ("a", "b", "a")]
        calls[2] = replace(calls[2], system=other, work=calls[2].work[:1])

        one, several, changed = many(made, calls)

        assert isinstance(one, Look)
        assert one.tally.found == 1
        assert isinstance(several, Look)
        assert len(several.candidates) == 2
        assert isinstance(changed, NeedsHuman)


def test_what_breaks_the_look_for_one_breaks_no_others(database: Database) -> None:
    # Row security that fails on one row is a stand-in for data that a query cannot bear.
    breaking = """
        CREATE FUNCTION bear(email text) RETURNS boolean LANGUAGE sql AS 'SELECT 1 / (email <> ''b'')::int > 0';
        ALTER TABLE people RENAME TO rows;
        CREATE VIEW people AS SELECT id, email, phone FROM rows
          WHERE CASE WHEN email = 'b' THEN bear(email) ELSE true END
    """
    with place(database, CREATE + breaking, MAP) as made:
        made.door.execute("INSERT INTO rows VALUES (1, 'a', 'x'), (2, 'b', 'x'), (3, 'c', 'x')")

        looks = many(made, [made.call(Identity("email", value)) for value in ("a", "b", "c")])

        assert [look.tally.found if isinstance(look, Look) else look.code for look in looks] == [1, "schema", 1]


def test_a_database_that_is_away_is_away_for_all(database: Database) -> None:
    with place(database, CREATE, MAP) as made:
        made.connector.close()
        made.connector = made.connect("postgresql://nobody@127.0.0.1:9/none")
        with pytest.raises(Retryable):
            many(made, [made.call(Identity("email", "a"))] * 3)


def test_a_session_that_is_cut_is_asked_again(database: Database) -> None:
    with place(database, CREATE, MAP) as made:
        call = made.call(Identity("email", "a"))
        many(made, [call])
        with psycopg.connect(database.conninfo, autocommit=True) as door:
            door.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state = 'idle' AND pid <> pg_backend_pid() "
                "AND application_name LIKE 'habeas%'"
            )
        assert [look.tally.found for look in many(made, [call, call]) if isinstance(look, Look)] == [0, 0]
