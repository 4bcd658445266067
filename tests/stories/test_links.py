"""What one system knows of a person finds them in the others: keys listed in a column, numbers, in circles."""

from collections.abc import Iterator

import psycopg
import pytest

from rights.receipt import Outcome
from rights.subject import Identity
from tests.world import World, dump, shop_map

MANY = 20_000
"""Keys of one person, all of them listed in one column."""

SHOP = """
ALTER TABLE customers ADD documents text[], ADD referrer text;
UPDATE customers SET referrer = 'poster ' || id % 2, documents = ARRAY['scans/' || id];
UPDATE customers SET phone = '+49 30 7' WHERE id IN (7, 8);
UPDATE customers SET documents = documents || ARRAY(SELECT 'scans/7/' || n FROM generate_series(1, {many}) n)
  WHERE id = 7;
"""
YIELDING = """      documents: {yields: document}
      referrer: {category: contact, identity: poster, sharing: hint}
      phone: {category: contact, identity: phone, sharing: shared}
"""

# Nobody is named here: folders by the key of a document.
ARCHIVE = """
CREATE TABLE folders (id bigint PRIMARY KEY, key text, draft text, phone text, poster text);
CREATE TABLE pages (id bigint PRIMARY KEY, folder bigint, body text);
CREATE TABLE drafts (id bigint PRIMARY KEY, key text, file text, body text);
INSERT INTO folders SELECT c, 'scans/' || c, 'drafts/' || c FROM generate_series(1, 20) c;
INSERT INTO drafts SELECT c, 'drafts/' || c, 'F-' || c, 'draft of c' || c FROM generate_series(1, 20) c;
-- Somebody else's: what differs in case alone, what has the phone of a household, and what a hint leads to.
INSERT INTO folders VALUES (100, 'SCANS/7', 'none', NULL, NULL), (200, 'other/1', 'none', '+49 30 7', NULL),
  (300, 'other/2', 'none', NULL, 'poster 1');
INSERT INTO pages SELECT id * 10 + n, id, 'page' FROM folders, generate_series(1, 3) n;
"""
ARCHIVE_MAP = """
system: archive
owner: archive team
connector: sql
backups: none
mode: auto
max_people_per_hour: 1000
connection: {reader: "env:TEST_ARCHIVE", writer: "env:TEST_ARCHIVE"}
collections:
  folders:
    key: [id]
    fields:
      id: {}
      key: {identity: document}
      draft: {yields: document}
      phone: {category: contact, identity: phone}
      poster: {category: contact, identity: poster}
  pages:
    key: [id]
    fields: {id: {}, folder: {}, body: {category: document}}
    links: [{field: folder, to: folders.id}]
  drafts:
    key: [id]
    fields: {id: {}, key: {identity: document}, file: {yields: file}, body: {category: document}}
"""

BOOKS = """
CREATE TABLE accounts (number bigint PRIMARY KEY, customer bigint, holder text);
CREATE TABLE files (number text PRIMARY KEY, account bigint, remark text);
INSERT INTO accounts SELECT 9000 + c, c, 'holder c' || c FROM generate_series(1, 20) c;
INSERT INTO files SELECT 'F-' || c, 9000 + c, 'file of c' || c FROM generate_series(1, 20) c;
"""
BOOKS_MAP = """
system: books
owner: finance
connector: sql
backups: none
mode: auto
max_people_per_hour: 1000
connection: {reader: "env:TEST_BOOKS", writer: "env:TEST_BOOKS"}
collections:
  accounts:
    key: [number]
    fields:
      number: {identity: account}
      customer: {yields: customer_id}
      holder: {category: name}
  files:
    key: [number]
    fields: {number: {identity: file}, account: {yields: account}, remark: {category: free_text}}
"""


@pytest.fixture
def linked(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Three databases, of which only the shop knows people by name; how to look into each by the back door."""
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute(SHOP.format(many=MANY))
    doors = {"shop": world.shop}
    for name, create in (("archive", ARCHIVE), ("books", BOOKS)):
        database = f"{world.name}_{name}"
        world.postgres.create_database(database)
        doors[name] = world.postgres.conninfo(database)
        with psycopg.connect(doors[name], autocommit=True) as door:
            door.execute(create.format(many=MANY))
            door.execute(f"ALTER DATABASE {database} SET habeas.environment = 'test'")
        monkeypatch.setenv(f"TEST_{name.upper()}", world.postgres.dsn(database))
    shop = shop_map().replace('      phone: {category: contact, strategy: "null"}\n', YIELDING)
    world.write_maps({"shop": shop, "archive": ARCHIVE_MAP, "books": BOOKS_MAP})
    yield doors
    for process in world.workers:
        process.kill()
        process.wait()
    for name in ("archive", "books"):
        world.postgres.drop_database(f"{world.name}_{name}")


def left(conninfo: str, table: str, column: str = "id") -> set[str]:
    with psycopg.connect(conninfo, autocommit=True) as door:
        return {str(value) for (value,) in door.execute(f"SELECT {column} FROM {table}")}


@pytest.mark.soak
def test_what_one_system_says_finds_the_person_in_all_and_nobody_else(world: World, linked: dict[str, str]) -> None:
    others = {str(number) for number in range(1, 21) if number != 7}
    elsewhere = {"100", "200", "300"}
    world.start_worker()

    # By the account alone, which the shop does not know. The books lead to the customer, who leads to a folder,
    # which leads to a draft in the same archive, and that to a file in the books, which leads to the account again.
    request = world.open("erasure", [("account", "9007")])
    world.wait_closed(request, 90)

    assert left(linked["shop"], "customers") == others
    assert left(linked["archive"], "folders") == others | elsewhere
    assert left(linked["archive"], "pages", "DISTINCT folder") == others | elsewhere
    assert left(linked["archive"], "drafts") == others
    assert left(linked["books"], "accounts", "customer") == others
    assert left(linked["books"], "files", "account - 9000") == others
    assert world.conclusion(request) == "answered"
    last = {r.step.system: r.outcome for r in world.ledger.receipts(request) if r.step.operation == "verify"}
    assert last == dict.fromkeys(("shop", "archive", "books"), Outcome.DONE)
    # The rows that said it are gone; what they said is still known, so that a later look goes by it.
    known = {(one.kind, one.value) for one in world.ledger.identities(request)}
    assert known == {
        ("account", "9007"),
        ("customer_id", "7"),
        ("email", "c7@shop.example"),
        ("document", "scans/7"),
        *(("document", f"scans/7/{n}") for n in range(1, MANY + 1)),
        ("document", "drafts/7"),
        ("file", "F-7"),
    }


@pytest.mark.soak
def test_a_hold_on_a_document_that_was_learnt_keeps_the_person_everywhere(world: World, linked: dict[str, str]) -> None:
    before = {name: dump(door) for name, door in linked.items()}
    world.ledger.place_hold([Identity("document", "drafts/7")], "a claim", at=world.now())
    world.start_worker()

    request = world.open("erasure", [("email", "c7@shop.example")])
    world.wait_task(request, "hold")

    held = "SELECT count(*) FROM tasks WHERE request_id = %s AND code = 'hold' AND settled_at IS NULL"
    world.wait(lambda: world.query(held, request) == [(3,)], 60, "all three systems to be held")
    assert {name: dump(door) for name, door in linked.items()} == before


@pytest.mark.soak
def test_what_came_in_after_the_look_is_followed_before_it_goes(world: World, linked: dict[str, str]) -> None:
    """A document listed while the approval is waited for goes with its row, and the archive is looked into again."""
    world.write_maps(
        {
            "shop": shop_map("approve").replace('      phone: {category: contact, strategy: "null"}\n', YIELDING),
            "archive": ARCHIVE_MAP,
            "books": BOOKS_MAP,
        }
    )
    world.start_worker()
    request = world.open("erasure", [("email", "c9@shop.example")])
    world.wait(lambda: world.phase(request) == "approving", 30, "the approval")
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute("UPDATE customers SET documents = documents || ARRAY['scans/late'] WHERE id = 9")
    with psycopg.connect(linked["archive"], autocommit=True) as door:
        door.execute("INSERT INTO folders VALUES (500, 'scans/late', 'none'), (501, 'scans/later', 'none')")

    world.ledger.approve(request, at=world.now(), note="seen")
    world.wait_closed(request, 60)

    assert left(linked["archive"], "folders") & {"9", "500", "501"} == {"501"}
    assert world.conclusion(request) == "answered"
