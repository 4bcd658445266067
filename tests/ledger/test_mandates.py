"""Where letters go when somebody asks for another person: as the mandate says, while it is in force."""

from datetime import date

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel, queue_letter
from rights.identity import Rung
from rights.letterkinds import LetterKind
from rights.mandates import Mandate
from rights.request import Right
from tests.ledger.builders import AT, close_one, later
from tests.ledger.conftest import Door
from tests.ledger.test_proofs import MAIL, asking, sent

LAWYER = {
    "kind": "lawyer",
    "scope": ["access", "erasure"],
    "signed": "2026-01-01",
    "representative": "Example Agents Ltd, 1 High Street",
}


def a_mandate(**said: object) -> Mandate:
    return Mandate.model_validate(LAWYER | said)


def asked_for(ledger: Ledger, mandate: Mandate, *, right: Right = Right.ACCESS) -> str:
    """A request that somebody makes for Anna, whose own address is known."""
    request = asking(ledger, right=right)
    ledger.seal(request, "working", REPLY, Channel("email", MAIL).sealed(), at=AT)
    ledger.keep_mandate(request, mandate, by="desk", at=AT)
    ledger.attest(request, Rung.ATTESTED, level=3, by="desk", at=AT, vouches=["all"])
    assert ledger.request(request).confirmed
    return request


def goes_to(ledger: Ledger, request: str, kind: LetterKind) -> list[tuple[str, str]]:
    """Where letters of a kind go, as the mail server is told."""
    found = [one for one in ledger.letters(request) if one.kind == kind]
    channels = ledger.letter_channels(found)
    return [(channels[one.id].kind, channels[one.id].address) if one.id in channels else ("", "") for one in found]


@pytest.mark.parametrize(
    ("said", "there"),
    [
        (
            {"answer_to": "representative", "representative_email": "law@agents.example"},
            ("email", "law@agents.example"),
        ),
        ({"answer_to": "representative"}, ("post", "Example Agents Ltd\n1 High Street")),
        ({"answer_to": "representative", "representative": ""}, ("", "")),
        ({"answer_to": "person", "representative_email": "law@agents.example"}, ("email", MAIL)),
    ],
)
def test_the_answer_and_every_letter_of_the_case_go_where_the_mandate_says(
    ledger: Ledger, said: dict[str, object], there: tuple[str, str]
) -> None:
    request = asked_for(ledger, a_mandate(**said))
    with ledger._begin() as connection:
        queue_letter(ledger, connection, request, LetterKind.REFUSAL, AT)
    close_one(ledger, request, at=later(days=3), letter=LetterKind.ANSWER_ACCESS)

    assert goes_to(ledger, request, LetterKind.REFUSAL) == [there]
    assert goes_to(ledger, request, LetterKind.ANSWER_ACCESS) == [there]
    if not there[0]:
        assert {task.code for task in ledger.tasks(request_id=request)} == {"post_out"}, "somebody posts it"


def test_the_warning_before_an_erasure_goes_to_the_persons_own_channels_whoever_asks(ledger: Ledger) -> None:
    mandate = a_mandate(answer_to="representative", representative_email="law@agents.example")
    request = asked_for(ledger, mandate, right=Right.ERASURE)
    ledger.cool(request, later(days=3), at=AT)

    channels = goes_to(ledger, request, LetterKind.COOLING_OFF_NOTICE)
    assert ("email", MAIL) in channels
    assert ("email", "law@agents.example") not in channels


def test_a_code_goes_to_the_person_whoever_asks(ledger: Ledger) -> None:
    request = asking(ledger)
    mandate = a_mandate(kind="agent", answer_to="representative", representative_email="law@agents.example")
    ledger.keep_mandate(request, mandate, by="desk", at=AT)
    _, channel = sent(ledger, request, "file")
    assert channel is not None
    assert channel.address == MAIL


def test_a_mandate_that_is_over_carries_no_letter_to_anybody(ledger: Ledger, door: Door) -> None:
    mandate = a_mandate(answer_to="representative", representative_email="law@agents.example", expires=date(2026, 3, 4))
    request = asked_for(ledger, mandate)
    with ledger._begin() as connection:
        queue_letter(ledger, connection, request, LetterKind.INTERIM_ANSWER, later(days=2))
        queue_letter(ledger, connection, request, LetterKind.REFUSAL, later(days=3))
    assert goes_to(ledger, request, LetterKind.INTERIM_ANSWER) == [("email", "law@agents.example")]
    assert goes_to(ledger, request, LetterKind.REFUSAL) == [("email", MAIL)], "to the person again"


def test_the_last_day_of_a_mandate_is_one_of_the_requests_own_zone(ledger: Ledger) -> None:
    """Berlin's midnight: an hour earlier than that of UTC, which would carry an answer to somebody with no mandate."""
    mandate = a_mandate(answer_to="representative", representative_email="law@agents.example", expires=AT.date())
    request, late = asked_for(ledger, mandate), asking(ledger)
    before, after = (AT.replace(hour=hour, minute=30) for hour in (22, 23))
    with ledger._begin() as connection:
        queue_letter(ledger, connection, request, LetterKind.INTERIM_ANSWER, before)
        queue_letter(ledger, connection, request, LetterKind.REFUSAL, after)

    assert goes_to(ledger, request, LetterKind.INTERIM_ANSWER) == [("email", "law@agents.example")]
    assert goes_to(ledger, request, LetterKind.REFUSAL) == [("email", MAIL)]
    with pytest.raises(LedgerRefusal, match="expired"):
        ledger.keep_mandate(late, mandate, by="desk", at=after)
    ledger.keep_mandate(late, mandate, by="desk", at=before)
    ledger.attest(late, Rung.ATTESTED, level=3, by="desk", at=after, vouches=["all"])
    assert not ledger.request(late).confirmed, "who asks is proven, and asks for nobody any more"


def test_a_mandate_that_takes_another_ones_place_says_where_letters_go(ledger: Ledger, door: Door) -> None:
    request = asking(ledger)
    ledger.seal(request, "working", REPLY, Channel("email", MAIL).sealed(), at=AT)
    first = a_mandate(answer_to="representative", representative_email="law@agents.example")
    for mandate in (first, a_mandate(answer_to="person")):
        ledger.keep_mandate(request, mandate, by="desk", at=AT)
    assert door("SELECT count(*) FROM vault WHERE name = 'channel/representative'") == [(0,)]
    assert "law@agents" not in str(door("SELECT e::text FROM entries e"))


def test_an_address_of_a_representative_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="representative_email: the email is not an address"):
        a_mandate(answer_to="representative", representative_email="law at agents")


def test_TRF_02_a_mandate_is_read_back_as_long_as_its_file_is_kept(ledger: Ledger, door: Door) -> None:
    said = a_mandate(answer_to="representative", firm={"country": "US", "recipient": "agents"})
    request, other = asked_for(ledger, said), asking(ledger)

    assert ledger.mandate(request) == said
    assert ledger.mandate(other) is None
    door("DELETE FROM vault WHERE case_id = %s", request)
    assert ledger.mandate(request) is None
