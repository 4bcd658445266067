"""A person with more rows than one transaction changes: they go by lists of keys, and nothing else goes with them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from connectors.conformance import Gate
from connectors.protocol import Intent
from connectors.sql.programme import Programme
from rights.receipt import Tally
from tests.conftest import Database
from tests.connectors.sql_place import Place, counted, email, gone, place

CREATE = """
CREATE TABLE people (id bigint PRIMARY KEY, email text UNIQUE);
CREATE TABLE visits (id bigint PRIMARY KEY, person_id bigint, page text); CREATE INDEX ON visits (person_id);
CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), visit_id bigint, n int);
CREATE INDEX ON notes (visit_id);
CREATE TABLE marks (id bigint PRIMARY KEY, note_id uuid, owner bigint);
CREATE INDEX ON marks (note_id); CREATE INDEX ON marks (owner);
INSERT INTO people VALUES (1, 'anna'), (2, 'ben');
INSERT INTO visits SELECT n, 1 + n % 2, 'page' FROM generate_series(1, 600) n;
INSERT INTO notes (visit_id, n) SELECT 1 + n % 600, n FROM generate_series(1, 900) n;
INSERT INTO marks SELECT row_number() OVER (ORDER BY n), id, NULL FROM notes;
INSERT INTO marks SELECT 900 + n, NULL, 1 + n % 2 FROM generate_series(1, 100) n;
"""
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
    fields: {id: {}, visit_id: {}, n: {category: x}}
    links: [{field: visit_id, to: visits.id}]
  marks:
    key: [id]
    fields: {id: {}, note_id: {}, owner: {}}
    links: [{field: note_id, to: notes.id}, {field: owner, to: people.id}]
"""
ANNA = email("anna")
HERS = {"people": 1, "visits": 300, "notes": 450, "marks": 500}
MOST = 40


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, CREATE, MAP, batch_rows=MOST) as made:
        yield made


class Watching:
    """A gate that does something at a destructive call, and notes what each was to change."""

    def __init__(self, at: int = 0, act: Callable[[], object] = lambda: None) -> None:
        self.gate, self._at, self._act = Gate(), at, act
        self.calls: list[dict[str, int]] = []

    @contextmanager
    def __call__(self, planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        self.calls.append(dict(planned))
        if len(self.calls) == self._at:
            self._act()
        with self.gate(planned, look) as intent:
            yield intent


def test_all_goes_in_small_transactions_and_nothing_of_others(shop: Place) -> None:
    look, before, fence = shop.locate(ANNA), shop.dump(), Watching()

    tally = shop.erase(ANNA, anchors=look.anchors, fence=fence)

    assert {name.removeprefix("public."): n for name, n in gone(before, shop.dump()).items()} == HERS
    assert counted(tally, "erased") == HERS
    assert max(sum(call.values()) for call in fence.calls) == MOST
    assert shop.verify(ANNA, anchors=look.anchors).tally.found == 0
    assert shop.erase(ANNA, anchors=look.anchors).changed == 0


def test_a_row_is_found_by_its_key_and_not_by_all_that_leads_there(shop: Place) -> None:
    look, lists = shop.locate(ANNA), Counter[str]()
    asked = shop.connector._asking.programme(shop.connector.reader, shop.call(ANNA))
    assert isinstance(asked, Programme)
    for batch in asked.batches:
        if asked.listed(batch):
            text = asked.of_list(batch).text.decode()
            plan = "\n".join(row for (row,) in _explained(shop, text))
            lists[batch.collection] += 1
            assert "Seq Scan" not in plan, plan

    assert lists == {"visits": 1, "notes": 1, "marks": 1}
    assert look.tally.found == sum(HERS.values())


def test_what_becomes_somebody_elses_meanwhile_stays(shop: Place) -> None:
    def give_away() -> None:
        # Ben takes over half of her visits while the marks on their notes go.
        shop.door.execute("UPDATE visits SET person_id = 2 WHERE person_id = 1 AND id > 300")

    look, before = shop.locate(ANNA), shop.dump()
    theirs = shop.rows("SELECT count(*) FROM visits WHERE person_id = 1 AND id > 300")[0][0]

    tally = shop.erase(ANNA, anchors=_without_keys(look.anchors), fence=Watching(3, give_away))

    left = shop.rows("SELECT count(*) FROM visits WHERE id > 300 AND person_id = 2")[0][0]
    assert left == 300
    assert tally.of("visits").erased == HERS["visits"] - theirs
    kept = shop.rows("SELECT count(*) FROM notes WHERE visit_id > 300")[0][0]
    assert kept == len([row for row in before["public.notes"] if _visit_of(row) > 300])
    assert shop.rows("SELECT count(*) FROM visits WHERE person_id = 1") == [(0,)]


def test_what_comes_in_meanwhile_is_found_by_verify(shop: Place) -> None:
    def come() -> None:
        shop.door.execute("INSERT INTO visits VALUES (1001, 1, 'late'); INSERT INTO notes (visit_id) VALUES (1001)")

    look = shop.locate(ANNA)
    shop.erase(ANNA, anchors=look.anchors, fence=Watching(20, come))

    late = shop.verify(ANNA, anchors=look.anchors)
    assert counted(late.tally, "found") == {"visits": 1, "notes": 1}, "no path to the note was cut"
    shop.erase(ANNA, anchors=late.anchors)
    assert shop.rows("SELECT count(*) FROM visits WHERE id = 1001") == [(0,)]
    assert shop.rows("SELECT count(*) FROM notes WHERE visit_id = 1001") == [(0,)]


def test_rows_whose_path_is_gone_go_by_their_anchors(shop: Place) -> None:
    look = shop.locate(ANNA)
    shop.door.execute("DELETE FROM visits WHERE person_id = 1 AND id % 3 = 0; DELETE FROM people WHERE id = 1")
    before = shop.dump()

    tally = shop.erase(ANNA, anchors=look.anchors)

    went = gone(before, shop.dump())
    assert went == {"public.visits": 200, "public.notes": HERS["notes"], "public.marks": HERS["marks"]}
    assert tally.changed == sum(went.values())


def test_an_erasure_that_is_stopped_half_way_goes_on(shop: Place) -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    look = shop.locate(ANNA)
    with pytest.raises(Stopped):
        shop.erase(ANNA, anchors=look.anchors, fence=Watching(15, stop))
    left = shop.locate(ANNA).tally.found
    assert 0 < left < sum(HERS.values())

    assert shop.erase(ANNA, anchors=look.anchors).changed == left
    assert shop.verify(ANNA, anchors=look.anchors).tally.found == 0


def _explained(shop: Place, text: str) -> list[tuple[str, ...]]:
    with shop.door.transaction():
        shop.door.execute("SET LOCAL enable_seqscan = off; SELECT set_config('habeas.who', '{}', true)")
        return shop.rows(f"EXPLAIN {text}")


def _without_keys(anchors: Mapping[str, Mapping[str, tuple[str, ...]]]) -> dict[str, Mapping[str, tuple[str, ...]]]:
    """Of her anchors, only those of herself: by a key of its own a row stays hers, whoever it hangs on."""
    return {name: fields for name, fields in anchors.items() if name == "people"}


def _visit_of(row: str) -> int:
    return int(row.split('"visit_id": ')[1].split(",")[0].rstrip("}"))
