"""kill -9 of a worker at every boundary of a letter and of a campaign: one mail each, whatever happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from starter.stack import Mail, Postgres, Temporal
from tests.smtp_sink import Sink
from tests.stories.copies import Habeas
from tests.world import World, shop_map

ANNA = "c7@shop.example"
COPIES = "copies@shop.example"


@pytest.fixture
def post() -> Iterator[Mail]:
    """A mail server that also holds the mailbox of copies, for the story."""
    with Mail() as server:
        yield server


@pytest.fixture
def mailed(world: World, post: Mail, monkeypatch: pytest.MonkeyPatch) -> World:
    """A deployment that looks for copies of its mails for some seconds before it asks. This server delivers by To and
    not by the envelope, so the person's own mailbox stands for the folder of copies."""
    monkeypatch.setenv("TEST_REPORTS", post.url(ANNA))
    world.environment["TEST_REPORTS"] = post.url(ANNA)
    world.set_up_mail(
        host="127.0.0.1", port=post.smtp_port, plaintext=True, mailbox="env:TEST_REPORTS", copies="INBOX",
        patience="PT8S", read_every="PT2S",
    )  # fmt: skip
    return world


def mails(post: Mail) -> list[bytes]:
    """What lies in the person's mailbox, through a back door."""
    with post.login(ANNA) as door:
        door.select_folder("INBOX", readonly=True)
        uids = door.search("ALL")
        return [parts[b"BODY[]"] for parts in door.fetch(uids, ["BODY.PEEK[]"]).values()]


def state(world: World, kind: str = "acknowledgement") -> str:
    rows = world.query("SELECT state FROM letters WHERE kind = %s", kind)
    return str(rows[0][0]) if rows else ""


# Where the mail is out, its copy shows it; where the text never left, nothing can show that, and a person is asked.
PLACES = {
    "before:send_letters": "sent",
    "letter:ready": "sent",
    "letter:noted": "unsure",
    "letter:given": "sent",
    "letter:settled": "sent",
    "after:send_letters": "sent",
}


@pytest.mark.soak
@pytest.mark.parametrize("place", PLACES)
def test_killed_there_a_letter_goes_out_once(mailed: World, post: Mail, place: str) -> None:
    world = mailed
    doomed = world.start_worker(trip=place)
    request = world.open("erasure", [("email", ANNA)], confirmed=False)
    assert doomed.wait(180) == -9, world.log
    world.start_worker()
    world.wait(lambda: state(world) == PLACES[place], 60, f"the letter to be {PLACES[place]}")

    if PLACES[place] == "unsure":
        assert mails(post) == []
        world.rule(request, world.wait_task(request, "mail_unsure"), "retry")
        world.wait(lambda: state(world) == "sent", 60, "the letter that was asked for again")
    world.wait(lambda: len(mails(post)) == 1, 20, "the mail")
    assert world.query("SELECT count(*) FROM tasks WHERE settled_at IS NULL AND code LIKE 'mail%%'") == [(0,)]


NOTICE = """
version: "3.0"
effective_on: 2027-01-15
link: https://shop.example/privacy
audience: {system: shop, collection: customers, address: email, lawful_basis: [contract]}
texts:
  en: {title: Our privacy policy, changes: [We store invoices for ten years.]}
  de: {title: Unsere Datenschutzerklärung, changes: [Wir bewahren Rechnungen zehn Jahre auf.]}
"""


def campaign(world: World, home: Path) -> None:
    habeas = Habeas(world)
    (home / "notice.yaml").write_text(NOTICE)
    habeas("campaign", "prepare", "policy-3", "--notice", str(home / "notice.yaml"))
    habeas("campaign", "start", "policy-3")


@pytest.mark.soak
@pytest.mark.parametrize("place", ["list:read", "list:kept", "letter:ready", "letter:given", "letter:settled"])
def test_killed_there_a_campaign_writes_to_everybody_once(
    home: Path, postgres: Postgres, temporal_server: Temporal, place: str
) -> None:
    people = 60
    mapped = shop_map().replace("    purpose: to run", "    lawful_basis: contract\n    purpose: to run")
    with Sink() as sink, World(home, postgres, temporal_server, people=people, maps={"shop": mapped}) as world:
        world.set_up_mail(host="localhost", port=sink.port, ca_file=str(sink.certificate), patience="PT2S")
        doomed = world.start_worker(trip=place)
        campaign(world, home)
        assert doomed.wait(180) == -9, world.log
        world.start_worker()
        world.wait(lambda: world.query("SELECT state FROM campaigns") == [("ended",)], 90, "the campaign's end")

        got = [taken.to[0] for taken in sink.taken]
        assert len(got) == len(set(got)) == people
        # One mail may have been with the server when the worker died: it is there, and the ledger cannot know it.
        unsure = world.query("SELECT count(*) FROM letters WHERE state = 'unsure'")
        assert unsure == [(1 if place == "letter:given" else 0,)]
