"""Objections, opt-outs, withdrawn consents and reviews, through the command line on real systems.

The rule kept: what was stopped is read in the systems themselves, as their own application or the vendor has it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from starter.cli import app
from starter.stack import Vendors
from tests.stories.vendors import ALLOWED, MAILCHIMP
from tests.world import World, dump, shop_map

SHOP = shop_map().replace(
    """      phone: {category: contact, strategy: "null"}
""",
    """      phone: {category: contact, strategy: "null"}
      no_mail: {}
      no_score: {}
      no_sale: {}
    opt_out:
      marketing: {field: no_mail, value: true}
      marketing_profiling: {field: no_score, value: true}
      sale: {field: no_sale, value: true}
      sharing: {field: no_sale, value: true}
      targeted_advertising: {field: no_sale, value: true}
""",
    1,
)
COLUMNS = """ALTER TABLE customers ADD no_mail boolean NOT NULL DEFAULT false,
    ADD no_score boolean NOT NULL DEFAULT false, ADD no_sale boolean NOT NULL DEFAULT false"""


def newsletter(vendors: Vendors, more: str = "") -> str:
    """Mailchimp, with what the map says of its members."""
    text = MAILCHIMP.format(allowed=ALLOWED.format(base=vendors.base, vendor="mailchimp"))
    return text.replace("    key: [list_id, id]\n", f"    key: [list_id, id]\n{more}", 1)


@pytest.fixture
def shop(people: World, vendors: Vendors, monkeypatch: pytest.MonkeyPatch) -> World:
    """A shop whose customers have two columns for opting out, and a newsletter; a worker runs."""
    with psycopg.connect(people.shop, autocommit=True) as connection:
        connection.execute(COLUMNS)
    people.write_maps({"shop": SHOP, "newsletter": newsletter(vendors)})
    for name, value in people.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(people.home)
    return people


def typed(*words: str, stdin: str = "") -> Result:
    """Type a command."""
    done = CliRunner().invoke(app, list(words), input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def told(*words: str, stdin: str = "") -> Any:
    """What a command prints as JSON."""
    done = typed(*words, "--json", stdin=stdin)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def opened(world: World, right: str, details: str, *words: str, who: str = "email=c7@shop.example\n") -> str:
    """Open a request with details, by the command line."""
    (world.home / "details.yaml").write_text(details)
    request = told("request", "open", right, "--details", "details.yaml", "--identities", "-", *words, stdin=who)
    return str(request["id"])


def marked(world: World, column: str) -> list[int]:
    """The customers who are marked, as the shop's own application sees them."""
    with psycopg.connect(world.shop) as connection:
        rows = connection.execute(f"SELECT id FROM customers WHERE {column} ORDER BY id".encode()).fetchall()
    return [row[0] for row in rows]


def unsubscribed(vendors: Vendors) -> set[str]:
    """The addresses that the newsletter does not write to."""
    state = vendors.dump("mailchimp")["members"]
    return {m["email_address"] for of in state.values() for m in of.values() if m["status"] == "unsubscribed"}


def tasks(world: World, request: str) -> set[str]:
    return {row[0] for row in world.query("SELECT code FROM tasks WHERE request_id = %s", request)}


def operations(world: World, request: str) -> set[str]:
    return {receipt["step"]["operation"] for receipt in world.receipts(request)}


@contextmanager
def unchanged_but(world: World, *columns: str) -> Iterator[None]:
    """Nothing else in the shop changes."""

    def others() -> dict[str, set[str]]:
        found = dump(world.shop)
        rows = [{k: v for k, v in json.loads(row).items() if k not in columns} for row in found["customers"]]
        return {**found, "customers": {json.dumps(row, sort_keys=True) for row in rows}}

    before = others()
    yield
    assert others() == before


@pytest.mark.soak
def test_an_objection_to_marketing_stops_it_everywhere_without_proof_and_changes_nothing_else(
    shop: World, vendors: Vendors
) -> None:
    """OBJ-02, OPT-01: absolute, immediate, no proof asked, and with it the profiling that is for marketing by the map;
    by what one system knows the person by, in the other too."""
    with unchanged_but(shop, "no_mail", "no_score"):
        request = opened(shop, "objection", "scope: marketing\n", who="customer_id=7\n")

        listed = told("suppression", "check", "--identity", "customer_id=-", stdin="7")["suppressed"]
        both = {"marketing", "marketing_profiling"}
        assert {one["scope"] for one in listed} == both, "our own list, before any worker runs"
        hold = shop.place_hold([("email", "c7@shop.example")])
        shop.start_worker()
        shop.wait_closed(request)

        assert (marked(shop, "no_mail"), marked(shop, "no_score")) == ([7], [7])
        assert marked(shop, "no_sale") == []
        assert unsubscribed(vendors) == {"c7@shop.example"}
    assert operations(shop, request) == {"suppress"}, "nothing else was asked of any system"
    assert vendors.traffic("amplitude") == []
    assert (tasks(shop, request), shop.conclusion(request)) == (set(), "answered")
    assert shop.query("SELECT body::json->>'assurance' FROM entries WHERE kind = 'opened'") == [("none_needed",)]
    assert hold.released_at is None, "a hold is about destroying, and nothing was"
    answer = typed("request", "answer", request).stdout
    assert "no longer used for marketing" in answer
    assert "found" not in answer
    assert "shop" not in answer, "whoever is not proven learns nothing of what is held"
    shop.release_hold(hold.id)
    # The request and all that is sealed with it go; the list stays, and knows the person by what was learnt.
    shop.ledger.shred(request, ["working", "file", "history"], as_of=shop.now() + timedelta(days=4000))
    listed = told("suppression", "check", "--identity", "email=-", stdin="C7@Shop.Example")["suppressed"]
    assert {one["scope"] for one in listed} == both


@pytest.mark.soak
def test_a_gpc_signal_is_an_opt_out_once_however_often_it_is_sent(shop: World) -> None:
    """OBJ-03, OPT-03, OPT-04."""
    shop.start_worker()
    heard = [told("optout", "gpc", "--header", "1", "--identity", "customer_id=-", stdin="7") for _ in range(3)]
    silent = told("optout", "gpc", "--header", "true", "--identity", "customer_id=-", stdin="8")
    request = heard[0]["request_id"]
    shop.wait_closed(request)

    assert [one["new"] for one in heard] == [True, False, False]
    assert {one["request_id"] for one in heard} == {request}
    assert silent == {"signal": False, "new": False, "request_id": ""}
    assert shop.query("SELECT count(*) FROM requests") == [(1,)]
    assert marked(shop, "no_sale") == [7]
    (regime, due, received) = shop.query("SELECT regime, legal_due, received_at FROM requests")[0]
    assert regime == "us-ca-optout"
    assert timedelta(days=18) < due - received < timedelta(days=30), "fifteen business days"
    listed = told("suppression", "check", "--identity", "customer_id=-", stdin="7")["suppressed"]
    assert {one["scope"] for one in listed} == {"sale", "sharing", "targeted_advertising"}
    year = datetime.now(UTC).year + 1
    assert {one["not_asked_before"][:4] for one in listed} == {str(year)}
    assert "opted out" in typed("request", "answer", request).stdout.lower()


REGISTER = """
recipients:
  partner:
    name: Partner Ads SA
    country: DE
    role: controller
    basis: {kind: contract, document: DPA 18, since: 2024-01-01}
    gets: [shop.customers]
    knows_by: [customer_id]
    told_by: {email: privacy@partner.example}
  mailer:
    name: Acme Mail GmbH
    country: DE
    basis: {kind: contract, document: DPA 17, since: 2024-01-01}
    gets: [newsletter]
    told_by: {system: newsletter}
"""


@pytest.mark.soak
def test_an_opt_out_is_told_to_whom_the_data_was_given_and_an_objection_is_not(shop: World, vendors: Vendors) -> None:
    """OPT-02; 11 CCR 7026(f)(2). Who has nothing of a system in which it took hold is told nothing."""
    (shop.home / "recipients.yaml").write_text(REGISTER)
    owned = newsletter(vendors).replace("mode: auto", "recipient: mailer\nmode: auto")
    shop.write_maps({"shop": SHOP, "newsletter": owned})
    shop.start_worker(HABEAS_RECIPIENTS=str(shop.home / "recipients.yaml"))
    heard = told("optout", "gpc", "--header", "1", "--identity", "customer_id=-", stdin="7")["request_id"]
    unknown = told("optout", "gpc", "--header", "1", "--identity", "customer_id=-", stdin="700700")["request_id"]
    objection = opened(shop, "objection", "scope: marketing\n", who="customer_id=9\n")
    for request in (heard, unknown, objection):
        shop.wait_closed(request)

    told_of = shop.query("SELECT request_id, recipient, operation FROM notices")
    assert told_of == [(heard, "partner", "opted_out")]
    said = json.loads(shop.ledger.unseal(heard, "file", "letter/recipient_notice/0") or b"")
    assert (said["operation"], said["about"]) == ("opted_out", [["customer_id", "7"]])
    assert "Partner Ads" not in typed("request", "answer", heard).stdout, "whoever is not proven learns nothing of it"


@pytest.mark.soak
def test_a_browser_that_nobody_knows_is_on_the_list_and_reveals_nothing(shop: World) -> None:
    shop.start_worker()
    heard = told("optout", "gpc", "--header", "1", "--identity", "cookie=-", stdin="5f2c-91")
    shop.wait_closed(heard["request_id"])

    assert marked(shop, "no_sale") == []
    assert told("suppression", "list")["identities"] == {"sale": 1, "sharing": 1, "targeted_advertising": 1}
    assert told("suppression", "check", "--identity", "cookie=-", stdin="5f2c-92") == {"suppressed": []}


@pytest.mark.soak
def test_what_no_system_says_it_does_is_asked_about_and_not_called_done(shop: World) -> None:
    shop.start_worker()
    request = opened(shop, "opt-out", "of: [profiling]\n")
    task = shop.wait_task(request, "nowhere")
    assert shop.phase(request) != "closed"

    typed("request", "rule", request, "give_up", "--task", task)
    shop.wait_closed(request)

    assert shop.conclusion(request) == "in_part"


@pytest.mark.soak
def test_a_system_that_cannot_stop_it_is_a_persons_task_where_it_holds_something(shop: World, vendors: Vendors) -> None:
    crm = shop_map(system="crm").replace("    key: [id]\n", "    key: [id]\n    uses: [marketing]\n", 1)
    shop.write_maps({"shop": SHOP, "crm": crm, "newsletter": newsletter(vendors)})
    shop.start_worker()
    known = opened(shop, "objection", "scope: marketing\n")
    stranger = opened(shop, "objection", "scope: marketing\n", who="email=nobody@shop.example\n")
    task = shop.wait_task(known, "unsupported")
    shop.wait_closed(stranger)
    assert tasks(shop, stranger) == set()
    shop.wait(lambda: marked(shop, "no_mail") == [7], 60, "the others to go on")

    typed("request", "rule", known, "done", "--task", task)
    shop.wait_closed(known)

    sure = {r["step"]["system"]: r["certainty"] for r in shop.receipts(known) if r["outcome"] == "done"}
    assert (sure["crm"], sure["shop"]) == ("attested", "completed")


@pytest.mark.soak
def test_marketing_may_begin_again_by_the_persons_own_consent_alone(shop: World) -> None:
    """SUP-02: a new consent clears the block on marketing, and nothing else."""
    shop.start_worker()
    request = opened(shop, "objection", "scope: marketing\n")
    sale = opened(shop, "opt-out", "of: sale\n")
    shop.wait_closed(request)
    shop.wait_closed(sale)
    list_of = "c6@shop.example\nC7@shop.example\nno address\n"
    assert told("suppression", "screen", "-", stdin=list_of) == {"lines": [2, 3]}

    told("suppression", "clear", "--by", "sign-up form", "--identity", "email=-", stdin="c7@shop.example")

    left = told("suppression", "check", "--identity", "email=-", stdin="c7@shop.example")["suppressed"]
    assert {one["scope"] for one in left} == {"marketing_profiling", "sale"}


@pytest.mark.soak
def test_a_consent_is_withdrawn_where_the_map_rests_on_it_and_nothing_is_erased(shop: World, vendors: Vendors) -> None:
    """Art. 7(3): as easy as giving it; no more than the channel is proven; an erasure is offered and never begun."""
    resting = "    purpose: Sending the newsletter\n    lawful_basis: consent (Art. 6(1)(a) GDPR)\n"
    shop.write_maps({"shop": SHOP, "newsletter": newsletter(vendors, resting)})
    shop.start_worker()
    unknown = typed(
        "request", "open", "consent-withdrawal", "--identity", "email=c7@shop.example", "--details", "-",
        stdin="purposes: [horoscopes]",
    )  # fmt: skip
    assert unknown.exit_code == 2
    assert "Sending the newsletter" in unknown.stderr
    request = opened(shop, "consent-withdrawal", "purposes: [sending the newsletter]\n", "--confirmed-by", "web form")
    with unchanged_but(shop):
        shop.wait_closed(request)

    assert unsubscribed(vendors) == {"c7@shop.example"}
    assert operations(shop, request) == {"suppress"}
    listed = told("suppression", "check", "--identity", "email=-", stdin="c7@shop.example")["suppressed"]
    assert [(one["scope"], one["about"]) for one in listed] == [("consent", "sending the newsletter")]
    answer = typed("request", "answer", request).stdout
    assert "before it was withdrawn" in answer
    assert "ask for it to be erased" in answer


@pytest.mark.soak
def test_an_objection_on_grounds_is_restricted_weighed_and_upheld(shop: World, vendors: Vendors) -> None:
    """OBJ-01: the data is restricted while it is weighed, and what is upheld stays stopped."""
    shop.write_maps({"shop": SHOP, "newsletter": newsletter(vendors, "    uses: [profiling, marketing]\n")})
    shop.start_worker()
    request = opened(shop, "objection", "scope: profiling\nreasons: I am a public person\n")
    shop.wait(lambda: shop.phase(request) == "confirming", 30, "the proof")
    assert unsubscribed(vendors) == set(), "an objection on grounds is the person's own"
    typed("request", "confirm-identity", request, "--by", "support desk")
    shop.wait_task(request, "weigh")
    shop.wait(lambda: unsubscribed(vendors) == {"c7@shop.example"}, 30, "the restriction")
    assert told("suppression", "check", "--identity", "email=-", stdin="c7@shop.example") == {"suppressed": []}
    shown = told("objection", "show", request)
    assert shown["reasons"] == "I am a public person"
    assert set(shown["grounds"]) == {"compelling_interest", "legal_claims"}

    done = typed("objection", "weigh", request, "upheld", "--by", "privacy", "--evidence-file", "-", stdin="We agree.")
    assert done.exit_code == 0, done.output
    # Mailchimp cannot stop profiling; whoever runs it says that it is done there.
    typed("request", "rule", request, "done", "--task", shop.wait_task(request, "unsupported"))
    shop.wait_closed(request)

    assert shop.conclusion(request) == "answered"
    assert unsubscribed(vendors) == {"c7@shop.example"}, "the restriction stays"
    listed = told("suppression", "check", "--identity", "email=-", stdin="c7@shop.example")["suppressed"]
    assert {one["scope"] for one in listed} == {"profiling", "marketing_profiling"}


@pytest.mark.soak
def test_an_objection_is_overridden_on_a_ground_by_two_people_and_the_person_is_told_first(
    shop: World, vendors: Vendors
) -> None:
    shop.write_maps({"shop": SHOP, "newsletter": newsletter(vendors, "    uses: [profiling]\n")})
    shop.start_worker()
    request = opened(shop, "objection", "scope: profiling\n", "--confirmed-by", "support desk")
    shop.wait_task(request, "weigh")
    shop.wait(lambda: unsubscribed(vendors) == {"c7@shop.example"}, 30, "the restriction")
    (shop.home / "evidence.txt").write_text("Fraud was found in this account.")
    (shop.home / "reason.txt").write_text("We have to be able to recognise fraud.")
    weigh = ["objection", "weigh", request, "overridden", "--by", "privacy", "--evidence-file", "evidence.txt"]
    more = ["--reason-file", "reason.txt"]
    refused = [
        typed(*weigh, *more, "--approved-by", "counsel"),
        typed(*weigh, *more, "--approved-by", "counsel", "--ground", "public_interest_research"),
        typed(*weigh, *more, "--ground", "legal_claims"),
        typed(*weigh, *more, "--ground", "legal_claims", "--approved-by", " Privacy "),
        typed(*weigh, "--ground", "legal_claims", "--approved-by", "counsel"),
    ]
    assert [one.exit_code for one in refused] == [2] * 5
    assert shop.query("SELECT outcome FROM weighings") == [(None,)], "a refused word leaves nothing"

    overridden = [*weigh, *more, "--ground", "legal_claims", "--approved-by", "counsel"]
    assert typed(*overridden).exit_code == 5, "some of it is for marketing, which nothing outweighs"
    shop.wait_closed(opened(shop, "objection", "scope: marketing_profiling\n"))
    assert marked(shop, "no_score") == [7]
    done = typed(*overridden)
    assert done.exit_code == 0, done.output
    shop.wait_closed(request)

    assert shop.conclusion(request) == "refused"
    assert unsubscribed(vendors) == {"c7@shop.example"}, "the person is told before it is lifted"
    shop.ledger.told_of_lifting(request, at=shop.now() - timedelta(days=7))
    shop.wait(lambda: unsubscribed(vendors) == set(), 60, "the restriction's lifting")
    listed = told("suppression", "check", "--identity", "email=-", stdin="c7@shop.example")["suppressed"]
    assert [one["scope"] for one in listed] == ["marketing_profiling"], "the profiling that was refused is not"
    rows = shop.query("SELECT kind, body FROM entries WHERE request_id = %s ORDER BY seq", request)
    kinds = [kind for kind, _ in rows]
    assert kinds.index("letter") < kinds.index("weighed"), "the letter that says why is in the same commit"
    assert json.loads(dict(rows)["weighed"])["ground"] == "legal_claims"
    assert "Fraud" not in json.dumps(rows)
    file = json.loads(shop.ledger.unseal(request, "file", "weighing") or b"{}")
    assert (file["by"], file["approved_by"]) == ("privacy", "counsel")


@pytest.mark.soak
def test_a_decision_is_looked_at_again_by_somebody_else(shop: World) -> None:
    """ADM-02, ADM-03: a person hears the person, and is not whoever has decided."""
    shop.start_worker()
    details = "decision: credit 4711\ncontested: The income is wrong.\ndecided_by: credit desk\n"
    request = opened(shop, "decision-review", details, "--confirmed-by", "support desk")
    shop.wait_task(request, "contested")
    (due,) = shop.query("SELECT due_at - opened_at FROM weighings WHERE request_id = %s", request)[0]
    assert timedelta(days=20) < due <= timedelta(days=21)
    (shop.home / "found.txt").write_text("The income was that of a namesake.")
    words = ["--evidence-file", "found.txt", "--reason-file", "found.txt"]
    own = typed("automated", "decide", request, "changed", "--by", "Credit  desk", *words)
    assert own.exit_code == 5
    assert told("automated", "show", request)["contested"] == "The income is wrong."
    assert shop.phase(request) == "deciding"

    done = typed("automated", "decide", request, "changed", "--by", "head of credit", *words)
    assert done.exit_code == 0, done.output
    shop.wait_closed(request)

    assert shop.conclusion(request) == "answered"
    assert operations(shop, request) == set(), "no system was touched"
    assert typed("automated", "decide", request, "upheld", "--by", "head of credit", *words).exit_code == 5


@pytest.mark.soak
def test_our_own_way_of_opting_out_is_tried_end_to_end(shop: World) -> None:
    """OPT-05: a broken opt-out shows by an exit code."""
    probe = ["optout", "probe", "--identity", "email=-", "--within", "60"]
    broken = typed(*probe[:-1], "1", "--json", stdin="c7@shop.example")
    assert (broken.exit_code, json.loads(broken.stdout)["closed"]) == (1, False), "no worker runs"
    shop.start_worker()

    tried = told(*probe, stdin="c9@shop.example")
    assert (tried["well"], tried["reached"], tried["failed"]) == (True, ["shop"], [])
    assert 9 in marked(shop, "no_sale")
    nobody = typed(*probe, "--json", stdin="nobody@shop.example")
    assert (nobody.exit_code, json.loads(nobody.stdout)["unknown"]) == (1, ["shop"]), "a canary that nobody knows"

    # The shop's own application undoes it.
    with psycopg.connect(shop.shop, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.no_sale := false; RETURN NEW; END $$;"
            "CREATE TRIGGER back BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION back()"
        )
    undone = typed("optout", "probe", "--identity", "email=-", "--within", "15", "--json", stdin="c10@shop.example")
    assert (undone.exit_code, json.loads(undone.stdout)["failed"]) == (1, ["shop"])


def test_the_well_known_document_says_that_the_signal_is_heeded(shop: World) -> None:
    done = typed("optout", "gpc-json", "--on", "2026-11-26")

    assert json.loads(done.stdout) == {"gpc": True, "lastUpdate": "2026-11-26"}
