"""California: who is proven surely enough for the categories of what is held, and for no copy, is told of these."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ledger.proofcodes import code_channel
from rights.request import Phase
from starter.cli import app
from starter.stack import Postgres
from tests.stories.asking import DIRECTORY
from tests.stories.test_clock import Desk, desk
from tests.world import World, shop_map

SEVEN, NOBODY = "c7@shop.example", "nobody@shop.example"
OFFICE = {
    "controller": "Shop Ltd",
    "dpo": "dpo@shop.example",
    "authorities": {"eu-gdpr": {"name": "An Authority", "contact": "authority.example"}},
}
PIECES = (SEVEN, "49301", "Anna", "Street")


def cli(world: World, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(words), env=world.environment)
    assert done.exit_code == code, (done.stdout, done.stderr)
    return done.stdout


async def one_channel_proven(at: Desk, right: str, *laws: str, email: str = SEVEN) -> str:
    """A request whose asker has read back the code to one channel on file, and goes no further."""
    world, ledger = at.world, at.world.ledger
    request = world.open(right, [("email", email)], confirmed=False, regimes=laws)
    await at.days(0.1)
    number = ledger.ask_code(request, "file", at=await at.now())
    await at.days(0.1)
    said = ledger.unseal(request, "file", f"letter/identity_code/{number}")
    assert ledger.unseal(request, "working", code_channel(number))
    assert said is not None
    assert ledger.check_code(request, json.loads(said)["code"], at=await at.now()) is False
    return request


def shown(world: World, request: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The answer to print, and the letter."""
    monkeypatch.setenv("HABEAS_LETTERS", json.dumps(OFFICE))
    world.environment["HABEAS_LETTERS"] = json.dumps(OFFICE)
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    return (
        cli(world, "request", "answer", request),
        cli(world, "letter", "show", f"{request}.answer_categories.0", "--text"),
    )


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("right", ["access", "portability"])
def test_KNO_05_a_request_for_pieces_that_is_not_verified_is_answered_by_categories(
    home: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, right: str
) -> None:
    """11 CCR 7024(a), (k); Civ 1798.110(a): categories, sources, purposes, recipients; within the 45 days."""

    async def story() -> None:
        two = {"shop": DIRECTORY, "archive": shop_map(system="archive")}
        async with desk(home, postgres, two) as at:
            world, ledger = at.world, at.world.ledger
            request = await one_channel_proven(at, right, "us-ca-ccpa")
            began = ledger.request(request).clock.received_at
            looks = "SELECT count(*) FROM entries WHERE request_id = %s AND kind = 'look' AND body LIKE '%%locate%%'"
            await at.days(20)
            assert world.query(looks, request) == [(0,)], "nothing is looked for while more proof may come"

            await at.days(19)
            assert world.conclusion(request) == "categories"
            ((closed,),) = world.query("SELECT closed_at FROM requests WHERE id = %s", request)
            assert (closed - began).days < 45
            assert world.query(looks, request)[0][0] >= 2
            exported = "SELECT 1 FROM entries WHERE request_id = %s AND (body LIKE '%%/export/%%' OR kind = 'parcel')"
            assert not world.query(exported, request), "no piece is read out"

            answer, letter = await asyncio.to_thread(shown, world, request, monkeypatch)
            for text in (answer, letter):
                for told in ("shop", "archive", "customers", "orders", "contact"):
                    assert told in text
                assert not [piece for piece in PIECES if piece in text]
            assert "no copy comes with this letter" in " ".join(letter.split())
            kinds = [kind for (kind,) in world.query("SELECT kind FROM letters WHERE request_id = %s", request)]
            assert kinds.count("answer_categories") == 1
            assert not [kind for kind in kinds if kind in {f"answer_{right}", "nothing_held"}]
            assert ledger.verify().sound

    asyncio.run(story())


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_under_two_laws_the_categories_are_told_and_more_proof_still_makes_the_copy(
    home: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with desk(home, postgres, {"shop": DIRECTORY}) as at:
            world, ledger = at.world, at.world.ledger
            request = await one_channel_proven(at, "access", "eu-gdpr", "us-ca-ccpa")
            await at.days(39)
            assert ledger.categories_told(request)
            assert world.phase(request) == Phase.CONFIRMING, "Europe lets it rest"
            letter = f"{request}.answer_categories.0"
            monkeypatch.setenv("HABEAS_LETTERS", json.dumps(OFFICE))
            for name, value in world.environment.items():
                monkeypatch.setenv(name, value)
            text = await asyncio.to_thread(cli, world, "letter", "show", letter, "--text")
            assert "An Authority" in text, "Europe's remedies"
            assert not [piece for piece in PIECES if piece in text]

            await at.days(10)
            number = ledger.ask_code(request, "post", at=await at.now())
            await at.days(0.1)
            said = ledger.unseal(request, "file", f"letter/identity_code/{number}")
            assert said is not None
            assert ledger.check_code(request, json.loads(said)["code"], at=await at.now()) is True
            await at.days(1)
            assert world.conclusion(request) == "answered"
            assert world.parcel_rows(request)["shop/orders.jsonl"] == 4

    asyncio.run(story())


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_who_proves_less_is_looked_for_nowhere_and_shown_what_everybody_is(home: Path, postgres: Postgres) -> None:
    """11 CCR 7024(b)."""

    async def story() -> None:
        async with desk(home, postgres, {"shop": DIRECTORY}) as at:
            world, ledger = at.world, at.world.ledger
            request = world.open("access", [("email", SEVEN)], confirmed=False, regimes=["us-ca-ccpa"])
            await at.days(0.1)
            ledger.ask_code(request, "file", at=await at.now())
            await at.days(39)
            assert world.conclusion(request) == "unproven"
            said = ledger.unseal(request, "file", "letter/lapse/0")
            assert said is not None
            assert json.loads(said)["treated_as"] == "privacy_notice"
            assert not world.query("SELECT 1 FROM entries WHERE request_id = %s AND body LIKE '%%locate%%'", request)

    asyncio.run(story())


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_nobody_is_told_of_categories_that_may_be_somebody_elses(home: Path, postgres: Postgres) -> None:
    """A number beside one's own address, which nothing ties to it."""

    async def story() -> None:
        loose = DIRECTORY.replace("id: {identity: customer_id}", "id: {}")
        async with desk(home, postgres, {"shop": loose, "archive": shop_map(system="archive")}) as at:
            world, ledger = at.world, at.world.ledger
            given = [("email", SEVEN), ("customer_id", "8")]
            request = world.open("access", given, confirmed=False, regimes=["us-ca-ccpa"])
            await at.days(0.1)
            number = ledger.ask_code(request, "file", at=await at.now())
            await at.days(0.1)
            said = ledger.unseal(request, "file", f"letter/identity_code/{number}")
            assert said is not None
            ledger.check_code(request, json.loads(said)["code"], at=await at.now())
            await at.days(39)
            assert world.conclusion(request) == "unproven"
            assert not world.query("SELECT 1 FROM entries WHERE request_id = %s AND body LIKE '%%locate%%'", request)

    asyncio.run(story())
