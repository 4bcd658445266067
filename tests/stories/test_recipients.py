"""Recipients hear of what was erased, once; nothing goes to whom there is no basis for; answers are waited for."""

import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.registry import SetupError
from ledger.letters import Channel
from ledger.notices import Answer
from rights.letters import Particulars
from rights.reckoning import local_day
from starter.stack import Vendors
from tests.stories.copies import Habeas
from tests.stories.vendors import members, newsletter
from tests.world import ROWS, World, dump, shop_map
from worker import build_tools

ZONE = "Europe/Berlin"
PERSON = [("email", "c7@shop.example")]
REGISTER = """
recipients:
  mailer:
    name: Acme Mail GmbH
    country: DE
    basis: {{kind: contract, document: DPA 17, since: 2024-01-01{until}}}
    gets: [newsletter]
    told_by: {{system: newsletter}}
  partner:
    name: Partner Logistics SA
    country: FR
    role: controller
    basis: {{kind: contract, document: DPA 18, since: 2024-01-01}}
    gets: [shop.customers]
    knows_by: [email]
    told_by: {{email: privacy@partner.example}}
    answers_within_days: 14
  archive:
    name: Paper Archive
    country: IN
    basis: {{kind: contract, document: DPA 19, since: 2024-01-01}}
    gets: [shop.orders]
    told_by: {{post: [Paper Archive, 1 Long Road, Pune]}}
"""
RETAILER = """
  retailer:
    name: Retail SE
    country: DE
    role: controller
    basis: {kind: contract, document: DPA 20, since: 2024-01-01}
    gets: [shop]
    knows_by: [email]
    told_by: {email: privacy@retail.example}
    answers_requests: true
"""


@pytest.fixture
def company(vendors: Vendors, world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A shop, a newsletter that somebody else sends, and a register."""
    vendors.seed([{"id": n, "email": f"c{n}@shop.example", "name": f"Name {n}"} for n in range(1, 21)])
    vendors.clear_traffic()
    monkeypatch.setenv("TEST_MAILCHIMP", "mailchimp-key-us1")
    owned = newsletter(vendors).replace("mode: auto", "recipient: mailer\nmode: auto")
    world.write_maps({"shop": shop_map(), "newsletter": owned})
    return world


def register(world: World, until: str = "") -> Path:
    """Write the register; `until` ends the contract of the mailer."""
    path = world.home / "recipients.yaml"
    path.write_text(REGISTER.format(until=until))
    return path


@pytest.mark.soak
def test_whoever_has_the_data_is_told_once_and_the_answer_is_waited_for(company: World, vendors: Vendors) -> None:
    company.start_worker(HABEAS_RECIPIENTS=str(register(company)))
    request = company.open("erasure", PERSON)
    company.wait_closed(request)

    told = {one.recipient: one for one in company.ledger.notices(request)}
    assert {name: one.how for name, one in told.items()} == {
        "mailer": "system",
        "partner": "email",
        "archive": "blocked",
    }, "to India nothing goes without a way"
    assert told["mailer"].answer is Answer.CONFIRMED, "its own system has said so, and was looked at again"
    assert told["partner"].answer is None
    sealed = company.ledger.unseal(request, "working", "recipient/partner")
    assert Channel.unsealed(sealed or b"").address == "privacy@partner.example"
    said = Particulars.model_validate_json(company.ledger.unseal(request, "file", "letter/recipient_notice/1") or b"")
    assert said.operation == "erased"
    assert said.about == (("email", "c7@shop.example"),), "what it knows the person by, and no more"
    assert said.respond_by == local_day(told["partner"].told_at, ZONE) + timedelta(days=14)

    company.wait_task(request, "post_out")  # no mail server is set up here, and letters go out beside the request
    tasks = {(task.code, task.about) for task in company.ledger.tasks(request_id=request)}
    by_hand = ("post_out", "recipient_notice")
    assert tasks == {("egress", "archive"), ("recipient", "partner"), by_hand}, "they outlive the closing"
    day = local_day(company.now(), ZONE)
    for recipient, answer in (("partner", Answer.CONFIRMED), ("archive", Answer.IMPOSSIBLE)):
        company.ledger.answered(request, recipient, answer, on=day, at=company.now(), note="burnt down", by="desk")
    assert [task.code for task in company.ledger.tasks(request_id=request)] == ["post_out"]
    company.set_up_letters()
    company.environment["HABEAS_RECIPIENTS"] = str(company.home / "recipients.yaml")
    letter = Habeas(company)("letter", "preview", "answer-erasure", "--request", request)
    assert "Partner Logistics SA" in letter, "a letter that is printed to be posted says who was told, too"
    assert company.ledger.verify().sound
    everything = company.query("SELECT body FROM entries")
    assert not any("partner.example" in body or "c7@" in body for (body,) in everything)


@pytest.mark.soak
def test_when_the_contract_is_over_nothing_is_sent_and_a_person_is_asked(company: World, vendors: Vendors) -> None:
    before = dump(company.shop)
    company.start_worker(HABEAS_RECIPIENTS=str(register(company, until=", until: 2026-01-31")))
    request = company.open("erasure", PERSON)
    task = company.wait_task(request, "egress")

    company.wait(
        lambda: sum(map(len, before.values())) - sum(map(len, dump(company.shop).values())) == ROWS, 60, "shop"
    )
    assert vendors.traffic("mailchimp") == [], "not even the look, which would send the person's address"
    assert "c7@shop.example" in members(vendors)
    company.rule(request, task, "give_up")
    company.wait_closed(request)
    assert company.conclusion(request) == "in_part"


@pytest.mark.soak
def test_a_copy_names_who_has_the_data_and_by_what_it_went_there(company: World) -> None:
    company.start_worker(HABEAS_RECIPIENTS=str(register(company)))
    request = company.open("access", PERSON)
    company.wait_closed(request)
    company.parcel_rows(request)
    with zipfile.ZipFile(company.home / f"{request}.zip") as parcel:
        page = next(parcel.read(name).decode() for name in parcel.namelist() if name.endswith("index.html"))
    assert "Partner Logistics SA (FR, controller)" in page
    assert company.ledger.notices(request) == [], "who asks for a copy has nothing changed"


@pytest.mark.soak
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("gets: [newsletter]", "the data map has no such place"),
        ("recipient: mailer", "is somebody else's system"),
    ],
)
def test_a_register_and_a_map_that_do_not_know_each_other_start_no_worker(
    company: World, vendors: Vendors, wrong: str, why: str
) -> None:
    path = register(company)
    if wrong.startswith("gets"):
        path.write_text(path.read_text().replace("gets: [newsletter]", "gets: [elsewhere]"))
    else:
        company.write_maps({"newsletter": newsletter(vendors)})
    settings = company.settings.model_copy(update={"recipients": path})
    with pytest.raises(SetupError, match=why):
        build_tools(settings, company.ledger)


@pytest.mark.soak
def test_a_request_that_is_another_controllers_is_passed_on_and_nothing_is_done_for_it(company: World) -> None:
    """PRO-01, GDPR 28(3)(e): a processor passes it on, and answers nothing itself."""
    before = dump(company.shop)
    path = register(company)
    path.write_text(path.read_text() + RETAILER)
    company.environment["HABEAS_RECIPIENTS"] = str(path)
    company.start_worker()
    request = company.open("erasure", PERSON, confirmed=False)
    company.wait(lambda: company.phase(request) == "confirming", 60, "the question who asks")
    habeas = Habeas(company)

    habeas("request", "pass-on", request, "mailer", "--by", "desk", code=2)
    assert company.query("SELECT count(*) FROM notices") == [(0,)], "it does not answer requests, and nothing is done"
    habeas("request", "pass-on", request, "retailer", "--by", "desk")

    company.wait_closed(request)
    assert company.conclusion(request) == "passed_on"
    assert dump(company.shop) == before
    assert company.receipts(request) == [], "nobody has even looked"
    company.set_up_letters()
    letter = habeas("letter", "show", f"{request}.passed_on.0", "--text")
    assert "Retail SE" in letter
    habeas("recipient", "answered", request, "retailer", "confirmed", "--by", "desk")
    assert company.query("SELECT recipient, operation, answer FROM notices") == [("retailer", "passed_on", "confirmed")]
