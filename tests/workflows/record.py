"""Record the histories that `test_replay` replays: ``python -m tests.workflows.record [PART...]``.

Runs a small deployment on real servers, opens what it sealed with its own keys, and seals it anew under the test key.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf import json_format
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import History
from temporalio.client import ScheduleActionExecutionStartWorkflow
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError, RPCStatusCode

import worker
from ledger.incidents import About
from ledger.letters import said_name
from rights.appeals import AppealOutcome
from rights.authorities import Scope
from rights.authoritylaw import Word
from rights.decision import Role
from rights.demandfile import Gag, Said
from rights.details import read_details
from rights.holds import Disclosure, Terms
from rights.incidentlaw import Kind
from rights.incidents import Threat
from rights.request import Right
from rights.subject import parse_identities
from rights.weighing import Outcome
from rights.yamlfile import read
from starter.appeals import decide
from starter.stack import Postgres, Temporal, Vendors
from starter.weigh import decide_review
from tests.benchmarks.campaign import NOTICE
from tests.conftest import SEARCH_ATTRIBUTES
from tests.smtp_sink import Sink
from tests.starter.transfers import Other
from tests.stories.asking import DIRECTORY
from tests.stories.copies import Habeas
from tests.stories.test_authority import DEMAND, REGISTER
from tests.stories.test_clock import desk
from tests.stories.test_portability import details, sending
from tests.stories.test_restriction import Till, setup_denial
from tests.stories.vendors import accepted, analytics
from tests.world import World, shop_map
from workflows.request import ErasureRequest
from workflows.visibility import (
    appeal_id,
    deferred_id,
    demand_id,
    follow_up_id,
    incident_id,
    lifting_id,
    map_check_id,
    relook_id,
    replay_id,
    sweep_id,
)
from workflows.wire import HistoryKeys, SealingCodec

HERE = Path(__file__).parent / "histories"
KEY = bytes(32)


@contextmanager
def _servers() -> Iterator[tuple[Path, Postgres]]:
    """A folder and a PostgreSQL server of a part's own."""
    with tempfile.TemporaryDirectory() as folder, Postgres(durable=False) as postgres:
        yield Path(folder), postgres


@contextmanager
def _world(**maps: str) -> Iterator[World]:
    """A small deployment on servers of its own."""
    with (
        _servers() as (home, postgres),
        Temporal(search_attributes=SEARCH_ATTRIBUTES) as temporal,
        World(home, postgres, temporal, maps=maps) as world,
    ):
        yield world


async def _keep(world: World, workflow_id: str, name: str) -> None:
    client = await worker.connect(world.settings, world.ledger)
    events = [event async for event in client.get_workflow_handle(workflow_id).fetch_history_events()]
    context = WorkflowSerializationContext(namespace="default", workflow_id=workflow_id)
    opens = SealingCodec(HistoryKeys(world.ledger.history_key)).with_context(context)
    seals = SealingCodec(HistoryKeys(lambda _: KEY)).with_context(context)
    history = History(events=events)
    await _reseal(history, opens, seals)
    body = {"workflow_id": workflow_id, "history": json_format.MessageToDict(history)}
    HERE.mkdir(exist_ok=True)
    (HERE / f"{name}.json").write_text(json.dumps(body, indent=1, sort_keys=True) + "\n")


async def _reseal(message: Message, opens: SealingCodec, seals: SealingCodec) -> None:
    if isinstance(message, Payload):
        if message.metadata.get("encoding", b"").startswith(b"binary/habeas"):
            message.CopyFrom((await seals.encode(await opens.decode([message])))[0])
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        children: list[Any]
        if field.message_type.GetOptions().map_entry:
            children = list(value.values())
        else:
            children = list(value) if field.is_repeated else [value]
        for child in children:
            if isinstance(child, Message):
                await _reseal(child, opens, seals)


async def _waits_on(world: World, workflow_id: str) -> str:
    client = await worker.connect(world.settings, world.ledger)
    run = client.get_workflow_handle(workflow_id)
    return (await run.query(ErasureRequest.standing)).waiting_on


async def _checked(world: World) -> str:
    """The id of the run that the schedule began, once it is over."""
    client = await worker.connect(world.settings, world.ledger)
    schedule = client.get_schedule_handle(map_check_id(world.ledger.tenant))
    action = (await schedule.describe()).info.recent_actions[0].action
    assert isinstance(action, ScheduleActionExecutionStartWorkflow)
    await client.get_workflow_handle(action.workflow_id).result()
    return action.workflow_id


def requests() -> None:
    """Run an access, an erasure, upkeep and a check of the map."""
    with _world(shop=shop_map("approve", retention=True)) as world:
        world.start_worker(HABEAS_MAP_CHECK_EVERY="P1D")
        tenant = world.ledger.tenant
        access = world.open("access", [("email", "c3@shop.example")])
        world.wait_closed(access)
        erasure = world.open("erasure", [("email", "c7@shop.example")], confirmed=False)
        world.wait(lambda: world.phase(erasure) == "confirming", 30, "the question")
        world.ledger.confirm_identity(erasure, at=world.now(), note="")
        world.wait(lambda: world.phase(erasure) == "approving", 30, "the approval")
        world.ledger.approve(erasure, at=world.now(), note="")
        world.wait_closed(erasure)
        asyncio.run(_keep(world, f"access/{tenant}/{access}", "access-answered"))
        asyncio.run(_keep(world, f"erasure/{tenant}/{erasure}", "erasure-approved-in-part"))
        asyncio.run(_keep(world, f"upkeep/{tenant}", "upkeep-first-round"))
        world.wait(lambda: world.ledger.map_check() is not None, 60, "the map's first check")
        asyncio.run(_keep(world, asyncio.run(_checked(world)), "map-check-first"))


def late() -> None:
    """Run an erasure that was overdue as it came in."""
    with _world(shop=shop_map()) as world:
        world.start_worker()
        long_ago = world.now() - timedelta(days=45)
        request = world.open("erasure", [("email", "c7@shop.example")], confirmed=False, received_at=long_ago)
        world.wait_task(request, "deadline")
        world.ledger.confirm_identity(request, at=world.now())
        world.wait_closed(request)
        asyncio.run(_keep(world, f"erasure/{world.ledger.tenant}/{request}", "erasure-came-late"))


def letters() -> None:
    """Run a campaign by mail, and keep the histories of it and of the letters."""
    mapped = shop_map().replace("    purpose: to run", "    lawful_basis: contract\n    purpose: to run")
    with Sink() as sink, _world(shop=mapped) as world:
        world.set_up_mail(host="localhost", port=sink.port, ca_file=str(sink.certificate))
        (world.home / "notice.yaml").write_text(NOTICE)
        habeas = Habeas(world)
        habeas("campaign", "prepare", "policy", "--notice", str(world.home / "notice.yaml"))
        habeas("campaign", "start", "policy")
        world.start_worker()
        world.wait(lambda: world.query("SELECT state FROM campaigns") == [("ended",)], 60, "the campaign's end")
        campaign, tenant = world.ledger.campaign("policy").id, world.ledger.tenant
        asyncio.run(_ended(world, f"campaign/{campaign}/{tenant}"))
        asyncio.run(_ended(world, f"letters/{tenant}"))
        asyncio.run(_keep(world, f"campaign/{campaign}/{tenant}", "campaign-ended"))
        asyncio.run(_keep(world, f"letters/{tenant}", "letters-sent"))


def reviews() -> None:
    """Run a restriction that is reviewed, then lifted, and a decision that is looked at again, late."""
    mapped = shop_map(extra="options: {restrict: row_security}")
    with _world(shop=mapped) as world:
        till = Till(world)
        setup_denial(world, till)
        world.start_worker(HABEAS_RESTRICTION_NOTICE_DAYS="0")
        habeas, tenant = Habeas(world), world.ledger.tenant
        (world.home / "restriction.yaml").write_text("ground: claims\n")
        request = habeas.open("restriction", "--details", str(world.home / "restriction.yaml"))
        world.wait_closed(request)
        until = world.now().date() + timedelta(days=90)
        habeas("restriction", "review", request, "--until", str(until))
        habeas("restriction", "lift", request, "--because", "not_needed", "--notice-days", "0")
        habeas("request", "rule", request, "done", "--task", world.wait_task(request, "post_out"))
        asyncio.run(_ended(world, lifting_id(tenant, request)))
        asyncio.run(_keep(world, f"restriction/{tenant}/{request}", "restriction-answered"))
        asyncio.run(_keep(world, lifting_id(tenant, request), "restriction-reviewed-lifted"))
    with _servers() as (home, postgres):
        asyncio.run(_decided_late(home, postgres))


def uses() -> None:
    """Run a round of looks that copies what may be used of what is restricted."""
    with _world(shop=shop_map(extra="options: {restrict: row_security}")) as world:
        till = Till(world)
        setup_denial(world, till)
        world.start_worker()
        habeas, tenant = Habeas(world), world.ledger.tenant
        (world.home / "restriction.yaml").write_text("ground: claims\n")
        (world.home / "claim.txt").write_text("The claim stands before a court.")
        request = habeas.open("restriction", "--details", str(world.home / "restriction.yaml"))
        world.wait_closed(request)
        words = ("--ground", "claims", "--evidence-file", str(world.home / "claim.txt"), "--until", "2099-01-01")
        use = habeas.json("restriction", "use", request, *words, "--by", "s-17")["id"]
        habeas("restriction", "use-approve", use, "--by", "s-21")
        world.wait(lambda: world.ledger.use(use).sealed_at, 60, "the copy")
        asyncio.run(_ended(world, follow_up_id(tenant, request)))
        asyncio.run(_keep(world, follow_up_id(tenant, request), "follow-restricted-used"))


def rests() -> None:
    """Run an erasure that locks away what a hold keeps, and is taken back, so that it is opened again."""
    with _world(shop=shop_map(extra="options: {restrict: row_security}")) as world:
        setup_denial(world, Till(world))
        locked = "SELECT over_at IS NOT NULL FROM rest_locks WHERE request_id = %s"
        world.place_hold([("email", "c7@shop.example")])
        request = world.open("erasure", [("email", "c7@shop.example")])
        world.start_worker()
        world.wait(lambda: world.query(locked, request) == [(False,)], 60, "what stays to be locked away")
        world.wait_task(request, "hold")
        world.ledger.withdraw(request, at=world.now())
        world.wait_closed(request)
        assert world.query(locked, request) == [(True,)]
        asyncio.run(_keep(world, f"erasure/{world.ledger.tenant}/{request}", "erasure-locked-taken-back"))


async def _decided_late(home: Path, postgres: Postgres) -> None:
    contested = read_details(Right.DECISION_REVIEW, "x", "decision: credit 4711\ncontested: It is wrong.\n")
    async with desk(home, postgres, {"shop": shop_map()}) as at:
        ledger = at.world.ledger
        request = at.world.open("decision-review", [("email", "c7@shop.example")], details=contested)
        await at.days(22)
        words = {"by": "head of credit", "evidence": "Looked at.", "reason": "It was another person's."}
        decide_review(ledger, request, Outcome.ANNULLED, at=await at.now(), **words)
        await at.days(0.1)
        await _keep(at.world, f"decision-review/{ledger.tenant}/{request}", "review-late-annulled")


def appeals() -> None:
    """Run an appeal that is decided."""
    with _servers() as (home, postgres):
        asyncio.run(_appealed(home, postgres))


async def _appealed(home: Path, postgres: Postgres) -> None:
    async with desk(home, postgres, {"shop": shop_map()}) as at:
        ledger = at.world.ledger
        request = at.world.open("access", [("email", "c7@shop.example")], regimes=["us-va"])
        await at.days(0.1)
        now = await at.now()
        appeal = ledger.open_appeal(request, received_at=now, at=now)
        await at.days(50)
        decide(ledger, appeal.id, AppealOutcome.UPHELD, reasons="It stands.", by="delegate", at=await at.now())
        await at.days(0.1)
        await _keep(at.world, appeal_id(ledger.tenant, request), "appeal-upheld")


def transfers() -> None:
    """Run a copy that goes straight to another controller."""
    with _world(shop=shop_map()) as world, Other(world.home / "other", Ed25519PrivateKey.generate()) as other:
        habeas = sending(world, other)
        world.start_worker()
        request = habeas.open("portability", "--details", details(world))
        world.wait_closed(request)
        asyncio.run(_keep(world, f"portability/{world.ledger.tenant}/{request}", "transfer-taken-in"))


def identity() -> None:
    """Run a request whose asker never answers, and one that is proven by a code."""
    with _servers() as (home, postgres):
        asyncio.run(_asked(home, postgres))


async def _asked(home: Path, postgres: Postgres) -> None:
    contested = read_details(Right.DECISION_REVIEW, "x", "decision: credit 4711\ncontested: It is wrong.\n")
    async with desk(home, postgres, {"shop": DIRECTORY}) as at:
        world, ledger = at.world, at.world.ledger
        # Under a law whose clock does not wait, so that it is over in 38 days and the history is short.
        silent = world.open("erasure", [("email", "c7@shop.example")], confirmed=False, regimes=["us-ca-ccpa"])
        late = world.open("decision-review", [("email", "c8@shop.example")], confirmed=False, details=contested)
        await at.days(0.1)
        ledger.ask_code(silent, "file", at=await at.now())
        await at.days(8)
        number = ledger.ask_code(late, "file", at=await at.now())
        await at.days(0.1)
        said = ledger.unseal(late, "file", said_name("identity_code", number))
        assert said is not None
        assert ledger.check_code(late, str(json.loads(said)["code"]), at=await at.now())
        await at.days(1)
        words = {"by": "head of credit", "evidence": "Looked at.", "reason": "It stands."}
        decide_review(ledger, late, Outcome.UPHELD, at=await at.now(), **words)
        await at.days(30)
        assert world.conclusion(silent) == "unproven"
        await _keep(world, f"erasure/{ledger.tenant}/{silent}", "identity-reminded-lapsed")
        await _keep(world, f"decision-review/{ledger.tenant}/{late}", "identity-proven-by-a-code")


def afterwards() -> None:
    """Run what follows an answer: late looks, a request that is opened again, a round over corrections, a replay."""
    with _world(shop=shop_map()) as world:
        world.start_worker()
        habeas, ledger, tenant = Habeas(world), world.ledger, world.ledger.tenant
        since = world.now() - timedelta(hours=1)
        back = world.open("erasure", [("email", "c7@shop.example")])
        world.wait_closed(back)
        with psycopg.connect(world.shop, autocommit=True) as shop:
            shop.execute("INSERT INTO customers VALUES (7007, 'c7@shop.example', 'Seven', NULL)")
        ledger.call_relooks(at=world.now() + timedelta(days=8))
        world.rule(back, world.wait_task(back, "returned"), "retry")
        world.wait_closed(back)
        asyncio.run(_ended(world, relook_id(tenant, back)))
        asyncio.run(_keep(world, relook_id(tenant, back), "relook-residue"))
        asyncio.run(_keep(world, f"erasure/{tenant}/{back}", "erasure-returned-erased-again"))
        (world.home / "corrections.yaml").write_text(
            "corrections:\n  - {system: shop, collection: customers, values: {full_name: Anna Quartz}}\n"
        )
        corrected = habeas.open(
            "rectification", "--details", str(world.home / "corrections.yaml"), email="c6@shop.example"
        )
        world.wait_task(corrected, "accuracy")
        habeas("rectification", "decide", corrected, "--accept", "all")
        world.wait_closed(corrected)
        ledger.ask_for_looks(at=world.now() + timedelta(days=8))
        asyncio.run(_begun(world, follow_up_id(tenant, corrected)))
        asyncio.run(_keep(world, follow_up_id(tenant, corrected), "follow-corrections-last"))
        words = ("--system", "shop", "--since", since.isoformat(), "--by", "operations")
        replay = habeas.json("replay", *words)["replay"]
        world.wait(lambda: ledger.replay(replay).over, 60, "the replay's end")
        asyncio.run(_ended(world, replay_id(tenant, replay)))
        asyncio.run(_keep(world, replay_id(tenant, replay), "replay-clean"))


def comebacks() -> None:
    """Run what comes back to what a hold has kept of an answered erasure."""
    with _world(shop=shop_map()) as world:
        person, ledger = [("email", "c7@shop.example")], world.ledger
        # One that counsel answers for: then the answer does not wait for its day.
        hold = world.place_hold(person, terms=Terms(disclosure=Disclosure.COUNSEL_TEXT))
        world.start_worker()
        kept = world.open("erasure", person)
        world.wait(lambda: "erase" in {r["step"]["operation"] for r in world.receipts(kept)}, 60, "the erasure")
        ledger.answer_for(kept, by="s-7", text="As counsel we write.", at=world.now())
        world.wait_closed(kept)
        world.wait(lambda: ledger.deferrals()[0].next_at > world.now(), 60, "the first review")
        world.release_hold(hold.id)
        world.wait(lambda: not ledger.deferrals(), 60, "the rest")
        run = deferred_id(ledger.tenant, kept)
        asyncio.run(_ended(world, run))
        asyncio.run(_keep(world, run, "deferred-carried-out"))


def demands() -> None:
    """Run a demand of an authority, from its letter to the person's."""
    with _world(shop=shop_map()) as world:
        (world.home / "recipients.yaml").write_text(REGISTER)
        world.start_worker(HABEAS_RECIPIENTS=str(world.home / "recipients.yaml"))
        ledger, at = world.ledger, world.now()
        said = read(Said, "demand", DEMAND, "a demand")
        people = parse_identities([("email", "c7@shop.example")])
        demand = ledger.receive_demand(said, people, regime="eu-gdpr", zone="Europe/Berlin", by="s-17", at=at)
        run = demand_id(ledger.tenant, demand.id)
        for question in demand.asked:
            ledger.answer_question(
                demand.id, question, met=True, known_contact=True, by="s-17", note=None, at=world.now()
            )
        scope = Scope(collections=said.demanded)
        ledger.decide_demand(
            demand.id,
            Word.DISCLOSE,
            "legal_obligation",
            scope,
            reason="it is owed",
            by="s-17",
            seat=Role.COUNSEL,
            at=world.now(),
        )
        ledger.approve_demand(demand.id, by="s-21", seat=Role.DELEGATE, note=None, at=world.now())
        world.wait(lambda: ledger.demand(demand.id).sealed_at, 60, "the parcel")
        ledger.hand_over(demand.id, by="s-17", at=world.now())
        ledger.change_gag(demand.id, Gag.NONE, None, by="s-17", note=None, at=world.now())
        ledger.told_of_demand(demand.id, by="s-17", text="what was handed over", at=world.now())
        asyncio.run(_ended(world, run))
        asyncio.run(_keep(world, run, "authority-disclosed"))


def incidents() -> None:
    """Run an incident, from what stands still for it to its end; and an erasure that it has stopped."""
    with _world(shop=shop_map("approve")) as world:
        world.start_worker()
        ledger = world.ledger
        stopped = world.open("erasure", [("email", "c7@shop.example")])
        world.wait(lambda: world.phase(stopped) == "approving", 60, "the preview")
        law: dict[str, Any] = {"regime": "eu-gdpr", "zone": "Europe/Berlin", "by": "s-17", "note": None}
        at = world.now()
        incident = ledger.open_incident(
            Kind.ACCESS, About(requests=(stopped,)), aware_at=at - timedelta(hours=71), at=at, **law
        ).incident
        reminded = "SELECT reminded FROM incidents WHERE reminded IS NOT NULL"
        world.wait(lambda: world.query(reminded), 60, "the reminder")
        ledger.approve(stopped, at=world.now())
        run = f"erasure/{ledger.tenant}/{stopped}"
        world.wait(lambda: asyncio.run(_waits_on(world, run)) == "incident", 60, "the request that stands still")
        ledger.notify_of_incident(incident.id, world.now(), by="s-17", text=None, reason=None, at=world.now())
        ledger.advise_incident(incident.id, Threat.RISK, reason="why", by="s-9", at=world.now())
        ledger.close_incident(incident.id, by="s-17", note="what", file_until=at, at=world.now())
        world.wait_closed(stopped)
        followed = incident_id(ledger.tenant, incident.id)
        asyncio.run(_ended(world, followed))
        asyncio.run(_keep(world, followed, "incident-closed"))
        asyncio.run(_keep(world, run, "erasure-stood-still"))


def sweeps() -> None:
    """Run erasures that one call carries out for many."""
    with Vendors() as vendors:
        os.environ |= {
            "TEST_AMPLITUDE_KEY": "amplitude-project-key",
            "TEST_AMPLITUDE_SECRET": "amplitude-project-secret",
        }
        vendors.seed([{"id": n, "email": f"c{n}@shop.example", "name": f"Name {n}"} for n in range(1, 21)])
        with _world(shop=shop_map(), analytics=analytics(vendors)) as world:
            requests = [world.open("erasure", [("email", f"c{n}@shop.example")]) for n in (7, 8)]
            world.start_worker()
            world.wait(lambda: all(accepted(world, one) for one in requests), 90, "the vendor's yes")
            run = sweep_id("analytics", world.ledger.tenant)
            asyncio.run(_ended(world, run))
            asyncio.run(_keep(world, run, "sweep-of-two"))


async def _begun(world: World, workflow_id: str) -> None:
    """Wait for the end of a run that is begun by and by."""
    for _ in range(100):
        try:
            return await _ended(world, workflow_id)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await asyncio.sleep(0.3)
    sys.exit(f"{workflow_id} is not begun")


async def _ended(world: World, workflow_id: str) -> None:
    client = await worker.connect(world.settings, world.ledger)
    await client.get_workflow_handle(workflow_id).result()


PARTS = {
    one.__name__: one
    for one in (
        requests,
        late,
        letters,
        reviews,
        transfers,
        identity,
        appeals,
        afterwards,
        comebacks,
        sweeps,
        demands,
        incidents,
        uses,
        rests,
    )
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
