"""The day after a prohibition to tell, the person is told by itself; not before, and not if it is made longer."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from rights.authorities import Demand, Scope
from rights.authoritylaw import Word
from rights.decision import Role
from rights.demandfile import Gag, Kind, Reach, Said
from rights.reckoning import local_day
from rights.subject import parse_identities
from starter.stack import Postgres
from tests.smtp_sink import Sink
from tests.stories.test_authority import REGISTER
from tests.stories.virtual import pass_time, virtual
from tests.stories.working import working
from tests.world import World, shop_map

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

ZONE = "Europe/Berlin"


def refused(world: World, address: str, until: datetime, at: datetime) -> Demand:
    """A demand that was refused, and of which the person may not hear until the end of a day."""
    said = Said(
        authority="police-berlin",
        country="DE",
        kind=Kind.PRODUCTION_ORDER,
        basis="section 95 StPO",
        demanded=("shop.orders",),
        due_on=local_day(at, ZONE) + timedelta(days=30),
        gag=Gag.UNTIL,
        gag_until=local_day(until, ZONE),
        gag_basis="section 95a StPO",
        clauses=True,
        person=Reach(email=address),
    )
    people = parse_identities([("email", "c7@shop.example")])
    ledger = world.ledger
    demand = ledger.receive_demand(said, people, regime="eu-gdpr", zone=ZONE, by="s-17", at=at)
    for question in demand.asked:
        met = question != "lawful"
        ledger.answer_question(demand.id, question, met=met, known_contact=True, by="s-17", note=None, at=at)
    why = {"reason": "no provision", "by": "s-17", "seat": Role.COUNSEL, "at": at}
    ledger.decide_demand(demand.id, Word.REFUSE, "no_legal_basis", Scope(), **why)  # type: ignore[arg-type]
    return ledger.approve_demand(demand.id, by="s-21", seat=Role.DELEGATE, note=None, at=at)


def test_trf_04_months_later_the_gag_ends_and_the_person_is_told_by_itself(
    home: Path, postgres: Postgres, sink: Sink
) -> None:
    async def story() -> None:
        async with virtual(home, postgres, {"shop": shop_map()}) as (world, env):
            (world.home / "recipients.yaml").write_text(REGISTER)
            world.environment["HABEAS_RECIPIENTS"] = str(world.home / "recipients.yaml")
            world.set_up_mail(host="localhost", port=sink.port, ca_file=str(sink.certificate))
            async with working(world) as (_, dispatcher):
                begins = await env.get_current_time()
                ends = begins + timedelta(days=120)
                plain, longer, shorter = (
                    refused(world, f"{name}@person.example", ends, begins) for name in ("plain", "longer", "shorter")
                )

                def told() -> set[str]:
                    """Whose letter was sent, by the back door."""
                    rows = world.query("SELECT case_id FROM letters WHERE state = 'sent'")
                    return {case for (case,) in rows}

                async def until(reached: Callable[[], bool]) -> None:
                    for _ in range(40):
                        await dispatcher.deliver_once()
                        if reached():
                            return
                        await pass_time(env, timedelta(minutes=30))
                    raise AssertionError(f"told: {told()}, {world.query('SELECT * FROM letters')}")

                await dispatcher.deliver_once()
                await pass_time(env, timedelta(days=60))
                await dispatcher.deliver_once()
                assert world.query("SELECT count(*) FROM letters") == [(0,)]

                now = await env.get_current_time()
                world.ledger.change_gag(shorter.id, Gag.NONE, None, by="s-17", note=None, at=now)
                day = local_day(ends + timedelta(days=100), ZONE)
                world.ledger.change_gag(longer.id, Gag.UNTIL, day, by="s-17", note=None, at=now)
                await until(lambda: told() == {shorter.id})

                # Nobody says anything any more: the clock alone does.
                await pass_time(env, begins + timedelta(days=118) - await env.get_current_time())
                await dispatcher.deliver_once()
                assert told() == {shorter.id}
                await pass_time(env, timedelta(days=4))
                await until(lambda: told() == {shorter.id, plain.id})
                await pass_time(env, begins + timedelta(days=218) - await env.get_current_time())
                await dispatcher.deliver_once()
                assert told() == {shorter.id, plain.id}
                await pass_time(env, timedelta(days=4))
                await until(lambda: len(told()) == 3)
                await until(lambda: world.query("SELECT count(*) FROM demands WHERE closed_at IS NULL") == [(0,)])

                for name in ("plain", "longer", "shorter"):
                    (taken,) = sink.to(f"{name}@person.example")
                    text = " ".join(taken.mail.get_body(("plain",)).get_content().split())  # type: ignore[union-attr]
                    assert "We were forbidden to tell of it before." in text
                    assert "We have refused it. Nothing has been handed over." in text
                assert world.ledger.verify().sound

    asyncio.run(story())
