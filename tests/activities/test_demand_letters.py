"""What a letter about a demand says, and that it goes out as mail by itself."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.authorities import AuthorityActivities
from activities.demandletters import House, render_about
from activities.letters import LetterIncomplete
from activities.mailing import MailActivities, Sending
from activities.mailsetup import Mail
from activities.opening import Ask
from activities.smtp import MailServer
from activities.store import FileStore
from activities.tools import Tools
from ledger.ledger import Ledger
from rights.authorities import Demand, Scope
from rights.authoritylaw import Word
from rights.decision import Role
from rights.demanddays import Days
from rights.demandfile import Reach
from rights.demandletters import Whom
from rights.letters import LANGUAGES, Language
from rights.mapfile import read_map
from rights.recipients import read_register
from tests.activities.test_letters import OFFICE
from tests.ledger.builders import ANNA, AT, later
from tests.ledger.conftest import Door
from tests.ledger.test_authorities import answer, approve, decide, received
from tests.smtp_sink import Sink
from tests.world import shop_map

REGISTER = """
recipients:
  police-berlin:
    name: Police of Berlin
    country: DE
    role: authority
    basis: {kind: law, document: section 95 StPO, since: 2024-01-01}
    told_by: {post: [Police of Berlin, 1 Platz der Luftbruecke]}
  exporter:
    name: Exporter AG
    country: DE
    role: exporter
    basis: {kind: contract, document: clauses of 2024, since: 2024-01-01}
    knows_by: [email]
    told_by: {email: privacy@exporter.example}
"""
PERSON = "anna@example.org"


def tools(ledger: Ledger, folder: Path, register: str = REGISTER, mail: Mail | None = None) -> Tools:
    return Tools(
        ledger=ledger,
        connectors={},
        data_map=read_map({"shop": shop_map()}),
        store=FileStore(folder),
        environment="test",
        register=read_register("recipients.yaml", register),
        office=OFFICE,
        mail=mail,
    )


def handed_over(ledger: Ledger, **more: Any) -> Demand:
    demand = received(ledger, clauses=True, exporter="exporter", **more)
    answer(ledger, demand)
    decide(ledger, demand)
    approve(ledger, demand)
    rows = {"shop.customers": 0, "shop.orders": 4}
    ledger.keep_disclosure(demand.id, "d" * 64, 1, rows, decided_at=AT, at=AT)
    return ledger.hand_over(demand.id, by="s-17", at=later(hours=1))


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_trf_04_the_letters_say_what_clause_15_1_asks(ledger: Ledger, tmp_path: Path) -> None:
    house, demand = House.of(tools(ledger, tmp_path)), handed_over(ledger)

    person = squeezed(render_about(house, demand, Whom.PERSON, later(hours=2)).text)
    exporter = squeezed(render_about(house, demand, Whom.EXPORTER, later(hours=2)).text)
    for said in (person, exporter):
        for what in (
            "Police of Berlin (DE)",
            "an order to hand data over",
            "canary section 95",
            "4 records",
            "- contact",
        ):
            assert what in said, what
        assert "2 March 2026" in said
    found = [one for one in ANNA if f": {one.value}" in exporter]
    assert {one.kind for one in found} == {"email"}, "only what the exporter knows the person by"
    assert len(ANNA) > 1
    assert not [one for one in ANNA if f": {one.value}" in person]


SPANS = {
    "en": ("from 1 March 2026 to 31 March 2026", "until 31 March 2026", "and what says no day"),
    "de": ("vom 1. März 2026 bis zum 31. März 2026", "bis zum 31. März 2026", "und solche ohne Datum"),
    "fr": ("du 1 mars 2026 au 31 mars 2026", "jusqu'au 31 mars 2026", "et ce qui ne porte aucune date"),
    "es": ("del 1 de marzo de 2026 al 31 de marzo de 2026", "hasta el 31 de marzo de 2026", "y lo que no tiene fecha"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_trf_04_the_letters_say_which_days_were_demanded_and_of_which_it_was_handed_over(
    ledger: Ledger, tmp_path: Path, language: Language
) -> None:
    """The personal data requested (clause 15.1(a)) is that of these days."""
    house, march = House.of(tools(ledger, tmp_path)), Days(since=date(2026, 3, 1), until=date(2026, 3, 31))
    demand = received(ledger, clauses=True, exporter="exporter", dates=Days(until=date(2026, 3, 31)))
    answer(ledger, demand)
    span, demanded, undated = SPANS[language]

    for whom in Whom:
        early = squeezed(render_about(house, demand, whom, later(hours=2), language).text)
        assert demanded in early
        assert span not in early
    scope = Scope(collections=("shop.orders",), days=march, undated=True)
    words = {"reason": "canary", "by": "s-17", "seat": Role.COUNSEL, "at": AT}
    ledger.decide_demand(demand.id, Word.IN_PART, "legal_obligation", scope, **words)  # type: ignore[arg-type]
    approve(ledger, demand)
    ledger.keep_disclosure(demand.id, "d" * 64, 1, {"shop.orders": 4}, decided_at=AT, at=AT)
    handed = ledger.hand_over(demand.id, by="s-17", at=later(hours=1))
    for whom in Whom:
        said = squeezed(render_about(house, handed, whom, later(hours=2), language).text)
        assert demanded in said
        assert f"{span}, {undated}" in said
    everything = squeezed(render_about(house, handed_over(ledger), Whom.PERSON, later(hours=2), language).text)
    assert not [one for one in SPANS[language] if one in everything]


def test_trf_04_a_letter_that_cannot_say_it_is_not_written(ledger: Ledger, tmp_path: Path, door: Door) -> None:
    demand, house = handed_over(ledger), House.of(tools(ledger, tmp_path))
    nobody = House.of(tools(ledger, tmp_path, "recipients: {}"))
    door("DELETE FROM vault WHERE case_id = %s AND name = 'basis'", demand.id)
    for whom in Whom:
        with pytest.raises(LetterIncomplete, match="requester"):
            render_about(nobody, demand, whom, AT)
        with pytest.raises(LetterIncomplete, match="demand_basis"):
            render_about(house, demand, whom, AT)


def test_trf_04_the_letters_go_out_by_themselves_and_the_demand_is_over(
    ledger: Ledger, tmp_path: Path, sink: Sink, door: Door
) -> None:
    server = MailServer(host="localhost", port=sink.port, sender="privacy@shop.example", ca_file=str(sink.certificate))
    kit = tools(ledger, tmp_path, mail=Mail(server, patience=timedelta(0)))
    demand = handed_over(ledger, person=Reach(name="Anna", email=PERSON))

    def round_of(hours: int) -> bool:
        ask = Ask(request_id=demand.id, as_of=later(hours=hours))
        over = ActivityEnvironment().run(AuthorityActivities(kit).carry_on, ask).over
        ActivityEnvironment().run(MailActivities(kit).send, Sending(as_of=later(hours=hours)))
        return over

    assert [round_of(hour) for hour in (2, 3)] == [False, True]
    (to_person,), (to_exporter,) = sink.to(PERSON), sink.to("privacy@exporter.example")
    assert "Police of Berlin" in str(to_person.mail.get_body(("plain",)))
    assert not [name for name, _ in to_person.mail.items() if name.startswith("X-Habeas")]
    assert ANNA[0].value not in to_exporter.mail["Subject"]
    assert door("SELECT told_by, letters FROM demands") == [("letter", {"person": "sent", "exporter": "sent"})]
    kept = ledger.unseal(demand.id, "file", "letter/demand_notice/0/text")
    assert kept is not None
    assert PERSON.encode() in kept


def test_trf_04_no_exporter_is_written_to_without_a_basis_in_the_register(
    ledger: Ledger, tmp_path: Path, door: Door
) -> None:
    demand = handed_over(ledger)
    over = REGISTER.replace(
        "clauses of 2024, since: 2024-01-01", "clauses of 2024, since: 2024-01-01, until: 2025-01-01"
    )
    ask = Ask(request_id=demand.id, as_of=later(hours=2))
    ActivityEnvironment().run(AuthorityActivities(tools(ledger, tmp_path, over)).carry_on, ask)
    assert door("SELECT kind FROM letters") == [("demand_notice",)]
