"""Proofs of who asks, in the ledger: codes, data points, second agents, mandates; and what shows to whoever asks."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.letters import Channel, said_name
from ledger.proofcodes import GoesTo, Reached, code_channel
from rights.identity import Proof, Rung, Unreached, identity_law
from rights.letterkinds import LetterKind, answer_kind
from rights.letterlaw import lacking, sayings
from rights.letters import Authority, LetterFacts, Office, Particulars
from rights.mandates import Mandate
from rights.request import Conclusion, Phase, Right
from rights.subject import Identity
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, later, opened_id
from tests.ledger.conftest import Door

MAIL, PHONE, STREET = "Anna.Berg@example.org", "+49 30 123456", "Lindenweg 3\n10115 Berlin"
OLD = datetime(2020, 1, 1, tzinfo=UTC)
ROW = (("email", MAIL), ("customer_id", "4711"))
KNOWN = [
    Reached("email", MAIL, OLD, ROW),
    Reached("email", "a.berg@work.example", None, ROW),
    Reached("post", STREET, None, ROW),
]


def asking(ledger: Ledger, *, right: Right = Right.ACCESS, points: list[Reached] | None = None) -> str:
    """A request that waits for proof, of somebody who is known (or, with no points, is not)."""
    request = opened_id(ledger, Phase.CONFIRMING, right=right)
    ledger.keep_reach(request, KNOWN if points is None else points, doubt=False, at=AT)
    return request


def sent(ledger: Ledger, request: str, goes_to: GoesTo, *, at: datetime = AT) -> tuple[str, Channel | None]:
    """Have a code sent; what it says and where it goes, as whoever opens the mail sees it."""
    number = ledger.ask_code(request, goes_to, at=at)
    assert ledger.send_codes(request, at=at) == 1
    said = ledger.unseal(request, "file", said_name("identity_code", number))
    channel = ledger.unseal(request, "working", code_channel(number))
    return (json.loads(said)["code"] if said else ""), (Channel.unsealed(channel) if channel else None)


def confirmed(door: Door, request: str) -> bool:
    return door("SELECT confirmed_at FROM requests WHERE id = %s", request)[0][0] is not None


def test_two_channels_on_file_are_enough_for_a_copy_and_one_is_not(ledger: Ledger, door: Door) -> None:
    request = asking(ledger)
    code, channel = sent(ledger, request, "file")
    assert channel is not None
    assert (channel.kind, channel.address) == ("email", MAIL)

    assert ledger.check_code(request, code, at=later(minutes=1)) is False
    assert not confirmed(door, request)
    code, channel = sent(ledger, request, "another")
    assert channel is not None
    assert channel.address == "a.berg@work.example"
    assert ledger.check_code(request, f" {code[:4]}-{code[4:]} ", at=later(minutes=2)) is True
    assert confirmed(door, request)
    assert ledger.verify().sound


def test_no_code_and_no_address_stands_in_the_ledger_in_clear(ledger: Ledger, door: Door, tables: Database) -> None:
    request = asking(ledger)
    codes = [sent(ledger, request, to)[0] for to in ("given", "file", "post")]
    assert all(codes)
    ledger.check_code(request, codes[0], at=later(minutes=1))

    for (table,) in door("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        text = str(door(f'SELECT t::text FROM "{table}" t'))
        for secret in (*codes, MAIL, "a.berg@work", "Lindenweg", "ANNA"):
            assert secret.lower() not in text.lower(), table
            assert secret.encode().hex() not in text.lower(), table


def test_a_code_to_an_address_in_the_request_proves_that_address_alone(ledger: Ledger, door: Door) -> None:
    request = asking(ledger, points=[Reached("email", "somebody.else@example.org", None)])
    code, channel = sent(ledger, request, "given")
    assert channel is not None
    assert channel.address == "Anna.Berg@example.org"

    assert ledger.check_code(request, code, at=AT) is False
    (proof,) = ledger.identity_state(request).proofs
    assert proof.rung is Rung.ADDRESS_GIVEN
    assert not ledger.identity_state(request).alone, "somebody is known by what was given"


def test_an_address_in_the_request_that_is_on_file_is_a_channel_on_file(ledger: Ledger) -> None:
    request = asking(ledger, right=Right.RECTIFICATION)
    code, _ = sent(ledger, request, "given")

    assert ledger.check_code(request, code, at=AT) is True
    assert ledger.identity_state(request).proofs[0].rung is Rung.CHANNEL_ON_FILE


@pytest.mark.parametrize(("days", "enough"), [(6.9, False), (7.1, True)])
def test_a_contact_changed_in_the_last_seven_days_is_one_step_short(ledger: Ledger, days: float, enough: bool) -> None:
    fresh = Reached("email", MAIL, AT - timedelta(days=days), ROW)
    request = asking(ledger, right=Right.RECTIFICATION, points=[fresh])
    code, _ = sent(ledger, request, "file")

    assert ledger.check_code(request, code, at=AT) is enough


def test_what_was_given_and_proven_and_is_unknown_stands_alone(ledger: Ledger) -> None:
    alone = opened_id(ledger, Phase.CONFIRMING, identities=(Identity("email", MAIL),), right=Right.ACCESS)
    ledger.keep_reach(alone, [], doubt=False, at=AT)
    code, _ = sent(ledger, alone, "given")
    assert not ledger.identity_state(alone).alone
    ledger.check_code(alone, code, at=AT)
    assert ledger.identity_state(alone).alone

    # Of what else was given nothing is known: then nothing is looked for by it.
    more = asking(ledger, points=[])
    code, _ = sent(ledger, more, "given")
    ledger.check_code(more, code, at=AT)
    assert {one.kind for one in ANNA} == {"email", "customer_id"}
    assert not ledger.identity_state(more).alone

    # Several people match: nobody is told that there is none.
    doubtful = opened_id(ledger, Phase.CONFIRMING, identities=(Identity("email", MAIL),), right=Right.ACCESS)
    ledger.keep_reach(doubtful, [], doubt=True, at=AT)
    code, _ = sent(ledger, doubtful, "given")
    ledger.check_code(doubtful, code, at=AT)
    assert not ledger.identity_state(doubtful).alone


def test_a_code_is_good_for_so_many_tries_and_so_long_and_once(ledger: Ledger) -> None:
    request = asking(ledger)
    code, _ = sent(ledger, request, "file")
    wrong = f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"
    for _ in range(5):
        assert ledger.check_code(request, wrong, at=AT) is False
    ledger.check_code(request, code, at=AT)
    assert ledger.identity_state(request).proofs == (), "five tries, and then it is no good"

    code, _ = sent(ledger, request, "another")
    ledger.check_code(request, code, at=later(hours=25))
    assert ledger.identity_state(request).proofs == (), "a day, and then it is no good"

    code, _ = sent(ledger, request, "given")
    for _ in range(2):
        ledger.check_code(request, code, at=AT)
    assert len(ledger.identity_state(request).proofs) == 1


def test_a_code_of_another_request_is_no_good(ledger: Ledger) -> None:
    mine, other = asking(ledger), asking(ledger)
    code, _ = sent(ledger, mine, "file")
    sent(ledger, other, "file")

    ledger.check_code(other, code, at=AT)
    assert ledger.identity_state(other).proofs == ()


def test_a_code_that_is_read_out_once_the_asker_is_proven_says_nothing_of_who_reads_it(
    ledger: Ledger, door: Door
) -> None:
    """Somebody else calls about a request that is proven: no number they make up is answered with 'proven'."""
    request = asking(ledger)
    assert twice_proven(ledger, request)
    before = door("SELECT count(*) FROM entries")
    with pytest.raises(LedgerRefusal, match="says nothing of who calls"):
        ledger.check_code(request, "12345678", at=AT)
    with pytest.raises(LedgerRefusal, match="says nothing of who calls"):
        ledger.check_points(request, [("email", MAIL)], at=AT)
    assert door("SELECT count(*) FROM entries") == before


def test_no_more_codes_than_eight_are_asked_for(ledger: Ledger) -> None:
    request = asking(ledger, points=[])
    for _ in range(8):
        ledger.ask_code(request, "file", at=AT)
    with pytest.raises(LedgerRefusal, match="in person or by a document"):
        ledger.ask_code(request, "file", at=AT)


def test_known_and_unknown_people_leave_the_same_trace_for_whoever_serves_them(ledger: Ledger, door: Door) -> None:
    def trace(request: str) -> tuple[object, ...]:
        kinds = door(
            "SELECT kind, body::jsonb - 'note' - 'note_digest' FROM entries WHERE request_id = %s AND kind NOT IN "
            "('opened', 'letter') ORDER BY seq",
            request,
        )
        rows = door(
            "SELECT goes_to, number, sent_at, expires_at, octet_length(code), tries_left, used_at FROM identity_codes "
            "WHERE request_id = %s ORDER BY number",
            request,
        )
        tasks = door("SELECT code FROM tasks WHERE request_id = %s", request)
        return kinds, rows, tasks

    traces = []
    for points in (KNOWN, []):
        request = asking(ledger, points=points)
        for to in ("file", "another"):
            sent(ledger, request, to)
        assert ledger.check_code(request, "00000000", at=AT) is False
        ledger.check_points(request, [("email", "x@example.org")], at=AT)
        ledger.remind(request, at=later(days=7))
        ledger.lapse(request, Unreached.LAPSE, at=later(days=30))
        traces.append(trace(request))

    assert traces[0] == traces[1]


def test_blind_data_points_are_counted_and_nothing_else_three_times_and_then_closed(ledger: Ledger) -> None:
    request = asking(ledger)
    said = [("email", " ANNA.berg@example.org "), ("post", "lindenweg 3"), ("post", "Elsewhere 9"), ("phone", "1")]

    assert ledger.check_points(request, said, at=AT) == 2
    assert ledger.check_points(request, [], at=AT) == 0
    assert ledger.check_points(request, [("post", "10115 berlin"), ("post", "10115 Berlin")], at=AT) == 1
    with pytest.raises(LedgerRefusal, match="that way is closed for this request"):
        ledger.check_points(request, said, at=AT)

    assert not ledger.request(request).confirmed, "data points alone never release a copy"
    unknown = asking(ledger, points=[])
    for _ in range(3):
        assert ledger.check_points(unknown, said, at=AT) == 0
    with pytest.raises(LedgerRefusal, match="that way is closed"):
        ledger.check_points(unknown, said, at=AT)


def test_a_document_takes_a_second_agent_and_its_copy_goes_at_the_ruling(ledger: Ledger, door: Door) -> None:
    request = asking(ledger)
    paper = b"a scan of an identity card"
    assert ledger.attest(request, Rung.DOCUMENT, by="front desk", at=AT, paper=paper, vouches=["all"]) is False
    assert ledger.paper(request) == paper
    with pytest.raises(LedgerRefusal, match="a second agent"):
        ledger.attest(request, Rung.DOCUMENT, by=" Front Desk", at=AT, vouches=["all"])
    assert ledger.paper(request) == paper

    assert ledger.attest(request, Rung.DOCUMENT, by="team lead", at=later(minutes=5), vouches=["all"]) is True
    assert ledger.paper(request) is None
    assert door("SELECT count(*) FROM vault WHERE purpose = 'identity'") == [(0,)]
    assert door("SELECT count(*) FROM case_keys WHERE purpose = 'identity' AND wrapped IS NOT NULL") == [(0,)]
    assert door("SELECT count(*) FROM entries WHERE kind = 'shredded'") == [(1,)]
    assert ledger.verify().sound


@pytest.mark.parametrize("how", ["refused", "lapsed", "withdrawn", "forgotten", "proven otherwise"])
def test_a_copy_of_a_document_goes_whatever_becomes_of_it(ledger: Ledger, door: Door, how: str) -> None:
    request = asking(ledger)
    ledger.attest(request, Rung.DOCUMENT, by="front desk", at=AT, paper=b"a scan", vouches=["all"])
    if how == "refused":
        ledger.refuse_proof(request, by="team lead", at=AT)
        assert ledger.identity_state(request).proofs == ()
    elif how == "withdrawn":
        ledger.withdraw(request, at=AT)
    elif how == "lapsed":
        ledger.lapse(request, Unreached.LAPSE, at=AT)
    elif how == "proven otherwise":
        assert ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"])
    else:
        ledger.shred_due(later(days=13))
        assert ledger.paper(request)
        ledger.shred_due(later(days=15))
    assert ledger.paper(request) is None
    assert door("SELECT count(*) FROM vault WHERE purpose = 'identity'") == [(0,)]


def test_no_document_is_asked_of_a_teenager_who_asks_in_their_own_name(ledger: Ledger) -> None:
    request = asking(ledger)
    assert ledger.note_age(request, 15, by="desk", at=AT) is False
    with pytest.raises(LedgerRefusal, match="no document is asked"):
        ledger.attest(request, Rung.DOCUMENT, by="desk", at=AT, vouches=["all"])
    for to in ("file", "another"):
        code, _ = sent(ledger, request, to)
        ledger.check_code(request, code, at=AT)
    assert ledger.request(request).confirmed


def twice_proven(ledger: Ledger, request: str) -> bool:
    proven = False
    for to in ("file", "another"):
        code, _ = sent(ledger, request, to)
        proven = ledger.check_code(request, code, at=AT)
    return proven


def test_an_address_in_a_row_that_names_nobody_is_that_of_the_one_person_whom_the_directory_knows(
    ledger: Ledger,
) -> None:
    """As the ways that make a known person and an unknown one look alike are nobody's, they take nothing from it."""
    request = asking(ledger, points=[KNOWN[0], KNOWN[2]._replace(beside=())])
    code, _ = sent(ledger, request, "file")
    assert ledger.check_code(request, code, at=AT) is False
    code, channel = sent(ledger, request, "post")
    assert channel is not None
    assert ledger.check_code(request, code, at=AT) is True


@pytest.mark.parametrize("beside", [(("email", MAIL),), (("email", MAIL), ("customer_id", "4712"))])
def test_an_identity_that_is_not_tied_to_who_was_proven_keeps_the_request_unproven_until_somebody_vouches(
    ledger: Ledger, door: Door, beside: tuple[tuple[str, str], ...]
) -> None:
    request = asking(ledger, points=[one._replace(beside=beside) for one in KNOWN])
    assert twice_proven(ledger, request) is False
    assert not confirmed(door, request)
    assert ledger.identity_state(request).loose == ("customer_id",)
    ((body,),) = door("SELECT body FROM entries WHERE request_id = %s AND body LIKE '%%loose%%'", request)
    assert '"loose":["customer_id"]' in body
    assert "4711" not in body

    assert ledger.attest(request, Rung.ATTESTED, level=1, by="desk", at=AT, vouches=["all"]) is False
    assert ledger.attest(request, Rung.ATTESTED, level=2, by="desk", at=AT, vouches=["all"]) is True
    assert ledger.identity_state(request).loose == ()


def test_a_systems_word_at_the_door_is_no_first_look(ledger: Ledger) -> None:
    said = Proof(rung=Rung.ATTESTED, at=AT, level=4)
    request = opened_id(ledger, Phase.CONFIRMING, right=Right.ACCESS, proof=said, proves=ANNA[:1])
    # Whoever has opened it says it themselves, and is still one person.
    ledger.attest(request, Rung.ATTESTED, level=4, by="desk", at=AT, vouches=["email"])
    assert identity_law().reached(ledger.identity_state(request).proofs, "eu-gdpr") == 3
    ledger.attest(request, Rung.ATTESTED, level=4, by="lead", at=AT, vouches=["email"])
    assert identity_law().reached(ledger.identity_state(request).proofs, "eu-gdpr") == 4


def test_what_stands_in_another_row_than_the_proven_channel_is_not_tied(ledger: Ledger, door: Door) -> None:
    theirs = Reached("phone", "+49 40 1", None, (("customer_id", "4711"),))
    mine = [Reached("email", MAIL, OLD, ROW[:1]), Reached("email", "a.berg@work.example", None, ROW[:1])]
    request = asking(ledger, points=[theirs, *mine])
    assert twice_proven(ledger, request) is False
    assert not confirmed(door, request)


def test_one_role_attests_the_third_level_at_most_and_the_fourth_takes_another(ledger: Ledger) -> None:
    request = asking(ledger, points=[])
    ledger.require_mandate(request, by="desk", at=AT)
    assert ledger.attest(request, Rung.ATTESTED, level=4, by="desk", at=AT, vouches=["all"]) is False
    proofs = ledger.identity_state(request).proofs
    assert identity_law().reached(proofs, "eu-gdpr") == 3
    with pytest.raises(LedgerRefusal, match="a second agent"):
        ledger.attest(request, Rung.ATTESTED, level=4, by="Desk ", at=AT, vouches=["all"])
    assert ledger.attest(request, Rung.ATTESTED, level=4, by="lead", at=AT, vouches=["all"]) is False, (
        "the mandate is still missing"
    )
    assert identity_law().reached(ledger.identity_state(request).proofs, "eu-gdpr") == 4


def mandate(**said: object) -> Mandate:
    body = {"kind": "parent", "scope": ["access"], "signed": "2026-01-01", "answer_to": "representative", "age": 9}
    return Mandate.model_validate(body | said)


def test_a_child_under_13_is_asked_for_by_a_parent_with_a_mandate(ledger: Ledger, door: Door) -> None:
    request = asking(ledger)
    assert ledger.note_age(request, 9, by="desk", at=AT) is True
    assert ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"]) is False, (
        "not without a parent"
    )

    assert ledger.keep_mandate(request, mandate(), by="desk", at=AT, paper=b"birth certificate") is True
    assert confirmed(door, request)
    assert ledger.unseal(request, "file", "mandate/paper") == b"birth certificate", "mandates stay with the request"


def test_CHI_01_where_the_law_says_so_a_teenager_is_asked_for_by_a_parent(ledger: Ledger, door: Door) -> None:
    request, other = asking(ledger), asking(ledger)
    assert ledger.note_age(other, 15, by="desk", at=AT, country="DE") is False, "in Germany they may ask alone"
    assert ledger.note_age(request, 15, by="desk", at=AT, country="NL") is True
    assert ledger.attest(other, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"]) is True
    assert ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"]) is False

    with pytest.raises(LedgerRefusal, match="in their own name"):
        ledger.keep_mandate(request, mandate(age=15), by="desk", at=AT)
    assert not confirmed(door, request)
    assert ledger.keep_mandate(request, mandate(age=15, country="NL"), by="desk", at=AT) is True
    assert confirmed(door, request)


def test_an_agent_without_a_mandate_is_refused_and_one_with_it_is_confirmed_by_the_person(
    ledger: Ledger, door: Door
) -> None:
    request = asking(ledger)
    ledger.require_mandate(request, by="desk", at=AT)
    assert ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["all"]) is False

    agent = mandate(kind="agent", age=None)
    with pytest.raises(LedgerRefusal, match="does not cover access"):
        ledger.keep_mandate(request, mandate(kind="agent", age=None, scope=["erasure"]), by="desk", at=AT)
    with pytest.raises(LedgerRefusal, match="expired"):
        ledger.keep_mandate(request, agent.model_copy(update={"expires": date(2026, 2, 1)}), by="desk", at=AT)
    assert ledger.keep_mandate(request, agent, by="desk", at=AT) is False, "the person confirms it first"
    code, _ = sent(ledger, request, "file")
    assert ledger.check_code(request, code, at=AT) is True
    assert door("SELECT answer_to FROM identity_cases WHERE request_id = %s", request) == [("representative",)]


@pytest.mark.parametrize("became", Unreached)
def test_the_letters_of_who_asks_say_all_that_the_law_wants_of_them(ledger: Ledger, became: Unreached) -> None:
    request = asking(ledger)
    sent(ledger, request, "file")
    ledger.remind(request, at=later(days=7))
    ledger.lapse(request, became, at=later(days=30))
    office = Office(
        controller="Shop", dpo="dpo@shop.example", authorities={"eu-gdpr": Authority(name="SA", contact="x")}
    )

    for kind, number in ((LetterKind.IDENTITY_CODE, 1), (LetterKind.REMINDER, 1), (LetterKind.LAPSE, 0)):
        said = ledger.unseal(request, "file", said_name(kind, number))
        assert said is not None
        facts = LetterFacts(
            **Particulars.model_validate_json(said).model_dump(exclude_unset=True),
            kind=kind,
            reference=request,
            regime="eu-gdpr",
            written_on=AT.date(),
            right=Right.ACCESS,
            received=AT.date(),
            due=AT.date(),
        )
        must = [one.element for one in sayings(kind, "eu-gdpr", Right.ACCESS) if one.must]
        assert {element: lack for element in must if (lack := lacking(element, facts, office))} == {}
    assert answer_kind(Right.ACCESS, Conclusion.UNPROVEN) is LetterKind.LAPSE, "and no other letter at the end"


def test_a_lapsed_request_is_taken_up_again_by_proof(ledger: Ledger, door: Door) -> None:
    request = asking(ledger)
    sent(ledger, request, "file")
    ledger.lapse(request, Unreached.LAPSE, at=later(days=30))
    ledger.lapse(request, Unreached.LAPSE, at=later(days=31))
    assert ledger.identity_state(request).lapsed_at == later(days=30)

    for to in ("another", "post"):
        code, _ = sent(ledger, request, to, at=later(days=40))
        ledger.check_code(request, code, at=later(days=40, hours=1))
    assert confirmed(door, request)
    kinds = [kind for (kind,) in door("SELECT kind FROM entries WHERE request_id = %s ORDER BY seq", request)]
    assert kinds.count("identity_lapsed") == 1
    assert kinds[-3:] == ["identity_resumed", "clock", "confirm_identity"]


def test_letters_go_to_where_control_was_proven(ledger: Ledger) -> None:
    request = asking(ledger, points=[Reached("email", "on.file@example.org", None)])
    ledger.seal(request, "working", "channel", Channel("email", MAIL).sealed(), at=AT)
    for to in ("file", "given"):
        code, _ = sent(ledger, request, to)
        ledger.check_code(request, code, at=AT)

    reply = ledger.unseal(request, "working", "channel")
    assert reply is not None
    assert Channel.unsealed(reply).address == "on.file@example.org", "an address in the request does not take it away"


@pytest.mark.parametrize(
    "verb",
    [
        lambda ledger, request: ledger.ask_code(request, "file", at=AT),
        lambda ledger, request: ledger.check_code(request, "1", at=AT),
        lambda ledger, request: ledger.check_points(request, [], at=AT),
        lambda ledger, request: ledger.attest(request, Rung.SIGNED_IN, by="x", at=AT),
        lambda ledger, request: ledger.keep_mandate(request, mandate(), by="x", at=AT),
        lambda ledger, request: ledger.note_age(request, 9, by="x", at=AT),
    ],
)
def test_a_verb_on_a_request_that_was_taken_back_is_refused_and_leaves_nothing(
    ledger: Ledger, door: Door, verb: Callable[[Ledger, str], object]
) -> None:
    request = asking(ledger)
    ledger.withdraw(request, at=AT)
    before = door("SELECT count(*) FROM entries")
    with pytest.raises(LedgerRefusal, match="withdrawn"):
        verb(ledger, request)
    assert door("SELECT count(*) FROM entries") == before


def test_what_falls_due_after_a_request_was_taken_back_is_left_and_keeps_no_run_waiting(
    ledger: Ledger, door: Door
) -> None:
    request = asking(ledger)
    sent(ledger, request, "given")
    ledger.ask_code(request, "file", at=later(minutes=1))
    ledger.withdraw(request, at=later(minutes=2))
    before = door("SELECT (SELECT count(*) FROM letters), (SELECT count(*) FROM entries)")

    assert ledger.send_codes(request, at=later(minutes=3)) == 0
    ledger.remind(request, at=later(days=7))
    ledger.lapse(request, Unreached.LAPSE, at=later(days=30))

    assert door("SELECT (SELECT count(*) FROM letters), (SELECT count(*) FROM entries)") == before
    state = ledger.identity_state(request)
    assert (state.reminded, state.lapsed_at) == (0, None)
