"""A child's data that came by accident: out of use at once, and gone when a second person says so."""

import pytest
from typer.testing import CliRunner

from tests.stories.test_restriction import ANNA, OTTO, Till, habeas, setup_denial, till, typed
from tests.world import World, dump, shop_map

__all__ = ["habeas", "till"]


@pytest.fixture
def shop(world: World) -> Till:
    """Orders are kept for ten years by law."""
    world.write_maps({"shop": shop_map(retention=True, extra="options: {restrict: row_security}")})
    till = Till(world)
    setup_denial(world, till)
    return till


def reported(habeas: CliRunner, identity: tuple[str, str]) -> tuple[str, str]:
    words = ("--identities", "-", "--source", "parent", "--by", "support desk")
    made = typed(habeas, "minor", "report", *words, given="=".join(identity))
    return made["id"], made["restriction"]


@pytest.mark.soak
def test_CHI_02_a_childs_data_is_out_of_use_at_once_and_gone_when_a_second_person_says_so(
    world: World, habeas: CliRunner, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, seen = dump(world.shop), till.sees(8)
    monkeypatch.setenv("HABEAS_RESTRICTION_NOTICE_DAYS", "0")
    world.start_worker()

    erasure, restriction = reported(habeas, ANNA)
    world.wait_closed(restriction)
    assert (till.sees(7), till.writes(7)) == (0, 0), "before anybody has proven anything"
    world.wait(lambda: world.phase(erasure) == "confirming", 60, "the erasure to wait for who asks")
    shown = typed(habeas, "restriction", "show", restriction)
    assert (shown["ground"], shown["article"]) == ("minor", "GDPR Art. 17(1)(f)")
    said = typed(habeas, "minor", "rule", erasure, "child", "--indication", "content", "--by", "support desk", code=5)
    assert "a second person" in said

    # Somebody else's, reported as well, is none: it is given free as it was.
    other, locked = reported(habeas, OTTO)
    world.wait_closed(locked)
    assert till.sees(8) == 0
    typed(habeas, "minor", "rule", other, "not_child", "--by", "privacy desk")
    world.wait_closed(other)
    typed(habeas, "restriction", "told", locked)
    world.wait(lambda: till.sees(8) == seen, 60, "it to be given free")
    assert world.conclusion(other) == "withdrawn"

    # The clock of cooling-off is not waited for: with it the request would not end for days.
    typed(habeas, "minor", "rule", erasure, "child", "--indication", "age_on_file", "--by", "privacy desk")
    world.wait_closed(erasure)
    after = dump(world.shop)
    assert world.conclusion(erasure) == "in_part", "a duty to keep wins"
    of_seven = [sum('"customer_id": 7}' in row for row in rows["orders"]) for rows in (before, after)]
    assert of_seven == [4, 3], "all but an order of eleven years ago"
    assert till.sees(7) == 0, "and what it keeps is out of use still"
    assert not [row for rows in after.values() for row in rows if "c7@shop.example" in row]
    assert [row for rows in before.values() for row in rows if "c7@shop.example" in row]
    assert [row for rows in after.values() for row in rows if "c8@shop.example" in row]
    assert typed(habeas, "minor", "list")["reports"] == []
