"""An authority demands a person's data: nothing leaves before two people say so, then no more than they said."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.stories.copies import Habeas
from tests.world import World

REGISTER = """
recipients:
  police-berlin:
    name: Police of Berlin
    country: DE
    role: authority
    basis: {kind: law, document: section 95 StPO, since: 2024-01-01}
    told_by: {post: [Police of Berlin, 1 Platz der Luftbruecke]}
"""
DEMAND = """
authority: police-berlin
country: DE
kind: production_order
basis: canary section 95 StPO
reference: canary 7 Js 11/26
demanded: [shop.customers, shop.orders]
due_on: 2099-01-01
gag: open
gag_basis: canary section 95a StPO
"""
SEATS = {"counsel": {"holder": "s-17"}, "delegate": {"holder": "s-21"}}


@pytest.mark.soak
def test_trf_04_an_authority_is_given_what_two_people_decided_and_the_person_hears_after_the_gag(world: World) -> None:
    register, demand_file, reason = (world.home / name for name in ("recipients.yaml", "demand.yaml", "reason.txt"))
    register.write_text(REGISTER)
    demand_file.write_text(DEMAND)
    reason.write_text("canary: the orders are enough")
    world.set_up_letters()
    world.environment |= {"HABEAS_RECIPIENTS": str(register), "HABEAS_APPROVERS": json.dumps(SEATS)}
    world.start_worker()
    habeas = Habeas(world)

    def stands() -> tuple[object, ...]:
        """When it was sealed, and closed."""
        return world.query("SELECT sealed_at, closed_at FROM demands")[0]

    who = ("--by", "s-17")
    demand = habeas.json(
        "authority", "receive", *who, "--details", str(demand_file), "--identities", "-", given="email=c7@shop.example"
    )["id"]
    words = ("authority", "decide", demand, "in_part", "--ground", "legal_obligation", "--reason-file", str(reason))
    cut = ("--collection", "shop.orders", "--without", "free_text")
    assert "every question" in habeas(*words, *cut, *who, code=5)
    for question in habeas.json("authority", "show", demand)["questions"]:
        habeas("authority", "check", demand, question, "yes", *who)
    habeas(*words, *cut, *who)
    out = world.home / "out.zip"
    assert "nothing is sealed" in habeas("authority", "disclose", demand, *who, "--out", str(out), code=5)
    assert "first word" in habeas("authority", "approve", demand, *who, code=5)
    assert not list(Path(world.settings.parcels).rglob("*.*")), "one person's word leaves nothing anywhere"

    habeas("authority", "approve", demand, "--by", "s-21")
    world.wait(lambda: stands()[0], 60, "the parcel")
    shown = habeas.json("authority", "disclose", demand, *who, "--out", str(out))

    with zipfile.ZipFile(io.BytesIO(out.read_bytes())) as archive:
        files = {name.split("/", 1)[1]: archive.read(name).decode() for name in archive.namelist()}
    (lines,) = [body for name, body in files.items() if name.endswith(".jsonl")]
    rows = [json.loads(line) for line in lines.splitlines()]
    assert sorted(row["id"] for row in rows) == [25, 26, 27, 28]
    assert {tuple(row) for row in rows} == {("id", "customer_id", "created_at")}
    assert not [name for name, body in files.items() if "c7@shop.example" in body or "note " in body]
    assert shown["rows"] == {"shop.orders": 4}
    entries = world.query("SELECT body FROM entries WHERE kind = 'demand_disclosed'")
    noted = [json.loads(body) for (body,) in entries]
    assert [(one["to"], one["collections"], one["digest"]) for one in noted] == [
        ("police-berlin", {"shop.orders": 4}, shown["digest"])
    ]

    for early in (("told", demand, *who, "--text-file", str(reason)), ("letter", demand), ("told", demand, *who)):
        assert "gag is in force" in habeas("authority", *early, code=5)
    assert stands()[1] is None
    assert world.query("SELECT count(*) FROM letters") == [(0,)]
    habeas("authority", "gag", demand, "none", *who)
    world.wait(lambda: world.query("SELECT state FROM letters") == [("to_post",)], 60, "the person's letter")
    letter = " ".join(habeas("authority", "letter", demand).split())
    assert "Police of Berlin (DE)" in letter
    assert "canary section 95 StPO" in letter
    assert "handed over a part of it" in letter
    assert "4 records" in letter
    assert "forbidden to tell" in letter
    assert "7 Js 11/26" not in letter, "its file number is not the person's"
    habeas("authority", "told", demand, *who)
    world.wait(lambda: stands()[1], 60, "the demand's end")
    kept = world.query("SELECT count(*) FROM case_keys WHERE case_id = %s AND keep_until IS NOT NULL", demand)
    assert kept == [(3,)], "identities, file and parcel have their day"
    year = str(world.now().year)
    (count,) = habeas.json("authority", "count", "--year", year)["demands"]
    assert (count["received"], count["gagged"], count["fates"]) == (1, 1, {"disclosed_in_part": 1})
    assert world.ledger.verify().sound
    assert "canary" not in "".join(
        map(str, (*world.query("SELECT * FROM demands"), *world.query("SELECT * FROM entries")))
    )
