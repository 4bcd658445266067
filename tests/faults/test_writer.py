"""Beside somebody who keeps writing rows of the person, nothing is called verified that is not so."""

import itertools
import threading
from datetime import datetime

import psycopg
import pytest

from tests.world import World


@pytest.mark.soak
def test_beside_a_writer_there_is_never_a_false_verified(world: World) -> None:
    stop = threading.Event()
    with psycopg.connect(world.shop, autocommit=True) as connection:
        connection.execute("ALTER TABLE messages ADD COLUMN written timestamptz DEFAULT clock_timestamp()")

    def write() -> None:
        # Rows without an enforced link, a hundred a second, under keys of their own.
        with psycopg.connect(world.shop, autocommit=True) as connection:
            for number in itertools.count(1_000_000):
                connection.execute("INSERT INTO messages (id, customer_id, body) VALUES (%s, 7, 'again')", (number,))
                if stop.wait(0.01):
                    return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        world.start_worker()
        request = world.open("erasure", [("email", "c7@shop.example")])
        task = world.wait_task(request, "left_behind", 600)
        # Told so after every try; never verified while rows came in.
        verified = [r for r in world.receipts(request) if r["step"]["operation"] == "verify"]
        assert verified
        assert {r["outcome"] for r in verified} == {"pending"}
    finally:
        stop.set()
        writer.join()
    ended = datetime.now().astimezone()
    world.rule(request, task, "retry")
    world.wait_closed(request)

    last = world.receipts(request)[-1]
    assert (last["step"]["operation"], last["outcome"], last["certainty"]) == ("verify", "done", "verified")
    assert datetime.fromisoformat(last["at"]) > ended
    with psycopg.connect(world.shop) as connection:
        assert connection.execute("SELECT count(*) FROM messages WHERE customer_id = 7").fetchone() == (0,)
    books = {b.collection: b for b in world.books(request)["shop"]}
    assert books["messages"].arrived > 0
    assert books["messages"].closed


@pytest.mark.soak
def test_a_writer_of_enforced_rows_is_waited_for_or_told(world: World) -> None:
    """Children with a foreign key race the deletion of their parent; the database refuses one of the two."""
    stop = threading.Event()
    refused = []

    def write() -> None:
        with psycopg.connect(world.shop, autocommit=True) as connection:
            for number in itertools.count(1_000_000):
                try:
                    connection.execute("INSERT INTO addresses (id, customer_id, street) VALUES (%s, 7, 'x')", (number,))
                except psycopg.errors.ForeignKeyViolation:
                    refused.append(number)
                    return
                if stop.wait(0.002):
                    return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        world.start_worker()
        request = world.open("erasure", [("email", "c7@shop.example")])
        world.wait_closed(request, 300)
    finally:
        stop.set()
        writer.join()
    assert refused
    with psycopg.connect(world.shop) as connection:
        assert connection.execute("SELECT count(*) FROM addresses WHERE customer_id = 7").fetchone() == (0,)
    assert world.conclusion(request) == "answered"
    books = {b.collection: b for b in world.books(request)["shop"]}
    assert books["addresses"].erased >= 3
    assert all(b.closed for b in books.values())
