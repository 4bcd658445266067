"""A change is told to everybody on a list: once each, in their language, by service mail, with a feed for the site."""

import json
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from tests.smtp_sink import Sink
from tests.stories.copies import Habeas
from tests.world import World, shop_map

NOTICE = """
version: "3.0"
effective_on: 2027-01-15
link: https://shop.example/privacy
audience: {system: shop, collection: customers, address: email, language: full_name, lawful_basis: [contract]}
texts:
  en: {title: Our privacy policy, changes: [We store invoices for ten years.]}
  de: {title: Unsere Datenschutzerklärung, changes: [Wir bewahren Rechnungen zehn Jahre auf.]}
"""


@pytest.fixture
def habeas(world: World, sink: Sink, home: Path) -> Habeas:
    """A shop whose customers are told on the ground of their contract; one is there twice, one has no address."""
    world.write_maps(
        {"shop": shop_map().replace("    purpose: to run", "    lawful_basis: contract\n    purpose: to run")}
    )
    with psycopg.connect(world.shop, autocommit=True) as door:
        door.execute("UPDATE customers SET full_name = 'de-AT' WHERE id = 3")
        door.execute("UPDATE customers SET email = 'C4@Shop.example' WHERE id = 5")
        door.execute("UPDATE customers SET email = NULL WHERE id = 6")
        door.execute("UPDATE customers SET email = 'gone-1@erased.invalid' WHERE id = 7")
    world.set_up_mail(host="localhost", port=sink.port, ca_file=str(sink.certificate))
    (home / "notice.yaml").write_text(NOTICE)
    habeas = Habeas(world)
    habeas("campaign", "prepare", "policy-3", "--notice", str(home / "notice.yaml"))
    return habeas


@pytest.mark.soak
def test_everybody_is_told_once_in_their_language(habeas: Habeas, sink: Sink, home: Path) -> None:
    world = habeas.world
    sink.replies["c9@shop.example"] = "550 5.1.1 who?"
    world.start_worker()
    assert sink.taken == []

    habeas("campaign", "start", "policy-3")
    habeas("campaign", "start", "policy-3")
    world.wait(lambda: habeas.json("campaign", "status", "policy-3")["state"] == "ended", 60, "the campaign's end")

    told = Counter(taken.to[0].casefold() for taken in sink.taken)
    assert told == Counter({f"c{n}@shop.example" for n in range(1, 21)} - {f"c{n}@shop.example" for n in (5, 6, 7, 9)})
    german = [taken for taken in sink.taken if taken.mail["Content-Language"] == "de"]
    assert [taken.to for taken in german] == [("c3@shop.example",)]
    assert "Wir bewahren Rechnungen" in german[0].mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    status = habeas.json("campaign", "status", "policy-3")
    assert (status["listed"], status["repeated"], status["unreachable"]) == (17, 1, 2)
    assert status["letters"] == {"refused": 1, "sent": 16}

    for name in ("notices.json", "notices.xml"):
        habeas("campaign", "feed", "--out", str(home / name))
        assert "@" not in (home / name).read_text().replace("xml:lang", "")
    (item,) = json.loads((home / "notices.json").read_text())["items"]
    assert item["url"] == "https://shop.example/privacy"
    assert item["_habeas"]["not_reached"] == 3
    assert world.query("SELECT count(*) FROM tasks") == [(0,)]


@pytest.mark.soak
def test_a_campaign_is_stopped_and_gone_on_with(habeas: Habeas, sink: Sink) -> None:
    world = habeas.world
    habeas("campaign", "start", "policy-3")
    habeas("campaign", "stop", "policy-3")
    world.start_worker()
    request = world.open("access", [("customer_id", "9")])
    world.wait_closed(request)
    assert sink.taken == []

    habeas("campaign", "start", "policy-3")
    world.wait(lambda: habeas.json("campaign", "status", "policy-3")["state"] == "ended", 60, "the campaign's end")
    assert len(sink.taken) == 17


@pytest.mark.soak
def test_an_audience_that_is_not_in_the_map_is_refused_with_its_line(habeas: Habeas, home: Path) -> None:
    for before, after, what in (
        ("address: email", "address: mail", ":5: audience.address: customers has no such field"),
        ("[contract]", "[consent]", "audience.lawful_basis: the data map says 'contract' of customers"),
        ("version:", "verzion:", "verzion: 'verzion' is not a key here"),
        ("effective_on: 2027-01-15", "effective_on: soon", "write a day such as 2027-01-15"),
    ):
        (home / "wrong.yaml").write_text(NOTICE.replace(before, after))
        said = habeas("campaign", "prepare", "other", "--notice", str(home / "wrong.yaml"), code=1)
        assert what in said
    assert [one["name"] for one in habeas.json("campaign", "list")["campaigns"]] == ["policy-3"]
