"""A parent refuses further use and collection: stopped everywhere, remembered, and kept by a replay."""

from datetime import timedelta

import psycopg
import pytest

from starter.stack import Vendors
from tests.starter.test_parents import MANDATE
from tests.stories.test_optout import marked, opened, shop, told, typed, unchanged_but, unsubscribed
from tests.world import World

__all__ = ["shop"]

COLUMNS = ("no_mail", "no_score", "no_sale")


@pytest.mark.soak
def test_CHI_04_a_parents_refusal_stops_every_use_is_remembered_and_kept_by_a_replay(
    shop: World, vendors: Vendors
) -> None:
    since = shop.now() - timedelta(minutes=1)
    with unchanged_but(shop, *COLUMNS):
        shop.start_worker()
        request = opened(shop, "objection", "scope: collection\n", "--signed-in", "second_factor")
        shop.wait(lambda: shop.phase(request) == "confirming", 60, "it to be asked who it is")
        assert [marked(shop, column) for column in COLUMNS] == [[], [], []]
        assert told("suppression", "list") == {"identities": {}}, "a child signed in is no parent"

        (shop.home / "mandate.yaml").write_text(MANDATE)
        told("identity", "mandate", request, "--by", "support desk", "--details", "mandate.yaml")

        # No system says that it collects nothing more, so that is a person's to see to.
        task = shop.wait_task(request, "nowhere")
        assert [marked(shop, column) for column in COLUMNS] == [[7], [7], [7]]
        assert unsubscribed(vendors) == {"c7@shop.example"}
        assert typed("request", "rule", request, "done", "--task", task).exit_code == 0
        shop.wait_closed(request)
        assert shop.conclusion(request) == "answered"

        # A backup of before is put back.
        with psycopg.connect(shop.shop, autocommit=True) as door:
            door.execute("UPDATE customers SET no_mail = false, no_score = false, no_sale = false")
        made = told("replay", "--system", "shop", "--since", since.isoformat(), "--by", "operations")["replay"]
        shop.wait(lambda: shop.ledger.replay(made).over, 120, "the replay to end")
        assert [marked(shop, column) for column in COLUMNS] == [[7], [7], [7]]

    rows = "mail\nc7@shop.example\nc8@shop.example\n"
    signing_up = typed("suppress", "check", "-", "--column", "mail", "--scope", "import", stdin=rows)
    assert (signing_up.exit_code, signing_up.stdout) == (1, "1 collection\n")
    consented = ("suppression", "consent", "--way", "signed_form", "--by", "desk", "--identity", "email=-")
    assert told(*consented, stdin="c7@shop.example")["ended"] > 0
    assert typed("suppress", "check", "-", "--column", "mail", "--scope", "import", stdin=rows).exit_code == 0
