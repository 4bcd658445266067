"""A row of two people, from the request to the answer: each is told of their part, and neither loses the other's."""

import json
import zipfile

import psycopg
import pytest

from tests.world import World, dump, shop_map

pytestmark = pytest.mark.soak

CHATS = """
CREATE TABLE chats (id bigint PRIMARY KEY, caller bigint REFERENCES customers, callee bigint REFERENCES customers,
  said text, answered text);
CREATE INDEX ON chats (caller); CREATE INDEX ON chats (callee);
INSERT INTO chats VALUES (1, 7, 8, 'seven said', 'eight answered'), (2, 8, 7, 'eight said', 'seven answered'),
  (3, 8, 9, 'eight said', 'nine answered');
"""
MAP = """
  chats:
    key: [id]
    links:
      - {field: caller, to: customers.id, kind: shared, shared: TREATMENT, fields: [said]}
      - {field: callee, to: customers.id, kind: shared, shared: TREATMENT, fields: [answered]}
    fields:
      id: {}
      caller: {strategy: null}
      callee: {strategy: null}
      said: {category: free_text, strategy: null}
      answered: {category: free_text, strategy: null}
"""


def talking(world: World, treatment: str) -> dict[str, set[str]]:
    with psycopg.connect(world.shop, autocommit=True) as connection:
        connection.execute(CHATS)
    world.write_maps({"shop": shop_map(retention=True) + MAP.replace("TREATMENT", treatment)})
    world.start_worker()
    return dump(world.shop)


def chats(world: World) -> dict[int, dict[str, object]]:
    return {row["id"]: row for row in map(json.loads, dump(world.shop)["chats"])}


def test_each_is_given_their_own_part_and_the_last_takes_the_rest(world: World) -> None:
    talking(world, "redact")

    access = world.open("access", [("email", "c7@shop.example")])
    world.wait_closed(access)
    assert world.parcel_rows(access)["shop/chats.jsonl"] == 2
    with zipfile.ZipFile(world.home / f"{access}.zip") as parcel:
        everything = b"".join(parcel.read(name) for name in parcel.namelist())
    assert b"seven said" in everything
    assert b"seven answered" in everything
    assert b"eight said" not in everything
    assert b"eight answered" not in everything

    world.wait_closed(world.open("erasure", [("email", "c7@shop.example")]))
    assert chats(world)[1] == {"id": 1, "caller": None, "callee": 8, "said": None, "answered": "eight answered"}
    assert chats(world)[2] == {"id": 2, "caller": 8, "callee": None, "said": "eight said", "answered": None}

    second = world.open("erasure", [("email", "c8@shop.example")])
    world.wait_closed(second)
    assert chats(world) == {3: {"id": 3, "caller": None, "callee": 9, "said": None, "answered": "nine answered"}}
    (book,) = [book for book in world.books(second)["shop"] if book.collection == "chats"]
    assert (book.before, book.erased, book.after) == (3, 3, 0)


def test_what_the_map_asks_about_is_ruled_row_by_row(world: World) -> None:
    before = talking(world, "ask")

    request = world.open("erasure", [("email", "c7@shop.example")])
    task = world.wait_task(request, "several_people")
    assert dump(world.shop) == before
    world.choose(request, task, "shop", mine=["1"])
    world.wait_closed(request)

    assert set(chats(world)) == {2, 3}
    assert dump(world.shop)["chats"] < before["chats"]
    (book,) = [book for book in world.books(request)["shop"] if book.collection == "chats"]
    assert (book.before, book.erased, book.kept) == (2, 1, 1)
    others = {text for text in before["customers"] if json.loads(text)["id"] != 7}
    assert others < dump(world.shop)["customers"]
