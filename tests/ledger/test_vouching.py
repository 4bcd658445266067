"""What a proof is of: what nobody has proven and nothing ties is never acted on, whatever stands beside it."""

from datetime import UTC, datetime, timedelta

import pytest

from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel
from ledger.notes import note_text
from ledger.proofcodes import Reached
from rights.codes import Code
from rights.identity import Proof, Rung, Unreached
from rights.request import Phase, Right
from rights.subject import Identity
from tests.ledger.builders import ANNA, AT, later, opened_id
from tests.ledger.conftest import Door
from tests.ledger.test_proofs import KNOWN, MAIL, OLD, ROW, asking, confirmed, sent, twice_proven

VICTIM = Identity("email", "victim@example.net")


def kinds(ledger: Ledger, request: str) -> list[str]:
    return [one.kind for one in ledger.identities(request)]


def tasks(ledger: Ledger, request: str) -> list[str]:
    return [task.code for task in ledger.tasks(request_id=request)]


def test_level_one_counts_for_the_identity_that_carries_it_and_for_what_the_directory_ties_to_it(
    ledger: Ledger, door: Door
) -> None:
    withdrawal = Right.CONSENT_WITHDRAWAL
    unknown, known = asking(ledger, right=withdrawal, points=[]), asking(ledger, right=withdrawal)
    for request in (unknown, known):
        ledger.attest(request, Rung.ATTESTED, level=1, by="web form", at=AT, vouches=["email"])

    assert confirmed(door, known), "the directory has both in one row"
    assert not confirmed(door, unknown)
    assert ledger.identity_state(unknown).loose == ("customer_id",)
    assert tasks(ledger, unknown) == [Code.UNTIED]


def test_what_a_door_says_of_one_identity_is_not_believed_of_another(ledger: Ledger, door: Door) -> None:
    proof = Proof(rung=Rung.SECOND_FACTOR, at=AT)
    request = opened_id(
        ledger, Phase.CONFIRMING, identities=(*ANNA, VICTIM), right=Right.ERASURE, proof=proof, proves=ANNA[1:]
    )
    assert not confirmed(door, request)
    ledger.keep_reach(request, KNOWN, doubt=False, at=later(minutes=1))

    assert not confirmed(door, request)
    assert ledger.identity_state(request).loose == ("email/2",), "the row ties the first address, and not the other one"
    mine = opened_id(ledger, Phase.CONFIRMING, right=Right.ERASURE, proof=proof, proves=ANNA[1:])
    ledger.keep_reach(mine, KNOWN, doubt=False, at=later(minutes=1))
    assert confirmed(door, mine), "read by itself once the directory has told"


def test_ones_own_account_is_no_second_step_towards_somebody_elses(ledger: Ledger, door: Door) -> None:
    """Somebody reads one mailbox of a victim, and signs in to an account of their own."""
    theirs = Reached("email", "victim.too@example.net", OLD, (("email", VICTIM.value),))
    own = Reached("phone", "+49 40 1", OLD, ROW[1:])
    request = opened_id(ledger, Phase.CONFIRMING, identities=(VICTIM, ANNA[1]), right=Right.ERASURE)
    ledger.keep_reach(request, [theirs, own], doubt=False, at=AT)
    code, channel = sent(ledger, request, "file")
    assert channel is not None
    assert channel.address == theirs.value

    assert ledger.check_code(request, code, at=AT) is False
    assert ledger.attest(request, Rung.SIGNED_IN, by="portal", at=AT, vouches=["customer_id"]) is False
    assert ledger.identity_state(request).level == 2, "each has one step, of two people"
    assert not confirmed(door, request)


def test_a_contact_changed_a_few_days_ago_ties_nothing(ledger: Ledger, door: Door) -> None:
    taken_over = Reached("email", "evil@example.net", AT - timedelta(days=2), (*ROW[1:], ("email", "evil@example.net")))
    given = (Identity("email", "evil@example.net"), ANNA[1])
    for point, proven in ((taken_over, False), (taken_over._replace(changed_at=OLD), True)):
        request = opened_id(ledger, Phase.CONFIRMING, identities=given, right=Right.ERASURE)
        ledger.keep_reach(request, [point], doubt=False, at=AT)
        ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["email"])
        assert confirmed(door, request) is proven


def test_who_attests_says_of_what_where_several_identities_were_given(ledger: Ledger, door: Door) -> None:
    request = asking(ledger, points=[])
    before = door("SELECT count(*) FROM entries")
    for rung in (Rung.SIGNED_IN, Rung.SECOND_FACTOR, Rung.IN_PERSON, Rung.DOCUMENT, Rung.ATTESTED):
        with pytest.raises(LedgerRefusal, match="--proves email, --proves customer_id, --proves all"):
            ledger.attest(request, rung, level=3, by="desk", at=AT)
    with pytest.raises(LedgerRefusal, match="nothing of that name was given"):
        ledger.attest(request, Rung.ATTESTED, level=3, by="desk", at=AT, vouches=["phone"])
    assert door("SELECT count(*) FROM entries") == before

    alone = opened_id(ledger, Phase.CONFIRMING, identities=ANNA[:1], right=Right.ACCESS)
    assert ledger.attest(alone, Rung.ATTESTED, level=3, by="desk", at=AT), "there is one it can be of"


def test_a_document_stands_for_the_numbers_that_it_shows_and_for_nothing_else(ledger: Ledger) -> None:
    address = opened_id(ledger, Phase.CONFIRMING, identities=(VICTIM,), right=Right.ERASURE)
    for rung in (Rung.DOCUMENT, Rung.IN_PERSON):
        with pytest.raises(LedgerRefusal, match="by itself shows nothing of what was given"):
            ledger.attest(address, rung, by="desk", at=AT)

    number = opened_id(
        ledger, Phase.CONFIRMING, identities=(Identity("passport", "C01X00T47"), VICTIM), right=Right.ERASURE
    )
    for role in ("desk", "lead"):
        assert not ledger.attest(number, Rung.DOCUMENT, by=role, at=AT)
    assert ledger.identity_state(number).loose == ("email",)


def test_two_agents_vouch_for_what_both_have_named(ledger: Ledger) -> None:
    request = asking(ledger, points=[])
    ledger.attest(request, Rung.IN_PERSON, by="desk", at=AT, vouches=["email"])
    with pytest.raises(LedgerRefusal, match="the first agent has vouched for others"):
        ledger.attest(request, Rung.IN_PERSON, by="lead", at=AT, vouches=["customer_id"])
    assert ledger.attest(request, Rung.IN_PERSON, by="lead", at=AT, vouches=["all"]) is False
    assert ledger.identity_state(request).loose == ("customer_id",)


def test_what_nothing_ties_is_left_out_by_somebody_with_the_reason(ledger: Ledger, door: Door) -> None:
    request = opened_id(ledger, Phase.CONFIRMING, identities=(*ANNA, VICTIM), right=Right.ACCESS)
    ledger.seal(request, "working", REPLY, Channel("email", VICTIM.value).sealed(), at=AT)
    ledger.keep_reach(request, KNOWN, doubt=False, at=AT)
    assert twice_proven(ledger, request) is False
    assert tasks(ledger, request) == [Code.UNTIED]
    ((task,),) = door("SELECT id FROM tasks WHERE request_id = %s", request)
    with pytest.raises(LedgerRefusal, match="leave it out"):
        ledger.rule(request, task, "done", at=AT)

    assert ledger.leave_out(request, ["email/2"], by="desk", reason="somebody else's, they say", at=later(hours=1))
    assert confirmed(door, request)
    assert ledger.identities(request) == ANNA
    assert tasks(ledger, request) == []
    assert door("SELECT count(*) FROM request_subjects WHERE request_id = %s", request) == [(2,)]
    (said,) = [e for e in ledger.standing(request).events if e.kind == "identity_left_out"]
    assert (said.body["kinds"], said.body["identities"]) == (["email"], 1)
    sealed = ledger.unseal(request, "file", said.body["note"])
    assert sealed is not None
    assert note_text(sealed) == "desk\nsomebody else's, they say"
    assert VICTIM.value not in str(door("SELECT e::text FROM entries e"))
    reply = ledger.unseal(request, "working", REPLY)
    assert reply is None or Channel.unsealed(reply).address != VICTIM.value, "nothing is written to whom nobody knows"
    assert ledger.verify().sound


def test_leaving_out_is_for_what_is_not_proven_and_not_looked_for(ledger: Ledger, door: Door) -> None:
    request = asking(ledger, points=[])
    with pytest.raises(LedgerRefusal, match="nothing would be left"):
        ledger.leave_out(request, ["all"], by="desk", reason="x", at=AT)
    with pytest.raises(LedgerRefusal, match="nothing of that name"):
        ledger.leave_out(request, ["phone"], by="desk", reason="x", at=AT)
    ledger.confirm_identity(request, at=AT)
    with pytest.raises(LedgerRefusal, match="the asker is proven"):
        ledger.leave_out(request, ["email"], by="desk", reason="x", at=AT)

    looked = opened_id(ledger, Phase.CONFIRMING, Phase.LOCATING, right=Right.ACCESS)
    with pytest.raises(LedgerRefusal, match="was looked for already"):
        ledger.leave_out(looked, ["email"], by="desk", reason="x", at=AT)
    assert kinds(ledger, looked) == ["email", "customer_id"]


def test_without_what_was_in_doubt_the_directory_is_asked_again(ledger: Ledger) -> None:
    request = opened_id(ledger, Phase.CONFIRMING, right=Right.ACCESS)
    ledger.keep_reach(request, [], doubt=True, at=AT)
    assert ledger.identity_state(request).read
    ledger.leave_out(request, ["customer_id"], by="desk", reason="mistyped", at=AT)
    assert not ledger.identity_state(request).read


def test_a_second_address_in_the_request_can_be_proven_by_a_code_as_well(ledger: Ledger) -> None:
    request = opened_id(ledger, Phase.CONFIRMING, identities=(ANNA[0], VICTIM), right=Right.CONSENT_WITHDRAWAL)
    ledger.keep_reach(request, [], doubt=False, at=AT)
    addresses = []
    proven = False
    for _ in range(2):
        code, channel = sent(ledger, request, "given")
        assert channel is not None
        addresses.append(channel.address)
        proven = ledger.check_code(request, code, at=AT)
    assert addresses == [MAIL, VICTIM.value]
    assert proven


def test_confirming_is_an_attestation_like_any_other(ledger: Ledger, door: Door) -> None:
    request = asking(ledger, points=[])
    ledger.attest(request, Rung.DOCUMENT, by="desk", at=AT, paper=b"a scan", vouches=["all"])
    before = door("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM identity_proofs)")
    with pytest.raises(LedgerRefusal, match=r"customer_id: this is given too, and not vouched for"):
        ledger.confirm_identity(request, at=AT, note="desk", vouches=["email"])
    with pytest.raises(LedgerRefusal, match="several identities were given"):
        ledger.confirm_identity(request, at=AT, note="desk", vouches=())
    assert door("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM identity_proofs)") == before

    ledger.require_mandate(request, by="desk", at=AT)
    with pytest.raises(LedgerRefusal, match="no mandate carries it"):
        ledger.confirm_identity(request, at=AT, note="desk")
    assert not confirmed(door, request), "nobody's word takes the place of a mandate"

    other = asking(ledger, points=[])
    ledger.attest(other, Rung.DOCUMENT, by="desk", at=AT, paper=b"a scan", vouches=["all"])
    assert ledger.confirm_identity(other, at=AT, note="desk")
    assert ledger.paper(other) is None, "the copy of a document has served"


def test_confirming_takes_up_again_what_has_lapsed(ledger: Ledger) -> None:
    request = asking(ledger)
    sent(ledger, request, "file")
    ledger.lapse(request, Unreached.LAPSE, at=later(days=30))
    ledger.confirm_identity(request, at=later(days=40), note="desk")
    assert ledger.identity_state(request).lapsed_at is None
    assert [e.kind for e in ledger.standing(request).events][-3:] == ["identity_resumed", "clock", "confirm_identity"]


@pytest.mark.parametrize("rung", [Rung.DOCUMENT, Rung.IN_PERSON, Rung.ATTESTED])
def test_what_was_refused_counts_for_nothing(ledger: Ledger, rung: Rung) -> None:
    request = asking(ledger, points=[])
    ledger.require_mandate(request, by="desk", at=AT)
    ledger.attest(request, rung, level=4, by="desk", at=AT, vouches=["all"])
    ledger.refuse_proof(request, by="lead", at=AT)
    state = ledger.identity_state(request)
    assert (state.proofs, state.level) == ((), 0)
    with pytest.raises(LedgerRefusal, match="nothing waits for a second look"):
        ledger.refuse_proof(request, by="lead", at=AT)
    assert ledger.attest(request, rung, level=4, by="lead", at=AT, vouches=["all"]) is False
    assert not ledger.identity_state(request).proofs[0].second, "it is looked at anew, by two"


def test_any_word_can_be_refused_while_the_asker_is_not_proven_and_its_task_goes_with_it(ledger: Ledger) -> None:
    request = asking(ledger, points=[])
    ledger.attest(request, Rung.SECOND_FACTOR, by="portal", at=AT, vouches=["email"])
    assert tasks(ledger, request) == [Code.UNTIED]
    with pytest.raises(LedgerRefusal, match="nothing waits for a second look"):
        ledger.refuse_proof(request, by="lead", at=AT)
    ledger.refuse_proof(request, by="lead", at=AT, every=True)
    assert (ledger.identity_state(request).level, tasks(ledger, request)) == (0, [])

    ledger.confirm_identity(request, at=AT)
    with pytest.raises(LedgerRefusal, match="whoever doubts it takes the request back"):
        ledger.refuse_proof(request, by="lead", at=AT, every=True)


def test_a_look_that_has_waited_for_two_weeks_is_a_first_one_again(ledger: Ledger, door: Door) -> None:
    request = asking(ledger, points=[])
    ledger.attest(request, Rung.DOCUMENT, by="desk", at=AT, paper=b"a scan", vouches=["all"])
    assert ledger.attest(request, Rung.DOCUMENT, by="lead", at=later(days=15), vouches=["all"]) is False
    assert not confirmed(door, request), "nobody can look at the copy any more"
    assert len(ledger.identity_state(request).proofs) == 1


def test_data_points_are_tried_so_often_about_one_person_however_many_requests_are_opened(ledger: Ledger) -> None:
    right = [("email", MAIL), ("post", "Lindenweg 3")]
    mail, number = (ANNA[0],), (ANNA[1],)

    def tried(given: tuple[Identity, ...], at: datetime, times: int = 1) -> list[int]:
        request = opened_id(ledger, Phase.CONFIRMING, identities=given, right=Right.ACCESS)
        ledger.keep_reach(request, KNOWN, doubt=False, at=at)
        return [ledger.check_points(request, right, at=at) for _ in range(times)]

    assert tried(mail, AT, 3) == [2, 2, 2]
    assert tried(number, later(hours=1), 3) == [2, 2, 2]
    assert tried(mail, later(hours=2)) == [0], "the same answer, and nothing fits any more"
    assert tried(number, later(hours=2)) == [0], "asked by the other identity: it is the same person"
    stranger = opened_id(ledger, Phase.CONFIRMING, identities=(VICTIM,), right=Right.ACCESS)
    ledger.keep_reach(stranger, [Reached("email", VICTIM.value, OLD)], doubt=False, at=AT)
    assert ledger.check_points(stranger, [("email", VICTIM.value)], at=later(hours=2)) == 1
    assert tried(mail, later(days=33)) == [2], "and the window is over some day"


def test_a_try_of_data_points_is_what_the_asker_says_and_no_list_to_guess_from(ledger: Ledger, door: Door) -> None:
    request = asking(ledger)
    before = door("SELECT count(*) FROM entries")
    with pytest.raises(LedgerRefusal, match="a try takes 2 of phone at most"):
        ledger.check_points(request, [("phone", str(number)) for number in range(3)], at=AT)
    assert door("SELECT count(*) FROM entries") == before
    assert ledger.identity_state(request).point_tries == 0


def test_what_was_changed_a_few_days_ago_is_no_fact_about_anybody(ledger: Ledger) -> None:
    fresh = [one._replace(changed_at=datetime(2026, 3, 1, tzinfo=UTC)) for one in KNOWN]
    request = asking(ledger, points=fresh)
    assert ledger.check_points(request, [("email", MAIL), ("post", "Lindenweg 3")], at=AT) == 0
