"""A copy that is handed over: what must not be in it is not, and is named; what is about others is taken out by
somebody before it is delivered, and counted."""

import json

import pytest

from rights.redaction import PUT_INSTEAD
from tests.stories.copies import OTHER, PASSWORD, SSN, Habeas, extended, holding, prepare
from tests.world import World, shop_map


@pytest.mark.soak
def test_third_parties_are_taken_out_before_delivery_and_credentials_never_leave(world: World) -> None:
    prepare(world)
    habeas = Habeas(world)
    world.start_worker()
    request = habeas.open("access")
    task = world.wait_task(request, "review")

    assert "shop.orders: purpose" in habeas.json("request", "preview", request)["unstated"]
    # Nothing is delivered before somebody has gone through it, whatever is ruled.
    assert "habeas request show" in habeas("parcel", "open", request, code=4)
    for word in ("retry", "give_up", "done"):
        assert "habeas review release" in habeas("request", "rule", request, word, "--task", task, code=5)
    assert not list(world.settings.parcels.rglob("parcel.zip.sealed"))

    (listed,) = habeas.json("review", "list")["reviews"]
    assert (listed["request_id"], listed["collections"]) == (request, ["shop.messages"])
    page = habeas("review", "show", request)
    assert OTHER not in page
    assert "Clarissa" not in page
    assert "Quill" not in page
    assert "id=13" in page
    assert "3:C···" in page
    assert "4:Q···" in page
    rows = habeas.json("review", "show", request)["rows"]
    (row,) = (row["row"] for row in rows if row["key"] == {"id": "13"})

    # By mistake all of them, put back; then the name by its words, and another by what it says.
    wrong = habeas.json("review", "redact", request, "--collection", "shop.messages", "--field", "body")["redaction"]
    habeas("review", "restore", request, wrong)
    where = ("--collection", "shop.messages", "--row", str(row), "--field", "body")
    habeas("review", "redact", request, *where, "--words", "3-4", "--by", "privacy desk")
    habeas("review", "redact", request, "--collection", "shop.messages", "--text-file", "-", given="next door")
    assert "does not stand" in habeas(
        "review", "redact", request, "--collection", "shop.messages", "--text-file", "-", given="nowhere", code=5
    )
    habeas("review", "release", request, "--by", "privacy desk")
    world.wait_closed(request)

    files = habeas.parcel(request)
    for gone in (OTHER, "Clarissa", "Quill", "next door", PASSWORD):
        assert not list(holding(files, gone)), gone
    messages = [json.loads(line) for line in files["data/shop/messages.jsonl"].splitlines()]
    (body,) = (m["body"] for m in messages if m["id"] == 13)
    assert body == f"Please ask {PUT_INSTEAD} who lives {PUT_INSTEAD}, about it"
    assert len(messages) == 2
    assert all("I am c7@shop.example" in m["body"] for m in messages if m["id"] != 13)
    about = json.loads(files["data/about.json"])
    (known,) = (c for c in about["systems"][0]["collections"] if c["collection"] == "messages")
    assert known["redacted"] == {"rows": 0, "fields": 0, "passages": 2, "files": 0}
    index = files["data/index.html"].decode()
    assert "2 passages" in index
    assert "login_hash: a password or another credential" in index

    # Under the GDPR a person gets their own number.
    assert list(holding(files, SSN))
    kept = world.query("SELECT body::text FROM entries WHERE request_id = %s", request)
    assert not any(OTHER in body or "Clarissa" in body for (body,) in kept)
    assert any('"redacted"' in body for (body,) in kept), "the journal says how much was taken out"


@pytest.mark.soak
def test_under_california_numbers_are_held_named_and_not_sent(world: World) -> None:
    prepare(world, extended(shop_map()).replace(", third_party: review", ""))
    world.environment["HABEAS_REGIME"] = "us-ca-ccpa"
    habeas = Habeas(world)
    world.start_worker()
    request = habeas.open("access")
    world.wait_closed(request)

    files = habeas.parcel(request)

    assert not list(holding(files, SSN))
    assert not list(holding(files, PASSWORD))
    index = files["data/index.html"].decode()
    assert "ssn: a social security number" in index
    assert "login_hash: a password or another credential" in index
    (customers,) = (
        c for c in json.loads(files["data/about.json"])["systems"][0]["collections"] if c["collection"] == "customers"
    )
    assert {one["field"]: one["source"] for one in customers["withheld"]}["ssn"] == "11 CCR 7024(d)"
    assert "ssn" not in customers["fields"]
