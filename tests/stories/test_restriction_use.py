"""Restricted data is used on a ground of Art. 18(2): a sealed copy of it, for somebody, and it stays restricted."""

import io
import json
import zipfile

import pytest
from typer.testing import CliRunner

from tests.stories.test_restriction import ANNA, Till, habeas, opened, shop, till, typed
from tests.world import World, dump

__all__ = ["habeas", "shop", "till"]

DETAILS = "ground: claims\ncollections: [shop.customers, shop.orders]\n"


@pytest.mark.soak
def test_RES_02_what_is_restricted_is_used_by_two_words_and_the_application_reads_none_of_it(
    world: World, habeas: CliRunner, till: Till
) -> None:
    (world.home / "evidence.txt").write_text("canary: she wrote on 3 March that counsel may have it")
    before, messages = dump(world.shop), till.sees_in("messages", 7)
    world.start_worker()
    request = opened(world, habeas, "restriction", DETAILS, ANNA)
    world.wait_closed(request)
    assert (till.sees_in("customers", 7), till.sees_in("orders", 7), till.sees_in("messages", 7)) == (0, 0, messages)
    locked = dump(world.shop)

    evidence, who = ("--evidence-file", str(world.home / "evidence.txt")), ("--by", "s-17")
    ask = ("restriction", "use", request, "--ground", "consent", *evidence, "--until", "2099-01-01", *who)
    assert "covers what is restricted" in typed(habeas, *ask, "--collection", "shop.messages", code=5)
    assert "register does not name it" in typed(habeas, *ask, "--recipient", "somebody", code=5)
    use = typed(habeas, *ask)
    assert (use["covers"], use["waits_for"]) == (["shop.customers", "shop.orders"], "approve")
    approve = ("restriction", "use-approve", use["id"])
    assert "two people" in typed(habeas, *approve, *who, code=5)
    assert typed(habeas, *approve, "--by", "s-21")["waits_for"] == "tell"

    def stands() -> dict[str, object]:
        (one,) = typed(habeas, "restriction", "uses", request)["uses"]
        return dict(one)

    world.wait(lambda: stands()["sealed_at"], 60, "the copy")
    out = world.home / "out.zip"
    take = ("restriction", "use-take", use["id"], *who, "--out", str(out))
    assert "told first" in typed(habeas, *take, code=5)
    assert not out.exists()
    told = typed(habeas, "restriction", "use-told", use["id"], *who, "--text-file", evidence[1])
    assert told["waits_for"] == "hand_over"
    taken = typed(habeas, *take)

    with zipfile.ZipFile(io.BytesIO(out.read_bytes())) as archive:
        files = {name.split("/", 1)[1]: archive.read(name).decode() for name in archive.namelist()}
    rows = {
        n.rpartition("/")[2]: [json.loads(line) for line in b.splitlines()] for n, b in files.items() if ".jsonl" in n
    }
    assert {name: sorted(row["id"] for row in some) for name, some in rows.items()} == {
        "customers.jsonl": [7],
        "orders.jsonl": [25, 26, 27, 28],
    }, "exactly what is restricted, of nobody else and of no other collection"
    about = json.loads(files["data/about.json"])
    assert (about["ground"], about["until"], about["to"]) == ("consent", "2099-01-01", "own")
    assert taken["rows"] == {"shop.customers": 1, "shop.orders": 4}

    # The restriction is as it was: the application reads none of it, and the shop has not changed by a row.
    assert (till.sees_in("customers", 7), till.sees_in("orders", 7)) == (0, 0)
    assert dump(world.shop) == locked
    assert {**locked, "habeas_restricted": set()} == before
    assert typed(habeas, "restriction", "show", request)["stage"] == "in_force"

    typed(habeas, "restriction", "use-end", use["id"], "--because", "consent_withdrawn", *who)
    assert "any more" in typed(habeas, *take, "--replace", code=5)
    entries = world.query("SELECT kind, body FROM entries WHERE kind ~ '^restriction_use'")
    assert [kind.rpartition("use_")[2] for kind, _ in entries] == [
        "asked", "approved", "sealed", "told", "handed_over", "ended",
    ]  # fmt: skip
    assert world.ledger.verify().sound
    assert "canary" not in str(entries) + world.log
