"""A person with many rows that others hang on: they go in slices, each with all that hangs on it, and nothing else."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.conformance import Gate
from connectors.errors import Retryable
from connectors.protocol import Intent
from rights.codes import Code
from rights.receipt import Tally
from tests.conftest import Database
from tests.connectors.sql_place import Place, counted, email, gone, place

# Marks hang on their notes by a field that is no key, and some on their owner alone.
CREATE = """
CREATE TABLE people (id bigint PRIMARY KEY, email text UNIQUE);
CREATE TABLE visits (id bigint PRIMARY KEY, person_id bigint{people}, page text); CREATE INDEX ON visits (person_id);
CREATE TABLE notes (id bigint PRIMARY KEY, visit_id bigint{visits}, code text); CREATE INDEX ON notes (visit_id);
CREATE INDEX ON notes (code);
CREATE TABLE marks (id bigint PRIMARY KEY, note text, owner bigint{people});
CREATE INDEX ON marks (note); CREATE INDEX ON marks (owner);
"""
FILL = """
INSERT INTO people VALUES (1, 'anna'), (2, 'ben');
INSERT INTO visits SELECT n, 1 + n % 2, 'page' FROM generate_series(1, 120) n;
INSERT INTO notes SELECT n, 1 + n % 120, 'c' || n FROM generate_series(1, 180) n;
INSERT INTO marks SELECT n, 'c' || n, NULL FROM generate_series(1, 180) n;
INSERT INTO marks SELECT 900 + n, NULL, 1 + n % 2 FROM generate_series(1, 20) n;
"""
KEYS = {"people": " REFERENCES people", "visits": " REFERENCES visits"}
MAP = """
  people:
    key: [id]
    fields: {id: {}, email: {identity: email, match: exact}}
  visits:
    key: [id]
    fields: {id: {}, person_id: {}, page: {category: x}}
    links: [{field: person_id, to: people.id}]
  notes:
    key: [id]
    fields: {id: {}, visit_id: {}, code: {category: x}}
    links: [{field: visit_id, to: visits.id}]
  marks:
    key: [id]
    fields: {id: {}, note: {}, owner: {}}
    links: [{field: note, to: notes.code}, {field: owner, to: people.id}]
"""
ANNA = email("anna")
HERS = {"people": 1, "visits": 60, "notes": 90, "marks": 100}
MOST = 40


@pytest.fixture(params=[KEYS, dict.fromkeys(KEYS, "")], ids=["foreign-keys", "none"])
def shop(database: Database, request: pytest.FixtureRequest) -> Iterator[Place]:
    with place(database, CREATE.format(**request.param) + FILL, MAP, batch_rows=MOST) as made:
        yield made


class Watching(Gate):
    """A gate that does something as the first slice is let through, and notes what each call was to change."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._act = [act]
        self.planned: list[dict[str, int]] = []

    @contextmanager
    def __call__(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        with super().__call__(planned, look) as intent:
            self.planned.append({name: rows for name, rows in planned.items() if rows})
            if "visits" in planned and self._act:
                self._act.pop()()
            yield intent


def test_a_transaction_takes_rows_and_all_that_hangs_on_them_and_nothing_of_others(shop: Place) -> None:
    look, before, fence = shop.locate(ANNA), shop.dump(), Watching()

    tally = shop.erase(ANNA, anchors=look.anchors, fence=fence)

    assert {name.removeprefix("public."): n for name, n in gone(before, shop.dump()).items()} == HERS
    assert counted(tally, "erased") == HERS
    assert {"visits", "notes", "marks"} in [set(planned) for planned in fence.planned]
    assert max(sum(planned.values()) for planned in fence.planned) <= MOST
    assert sum(sum(planned.values()) for planned in fence.planned) == sum(HERS.values()), "what is planned is counted"
    assert len(fence.planned) <= 10, "and hardly one transaction has few rows"
    assert shop.verify(ANNA, anchors=look.anchors).tally.found == 0
    assert shop.erase(ANNA, anchors=look.anchors).changed == 0


def test_one_row_on_which_too_many_hang_holds_no_transaction_too_large(shop: Place) -> None:
    shop.door.execute("INSERT INTO notes SELECT 500 + n, 2, 'd' || n FROM generate_series(1, 90) n")
    look, before, fence = shop.locate(ANNA), shop.dump(), Watching()
    hers = HERS | {"notes": HERS["notes"] + 90}

    shop.erase(ANNA, anchors=look.anchors, fence=fence)

    assert {name.removeprefix("public."): n for name, n in gone(before, shop.dump()).items()} == hers
    assert max(sum(planned.values()) for planned in fence.planned) <= MOST
    assert shop.verify(ANNA, anchors=look.anchors).tally.found == 0


def test_what_comes_to_a_slice_at_the_last_moment_goes_with_it(shop: Place) -> None:
    look = shop.locate(ANNA)

    def come() -> None:
        hers = shop.rows("SELECT id FROM visits WHERE person_id = 1")
        for (visit,) in hers:
            shop.door.execute("INSERT INTO notes VALUES (%s, %s, 'l' || %s::int)", [10_000 + visit, visit, visit])
            shop.door.execute("INSERT INTO marks VALUES (%s, 'l' || %s::int)", [10_000 + visit, visit])

    shop.erase(ANNA, anchors=look.anchors, fence=Watching(come))

    assert shop.rows("SELECT count(*) FROM notes JOIN visits ON visits.id = visit_id WHERE person_id = 1") == [(0,)]
    assert shop.verify(ANNA, anchors=look.anchors).tally.found == 0
    assert shop.rows("SELECT count(*) FROM notes WHERE id > 10000") == [(0,)]
    assert shop.rows("SELECT count(*) FROM marks WHERE id > 10000") == [(0,)]


def test_a_late_child_of_what_is_gone_is_found_by_what_was_remembered(database: Database) -> None:
    """Without foreign keys an application may add to a row that is no more."""
    with place(database, CREATE.format(people="", visits="") + FILL, MAP, batch_rows=MOST) as shop:
        look, remembered = shop.locate(ANNA), list[Mapping[str, Mapping[str, tuple[str, ...]]]]()

        def come() -> None:
            for (visit,) in shop.rows("SELECT id FROM visits WHERE person_id = 1"):
                shop.door.execute("INSERT INTO notes VALUES (%s, %s, 'l' || %s::int)", [10_000 + visit, visit, visit])

        shop.erase(ANNA, anchors=look.anchors, fence=Watching(come), remember=remembered.append)
        told = {code for anchors in remembered for code in anchors.get("notes", {}).get("code", ())}
        late = {f"l{visit}" for visit in range(1, 121)}
        assert told & late, "what hangs on a row that nobody had seen is looked for by what the row said"
        note = next(iter(sorted(told & late)))
        shop.door.execute("INSERT INTO marks VALUES (20000, %s)", [note])

        (found,) = [one for one in remembered if note in one.get("notes", {}).get("code", ())]
        again = shop.verify(ANNA, anchors=found)
        assert counted(again.tally, "found") == {"marks": 1}


def test_an_erasure_that_is_stopped_between_two_slices_goes_on(shop: Place) -> None:
    class Stops(Watching):
        @contextmanager
        def __call__(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
            if len(self.planned) == 3:
                raise Retryable(Code.BUSY)
            with super().__call__(planned, look) as intent:
                yield intent

    look = shop.locate(ANNA)
    with pytest.raises(Retryable) as stopped:
        shop.erase(ANNA, anchors=look.anchors, fence=Stops())
    left = shop.locate(ANNA).tally.found
    assert 0 < left < sum(HERS.values())
    assert stopped.value.tally is not None
    assert stopped.value.tally.changed == sum(HERS.values()) - left

    assert shop.erase(ANNA, anchors=look.anchors).changed == left
    assert shop.verify(ANNA, anchors=look.anchors).tally.found == 0


Pairs = list[tuple[int | str | None, int | str | None]]
CODED = """
CREATE TABLE people (id bigint PRIMARY KEY, email text UNIQUE);
CREATE TABLE orders (code text PRIMARY KEY, number text, person_id bigint); CREATE INDEX ON orders (person_id);
CREATE INDEX ON orders (number);
CREATE TABLE items (id bigint PRIMARY KEY, ord text); CREATE INDEX ON items (ord);
CREATE TABLE labels (id bigint PRIMARY KEY, ord text); CREATE INDEX ON labels (ord);
INSERT INTO people VALUES (1, 'anna');
INSERT INTO orders SELECT n, 'N' || n, 1 FROM generate_series(1, 40) n; INSERT INTO orders VALUES ('', '', 1);
INSERT INTO items SELECT n, n FROM generate_series(1, 40) n; INSERT INTO items VALUES (100, ''), (101, NULL);
INSERT INTO labels SELECT n, 'N' || n FROM generate_series(1, 40) n; INSERT INTO labels VALUES (100, ''), (101, NULL);
"""
CODED_MAP = """
  people:
    key: [id]
    fields: {id: {}, email: {identity: email, match: exact}}
  orders:
    key: [code]
    fields: {code: {}, number: {}, person_id: {}}
    links: [{field: person_id, to: people.id}]
  items:
    key: [id]
    fields: {id: {}, ord: {category: x}}
    links: [{field: ord, to: orders.code}]
  labels:
    key: [id]
    fields: {id: {}, ord: {category: x}}
    links: [{field: ord, to: orders.number}]
"""


def test_an_empty_text_links_to_nobody_in_a_slice_either(database: Database) -> None:
    with place(database, CODED, CODED_MAP, batch_rows=MOST) as coded:
        look, fence = coded.locate(ANNA), Watching()
        coded.erase(ANNA, anchors=look.anchors, fence=fence)

        assert {"orders", "items", "labels"} in [set(planned) for planned in fence.planned]
        assert coded.rows("SELECT count(*) FROM orders") == [(0,)]
        assert coded.rows("SELECT id FROM items ORDER BY id") == [(100,), (101,)]
        assert coded.rows("SELECT id FROM labels ORDER BY id") == [(100,), (101,)]


def test_what_links_compare_with_is_kept_as_it_is_when_the_row_goes(database: Database) -> None:
    with place(database, CODED, CODED_MAP, batch_rows=MOST) as coded:
        look, remembered = coded.locate(ANNA), list[Mapping[str, Mapping[str, tuple[str, ...]]]]()

        class Renumbering(Watching):
            @contextmanager
            def __call__(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
                if not self.planned:
                    coded.door.execute("UPDATE orders SET number = 'M' || code WHERE code <> ''")
                with super().__call__(planned, look) as intent:
                    yield intent

        coded.erase(ANNA, anchors=look.anchors, fence=Renumbering(), remember=remembered.append)
        kept = {one for anchors in remembered for one in anchors.get("orders", {}).get("number", ())}
        assert {f"M{n}" for n in range(1, 41)} <= kept, "by this, what hangs on it since is found"


few = st.one_of(st.none(), st.integers(1, 12))
data = st.fixed_dictionaries({
    "visits": st.lists(st.tuples(st.one_of(st.none(), st.integers(1, 3)), st.none()), max_size=12),
    "notes": st.lists(st.tuples(few, st.one_of(st.none(), st.just(""), few)), max_size=25),
    "marks": st.lists(st.tuples(st.one_of(st.just(""), few), st.one_of(st.none(), st.integers(1, 3))), max_size=25),
})  # fmt: skip


@pytest.fixture
def empty(database: Database) -> Iterator[Place]:
    with place(database, CREATE.format(people="", visits=""), MAP, batch_rows=6) as made:
        yield made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=data)
def test_whatever_the_rows_hers_go_and_nobody_elses(empty: Place, rows: dict[str, Pairs]) -> None:
    visits = list(enumerate(rows["visits"], start=1))
    notes = [(n, visit, None if code is None else str(code)) for n, (visit, code) in enumerate(rows["notes"])]
    marks = [(n, None if note is None else str(note), owner) for n, (note, owner) in enumerate(rows["marks"])]
    empty.door.execute("TRUNCATE people, visits, notes, marks; INSERT INTO people VALUES (1, 'anna'), (2, 'ben')")
    with empty.door.cursor() as cursor:
        cursor.executemany("INSERT INTO visits VALUES (%s, %s)", [(n, person) for n, (person, _) in visits])
        cursor.executemany("INSERT INTO notes VALUES (%s, %s, %s)", notes)
        cursor.executemany("INSERT INTO marks VALUES (%s, %s, %s)", marks)
    visited = {n for n, (person, _) in visits if person == 1}
    hers = {n for n, visit, _ in notes if visit in visited}
    codes = {code for n, _, code in notes if n in hers and code}
    marked = {n for n, note, owner in marks if note in codes or owner == 1}

    look = empty.locate(ANNA)
    empty.erase(ANNA, anchors=look.anchors)

    left = {table: {key for (key,) in empty.rows(f"SELECT id FROM {table}")} for table in ("visits", "notes", "marks")}
    assert left == {
        "visits": {n for n, _ in visits} - visited,
        "notes": set(range(len(notes))) - hers,
        "marks": set(range(len(marks))) - marked,
    }, json.dumps(rows)
    assert empty.verify(ANNA, anchors=look.anchors).tally.found == 0
