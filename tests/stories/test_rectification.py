"""A person has what is wrong corrected: checked by somebody, restricted meanwhile, looked at again, and lifted."""

import json
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from activities.corrections import disputed
from starter.cli import app
from tests.stories.test_access import delivered
from tests.stories.test_restriction import ANNA, Till, habeas, look_now, opened, shop, till, typed
from tests.world import World, dump

__all__ = ["habeas", "shop", "till"]

DETAILS = """
corrections:
  - {system: shop, collection: customers, values: {full_name: Anna Quartz, phone: null}}
  - {system: shop, collection: addresses, key: ['19'], values: {street: Quarry Lane 1}}
statement: I have never lived in the first of these streets.
evidence: A copy of my registration.
restrict: true
"""


def said(world: World, query: str) -> list[tuple[Any, ...]]:
    """What the shop says, by the back door."""
    with psycopg.connect(world.shop, autocommit=True) as door:
        return door.execute(query.encode()).fetchall()


NAME = "SELECT full_name, phone FROM customers WHERE id = 7"


@pytest.mark.soak
def test_art16_disputed_data_is_restricted_checked_corrected_and_lifted(
    world: World, habeas: CliRunner, till: Till
) -> None:
    ((old_name, old_phone),), before, seen = said(world, NAME), dump(world.shop), till.sees(7)
    world.start_worker(HABEAS_RESTRICTION_NOTICE_DAYS="0")
    request = opened(world, habeas, "rectification", DETAILS, ANNA)
    world.wait_task(request, "accuracy")

    # While somebody checks, nobody uses it, and nothing is corrected yet.
    assert till.sees(7) == 0
    assert said(world, NAME) == [(old_name, old_phone)]
    shown = typed(habeas, "rectification", "show", request)
    assert [(f["number"], f["field"], f["to_say"]) for f in shown["fields"]] == [
        (1, "shop.customers.full_name", "A··· Q···"),
        (2, "shop.customers.phone", "(empty)"),
        (3, "shop.addresses.street", "Q··· L··· ···"),
    ]

    # REC-06: refused with a ground, a reason and an approver, or not at all.
    refusal = ("rectification", "decide", request, "--accept", "1,3", "--refuse", "2=accurate")
    assert "approves it" in typed(habeas, *refusal, code=2)
    assert "reason" in typed(habeas, *refusal, "--approved-by", "counsel", code=5)
    assert "every field" in typed(habeas, "rectification", "decide", request, "--accept", "1", code=2)
    reason = world.home / "reason.txt"
    reason.write_text("We have called it, and you have answered.")
    approved = (*refusal, "--approved-by", "counsel", "--reason-file", str(reason))
    for alone in (approved, (*approved, "--by", " Counsel")):
        assert "two people" in typed(habeas, *alone, code=5)
    whole = (*approved, "--by", "support desk")
    assert typed(habeas, *whole)["new"]
    assert not typed(habeas, *whole)["new"]
    assert "decided on before" in typed(habeas, "rectification", "decide", request, "--accept", "all", code=5)

    # REC-02: the statement is put with the data by hand, since no system of this map has a place for it.
    task = world.wait_task(request, "statement")
    done = habeas.invoke(app, ["rectification", "statement", request])
    assert done.stdout == "I have never lived in the first of these streets.\n"
    typed(habeas, "request", "rule", request, "done", "--task", task)
    world.wait_closed(request)

    assert said(world, NAME) == [("Anna Quartz", old_phone)]
    assert said(world, "SELECT street FROM addresses WHERE id = 19") == [("Quarry Lane 1",)]
    assert world.conclusion(request) == "in_part", "a field was refused"
    verified = [r for r in world.receipts(request) if r["step"]["operation"] == "verify"]
    assert [(r["outcome"], r["certainty"]) for r in verified] == [("done", "verified")]
    assert disputed(world.ledger, request, "shop")["customers"] == {("7",): {"full_name": (old_name,)}}

    # REC-03, RES-04: it stays restricted until the person is told, and then nothing but the correction is left.
    assert till.sees(7) == 0
    typed(habeas, "restriction", "told", request)
    world.wait(lambda: typed(habeas, "restriction", "show", request)["stage"] == "lifted", 60, "the lifting")
    assert till.sees(7) == seen
    after = dump(world.shop)
    changed = {name: len(after[name] ^ rows) for name, rows in before.items() if after[name] != rows}
    assert changed == {"customers": 2, "addresses": 2}
    text = json.dumps([shown, world.receipts(request)]) + world.log
    assert not any(word in text for word in ("Quartz", "Quarry", old_name))


@pytest.mark.soak
def test_com_03_a_rectification_that_is_refused_as_a_whole_ends_so_and_its_answer_says_why(
    world: World, habeas: CliRunner
) -> None:
    before = dump(world.shop)
    world.start_worker()
    request = opened(world, habeas, "rectification", ONE, ANNA)
    world.wait_task(request, "accuracy")
    reason = world.home / "reason.txt"
    reason.write_text("The register says so.")
    decide = ("rectification", "decide", request, "--refuse", "1=accurate", "--approved-by", "counsel")
    typed(habeas, *decide, "--reason-file", str(reason), "--by", "support desk")
    world.wait_closed(request)

    assert world.conclusion(request) == "refused"
    assert dump(world.shop) == before
    answer = habeas.invoke(app, ["request", "answer", request])
    assert answer.exit_code == 0
    # REC-06: the copy that she asks for next has the note, with her own words.
    (world.home / "words.txt").write_text("I have always been called Quartz.")
    note = ("rectification", "note", request)
    noted = typed(habeas, *note, "--statement-file", str(world.home / "words.txt"), "--by", "support desk")
    assert (noted["fields"], noted["statement"]) == (["shop.customers.full_name"], True)
    copy = world.open("access", [ANNA])
    world.wait_closed(copy)
    page = (delivered(world, copy) / "data/index.html").read_text()
    assert "full_name. Your statement: I have always been called Quartz." in page
    assert not typed(habeas, *note, "--withdraw", "--by", "support desk")["fields"]
    for told in ("have not changed the data", "was checked and is accurate", "The register says so.", "complain"):
        assert told in answer.stdout


@pytest.mark.soak
def test_rec06_what_an_import_writes_back_is_corrected_again_and_then_a_persons_matter(
    world: World, habeas: CliRunner
) -> None:
    with psycopg.connect(world.shop, autocommit=True) as door:
        # An import that knows better, the moment the engine has committed.
        door.execute("CREATE TABLE broker (id bigint PRIMARY KEY, full_name text)")
        door.execute("INSERT INTO broker VALUES (7, 'Anna Qwartz')")
    world.start_worker()
    request = opened(world, habeas, "rectification", ONE, ANNA)
    world.wait_task(request, "accuracy")
    with _importer(world):
        typed(habeas, "rectification", "decide", request, "--accept", "all")
        task = world.wait_task(request, "changed_back")
        assert world.phase(request) != "closed"

    typed(habeas, "request", "rule", request, "retry", "--task", task)

    world.wait_closed(request)
    assert said(world, "SELECT full_name FROM customers WHERE id = 7") == [("Anna Quartz",)]
    assert world.conclusion(request) == "answered"


ONE = "corrections:\n  - {system: shop, collection: customers, values: {full_name: Anna Quartz}}\n"


class _importer:
    """Writes an old name back whenever it finds another, for as long as it is entered."""

    def __init__(self, world: World) -> None:
        import threading

        self._world, self._over = world, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        with psycopg.connect(self._world.shop, autocommit=True) as door:
            while not self._over.wait(0.02):
                door.execute(
                    "UPDATE customers c SET full_name = b.full_name FROM broker b"
                    " WHERE b.id = c.id AND c.full_name = 'Anna Quartz'"
                )

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_a_correction_that_an_import_undoes_later_comes_back_to_a_person(
    world: World, habeas: CliRunner, till: Till
) -> None:
    """REC-06: it remains corrected. A third value is no import of the old one: somebody has written it on purpose."""
    ((old_name, old_phone),) = said(world, NAME)
    world.start_worker(HABEAS_RECTIFICATION_LOOK_AFTER="PT10S", HABEAS_WORKING_DAYS="0")
    details = "corrections:\n  - {system: shop, collection: customers, values: {full_name: Anna Quartz, phone: null}}\n"
    request = opened(world, habeas, "rectification", details, ANNA)
    world.wait_task(request, "accuracy")
    typed(habeas, "rectification", "decide", request, "--accept", "all")
    world.wait_closed(request)
    assert said(world, NAME) == [("Anna Quartz", None)]

    def write(name: str | None, phone: str | None) -> None:
        with psycopg.connect(world.shop, autocommit=True) as door:
            door.execute("UPDATE customers SET full_name = %s, phone = %s WHERE id = 7", [name, phone])

    write(old_name, None)
    task = world.wait_task(request, "changed_back", 150)
    assert said(world, NAME) == [(old_name, None)], "nothing is written over what somebody may have meant"
    assert world.phase(request) == "closed"
    typed(habeas, "request", "rule", request, "retry", "--task", task)
    world.wait(lambda: said(world, NAME) == [("Anna Quartz", None)], 60, "the correction, once more")

    # It is looked at once more after that, and the person has changed it themselves by then.
    write("Anna Quartz", "+49 30 1")
    assert old_phone != "+49 30 1"
    look_now(world, lambda: world.ledger.follow_ups(request) == [])
    assert said(world, NAME) == [("Anna Quartz", "+49 30 1")]
    assert typed(habeas, "task", "list", "--request", request)["tasks"] == []
    assert "Quartz" not in world.log
    assert world.ledger.verify().sound
