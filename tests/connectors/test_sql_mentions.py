"""Texts of nobody's, or of somebody else's, that mention a person: found by the database, and decided by a person."""

import json
import re
import time
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.errors import NeedsHuman
from connectors.finding import Severity, code_of, severity_of
from connectors.protocol import Candidate, Rulings
from rights.codes import Code
from rights.receipt import Tally
from rights.subject import Identity, specific
from tests.conftest import Database
from tests.connectors.sql_place import Place, counted, email, gone, place

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email text, number text, name text);
CREATE TABLE messages (id bigint PRIMARY KEY, customer_id bigint, body text);
-- Nothing but their text says whom these are about.
CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), body text, tags text[], data jsonb);
CREATE TABLE files (id serial PRIMARY KEY, note uuid, name text);
CREATE INDEX ON customers (lower(email)); CREATE INDEX ON customers (number); CREATE INDEX ON messages (customer_id);
CREATE INDEX ON files (note);
INSERT INTO customers VALUES (1, 'anna@example.org', 'K-1001', 'Anna Berg'), (2, 'bob@example.org', 'K-10010', 'Bob');
INSERT INTO messages VALUES (1, 1, 'I am anna@example.org'), (2, 2, 'Anna@Example.org is my wife'), (3, 2, 'Hello');
"""
SHOP_MAP = """
  customers:
    key: [id]
    fields: {id: {}, email: {identity: email}, number: {identity: customer_number}, name: {category: contact}}
  messages:
    key: [id]
    fields: {id: {}, customer_id: {}, body: {category: free_text, search: true}}
    links: [{field: customer_id, to: customers.id}]
  notes:
    key: [id]
    fields:
      id: {}
      body: {category: free_text, search: true}
      tags: {category: free_text, search: true}
      data: {category: free_text, search: true}
  files:
    key: [id]
    fields: {id: {}, note: {}, name: {category: free_text}}
    links: [{field: note, to: notes.id}]
"""
ANNA = email("anna@example.org")


@pytest.fixture
def shop(database: Database) -> Iterator[Place]:
    with place(database, SHOP, SHOP_MAP) as made:
        yield made


def write(made: Place, body: str | None = None, **columns: object) -> str:
    """Write a note; its key."""
    columns = {"body": body, **columns} if body is not None else columns
    names = ", ".join(columns)
    marks = ", ".join(["%s"] * len(columns))
    ((key,),) = made.rows(f"INSERT INTO notes ({names}) VALUES ({marks}) RETURNING id::text", *columns.values())
    return str(key)


def asked(made: Place, *identities: Identity, rulings: Rulings | None = None) -> tuple[Candidate, ...]:
    """What a person is asked about once the erasure is done; what a look learns of the person is known afterwards."""
    look = made.locate(*identities, rulings=rulings)
    made.erase(*identities, rulings=rulings)
    with pytest.raises(NeedsHuman) as caught:
        made.verify(*identities, *look.links, anchors=look.anchors, rulings=rulings)
    assert caught.value.code is Code.MENTIONS
    return caught.value.candidates


def mentions(tally: Tally) -> dict[str, int]:
    return counted(tally, "mentions")


def test_a_message_of_somebody_else_that_mentions_the_person_is_a_question(shop: Place) -> None:
    """It is neither exported nor erased, and all else goes on."""
    before = shop.dump()
    look = shop.locate(ANNA)
    assert counted(look.tally, "found") == {"customers": 1, "messages": 1}
    assert (mentions(look.tally), look.candidates) == ({"messages": 1}, ())

    (one,) = asked(shop, ANNA)

    assert gone(before, shop.dump()) == {"public.customers": 1, "public.messages": 1}
    assert (one.collection, one.key) == ("messages", ("2",))


def test_what_is_shown_of_a_mention_is_masked(shop: Place) -> None:
    write(shop, "Please call Berta Schulz, whose e-mail is anna@example.org, before Monday")

    shown = [candidate.shown for candidate in asked(shop, ANNA)]

    said = json.dumps(shown, ensure_ascii=False)
    assert [one.get("body") for one in shown] == [
        "⟨mention⟩ i··· m··· w···",
        "P··· c··· B··· S··· w··· e··· i··· ⟨mention⟩ ··· b··· M···",
    ]
    assert not re.search(r"anna|berta|schulz|example", said, re.IGNORECASE)
    # Without its key nobody would find the row.
    assert shown[0]["id"] == "2"


def test_a_parcel_waits_until_somebody_has_said_whose_the_mentions_are(shop: Place) -> None:
    with pytest.raises(NeedsHuman) as caught:
        shop.export(ANNA)
    assert caught.value.code is Code.MENTIONS

    mine = Rulings(mine={"messages": frozenset({("2",)})})
    others = Rulings(others={"messages": frozenset({("2",)})})
    rows = {
        word: {
            json.loads(line)["id"]
            for line in shop.export(ANNA, rulings=ruled)["messages", "application/x-ndjson"].splitlines()
        }
        for word, ruled in (("mine", mine), ("others", others))
    }

    assert rows == {"mine": {1, 2}, "others": {1}}


def test_a_mention_ruled_to_be_the_person_s_goes_and_what_hangs_on_it(shop: Place) -> None:
    mine, other = write(shop, "anna@example.org called"), write(shop, "cc anna@example.org")
    for key in (mine, other):
        shop.door.execute("INSERT INTO files (note, name) VALUES (%s, 'scan')", [key])
    before = shop.dump()
    rulings = Rulings(
        mine={"notes": frozenset({(mine,)})},
        others={"notes": frozenset({(other,)}), "messages": frozenset({("2",)})},
    )

    shop.erase(ANNA, rulings=rulings)
    look = shop.verify(ANNA, rulings=rulings)

    assert gone(before, shop.dump()) == {
        "public.customers": 1, "public.messages": 1, "public.notes": 1, "public.files": 1,
    }  # fmt: skip
    assert shop.rows("SELECT id::text FROM notes") == [(other,)]
    assert look.tally.left == 0


def test_a_ruled_row_that_is_rewritten_stays_found(database: Database) -> None:
    """Its text mentions nobody any more; its key is an anchor."""
    text = SHOP_MAP.replace("  notes:\n    key: [id]\n", "  notes:\n    key: [id]\n    erase: redact\n", 1)
    text = text.replace("search: true}", 'search: true, strategy: "null"}')
    with place(database, SHOP, text) as made:
        key = write(made, "anna@example.org", tags=["x"], data="{}")
        rulings = Rulings(mine={"notes": frozenset({(key,)})}, others={"messages": frozenset({("2",)})})
        anchors = made.locate(ANNA, rulings=rulings).anchors
        assert anchors["notes"]["id"] == (key,)

        made.erase(ANNA, rulings=rulings, anchors=anchors)

        assert made.rows("SELECT body, tags, data FROM notes") == [(None, None, None)]
        assert made.verify(ANNA, rulings=rulings, anchors=anchors).tally.left == 0


WRITTEN = {
    "alone": "anna@example.org",
    "in another case": "ANNA@Example.ORG",
    "at a sentence's end": "write to anna@example.org.",
    "between brackets": "<anna@example.org>",
    "between marks": "_anna@example.org_",
    "in an address": "https://shop.example/?mail=anna%40example.org&x=1",
    "in a nested address": "https://shop.example/?to=%2Fa%3Fm%3Danna%40example.org",
    "in HTML": "<a href='mailto:anna@example.org'>",
    "a number": "order of K-1001, please",
    "a number and a line break": "K-1001\nK-17",
}
ELSEWHERE = {
    "a longer address": "joanna@example.org",
    "a longer domain": "anna@example.organic",
    "a longer number": "K-10011 and K-10010",
    "another case of a number": "k-1001",
    "letters before a number": "OK-1001",
    "wildcards": "anna_example.org anna%example.org annaxexample.org",
    "an accent": "änna@example.org is anä@example.org",
}


def test_whole_words_are_found_however_they_are_written(shop: Place) -> None:
    for text in WRITTEN.values():
        write(shop, text)
    for text in ELSEWHERE.values():
        write(shop, text)

    found = {candidate.key[0] for candidate in asked(shop, ANNA) if candidate.collection == "notes"}

    bodies = {body for (body,) in shop.rows("SELECT body FROM notes WHERE id::text = ANY(%s)", list(found))}
    assert bodies == set(WRITTEN.values()), "what the look has learnt (the customer number) is searched for too"


def test_documents_and_lists_are_searched(shop: Place) -> None:
    keys = [
        write(shop, tags=["x", 'say "hi"', "anna@example.org"]),
        write(shop, data=json.dumps({"deep": [{"mail": "Hi\nanna@example.org"}]})),
    ]
    write(shop, tags=["anna@example", ".org"], data='{"anna": "example.org"}')

    assert [c.key[0] for c in asked(shop, ANNA) if c.collection == "notes"] == sorted(keys)


def test_what_is_too_short_is_not_searched_for() -> None:
    assert [v for v in ("42", "1001", "anna", "maria", "u/1", "A1") if specific(v)] == []
    assert all(map(specific, ("100001", "a@b.c", "u/12", "K-17", "schmidt", "Jörg_1")))


def test_many_mentions_are_shown_in_parts_and_counted_whole(shop: Place) -> None:
    shop.door.execute("INSERT INTO messages SELECT i, 2, 'anna@example.org' FROM generate_series(100, 349) i")

    assert mentions(shop.locate(ANNA).tally) == {"messages": 251}
    first = asked(shop, ANNA)
    assert [int(candidate.key[0]) for candidate in first] == [2, *range(100, 199)]
    rulings = Rulings(others={"messages": frozenset(candidate.key for candidate in first)})
    assert [int(candidate.key[0]) for candidate in asked(shop, ANNA, rulings=rulings)] == list(range(199, 299))


def test_a_search_without_an_end_is_not_taken_for_a_clean_one(database: Database) -> None:
    with place(database, SHOP, SHOP_MAP, statement_timeout=1) as made:
        made.door.execute(
            "INSERT INTO notes (body) SELECT repeat('anna@example.orgx ', 2000) FROM generate_series(1, 400) i"
        )
        count = made.locate(ANNA).tally.of("notes")
        assert (count.found, count.mentions, count.searched) == (0, 0, False)
        made.erase(ANNA)

        with pytest.raises(NeedsHuman) as caught:
            made.verify(ANNA, rulings=Rulings(others={"messages": frozenset({("2",)})}))

        assert (caught.value.code, caught.value.about) == (Code.NOT_SEARCHED, "notes")
        # The ordinary part is done all the same.
        assert made.rows("SELECT count(*) FROM customers WHERE id = 1") == [(0,)]


def test_nothing_searched_for_is_part_of_a_statement(shop: Place) -> None:
    """Quotes, backslashes and all that an expression or LIKE might take for its own."""
    odd = r"o'brien%_\.*+?(x)[y]{2}^$|@example.org"
    shop.door.execute("INSERT INTO customers VALUES (3, %s, 'K-3000', 'O')", [odd.lower()])
    key = write(shop, f"it was {odd}")
    write(shop, odd.replace("_", "x")), write(shop, odd.replace("%", "yy")), write(shop, odd.replace("*", "."))

    (one,) = asked(shop, Identity("email", odd.lower()))
    assert one.key == (key,)

    back = write(shop, r"back\slash@example.org")
    assert [c.key for c in asked(shop, email(r"back\slash@example.org"))] == [(back,)]


LOCAL = st.text(
    st.characters(categories=("Ll", "Lu", "Lo", "Nd", "Mn"), include_characters="'%_+.-\\*$^~"), min_size=1, max_size=12
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(local="İ", before="", after="")
@given(
    local=LOCAL,
    before=st.sampled_from(["", " ", "<", "«", "x\n", "(", '"']),
    after=st.sampled_from(["", ".", ">", " x", "»", "\n", '"']),
)
def test_any_address_is_found_in_text_and_document_and_not_within_a_longer_one(
    shop: Place, local: str, before: str, after: str
) -> None:
    address = f"{unicodedata.normalize('NFC', local)}@example.org"
    shop.door.execute("TRUNCATE notes CASCADE")
    there = [
        write(shop, f"{before}{address}{after}"),
        write(shop, unicodedata.normalize("NFD", f"{before}{address}{after}")),
        write(shop, data=json.dumps({"text": f"{before}{address}{after}"})),
        write(shop, tags=[f"{before}{address}{after}"]),
    ]
    write(shop, f"{before}{address}x{after}")

    found = {c.key[0] for c in asked(shop, Identity("email", address)) if c.collection == "notes"}

    assert found == set(there)


def test_a_check_names_the_index_that_serves_a_search_and_the_search_goes_by_it(database: Database) -> None:
    text = SHOP_MAP.replace("tags: {category: free_text, search: true}", "tags: {}")
    text = text.replace("data: {category: free_text, search: true}", "data: {}")
    with place(database, SHOP, text) as made:
        made.door.execute("INSERT INTO notes (body) SELECT repeat(md5(i::text), 20) FROM generate_series(1, 5000) i")
        key = write(made, "write to anna@example.org")
        found = [said for said in made.connector.check() if code_of(said) == "no_search_index"]
        assert [severity_of(said) for said in found] == [Severity.NOTE, Severity.NOTE]

        made.door.execute("CREATE EXTENSION pg_trgm")
        for said in found:
            made.door.execute(said.rpartition(": ")[2].encode())
        made.door.execute("ANALYZE")

        assert made.connector.check() == []
        assert key in {candidate.key[0] for candidate in asked(made, ANNA)}
        made.connector.close()  # a session tells its counts when it ends
        used = "SELECT idx_scan > 0 FROM pg_stat_user_indexes WHERE indexrelname LIKE 'notes_%' AND idx_scan > 0"
        deadline = time.monotonic() + 60
        while not made.rows(f"{used} AND indexrelname NOT LIKE '%pkey'"):
            assert time.monotonic() < deadline, "the search did not use the index"
            time.sleep(0.1)
