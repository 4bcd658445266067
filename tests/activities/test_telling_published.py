"""What had been made public and is erased: others hear that links and copies are to go, and the answer says so."""

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from activities.lettering import facts_of, recipients_told
from activities.letters import render
from activities.opening import Ask, OpeningActivities
from activities.store import FileStore
from activities.telling import TellingActivities
from activities.tools import Tools
from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from rights.datamap import DataMap
from rights.letterkinds import LetterKind
from rights.letters import Authority, Office, Particulars
from rights.mapdiff import diff
from rights.receipt import Count, Outcome, Receipt, Tally
from rights.recipients import Recipient, Register
from rights.request import Conclusion, Phase, Right
from starter.desk import strangers
from tests.ledger.builders import ANNA, AT, a_step, close_one, opened_id
from tests.rights import builders

ZONE = ZoneInfo("Europe/Berlin")
OFFICE = Office(
    controller="Shop Ltd", dpo="dpo@shop.example", authorities={"eu-gdpr": Authority(name="A", contact="a.example")}
)


def a_map(*, published: bool = True) -> DataMap:
    return builders.a_map(
        builders.a_system(
            collections={
                "customers": builders.a_collection(),
                "reviews": builders.a_collection(published=published),
            }
        )
    )


def engine(**changes: object) -> Register:
    """A register with a search engine that nobody has given anything."""
    body = {
        "name": "Search Inc.",
        "country": "FR",
        "role": "controller",
        "basis": {"kind": "law", "document": "GDPR Art. 17(2)", "since": date(2024, 1, 1)},
        "shows": ["shop.reviews"],
        "knows_by": ["email"],
        "told_by": {"email": "removals@search.example"},
    }
    return Register(recipients={"search": Recipient.model_validate({**body, **changes})})


def tools_of(ledger: Ledger, folder: Path, register: Register) -> Tools:
    return Tools(ledger, {}, a_map(), FileStore(folder), environment="test", register=register)


def erased(ledger: Ledger, folder: Path, collection: str, register: Register) -> str:
    """An erasure that has erased a row of a collection, and told of it; its id."""
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING)
    tally = Tally(counts=(Count(collection=collection, found=1, erased=1),))
    ledger.keep_receipt(Receipt(step=a_step(request_id), outcome=Outcome.DONE, tally=tally, at=AT))
    for _ in (1, 2):
        TellingActivities(tools_of(ledger, folder, register)).tell(Ask(request_id=request_id, as_of=AT))
    return request_id


def waiting(ledger: Ledger, request_id: str) -> list[tuple[str, str]]:
    return sorted((task.code, task.about) for task in ledger.tasks(request_id=request_id))


def test_ERA_05_whoever_shows_what_had_been_made_public_is_told_of_links_and_copies(
    ledger: Ledger, tmp_path: Path
) -> None:
    request_id = erased(ledger, tmp_path, "reviews", engine())
    assert [(one.recipient, one.operation, one.how) for one in ledger.notices(request_id)] == [
        ("search", "unpublished", "email")
    ]
    said = Particulars.model_validate_json(ledger.unseal(request_id, "file", "letter/recipient_notice/0") or b"")
    assert said.about == (("email", ANNA[0].value),)
    facts = facts_of(
        ledger.standing(request_id), a_map(), LetterKind.RECIPIENT_NOTICE, said, written_on=date(2026, 3, 3)
    )
    text = " ".join(render(facts, OFFICE).text.split())
    assert "that we had made public" in text
    assert "every link to it, and every copy and replication of it, be erased" in text
    assert waiting(ledger, request_id) == [("published", "links"), ("recipient", "search")]


def test_of_what_was_never_public_nobody_is_told(ledger: Ledger, tmp_path: Path) -> None:
    request_id = erased(ledger, tmp_path, "customers", engine())
    assert ledger.notices(request_id) == []
    assert waiting(ledger, request_id) == []


def test_where_nothing_may_be_sent_a_person_sees_to_it(ledger: Ledger, tmp_path: Path) -> None:
    request_id = erased(ledger, tmp_path, "reviews", engine(country="IN"))
    assert [one.how for one in ledger.notices(request_id)] == ["blocked"]
    assert waiting(ledger, request_id) == [("egress", "search"), ("published", "links")]


def test_the_steps_taken_are_on_record_before_the_task_goes(ledger: Ledger, tmp_path: Path) -> None:
    request_id = erased(ledger, tmp_path, "reviews", Register())
    close_one(ledger, request_id)
    assert waiting(ledger, request_id) == [("published", "links")], "without a register, and beyond the end, too"
    (task,) = ledger.tasks(request_id=request_id)
    with pytest.raises(LedgerRefusal):
        ledger.rule(request_id, task.id, "done", at=AT)
    with pytest.raises(LedgerRefusal, match="the note is empty"):
        ledger.steps_taken(request_id, note=" ", by="desk", at=AT)

    ledger.steps_taken(request_id, note="removal asked of the web archive", by="desk", at=AT)

    assert waiting(ledger, request_id) == []
    note = next(e.body["note"] for e in ledger.standing(request_id).events if e.kind == "published_steps")
    assert b"web archive" in (ledger.unseal(request_id, "file", note) or b"")
    other = opened_id(ledger, Phase.LOCATING)
    with pytest.raises(LedgerRefusal, match="nothing that had been made public"):
        ledger.steps_taken(other, note="x", by="desk", at=AT)


def test_the_answer_says_what_had_been_public_and_who_was_told(ledger: Ledger, tmp_path: Path) -> None:
    request_id = erased(ledger, tmp_path, "reviews", engine())
    close_one(ledger, request_id, Conclusion.ANSWERED)
    told = recipients_told(ledger.notices(request_id), engine(), ZONE)
    facts = facts_of(
        ledger.standing(request_id),
        a_map(),
        LetterKind.ANSWER_ERASURE,
        Particulars(),
        written_on=date(2026, 3, 3),
        recipients=told,
    )
    assert facts.made_public == ("contact",)
    text = " ".join(render(facts, OFFICE).text.split())
    assert "had been made public: - contact" in text
    assert "Search Inc.: told on 2 March 2026; not confirmed yet" in text


def test_an_erasure_is_told_of_where_the_map_says_that_something_is_public(ledger: Ledger, tmp_path: Path) -> None:
    tools = tools_of(ledger, tmp_path, Register())
    for right, tells in ((Right.ERASURE, True), (Right.ACCESS, False)):
        request_id = opened_id(ledger, right=right)
        ledger.pin_map(request_id, tools.data_map, at=AT)
        assert OpeningActivities(tools)._facts(Ask(request_id=request_id, as_of=AT)).tells is tells


def test_a_register_shows_only_what_the_map_says_is_public() -> None:
    assert strangers(engine(), a_map(), required=True) == []
    assert "no such published place" in strangers(engine(), a_map(published=False), required=True)[0]
    with pytest.raises(ValueError, match="another controller"):
        engine(role="processor")
    with pytest.raises(ValueError, match="gets is empty"):
        engine(shows=[])
    (change,) = diff(a_map(published=False), a_map())
    assert "made public" in change.text
