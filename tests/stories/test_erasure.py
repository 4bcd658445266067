"""A person asks for their data to be erased."""

import json

import psycopg
import pytest

from tests.world import ROWS, World, dump, shop_map


def about(rows: dict[str, set[str]], number: int) -> dict[str, set[str]]:
    """The rows of customer `number`, by the shop's own arithmetic of keys."""
    owned: dict[str, set[str]] = {}
    orders = set(range((number - 1) * 4 + 1, number * 4 + 1))
    for table, texts in rows.items():
        for text in texts:
            row = json.loads(text)
            owner = (
                row["id"]
                if table == "customers"
                else row["customer_id"]
                if "customer_id" in row
                else number
                if row["order_id"] in orders
                else 0
            )
            if owner == number:
                owned.setdefault(table, set()).add(text)
    return owned


def test_this_person_goes_and_nobody_else(world: World) -> None:
    before = dump(world.shop)
    world.start_worker()

    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait_closed(request)

    after = dump(world.shop)
    gone = about(before, 7)
    assert sum(map(len, gone.values())) == ROWS
    assert after == {table: rows - gone.get(table, set()) for table, rows in before.items()}
    assert world.conclusion(request) == "answered"


def test_the_books_are_exact_and_verified(world: World) -> None:
    world.start_worker()
    request = world.open("erasure", [("customer_id", "7")])
    world.wait_closed(request)

    books = world.books(request)["shop"]
    assert {b.collection: (b.before, b.arrived, b.kept, b.after) for b in books} == {
        "customers": (1, 0, 0, 0),
        "addresses": (3, 0, 0, 0),
        "orders": (4, 0, 0, 0),
        "items": (8, 0, 0, 0),
        "messages": (2, 0, 0, 0),
    }
    assert all(b.closed and not b.derived for b in books)


def test_what_the_law_keeps_is_kept_stripped_and_said(world: World) -> None:
    world.write_maps({"shop": shop_map(retention=True)})
    before = dump(world.shop)
    world.start_worker()

    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait_closed(request)

    after = dump(world.shop)
    left = {table: [json.loads(text) for text in rows] for table, rows in about(after, 7).items()}
    # 2015 + 10 years to the end of the year is over; 2018, 2021 and 2024 are not.
    assert sorted(row["created_at"][:4] for row in left["orders"]) == ["2018", "2021", "2024"]
    assert {row["note"] for row in left["orders"]} == {None}
    (shell,) = left["customers"]
    assert (shell["full_name"], shell["phone"]) == (None, None)
    assert "c7@" not in shell["email"]
    assert set(left) == {"orders", "customers"}
    for number in (6, 8):
        assert about(after, number) == about(before, number)
    assert world.conclusion(request) == "in_part"
    kept = {b.collection: (b.before, b.kept, b.after) for b in world.books(request)["shop"]}
    assert kept["orders"] == (4, 3, 3)
    assert kept["customers"] == (1, 1, 1)


def test_a_keyed_pseudonym_is_never_called_an_erasure(world: World) -> None:
    text = shop_map().replace("  customers:\n", "  customers:\n    erase: redact\n", 1)
    text = text.replace("id: {identity: customer_id}", "id: {}")
    text = text.replace(
        'full_name: {category: contact, strategy: "null"}', "full_name: {category: contact, strategy: pseudonym}"
    )
    world.write_maps({"shop": text})
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait_closed(request)

    (row,) = about(dump(world.shop), 7)["customers"]
    assert json.loads(row)["full_name"].startswith("pseudonym-")
    # No row is kept on a ground and a look finds nothing of the person; the key alone makes the difference.
    assert all(not book.kept and not book.after for book in world.books(request)["shop"])
    assert world.conclusion(request) == "in_part"


@pytest.mark.soak
def test_nobody_by_that_name_is_nothing_held(world: World) -> None:
    before = dump(world.shop)
    world.start_worker()
    request = world.open("erasure", [("email", "nobody@shop.example")])
    world.wait_closed(request)

    assert world.conclusion(request) == "nothing_held"
    assert dump(world.shop) == before


@pytest.mark.soak
def test_observe_destroys_nothing_until_the_operator_turns_it(world: World) -> None:
    world.write_maps({"shop": shop_map("observe")})
    before = dump(world.shop)
    first = world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    task = world.wait_task(request, "observe")
    assert dump(world.shop) == before

    world.write_maps({"shop": shop_map("auto")})
    first.terminate()
    first.wait(180)
    world.start_worker()
    world.rule(request, task, "retry")
    world.wait_closed(request)

    assert about(dump(world.shop), 7) == {}


@pytest.mark.soak
def test_approve_waits_for_a_person(world: World) -> None:
    world.write_maps({"shop": shop_map("approve")})
    before = dump(world.shop)
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait(lambda: world.phase(request) == "approving", 30, "the approval")
    assert dump(world.shop) == before

    world.ledger.approve(request, at=world.now(), note="seen by the team lead")
    world.wait_closed(request)

    assert about(dump(world.shop), 7) == {}


def test_identity_is_confirmed_before_anything_is_looked_up(world: World) -> None:
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")], confirmed=False)
    world.wait(lambda: world.phase(request) == "confirming", 30, "the question who asks")
    assert world.receipts(request) == []

    world.ledger.confirm_identity(request, at=world.now(), note="called back on the known number")
    world.wait_closed(request)

    assert about(dump(world.shop), 7) == {}


def test_withdrawn_before_approval_nothing_is_destroyed(world: World) -> None:
    world.write_maps({"shop": shop_map("approve")})
    before = dump(world.shop)
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait(lambda: world.phase(request) == "approving", 30, "the approval")

    world.ledger.withdraw(request, at=world.now(), note="changed their mind")
    world.wait_closed(request)

    assert world.conclusion(request) == "withdrawn"
    assert dump(world.shop) == before


@pytest.mark.soak
def test_two_people_with_one_email_are_told_apart_by_an_agent(world: World) -> None:
    with psycopg.connect(world.shop, autocommit=True) as connection:
        connection.execute("UPDATE customers SET email = 'c7@shop.example' WHERE id = 8")
    before = dump(world.shop)
    world.start_worker()

    request = world.open("erasure", [("email", "c7@shop.example")])
    task = world.wait_task(request, "several_people")
    assert dump(world.shop) == before
    world.choose(request, task, "shop", mine=["7"])
    world.wait_closed(request)

    after = dump(world.shop)
    assert about(after, 7) == {}
    assert about(after, 8) == about(before, 8)
    assert after == {t: rows - about(before, 7).get(t, set()) for t, rows in before.items()}
    assert world.conclusion(request) == "answered"


@pytest.mark.soak
def test_one_person_with_two_accounts_is_one_request_and_one_answer(world: World) -> None:
    with psycopg.connect(world.shop, autocommit=True) as connection:
        connection.execute("UPDATE customers SET email = 'C7@shop.example' WHERE id = 8")
    before = dump(world.shop)
    world.start_worker()

    request = world.open("erasure", [("email", "c7@shop.example")])
    task = world.wait_task(request, "several_people")
    world.choose(request, task, "shop", mine=["7", "8"])
    world.wait_closed(request)

    after = dump(world.shop)
    assert about(after, 7) == {}
    assert about(after, 8) == {}
    assert len(after["customers"]) == len(before["customers"]) - 2
    (books,) = [b for b in world.books(request)["shop"] if b.collection == "customers"]
    assert books.erased == 2


@pytest.mark.soak
def test_a_step_that_is_given_up_is_never_called_erased(world: World) -> None:
    world.write_maps({"shop": shop_map("observe")})
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    task = world.wait_task(request, "observe")
    world.rule(request, task, "give_up")
    world.wait_closed(request)

    assert world.conclusion(request) == "in_part"
