"""The answer that goes to the person is printed once the request is closed, and says no more than what is so."""

import json
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from rights.holds import Scope, Terms
from starter.cli import app
from tests.stories.test_rulings import ARCHIVE
from tests.world import World, shop_map

SHOP = shop_map(retention=True).replace("backups: none", "backups: {max_age: P35D, beyond_use: locked in the safe}")
CRM = shop_map("observe", system="crm").replace(
    "backups: none", "backups: {max_age: unknown, beyond_use: nobody restores one}"
)

OFFICE = {
    "controller": "Beispiel GmbH",
    "dpo": "dpo@example.org",
    "authorities": {"eu-gdpr": {"name": "Die Aufsicht", "contact": "aufsicht@example.org"}},
}


@pytest.fixture
def habeas(world: World, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(world.home)
    return CliRunner()


def typed(habeas: CliRunner, *words: str) -> Result:
    done = habeas.invoke(app, ["request", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


@pytest.mark.soak
def test_an_erasure_letter_names_what_is_erased_kept_and_not_done_and_when_backups_are_out(
    world: World, habeas: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write_maps({"shop": SHOP, "crm": CRM, "archive": ARCHIVE})
    world.start_worker()
    request = world.open("erasure", [("email", "c7@shop.example")])
    world.rule(request, world.wait_task(request, "manual"), "done")
    observed = world.wait_task(request, "observe")
    world.wait(
        lambda: "verify" in {r["step"]["operation"] for r in world.receipts(request)}, 60, "the shop's last look"
    )

    early = typed(habeas, "answer", request)

    assert early.exit_code == 5
    assert "habeas request interim" in early.stderr

    # From now on nothing of the person may be destroyed in these two, and nobody may tell them.
    world.place_hold([("email", "c7@shop.example")], terms=Terms(scope=Scope(systems=("shop", "crm"))))
    world.rule(request, observed, "give_up")
    world.rule(request, world.wait_task(request, "manual"), "done")
    world.wait_closed(request)

    letter, told = typed(habeas, "answer", request), typed(habeas, "answer", request, "--json")
    lines = letter.stdout.splitlines()
    out = json.loads(told.stdout)
    last = (datetime.now(ZoneInfo("Europe/Berlin")) + timedelta(days=35)).date()
    assert lines == out["text"]
    assert "- archive: reported as done; there is no way for us to look again" in lines
    assert "- crm: not done (18 records found)" in lines
    shop = lines.index(
        "- shop: erased; we have looked again and found nothing left, but for what is kept (14 records erased)"
    )
    assert lines[shop + 1 : shop + 5] == [
        "  1 record kept, until a day that is not known yet: the orders that are kept need it",
        *(f"  1 record kept, until {year}-12-31: tax law" for year in (2028, 2031, 2034)),
    ]
    assert f"  What was erased is out of backups after {last}." in lines
    assert "  Until then: locked in the safe." in lines
    assert "nobody restores one" not in letter.stdout, "nothing was erased there"
    assert "complain to a data protection authority" in lines[-1]
    assert "hold" not in (letter.stdout + told.stdout).replace("we hold on you", "")
    assert "c7@" not in letter.stdout + told.stdout
    assert {one["system"]: one["backups"] for one in out["systems"]} == {
        "archive": None,
        "crm": None,
        "shop": {"until": str(last), "beyond_use": "locked in the safe"},
    }
    assert "habeas request answer" in typed(habeas, "interim", request).stderr

    # The same as a letter, in German; that crm is not done needs a reason, which is the agent's to give.
    monkeypatch.setenv("HABEAS_LETTERS", json.dumps(OFFICE))
    (world.home / "said.yaml").write_text("reason: Das CRM wird von Hand bereinigt.\n")
    written = typed(habeas, "answer", request, "--letter", "--language", "de", "--details", "said.yaml")
    german = " ".join(written.stdout.split())
    assert written.exit_code == 0
    for part in (
        f"Unser Zeichen: {request}",
        "Einen Teil dessen, was wir über Sie haben, haben wir gelöscht",
        "Das CRM wird von Hand bereinigt.",
        "archive: als erledigt gemeldet; wir haben keine Möglichkeit, nachzusehen",
        "crm: nicht erledigt (18 Datensätze gefunden)",
        "bis auf das, was aufbewahrt wird (14 Datensätze gelöscht)",
        "1 Datensatz aufbewahrt bis 31. Dezember 2028: tax law",
        "Bis dahin: locked in the safe",
        "Sie können sich beschweren bei: Die Aufsicht, aufsicht@example.org",
        "Sie können auch vor Gericht gehen.",
        "dpo@example.org",
    ):
        assert part in german
    assert not re.search(r"hold|gehalten|Sperre|c7@", german)


@pytest.mark.soak
def test_an_answer_to_an_access_request_goes_with_the_copy(world: World, habeas: CliRunner) -> None:
    world.start_worker()
    request = world.open("access", [("email", "c8@shop.example")])
    world.wait_closed(request)

    lines = typed(habeas, "answer", request).stdout.splitlines()

    assert lines[1:] == [
        "A copy of what we hold on you comes with this answer.",
        "- shop: your data was collected and comes with this answer (18 records found)",
    ]
