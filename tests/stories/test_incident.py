"""A breach is known: what it names stands still at the fence, 72 hours run, and it goes on once that is lifted."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.incidents import About
from rights.incidentlaw import Kind
from rights.incidents import Threat
from rights.request import Right
from starter.stack import Postgres
from tests.stories.copies import Habeas
from tests.stories.test_clock import Desk, desk, shown
from tests.stories.test_erasure import about
from tests.world import World, dump, shop_map
from workflows import visibility
from workflows.request import ErasureRequest

pytestmark = [pytest.mark.soak, pytest.mark.timeout(200)]

HOUR = timedelta(hours=1)
CANARY = "canary: the list went to a Mr Example"


def told(world: World, kind: str) -> list[dict[str, object]]:
    """What the journal itself says of one kind."""
    rows = world.query("SELECT body FROM entries WHERE kind = %s ORDER BY seq", kind)
    return [json.loads(body) for (body,) in rows]


async def waits_on(at: Desk, request: str, code: str) -> None:
    """Until the request's own run says that it waits on this."""
    run = at.client.get_workflow_handle(visibility.workflow_id(Right.ERASURE, at.world.ledger.tenant, request))
    standing = None
    for _ in range(600):
        standing = await run.query(ErasureRequest.standing)
        if standing.waiting_on == code:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"it stands so: {standing}")


def test_art_33_a_run_stands_still_at_the_fence_72_hours_run_and_it_goes_on(home: Path, postgres: Postgres) -> None:
    async def story() -> None:
        async with desk(home, postgres, {"shop": shop_map("approve")}) as at:
            world, ledger = at.world, at.world.ledger
            before = dump(world.shop)
            request = world.open("erasure", [("email", "c7@shop.example")])
            await at.dispatcher.deliver_once()
            await waits_on(at, request, "approval")

            # Approved, and a moment later a breach is known: the run hears of the approval alone.
            now = await at.now()
            ledger.approve(request, at=now)
            law: dict[str, Any] = {"regime": "eu-gdpr", "zone": "Europe/Berlin", "by": "s-17", "note": CANARY}
            opened = ledger.open_incident(Kind.ACCESS, About(requests=(request,)), aware_at=now - HOUR, at=now, **law)
            incident = opened.incident.id
            await at.dispatcher.deliver_once()
            await waits_on(at, request, "incident")
            assert world.query("SELECT count(*) FROM intents") == [(0,)], "nothing has passed the fence"

            # A day before the end, by the timer of the server; and past it.
            await at.days(2)
            assert [one["hours"] for one in told(world, "incident_due")] == [48, 24]
            await at.days(1)
            assert [one["hours"] for one in told(world, "incident_due")] == [48, 24, 12, 4, 0]
            run = at.client.get_workflow_handle(visibility.incident_id(ledger.tenant, incident))
            assert await shown(run) == ["due_3d", "due_1d", "overdue"]
            assert dump(world.shop) == before
            await waits_on(at, request, "incident")
            assert ledger.incident(incident).overdue(await at.now())

            # Told too late, with the reason; then lifted, and the erasure goes on where it stood.
            now = await at.now()
            ledger.notify_of_incident(incident, now, by="s-17", text=CANARY, reason=CANARY, at=now)
            ledger.advise_incident(incident, Threat.RISK, reason=CANARY, by="s-9", at=now)
            ledger.lift_incident(incident, by="s-17", note=None, at=now)
            for _ in range(3):
                await at.days(0.1)
            assert world.phase(request) == "closed"
            assert world.conclusion(request) == "answered"
            assert about(dump(world.shop), 7) == {}
            ledger.close_incident(incident, by="s-17", note=CANARY, file_until=now, at=now)
            await at.dispatcher.deliver_once()
            await run.result()
            assert ledger.verify().sound
            assert "canary" not in str(world.query("SELECT * FROM entries"))

    asyncio.run(story())


def test_a_parcel_that_went_to_somebody_else_is_opened_by_nobody_until_it_is_lifted(world: World) -> None:
    settings = {"dpo": {"holder": "s-9"}}
    world.environment |= {"HABEAS_APPROVERS": json.dumps(settings)}
    world.start_worker()
    habeas, note = Habeas(world), world.home / "note.txt"
    note.write_text(CANARY)
    request = habeas.open("access")
    world.wait_closed(request)
    rows = sum(world.parcel_rows(request).values())
    assert habeas.parcel(request)

    incident = habeas.json("parcel", "report", request, "--by", "s-17", "--note-file", str(note))["id"]

    copy = ("parcel", "open", request, "--out", str(world.home / "again.zip"))
    assert incident in habeas(*copy, code=5)
    assert not (world.home / "again.zip").exists()
    facts = habeas.json("incident", "facts", incident)
    assert (facts["breaks"], facts["people"], facts["records"]) == (["confidentiality"], 1, rows)
    assert "shop.customers" in facts["collections"]
    assert "contact" in facts["data"]
    assert "c7@shop.example" not in json.dumps(facts)
    started = "SELECT count(*) FROM outbox WHERE kind = 'incident' AND sent_at IS NOT NULL"
    world.wait(lambda: world.query(started) == [(1,)], 30, "the incident's run")

    who = ("--by", "s-17")
    habeas("incident", "advise", incident, "high", "--by", "s-9", "--reason-file", str(note))
    habeas("incident", "notify", incident, *who, "--text-file", str(note))
    assert "tell (controller)" in habeas("incident", "show", incident)
    habeas("incident", "told", incident, *who, "--how", "each", "--text-file", str(note))
    habeas("incident", "close", incident, *who, "--note-file", str(note))
    assert habeas.parcel(request), "what it stopped goes on"
    assert world.ledger.verify().sound
    assert "canary" not in str(world.query("SELECT * FROM entries")) + str(world.query("SELECT * FROM incidents"))
