"""Decisions through the command line, on real systems: refused, in part, stopped, answered together, in order."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from starter.cli import app
from tests.stories.test_erasure import about
from tests.world import World, dump, shop_map

APPROVERS = {
    "counsel": {"holder": "s-17", "substitute": "s-18"},
    "delegate": {"holder": "s-21"},
    "dpo": {"holder": "s-04", "substitute": "s-05"},
}
REASON = "zqreason: the forty-first request of a kind that no law meant"


class Desk:
    """The command, as people at a desk type it."""

    def __init__(self, world: World) -> None:
        self.world, self._runner = world, CliRunner()

    def __call__(self, *words: str, given: str | None = None) -> Any:
        """Run a command that is to succeed; its JSON."""
        done = self._runner.invoke(app, [*words, "--json"], input=given)
        assert done.exit_code == 0, (words, done.stderr)
        return json.loads(done.stdout)

    def refused(self, *words: str) -> str:
        """Run a command that is to be refused; the sentence."""
        done = self._runner.invoke(app, list(words))
        assert done.exit_code in {2, 5}, (words, done.exit_code, done.output)
        return done.stderr

    def open(self, right: str, email: str, *more: str) -> str:
        """Receive a request of a proven person."""
        opened: str = self(
            "request", "open", right, "--identities", "-", "--confirmed-by", "desk", *more, given=f"email={email}"
        )["id"]
        return opened

    def text(self, name: str, text: str) -> str:
        """A file with a text."""
        path: Path = self.world.home / f"{name}.txt"
        path.write_text(text)
        return str(path)


@pytest.fixture
def desk(world: World, monkeypatch: pytest.MonkeyPatch) -> Desk:
    world.environment["HABEAS_APPROVERS"] = json.dumps(APPROVERS)
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(world.home)
    return Desk(world)


def evidence(desk: Desk, *elements: str) -> list[str]:
    """Options that put texts on record."""
    options = []
    for element in elements:
        options += ["--evidence", f"{element}={desk.text(element, REASON if element == 'reason' else f'zq{element}')}"]
    return options


def refuse(desk: Desk, request: str, *options: str) -> list[str]:
    return [
        "decision", "propose", request, "refuse", "--ground", "gdpr_12_5_excessive", "--by", "s-31", *options,
    ]  # fmt: skip


@pytest.mark.soak
def test_an_abusive_request_is_refused_by_four_eyes_with_both_elements_and_a_dissent_on_record(
    world: World, desk: Desk
) -> None:
    request = desk.open("access", "c7@shop.example")

    # Neither element of C-526/24 alone will do, and nothing is recorded of the attempt.
    assert "the objective one is not on record" in desk.refused(
        *refuse(desk, request, *evidence(desk, "reason", "subjective"))
    )
    assert "the subjective one is not on record" in desk.refused(
        *refuse(desk, request, *evidence(desk, "reason", "objective"))
    )
    assert world.query("SELECT count(*) FROM decisions") == [(0,)]

    decision = desk(*refuse(desk, request, *evidence(desk, "reason", "objective", "subjective")))["id"]
    world.start_worker()
    world.wait(lambda: world.phase(request) == "deciding", 60, "the decision to be waited for")
    assert "the data protection officer is asked first" in desk.refused("decision", "approve", decision, "--by", "s-17")
    assert "takes counsel" in desk.refused("decision", "approve", decision, "--by", "s-04")
    assert "says why" in desk.refused("decision", "dissent", decision, "--by", "s-04")
    desk("decision", "dissent", decision, "--by", "s-04", "--note-file", desk.text("dissent", "zqdissent"))
    assert "counsel" in desk("decision", "show", request)["decisions"][0]["missing"]
    assert world.phase(request) == "deciding"
    desk("decision", "approve", decision, "--by", "s-18")
    world.wait_closed(request)

    assert world.conclusion(request) == "refused"
    assert world.receipts(request) == [], "no system was asked anything"
    (kept,) = desk("decision", "show", request)["decisions"]
    assert [(one["role"], one["word"], one["substitute"]) for one in kept["said"]] == [
        ("dpo", "dissent", False),
        ("counsel", "approve", True),
    ]
    letter = desk("request", "answer", request)["text"]
    assert f"Reason: {REASON}" in letter
    assert "Provision: GDPR Art. 12(5)(b)." in letter
    assert "You may complain to a data protection authority, and go to court." in letter
    # The texts are in the vault and nowhere in clear.
    for (table,) in world.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        assert "zqreason" not in str(world.query(f"SELECT t::text FROM {table} t")), table
    assert "zqreason" not in world.log
    assert world.ledger.verify().sound


@pytest.mark.soak
def test_COM_04_a_fee_is_asked_for_and_waited_for_and_the_copy_is_made_once_it_is_paid(
    world: World, desk: Desk
) -> None:
    paying, silent = desk.open("access", "c7@shop.example"), desk.open("access", "c7@shop.example")
    texts = evidence(desk, "reason", "objective", "subjective")
    propose = ("decision", "propose", paying, "fee", "--ground", "gdpr_12_5_excessive", "--by", "s-31")
    assert "a fee names its amount" in desk.refused(*propose, *texts)
    assert "no more" in desk.refused(*propose, *texts, "--fee", "EUR 1.505")
    made = {}
    for request in (paying, silent):
        words = [request if word == paying else word for word in propose]
        made[request] = desk(*words, *texts, "--fee", "EUR 12.50")["id"]
        desk("decision", "agree", made[request], "--by", "s-04")
        assert desk("decision", "approve", made[request], "--by", "s-17")["state"] == "charged"
    world.start_worker()
    for request in (paying, silent):
        world.wait(lambda of=request: world.phase(of) == "deciding", 60, "the fee to be waited for")
    assert world.receipts(paying) == world.receipts(silent) == [], "no system was asked anything"

    desk("decision", "paid", made[paying], "--by", "s-31")
    desk("decision", "unpaid", made[silent], "--by", "s-31")
    world.wait_closed(paying)
    world.wait_closed(silent)

    assert (world.conclusion(paying), world.conclusion(silent)) == ("answered", "refused")
    assert world.query("SELECT count(*) FROM entries WHERE kind = 'parcel' AND request_id = %s", paying) == [(1,)]
    assert world.receipts(silent) == []
    assert "Provision: GDPR Art. 12(5)(b)." in desk("request", "answer", silent)["text"]
    assert world.query("SELECT kind, request_id FROM letters WHERE kind IN ('fee_asked', 'excessive_refusal')"
                       " ORDER BY kind, request_id") == sorted(
        [("excessive_refusal", silent), ("fee_asked", paying), ("fee_asked", silent)]
    )  # fmt: skip
    assert world.ledger.verify().sound


@pytest.mark.soak
def test_a_category_that_a_claim_needs_is_kept_on_its_ground_and_the_rest_is_erased(world: World, desk: Desk) -> None:
    world.write_maps(
        {
            "shop": shop_map("approve", retention=True).replace(
                "body: {category: free_text}", "body: {category: correspondence}"
            )
        }
    )
    request = desk.open("erasure", "c7@shop.example")
    world.start_worker()
    world.wait(lambda: world.phase(request) == "approving", 60, "the preview")
    assert "no field of the data map is of the category" in desk.refused(
        "decision", "propose", request, "in_part", "--leave-out", "shoe_size=gdpr_17_3_e", "--by", "s-31",
        *evidence(desk, "reason"),
    )  # fmt: skip
    decision = desk(
        "decision", "propose", request, "in_part", "--leave-out", "correspondence=gdpr_17_3_e", "--by", "s-31",
        *evidence(desk, "reason"),
    )["id"]  # fmt: skip
    world.wait(lambda: world.phase(request) == "deciding", 60, "the decision to be waited for")
    assert "nothing to approve" in desk.refused("request", "approve", request)
    desk("decision", "approve", decision, "--by", "s-17")
    # Another plan, so another preview, and another approval.
    world.wait(lambda: world.phase(request) == "approving", 60, "the new preview")
    desk("request", "approve", request)
    world.wait_closed(request)

    left = about(dump(world.shop), 7)
    assert len(left["messages"]) == 2
    assert "addresses" not in left
    assert "Name" not in str(left)
    assert world.conclusion(request) == "in_part"
    answer = desk("request", "answer", request)
    assert "Not included: correspondence (GDPR Art. 17(3)(e))." in answer["text"]
    (shop,) = answer["systems"]
    assert ("GDPR Art. 17(3)(e)", 2) in [(kept["ground"], kept["rows"]) for kept in shop["kept"]]


@pytest.mark.soak
def test_a_request_asked_twice_is_answered_once_and_the_answer_names_both(world: World, desk: Desk) -> None:
    world.write_maps({"shop": shop_map("approve")})
    world.start_worker()
    first = desk.open("erasure", "c7@shop.example")
    world.wait(lambda: world.phase(first) == "approving", 60, "the preview")
    second = desk.open("erasure", "C7@shop.example")
    stranger = desk(
        "request", "open", "erasure", "--identities", "-", given="email=c7@shop.example"
    )["id"]  # fmt: skip
    world.wait(lambda: world.phase(second) == "deciding", 60, "the second to wait for the first")
    world.wait(lambda: world.phase(stranger) == "confirming", 60, "the unproven one")
    assert desk("decision", "show", first)["answers_too"] == [second], "what nobody has proven joins nothing"
    desk("request", "approve", first)
    world.wait_closed(first)
    world.wait_closed(second)

    assert about(dump(world.shop), 7) == {}
    assert (world.conclusion(first), world.conclusion(second)) == ("answered", "joined")
    assert world.receipts(second) == []
    assert any(second in line for line in desk("request", "answer", first)["text"])
    assert first in str(desk("request", "answer", second)["text"])
    assert world.phase(stranger) == "confirming"


@pytest.mark.soak
def test_an_erasure_waits_for_the_copy_that_the_same_person_has_asked_for(world: World, desk: Desk) -> None:
    world.write_maps({"shop": shop_map(), "away": shop_map(system="away", env="TEST_AWAY")})
    address, world.environment["TEST_AWAY"] = world.environment["TEST_SHOP"], "postgresql://nobody@127.0.0.1:9/none"
    doomed = world.start_worker()
    # Nobody has proven this one, so it delays nobody.
    desk("request", "open", "access", "--identities", "-", given="email=c7@shop.example")
    access = desk.open("access", "c7@shop.example")
    erasure = desk.open("erasure", "c7@shop.example")
    world.wait(lambda: bool(world.query("SELECT 1 FROM requests WHERE id = %s AND map_digest IS NOT NULL", erasure)),
               60, "the erasure to be taken up")  # fmt: skip
    before = dump(world.shop)
    world.wait(lambda: world.phase(access) in {"locating", "fulfilling"}, 60, "the copy to wait for a system")
    assert world.query("SELECT count(*) FROM intents") == [(0,)]
    assert dump(world.shop) == before
    doomed.terminate()
    doomed.wait(180)
    world.environment["TEST_AWAY"] = address
    world.start_worker()
    world.ledger.announce("reconcile", at=world.now())
    world.wait_closed(access, 120)
    world.wait_closed(erasure, 120)

    assert world.parcel_rows(access)["shop/customers.jsonl"] == 1, "all of it was still there"
    assert about(dump(world.shop), 7) == {}
    (parcel,) = world.query("SELECT seq FROM entries WHERE kind = 'parcel' AND request_id = %s", access)
    (intent,) = world.query("SELECT min(seq) FROM entries WHERE kind = 'intent' AND request_id = %s", erasure)
    assert parcel < intent


@pytest.mark.soak
def test_a_copy_asked_for_in_the_middle_of_an_erasure_stops_it_at_the_next_fence(world: World, desk: Desk) -> None:
    world.write_maps({"shop": shop_map("approve")})
    world.start_worker()
    erasure = desk.open("erasure", "c7@shop.example")
    world.wait(lambda: world.phase(erasure) == "approving", 60, "the preview")
    # Another system's look is not needed for this: the erasure has been planned, and only waits for a word.
    access = desk.open("access", "c7@shop.example")
    desk("request", "approve", erasure)
    world.wait_closed(access)
    world.wait_closed(erasure)

    assert world.parcel_rows(access)["shop/customers.jsonl"] == 1
    assert world.conclusion(erasure) == "answered"
    assert about(dump(world.shop), 7) == {}
    with psycopg.connect(world.postgres.conninfo(world.ledger_db)) as connection:
        found = connection.execute(
            "SELECT (SELECT min(seq) FROM entries WHERE kind = 'parcel')"
            " < (SELECT min(seq) FROM entries WHERE kind = 'intent')"
        ).fetchone()
    assert found == (True,)
