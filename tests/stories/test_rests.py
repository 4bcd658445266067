"""What a hold keeps of an erasure is used by nobody until it goes, and is not lost from sight meanwhile."""

import asyncio
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rights.audience import interim
from rights.decision import Decided, Element, Exempt, Role, Word, check
from rights.holds import Scope, Terms
from rights.request import Conclusion, Right
from rights.restwords import OpenGround, RestWord
from starter.stack import Postgres
from tests.stories.test_deferred import ended
from tests.stories.test_erasure import about
from tests.stories.test_restriction import ANNA, Till, setup_denial
from tests.stories.virtual import pass_time, virtual
from tests.stories.working import working
from tests.world import KEEP_ID, World, dump, shop_map
from workflows import visibility

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

ORDERS = Terms(scope=Scope(collections=("shop.orders", "shop.items")))
"""A hold on these, which leaves a shell of the customer that they point to."""


def rows(world: World, customer: int) -> dict[str, set[str]]:
    """The shop's rows of a customer, by the back door."""
    tables = dump(world.shop)
    tables.pop("habeas_restricted", None)
    return about(tables, customer)


def kept_by_the_server(world: World) -> list[tuple[str, ...]]:
    """The orders with what the database keeps of each row: where it lies, and which change has written it."""
    with psycopg.connect(world.shop) as door:
        query = "SELECT o::text, o.ctid::text, o.xmin::text FROM orders o WHERE customer_id = 7 ORDER BY id"
        return door.execute(query).fetchall()


def listed(world: World) -> int:
    """Rows of the shop that are denied to its application, by the back door."""
    with psycopg.connect(world.shop) as door:
        ((count,),) = door.execute("SELECT count(*) FROM habeas_restricted").fetchall()
    return int(count)


def test_ERA_03_what_a_hold_keeps_is_used_by_nobody_until_it_goes(home: Path, postgres: Postgres) -> None:
    async def story() -> None:
        maps = {
            "shop": shop_map(extra="options: {restrict: row_security}").replace(
                "customer_id}", f"customer_id{KEEP_ID}}}", 1
            )
        }
        async with virtual(home, postgres, maps) as (world, env), working(world) as (_, dispatcher):
            till = Till(world)
            setup_denial(world, till)
            before, others, server = rows(world, 7), till.sees(8), kept_by_the_server(world)
            hold = world.place_hold([ANNA], terms=ORDERS)
            request = world.open("erasure", [ANNA])
            await dispatcher.deliver_once()
            await pass_time(env, timedelta(hours=1))

            # While the end of the hold is waited for: nothing of it is changed, and nobody reads it.
            after = rows(world, 7)
            assert world.phase(request) != "closed"
            assert after["orders"] == before["orders"]
            assert set(after) == {"orders", "items", "customers"}
            assert (till.sees(7), till.writes(7), till.sees(8)) == (0, 0, others)

            await pass_time(env, timedelta(days=40))
            assert (world.phase(request), world.conclusion(request)) == ("closed", "in_part")
            assert kept_by_the_server(world) == server
            assert (till.sees(7), till.sees(8)) == (0, others)
            assert world.ledger.restrictions() == [], "nobody has asked for it, so nobody reviews it"
            assert world.ledger.ask_for_reviews(at=world.now() + timedelta(days=1000)) == 0

            # A copy that is asked for meanwhile has it.
            copy = world.open("access", [("customer_id", "7")])
            await dispatcher.deliver_once()
            await pass_time(env, timedelta(hours=1))
            assert world.parcel_rows(copy)["shop/orders.jsonl"] == len(before["orders"])

            # It is not lost from sight: when the hold ends it goes, and is listed nowhere any more.
            world.release_hold(hold.id)
            await dispatcher.deliver_once()
            rest = await ended(world, env, dispatcher, request)
            assert rest.conclusion is Conclusion.ANSWERED, world.receipts(rest.id)
            assert not rows(world, 7), "the back door sees none"
            assert (listed(world), till.sees(8)) == (0, others)
            assert world.query("SELECT request_id FROM rest_locks WHERE over_at IS NULL") == []
            assert world.ledger.verify().sound

    asyncio.run(story())


def let_in(world: World, postgres: Postgres, *, anybody: bool) -> None:
    """Whether the shop's database takes connections; those it has are cut."""
    name = psycopg.conninfo.conninfo_to_dict(world.shop)["dbname"]
    with psycopg.connect(postgres.conninfo(), autocommit=True) as door:
        change = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        door.execute(change.format(sql.Identifier(str(name)), sql.Literal(anybody)))
        if not anybody:
            door.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def test_what_is_locked_away_is_opened_once_a_system_that_was_away_is_back(home: Path, postgres: Postgres) -> None:
    """Both are taken back while it is away: one is opened as soon as it is back, one a person gives up."""
    people = {7: ANNA, 8: ("email", "c8@shop.example")}

    async def story() -> None:
        maps = {"shop": shop_map(extra="options: {restrict: row_security}")}
        async with virtual(home, postgres, maps) as (world, env), working(world) as (_, dispatcher):
            till = Till(world)
            setup_denial(world, till)
            world.place_hold(people.values(), terms=ORDERS)
            requests = {customer: world.open("erasure", [who]) for customer, who in people.items()}
            await dispatcher.deliver_once()
            await pass_time(env, timedelta(hours=1))
            assert [till.sees(customer) for customer in people] == [0, 0]

            let_in(world, postgres, anybody=False)
            try:
                for request in requests.values():
                    world.ledger.withdraw(request, at=await env.get_current_time())
                await dispatcher.deliver_once()
                await pass_time(env, timedelta(hours=6))
                assert not {world.phase(request) for request in requests.values()} & {"closed"}
                world.rule(requests[8], world.wait_task(requests[8], "credentials"), "give_up")
                await dispatcher.deliver_once()
                await pass_time(env, timedelta(hours=1))
            finally:
                let_in(world, postgres, anybody=True)
            assert world.phase(requests[7]) != "closed", "it waits until somebody says that the system is back"
            world.rule(requests[7], world.wait_task(requests[7], "credentials"), "retry")
            for _ in range(60):
                await dispatcher.deliver_once()
                await pass_time(env, timedelta(hours=1))
                if world.phase(requests[7]) == "closed":
                    break
                await asyncio.sleep(0.2)

            for customer, locked in ((7, False), (8, True)):
                assert world.phase(requests[customer]) == "closed"
                left = rows(world, customer)
                there = sum(len(left.get(table, ())) for table in ("customers", "orders", "messages"))
                assert there
                assert till.sees(customer) == (0 if locked else there)
                over = "SELECT over_at IS NULL FROM rest_locks WHERE request_id = %s"
                assert world.query(over, requests[customer]) == [(locked,)], "a lock that stays is still listed"

    asyncio.run(story())


def test_ERA_03_what_is_kept_without_an_end_is_used_by_nobody_asked_about_opened_and_gone(
    home: Path, postgres: Postgres
) -> None:
    """Messages that a person has decided to keep for a claim; nobody knows for how long."""

    async def story() -> None:
        text = shop_map(extra="options: {restrict: row_security}")
        maps = {"shop": text.replace("body: {category: free_text}", "body: {category: correspondence}", 1)}
        async with virtual(home, postgres, maps) as (world, env), working(world) as (client, dispatcher):
            till = Till(world)
            setup_denial(world, till)
            before, others = rows(world, 7), till.sees(8)
            request = world.open("erasure", [ANNA])
            decided = Decided(word=Word.IN_PART, parts=(Exempt(category="correspondence", ground="gdpr_17_3_e"),))
            texts = {Element.REASON: "a claim is open"}
            needs = check(decided, Right.ERASURE, ["eu-gdpr"], texts)
            made = world.ledger.propose(
                request, decided, needs, texts, by="s-31", consult_until=world.now(), at=world.now()
            )
            world.ledger.speak(made.id, Role.COUNSEL, "approve", by="s-17", substitute=False, at=world.now())

            async def later(days: float) -> None:
                await dispatcher.deliver_once()
                await pass_time(env, timedelta(days=days))
                await dispatcher.deliver_once()

            async def say(word: RestWord, ground: OpenGround | None = None) -> str:
                """Two people say so of what the last request has left; the request that carries it out."""
                (waiting,) = world.ledger.deferrals()
                for by in ("s-1", "s-2"):
                    at = await env.get_current_time()
                    world.ledger.say_of_rest(waiting.request_id, word, ground=ground, by=by, at=at)
                rest = await ended(world, env, dispatcher, waiting.request_id)
                return rest.id

            def asked() -> list[str]:
                return [task.request_id for task in world.ledger.tasks() if task.code == "rest_review"]

            await later(1)
            assert (world.phase(request), world.conclusion(request)) == ("closed", "in_part")
            left = rows(world, 7)
            assert left["messages"] == before["messages"]
            assert till.sees_in("messages", 7) == 0, "it is kept, and used by nobody"
            assert till.sees(8) == others
            (told,) = interim(Right.ERASURE, ["shop"], world.ledger.receipts(request))
            assert told.locked

            # Nothing goes by itself and nobody is asked before a year is over; then somebody is, and it must be kept.
            await later(360)
            assert asked() == []
            await later(10)
            assert asked() == [request]
            run = client.get_workflow_handle(visibility.deferred_id(world.ledger.tenant, request))
            assert len((await run.fetch_history()).events) < 100, "however long it waits"
            now = await env.get_current_time()
            world.ledger.keep_rest(request, by="s-1", ask_at=now + timedelta(days=365), at=now)
            await later(1)
            assert (asked(), rows(world, 7)["messages"]) == ([], before["messages"])

            # It comes to the claim.
            opened = await say(RestWord.OPEN, OpenGround.CLAIMS)
            assert rows(world, 7)["messages"] == before["messages"]
            assert till.sees_in("messages", 7) == len(before["messages"])
            assert (listed(world), till.sees(8)) == (0, others)
            assert interim(Right.ERASURE, ["shop"], world.ledger.receipts(opened))[0].opened

            # It is over: what was kept for it goes.
            gone = await say(RestWord.ERASE)
            assert world.conclusion(gone) == "answered", world.receipts(gone)
            assert "messages" not in rows(world, 7)
            assert till.sees(8) == others
            assert world.ledger.deferrals() == []
            assert world.query("SELECT request_id FROM rest_locks WHERE over_at IS NULL") == []
            assert world.ledger.verify().sound

    asyncio.run(story())
