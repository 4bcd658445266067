"""A person has their data restricted, is told before it is lifted, and everything is exactly as it was."""

import json
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from connectors.registry import build_all
from connectors.traits import Checks
from rights.decision import Decided, Element, Role, Word, check
from rights.letters import Particulars
from starter.cli import app
from starter.systemchecks import closed
from tests.stories.test_answer import OFFICE
from tests.world import ROWS, World, dump, shop_map

DETAILS = "ground: claims\nnote: I need it for a court case\n"
ANNA, OTTO = ("email", "c7@shop.example"), ("email", "c8@shop.example")


class Till:
    """The shop's own application: a role that owns nothing."""

    def __init__(self, world: World) -> None:
        self.role, self.password = f"till_{world.name}", "till"
        with psycopg.connect(world.shop, autocommit=True) as door:
            door.execute(f"CREATE ROLE {self.role} LOGIN PASSWORD '{self.password}'")
            door.execute(f"GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO {self.role}")
        self._conninfo = psycopg.conninfo.make_conninfo(world.shop, user=self.role, password=self.password)

    def sees(self, customer: int) -> int:
        """Rows of a customer that the application reads."""
        with psycopg.connect(self._conninfo, autocommit=True) as session:
            counts = session.execute(
                "SELECT (SELECT count(*) FROM customers WHERE id = %(c)s)"
                " + (SELECT count(*) FROM orders WHERE customer_id = %(c)s)"
                " + (SELECT count(*) FROM messages WHERE customer_id = %(c)s)",
                {"c": customer},
            ).fetchone()
        assert counts is not None
        return int(counts[0])

    def counts(self, query: str, *values: int) -> int:
        """What a query of the application counts."""
        with psycopg.connect(self._conninfo, autocommit=True) as session:
            (count,) = session.execute(query.encode(), values).fetchone() or (0,)
        return int(count)

    def sees_in(self, table: str, customer: int) -> int:
        """Rows of a customer that the application reads in one table."""
        column = "id" if table == "customers" else "customer_id"
        return self.counts(f"SELECT count(*) FROM {table} WHERE {column} = %s", customer)

    def writes(self, customer: int) -> int:
        """Rows of a customer that the application changes when it tries to."""
        with psycopg.connect(self._conninfo) as session:
            changed = session.execute("UPDATE customers SET phone = phone WHERE id = %s", [customer]).rowcount
            session.rollback()
        return changed

    def mails(self) -> list[str]:
        """Whom the shop's own newsletter goes to."""
        with psycopg.connect(self._conninfo, autocommit=True) as session:
            return [email for (email,) in session.execute("SELECT email FROM customers ORDER BY id")]


@pytest.fixture
def habeas(world: World, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(world.home)
    return CliRunner()


def typed(habeas: CliRunner, *words: str, given: str = "", code: int = 0) -> Any:
    """What a command prints as JSON."""
    done = habeas.invoke(app, [*words, "--json"], input=given)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if not code else done.stderr


def opened(world: World, habeas: CliRunner, right: str, details: str, identity: tuple[str, str]) -> str:
    file = world.home / "details.yaml"
    file.write_text(details)
    words = ("--identities", "-", "--details", str(file), "--confirmed-by", "support desk")
    return str(typed(habeas, "request", "open", right, *words, given="=".join(identity))["id"])


def setup_denial(world: World, till: Till) -> None:
    """Do what `habeas map check --live` says, until it has nothing to say of restrictions."""
    (connector,) = build_all(world.data_map).values()
    with closed(connector), psycopg.connect(world.shop, autocommit=True) as door:
        for _ in range(2):
            assert isinstance(connector, Checks)
            for said in connector.check():
                if "restricted" in said:
                    door.execute(said.partition(": ")[2].encode())


@pytest.fixture
def shop(world: World) -> Till:
    world.write_maps({"shop": shop_map(extra="options: {restrict: row_security}")})
    till = Till(world)
    setup_denial(world, till)
    return till


@pytest.fixture
def till(world: World, shop: Till) -> Any:
    yield shop
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute(f"DROP OWNED BY {shop.role}")
        door.execute(f"DROP ROLE {shop.role}")


@pytest.mark.soak
def test_a_restriction_is_enforced_told_of_lifted_and_leaves_no_trace(
    world: World, habeas: CliRunner, till: Till
) -> None:
    before, seen, mailed = dump(world.shop), till.sees(7), till.mails()
    world.start_worker(HABEAS_RESTRICTION_NOTICE_DAYS="0")

    request = opened(world, habeas, "restriction", DETAILS, ANNA)
    world.wait_closed(request)

    assert world.conclusion(request) == "answered"
    assert (till.sees(7), till.writes(7)) == (0, 0), "the application neither reads nor writes it"
    assert till.sees(8) == seen, "and somebody else's as ever"
    assert till.mails() == [one for one in mailed if one != ANNA[1]], "a job of the shop's own skips them"
    shown = typed(habeas, "restriction", "show", request)
    assert (shown["ground"], shown["article"]) == ("claims", "GDPR Art. 18(1)(c)")
    assert shown["systems"] == [
        {"system": "shop", "state": "restricted", "certainty": "verified", "rows": ROWS, "code": ""}
    ]

    # Somebody who asks for a copy meanwhile gets all of it: storing and handing out are not using.
    copy = opened_access(world, habeas)
    assert sum(world.parcel_rows(copy).values()) >= ROWS

    lifted = typed(habeas, "restriction", "lift", request, "--because", "not_needed", "--notice-days", "0")
    assert lifted["new"]
    task = world.wait_task(request, "post_out")
    assert till.sees(7) == 0, "nothing is lifted before the letter has gone out"
    typed(habeas, "request", "rule", request, "done", "--task", task)
    world.wait(lambda: typed(habeas, "restriction", "show", request)["stage"] == "lifted", 60, "the lifting")

    assert (till.sees(7), till.writes(7), till.mails()) == (seen, 1, mailed)
    assert dump(world.shop) == before
    assert typed(habeas, "restriction", "list") == {"restrictions": []}
    assert "c7@" not in json.dumps(shown) + world.log


@pytest.mark.soak
def test_one_category_is_restricted_and_what_is_locked_with_it_is_said(
    world: World, habeas: CliRunner, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HABEAS_LETTERS", json.dumps(OFFICE))
    rows = {name: till.sees_in(name, 7) for name in ("customers", "orders", "messages")}
    world.start_worker()
    request = opened(world, habeas, "restriction", f"{DETAILS}categories: [free_text]\n", ANNA)
    world.wait_closed(request)

    assert world.conclusion(request) == "answered"
    seen = {name: till.sees_in(name, 7) for name in rows}
    assert seen == {"customers": rows["customers"], "orders": 0, "messages": 0}
    shown = typed(habeas, "restriction", "show", request)
    beyond = {"orders": ["other"]}
    assert shown["locked"] == [{"system": "shop", "collections": ["orders", "items", "messages"], "beyond": beyond}]
    letter = habeas.invoke(app, ["request", "answer", request, "--letter", "--language", "en"]).stdout
    said = " ".join(letter.split())
    assert "Not all of your data is restricted, but this: - shop: orders, items, messages" in said
    assert "orders, with it, since we can only restrict whole records: data of other kinds" in said

    printed = habeas.invoke(app, ["request", "answer", request]).stdout
    assert "In shop not all of your data is restricted, but this: orders, items, messages." in printed
    assert "Of orders we can only restrict whole records, so this is restricted with it: other." in printed

    # One collection alone, and of somebody else.
    other = opened(world, habeas, "restriction", f"{DETAILS}collections: [shop.messages]\n", OTTO)
    world.wait_closed(other)
    assert (till.sees_in("messages", 8), till.sees_in("orders", 8) > 0) == (0, True)
    previewed = typed(habeas, "request", "preview", other)["systems"][0]["collections"]
    assert {c["collection"]: c["locked"] > 0 for c in previewed if c["found"]}["messages"] is True
    assert not any(c["locked"] for c in previewed if c["collection"] != "messages")


REGISTER = """
recipients:
  partner:
    name: Partner Logistics SA
    country: FR
    role: controller
    basis: {kind: contract, document: DPA 18, since: 2024-01-01}
    gets: [shop.customers]
    knows_by: [email]
    told_by: {email: privacy@partner.example}
"""


@pytest.mark.soak
def test_who_was_told_of_a_restriction_is_told_of_its_end_unless_another_one_goes_on(
    world: World, habeas: CliRunner, till: Till
) -> None:
    """GDPR Art. 19: whoever has stopped using the data has to hear that it may go on."""
    path = world.home / "recipients.yaml"
    path.write_text(REGISTER)
    world.start_worker(HABEAS_RESTRICTION_NOTICE_DAYS="0", HABEAS_RECIPIENTS=str(path))
    requests = []
    for details, who in ((DETAILS, ANNA), (DETAILS, ANNA), (f"{DETAILS}collections: [shop.orders]\n", OTTO)):
        # One after the other: what is open at the same time for the same person is one request.
        requests.append(opened(world, habeas, "restriction", details, who))
        world.wait_closed(requests[-1])
    first, second, untold = requests

    def lift(request: str) -> list[str]:
        typed(habeas, "restriction", "lift", request, "--because", "not_needed", "--notice-days", "0")
        typed(habeas, "restriction", "told", request)
        world.wait(lambda: typed(habeas, "restriction", "show", request)["stage"] == "lifted", 60, "the lifting")
        return [notice.operation for notice in world.ledger.notices(request)]

    assert lift(untold) == [], "who has heard of nothing has nothing to take up again"
    assert lift(first) == ["restricted"], "the other restriction is in force still"
    assert lift(second) == ["restricted", "lifted"]
    said = Particulars.model_validate_json(world.ledger.unseal(second, "file", "letter/recipient_notice/1") or b"")
    assert (said.operation, said.about) == ("lifted", (ANNA,))


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_what_comes_later_is_denied_at_once_or_locked_by_the_next_look(
    world: World, habeas: CliRunner, till: Till
) -> None:
    """The timer is upkeep's own; the look finds as well that somebody has dropped the policy."""
    before = till.sees(7)
    worker = world.start_worker(HABEAS_RESTRICTION_NOTICE_DAYS="0", HABEAS_RESTRICTION_LOOK_EVERY="PT1S")
    request = opened(world, habeas, "restriction", DETAILS, ANNA)
    world.wait_closed(request)

    def later(text: str) -> None:
        with psycopg.connect(world.shop, autocommit=True) as door:
            door.execute(text.encode())

    def items() -> int:
        return till.counts("SELECT count(*) FROM items WHERE id IN (9001, 9002)")

    def systems() -> list[tuple[str, int]]:
        return [(one["state"], one["rows"]) for one in typed(habeas, "restriction", "show", request)["systems"]]

    worker.send_signal(signal.SIGSTOP)  # no look falls between the rows and what is seen of them
    later("INSERT INTO orders (id, customer_id, note, created_at) VALUES (9001, 7, 'later', now())")
    later("INSERT INTO items (id, order_id, gift) VALUES (9001, 9001, 'later')")
    assert till.sees(7) == 0, "an order points to whom it is about, so the policy covers it from the first moment"
    assert items() == 1, "what hangs on it points to nothing that was known"
    worker.send_signal(signal.SIGCONT)
    world.wait(lambda: items() == 0, 150, "the next look")
    world.wait(lambda: systems() == [("restricted", ROWS + 2)], 60, "what was locked away to be on record")
    later("INSERT INTO items (id, order_id, gift) VALUES (9002, 9001, 'later still')")
    assert items() == 0, "now it does"
    assert world.query("SELECT 1 FROM tasks WHERE request_id = %s AND code <> 'post_out'", request) == []

    # Somebody has dropped a policy: a look says so, and takes that back once it is there again.
    later("DROP POLICY habeas_restricted_denied ON orders")
    look_now(world, lambda: bool(world.ledger.tasks(request_id=request)))
    task = world.wait_task(request, "not_denied")
    assert systems()[0][0] == "open"
    setup_denial(world, till)
    typed(habeas, "request", "rule", request, "retry", "--task", task)
    world.wait(lambda: systems()[0][0] == "restricted", 60, "look")
    world.wait(lambda: typed(habeas, "task", "list", "--request", request)["tasks"] == [], 60, "the desk to be empty")

    typed(habeas, "restriction", "lift", request, "--because", "not_needed", "--notice-days", "0")
    typed(habeas, "restriction", "told", request)
    world.wait(lambda: typed(habeas, "restriction", "show", request)["stage"] == "lifted", 60, "the lifting")
    assert (till.sees(7), items()) == (before + 1, 2), "what came later as well"
    assert world.ledger.follow_ups(request) == []
    assert world.ledger.verify().sound


def look_now(world: World, until: Callable[[], bool]) -> None:
    """Have looked at what is due, as upkeep does each minute, until something is so."""

    def asked() -> bool:
        world.ledger.ask_for_looks(at=world.now())
        return until()

    world.wait(asked, 60, "a look")


def opened_access(world: World, habeas: CliRunner) -> str:
    words = ("--identities", "-", "--confirmed-by", "support desk")
    request = str(typed(habeas, "request", "open", "access", *words, given="=".join(ANNA))["id"])
    world.wait_closed(request)
    return request


@pytest.mark.soak
@pytest.mark.parametrize(
    ("right", "details", "task"),
    [
        ("rectification", "corrections:\n  - {system: shop, collection: customers, values: {phone: null}}\n"
                          "restrict: true\n", "accuracy"),
        ("objection", "scope: profiling\n", "weigh"),
    ],
)  # fmt: skip
def test_what_is_refused_while_it_is_restricted_ends_and_is_lifted(
    world: World, habeas: CliRunner, till: Till, right: str, details: str, task: str
) -> None:
    """Nobody weighs any more what counsel has refused, and nothing stays locked away for it."""
    world.start_worker(HABEAS_RESTRICTION_NOTICE_DAYS="0")
    request = opened(world, habeas, right, details, ANNA)
    world.wait_task(request, task)
    refused = Decided(word=Word.REFUSE, ground="gdpr_12_5_excessive")
    texts = {Element.REASON: "why", Element.OBJECTIVE: "often", Element.SUBJECTIVE: "to harm"}
    row = world.ledger.request(request)
    now, needs = world.now(), check(refused, row.right, row.regimes, texts)
    decision = world.ledger.propose(
        request, refused, needs, texts, by="s-31", consult_until=now + timedelta(days=3), at=now
    )
    world.ledger.speak(decision.id, Role.DPO, "agree", by="s-04", substitute=False, at=world.now())
    world.ledger.speak(decision.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=world.now())
    world.wait_closed(request)

    assert world.conclusion(request) == "refused"
    if right == "rectification" or world.ledger.restriction(request):
        # The request closes first; what was locked away for it is opened right after.
        world.wait(lambda: bool(world.ledger.liftings()), 60, "the lifting to be asked for")
        typed(habeas, "restriction", "told", request)
        world.wait(lambda: till.sees(7) > 0, 60, "the lifting")
