"""Somebody asks, and it has to be known who: the ladder, the telephone, nobody who answers."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from rights.request import Phase
from starter.stack import Postgres
from tests.smtp_sink import Sink
from tests.stories.asking import DIRECTORY, GATEWAY, Agent, doorbell
from tests.stories.test_clock import desk
from tests.world import World, dump, shop_map

SEVEN, NOBODY = "c7@shop.example", "nobody@shop.example"
_WHEN = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d")


PEOPLE = """
system: people
owner: crm
connector: sql
backups: none
directory: true
lookups_per_minute: 1000000
connection: {reader: "env:TEST_SHOP", writer: "env:TEST_SHOP"}
collections:
  people:
    key: [id]
    fields: {id: {}, email: {identity: email, category: contact, channel: email}}
"""


@pytest.fixture
def agent(world: World, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """An agent of a deployment whose shop is the directory, and whose letters go out by mail; a worker runs."""
    world.set_up_mail(host="localhost", port=sink.port, ca_file=str(sink.certificate))
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    world.write_maps({"shop": DIRECTORY})
    made = Agent(world)
    world.start_worker()
    return made


@pytest.mark.soak
def test_two_channels_on_file_prove_the_asker_and_the_copy_is_made(world: World, agent: Agent) -> None:
    request = agent.open("access", email=SEVEN)
    first = agent.send(request)
    mail = agent.mail(request, first)
    assert mail is not None
    assert (mail[0].kind, mail[0].address) == ("email", SEVEN)

    agent.read_back(request, "12345678", proven=False)
    assert "not proven" in agent.read_back(request, mail[1], proven=False), "one channel is not enough for a copy"
    assert world.phase(request) == Phase.CONFIRMING

    second = agent.send(request, "--to", "another")
    text = agent.mail(request, second)
    assert text is not None
    assert text[0].address == GATEWAY.replace("{digits}", "49301000007")
    said = agent.read_back(request, f"{text[1][:3]} {text[1][3:]}", proven=True)
    assert said.strip() == "proven"
    world.wait_closed(request)
    assert world.conclusion(request) == "answered"
    assert world.parcel_rows(request)["shop/orders.jsonl"] == 4
    assert agent.status(request)["proven"] is True


@pytest.mark.soak
def test_a_caller_reads_the_code_back_and_the_agent_sees_nothing_else(world: World, agent: Agent) -> None:
    request = agent.open("erasure", "--channel", "phone", "--taken-by", "hotline", email=SEVEN)
    script = agent("identity", "call", request)
    assert f"habeas identity send-code {request} --to file" in script
    assert "hotline" not in str(world.query("SELECT body FROM entries")), "who took it is sealed"
    ((body,),) = world.query("SELECT body FROM entries WHERE kind = 'arrived'")
    assert '"channel":"phone"' in body

    seen = [script]
    for to, proven in (("file", False), ("another", True)):
        number = agent.send(request, "--to", to)
        seen += [agent("identity", "status", request), agent("letter", "outbox"), agent("task", "list")]
        seen.append(agent("request", "show", request))
        mail = agent.mail(request, number)
        assert mail is not None
        seen.append(agent.read_back(request, mail[1], proven=proven))
        if not proven:
            for said in seen:
                assert "shop.example" not in said
                assert "49301" not in said
                assert mail[1] not in said
            agent("letter", "show", f"{request}.identity_code.{number}", "--text", code=5)
    world.wait_closed(request)
    assert world.conclusion(request) == "answered"
    assert not [row for row in dump(world.shop)["customers"] if f'"{SEVEN}"' in row]


@pytest.mark.soak
def test_an_agent_sees_the_same_of_people_who_are_known_and_of_people_who_are_not(world: World, agent: Agent) -> None:
    def seen(email: str) -> list[str]:
        request = agent.open("access", email=email)
        said = []
        # Without a letter by post: whoever posts letters sees that there is one.
        for to in ("given", "file", "another"):
            agent.send(request, "--to", to)
            said.append(agent.read_back(request, "00000000", proven=False))
            said += [agent("identity", "status", request), agent("request", "show", request)]
            said += [agent("identity", "ask-points", request), agent("letter", "outbox", "--request", request)]
            said.append(agent("task", "list", "--request", request))
        for _ in range(3):
            points = f"email={SEVEN}\nphone=+49301999999"
            said.append(agent("identity", "check-points", request, given=points, code=6))
        said.append(agent("identity", "check-points", request, given="phone=1", code=5))
        return [_WHEN.sub("TIME", text.replace(request, "REQUEST")) for text in said]

    assert seen(SEVEN) == seen(NOBODY)


@pytest.mark.soak
def test_what_was_given_and_is_unknown_is_answered_with_nothing_held_once_it_is_proven(
    world: World, agent: Agent
) -> None:
    request = agent.open("access", email=NOBODY)
    mail = agent.mail(request, agent.send(request, "--to", "given"))
    assert mail is not None
    assert mail[0].address == NOBODY
    assert world.phase(request) == Phase.CONFIRMING

    agent.read_back(request, mail[1], proven=False)
    world.wait_closed(request)
    assert world.conclusion(request) == "nothing_held"


@pytest.mark.soak
def test_what_is_held_beside_the_directory_is_not_given_out_on_an_address_alone(world: World, agent: Agent) -> None:
    # The directory does not know them; another system knows the address that was given.
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute("CREATE TABLE people AS SELECT id, email FROM customers WHERE id <> 7")
        door.execute("ALTER TABLE people ADD PRIMARY KEY (id)")
    _stop(world)
    world.write_maps({"people": PEOPLE, "archive": shop_map(system="archive")})
    world.start_worker()
    request = agent.open("access", email=SEVEN)
    mail = agent.mail(request, agent.send(request, "--to", "given"))
    assert mail is not None
    agent.read_back(request, mail[1], proven=False)

    looks = "SELECT count(*) FROM entries WHERE request_id = %s AND kind = 'look' AND body LIKE '%%locate%%'"
    world.wait(lambda: world.query(looks, request)[0][0] >= 2, 30, "both systems to be looked into")
    world.wait(lambda: world.phase(request) == Phase.CONFIRMING, 30, "more proof to be asked for")
    assert not world.query("SELECT 1 FROM entries WHERE request_id = %s AND body LIKE '%%export%%'", request)

    seen = ("identity", "attest", request, "--rung", "document", "--proves", "email")
    agent(*seen, "--by", "front desk", code=6)
    agent(*seen, "--by", "team lead")
    world.wait_closed(request)
    assert world.conclusion(request) == "answered"


@pytest.mark.soak
def test_a_victims_number_beside_ones_own_address_is_not_looked_up_by_the_proof_of_the_address(
    world: World, agent: Agent
) -> None:
    # The directory knows people by their address alone; the archive is keyed by a number that it has never heard of.
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute("CREATE TABLE people AS SELECT id, email, phone FROM customers")
        door.execute("ALTER TABLE people ADD PRIMARY KEY (id)")
    _stop(world)
    two = PEOPLE.replace("channel: email}}", "channel: email}, phone: {category: contact, channel: phone}}")
    world.write_maps({"people": two, "archive": shop_map(system="archive")})
    world.start_worker()
    before = dump(world.shop)["customers"]
    given = f"email={SEVEN}\ncustomer_id=8"
    request = json.loads(agent("request", "open", "erasure", "--identities", "-", "--json", given=given))["id"]
    for to in ("file", "another"):
        mail = agent.mail(request, agent.send(request, "--to", to))
        assert mail is not None
        agent.read_back(request, mail[1], proven=False)

    status = agent.status(request)
    assert (status["proven"], status["loose"]) == (False, ["customer_id"])
    assert "customer_id: prove it, vouch for it" in agent("identity", "status", request)
    assert "untied" in agent("task", "list")
    assert world.phase(request) == Phase.CONFIRMING
    assert not world.query("SELECT 1 FROM entries WHERE request_id = %s AND body LIKE '%%locate%%'", request)
    assert dump(world.shop)["customers"] == before

    # Somebody leaves it out, and the request goes on by what is proven: a copy of the one, and nothing of the other.
    request = json.loads(agent("request", "open", "access", "--identities", "-", "--json", given=given))["id"]
    for to in ("file", "another"):
        mail = agent.mail(request, agent.send(request, "--to", to))
        assert mail is not None
        agent.read_back(request, mail[1], proven=False)
    why = world.home / "why.txt"
    why.write_text("The number is not theirs.")
    agent("identity", "leave-out", request, "customer_id", "--by", "support desk", "--note-file", str(why))
    world.wait_closed(request)
    assert world.conclusion(request) == "answered"
    ((held,),) = world.query(
        "SELECT body FROM entries WHERE request_id = %s AND key LIKE '%%/archive/locate/%%' ORDER BY seq DESC LIMIT 1",
        request,
    )
    found = {one["collection"]: one["found"] for one in json.loads(held)["tally"]["counts"]}
    assert found["customers"] == 1
    settled = "SELECT settled_at IS NOT NULL FROM tasks WHERE request_id = %s AND code = 'untied'"
    assert world.query(settled, request) == [(True,)]


def _stop(world: World) -> None:
    for process in world.workers:
        process.terminate()
        process.wait()


def knocking(world: World, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    """Many ask for the data of somebody and prove nothing: nobody knocks at another system."""
    with doorbell() as (port, knocks):
        monkeypatch.setenv("TEST_OTHER", f"postgresql://nobody@127.0.0.1:{port}/other")
        world.environment["TEST_OTHER"] = f"postgresql://nobody@127.0.0.1:{port}/other"
        world.write_maps({"shop": DIRECTORY, "other": shop_map(system="other", env="TEST_OTHER")})
        world.start_worker()
        requests = [
            world.open("erasure", [("email", f"c{n % 20 + 1}@shop.example")], confirmed=False) for n in range(many)
        ]
        asked = "SELECT count(*) FROM identity_cases WHERE read_at IS NOT NULL"
        world.wait(lambda: world.query(asked)[0][0] == many, 30 + many / 5, "the directory to be asked")
        assert knocks == []

        world.ledger.confirm_identity(requests[0], at=world.now())
        world.wait(lambda: knocks, 30, "the system to be asked once somebody is proven")
        assert world.phase(requests[1]) == Phase.CONFIRMING


@pytest.mark.soak
def test_nothing_is_asked_of_any_system_but_the_directory_before_proof(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    knocking(world, monkeypatch, 5)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_hundreds_of_unproven_requests_ask_no_other_system_anything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    knocking(world, monkeypatch, 500)


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_nobody_answers_reminders_go_out_the_request_rests_and_is_closed(home: Path, postgres: Postgres) -> None:
    async def story() -> None:
        async with desk(home, postgres, {"shop": DIRECTORY}) as at:
            world, ledger = at.world, at.world.ledger
            request = world.open("access", [("email", SEVEN)], confirmed=False)
            await at.days(0.1)
            ledger.ask_code(request, "file", at=await at.now())
            await at.days(1)
            for days, reminded in ((7, 1), (14, 2)):
                await at.days(days)
                assert ledger.identity_state(request).reminded == reminded
            await at.days(9)
            state = ledger.identity_state(request)
            assert (state.became, ledger.request(request).phase) == ("lapse", Phase.CONFIRMING)
            kinds = [kind for (kind,) in world.query("SELECT kind FROM letters WHERE request_id = %s", request)]
            assert sorted(kinds) == ["identity_code", "lapse", "reminder", "reminder"]
            await at.days(61)
            assert world.conclusion(request) == "unproven"
            assert not world.query("SELECT 1 FROM entries WHERE request_id = %s AND body LIKE '%%locate%%'", request)

    asyncio.run(story())


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_california_is_told_what_becomes_of_an_unproven_request_within_the_45_days(
    home: Path, postgres: Postgres
) -> None:
    async def story() -> None:
        async with desk(home, postgres, {"shop": DIRECTORY}) as at:
            world, ledger = at.world, at.world.ledger
            request = world.open("erasure", [("email", SEVEN)], confirmed=False, regimes=["us-ca-ccpa"])
            began = await at.now()
            await at.days(0.1)
            ledger.ask_code(request, "file", at=await at.now())
            await at.days(39)
            assert world.conclusion(request) == "unproven"
            ((closed,),) = world.query("SELECT closed_at FROM requests WHERE id = %s", request)
            assert closed - began < timedelta(days=45)
            assert ledger.identity_state(request).became == "deny"

    asyncio.run(story())


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_a_deletion_from_the_registry_that_cannot_be_verified_is_carried_out_as_an_opt_out(
    home: Path, postgres: Postgres
) -> None:
    async def story() -> None:
        async with desk(home, postgres, {"shop": DIRECTORY}) as at:
            world, ledger = at.world, at.world.ledger
            request = world.open("erasure", [("email", SEVEN)], confirmed=False, regimes=["us-ca-drop"])
            await at.days(0.1)
            ledger.ask_code(request, "file", at=await at.now())
            await at.days(39)
            assert world.conclusion(request) == "unproven"
            assert ledger.identity_state(request).became == "opt-out"
            found = world.query(
                'SELECT id, regime, confirmed_at IS NOT NULL FROM requests WHERE "right" = %s', "opt-out"
            )
            assert [row[1:] for row in found] == [("us-ca-optout", True)]

    asyncio.run(story())
