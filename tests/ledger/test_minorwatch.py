"""Reports that data is a child's, as time passes: everybody on file is told, and no term passes unseen."""

from datetime import timedelta

import pytest

from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel
from ledger.minors import PARENT
from ledger.minorwatch import Late
from ledger.proofcodes import Reached
from rights.codes import Code
from rights.letterkinds import LetterKind
from rights.letters import Particulars
from rights.minors import Indication
from rights.request import Conclusion, Phase, Right
from rights.restriction import Ground
from rights.subject import Identity
from tests.ledger.builders import AT, close_one, later, open_one, opened_id
from tests.ledger.conftest import Door
from tests.ledger.test_minors import NOTICE, confirmed, reported

REACH = [Reached("email", "new@example.net", AT), Reached("phone", "+49 30 1234", AT), Reached("post", "A\nB", AT)]
SMS = "{digits}@sms.example"
EVERY = {"Anna.Berg@example.org", "new@example.net", "49301234@sms.example", "A\nB"}
DESK = "SELECT code, about FROM tasks WHERE request_id = %s AND settled_at IS NULL ORDER BY code"


def places(ledger: Ledger, door: Door, request: str, kind: LetterKind) -> list[str]:
    """Where letters of a kind go, by the channel each names."""
    sealed = [
        ledger.unseal(request, "working", channel)
        for (channel,) in door(
            "SELECT channel FROM letters WHERE request_id = %s AND kind = %s ORDER BY number", request, kind.value
        )
        if channel
    ]
    return [Channel.unsealed(one).address for one in sealed if one]


def restricting(ledger: Ledger) -> str:
    """A restriction under way; its id."""
    restriction = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, right=Right.RESTRICTION, confirmed=True)
    ledger.begin_restriction(restriction, Ground.MINOR, at=AT, review_on=later(days=30))
    return restriction


def test_CHI_02_every_channel_on_file_is_told_of_a_report_each_once(ledger: Ledger, door: Door) -> None:
    request = reported(ledger)
    ledger.mind_reports(at=later(minutes=1), sms=SMS, directory=True)
    assert door("SELECT count(*) FROM letters") == [(0,)], "the directory has not said yet who is on file"

    ledger.keep_reach(request, REACH, doubt=False, at=later(minutes=2))
    for minute in (2, 3):
        ledger.mind_reports(at=later(minutes=minute), sms=SMS, directory=True)

    told = places(ledger, door, request, LetterKind.MINOR_RESTRICTED)
    assert (len(told), set(told)) == (4, EVERY)
    assert door("SELECT DISTINCT state FROM letters") == [("queued",)]
    assert ledger.verify().sound


def test_CHI_02_a_directory_that_is_silent_keeps_nobody_else_from_being_told(ledger: Ledger, door: Door) -> None:
    request = reported(ledger)
    ledger.mind_reports(at=later(minutes=15), sms=SMS, directory=True)
    assert places(ledger, door, request, LetterKind.MINOR_RESTRICTED) == ["Anna.Berg@example.org"]

    ledger.keep_reach(request, REACH, doubt=False, at=later(hours=5))
    ledger.mind_reports(at=later(hours=5), sms=SMS, directory=True)
    told = places(ledger, door, request, LetterKind.MINOR_RESTRICTED)
    assert (len(told), set(told)) == (4, EVERY), "the rest is told once it is known, and nobody twice"


def test_CHI_02_whoever_rules_within_the_minute_erases_nothing_behind_anybodys_back(ledger: Ledger, door: Door) -> None:
    """An erasure takes seconds, and upkeep comes by each minute, or is down."""
    request = reported(ledger)
    ledger.keep_reach(request, REACH[:1], doubt=False, at=AT)
    ledger.rule_child(request, Indication.CONTENT, by="privacy desk", at=later(seconds=5), sms=SMS)
    told = places(ledger, door, request, LetterKind.MINOR_RESTRICTED)
    assert told == ["Anna.Berg@example.org", "new@example.net"], "before anything is erased"
    close_one(ledger, request, at=later(seconds=9))

    ledger.keep_reach(request, REACH, doubt=False, at=later(minutes=1))
    for minutes in (1, 2):
        ledger.mind_reports(at=later(minutes=minutes), sms=SMS, directory=True)
    assert set(places(ledger, door, request, LetterKind.MINOR_RESTRICTED)) == EVERY, "gone as it may be"
    assert door("SELECT count(*) FROM letters WHERE kind = 'minor_restricted'") == [(4,)]


@pytest.mark.parametrize("mail", [True, False])
def test_CHI_02_where_nothing_is_on_file_a_person_finds_a_way_to_tell_them(
    ledger: Ledger, door: Door, mail: bool
) -> None:
    request = reported(ledger, identities=(Identity("customer_id", "4711"),))
    ledger.mind_reports(at=AT, mail=mail)
    assert (Code.POST_OUT.value, LetterKind.MINOR_RESTRICTED.value) in door(DESK, request)


def test_CHI_02_what_is_not_out_of_use_within_15_minutes_is_put_on_a_desk(ledger: Ledger, door: Door) -> None:
    restriction = restricting(ledger)
    request = reported(ledger, restriction)
    assert ledger.mind_reports(at=later(minutes=14, seconds=59)) == []

    assert ledger.mind_reports(at=later(minutes=15)) == [Late(request, Code.MINOR_IN_USE)]
    assert ledger.mind_reports(at=later(minutes=16)) == [], "once"
    assert (Code.MINOR_IN_USE.value, restriction) in door(DESK, request)

    close_one(ledger, restriction, Conclusion.IN_PART, at=later(minutes=17))
    ledger.mind_reports(at=later(minutes=18))
    assert (Code.MINOR_IN_USE.value, restriction) in door(DESK, request), "a part of it is in use still"


def test_CHI_02_what_is_out_of_use_in_time_bothers_nobody(ledger: Ledger, door: Door) -> None:
    restriction = restricting(ledger)
    request = reported(ledger, restriction)
    ledger.mind_reports(at=later(minutes=20))
    close_one(ledger, restriction, at=later(minutes=25))
    ledger.mind_reports(at=later(minutes=26))
    assert [code for code, _ in door(DESK, request)] == [Code.MINOR.value], "late, and seen to"

    done = restricting(ledger)
    other = reported(ledger, done)
    close_one(ledger, done, at=later(minutes=10))
    assert ledger.mind_reports(at=later(minutes=30)) == []
    assert [code for code, _ in door(DESK, other)] == [Code.MINOR.value]


def test_CHI_02_a_ruling_that_is_not_given_is_asked_for_one_level_up_each_hour(ledger: Ledger, door: Door) -> None:
    restriction = restricting(ledger)
    request = reported(ledger, restriction)
    close_one(ledger, restriction, at=AT)
    assert ledger.mind_reports(at=later(minutes=59)) == []

    for hours in (1, 2, 3):
        assert ledger.mind_reports(at=later(hours=hours)) == [Late(request, Code.MINOR, hours)]
        assert ledger.mind_reports(at=later(hours=hours, minutes=30)) == []
    assert door(DESK, request) == [(Code.MINOR.value, "asked for 3 times in vain")]
    levels = door(
        "SELECT body::json->>'level' FROM entries WHERE request_id = %s AND kind = 'minor_unruled' ORDER BY seq",
        request,
    )
    assert levels == [("1",), ("2",), ("3",)]

    ledger.rule_child(request, Indication.CONTENT, by="privacy desk", at=later(hours=4))
    assert ledger.mind_reports(at=later(hours=5)) == []


def test_CHI_02_what_is_not_gone_24_hours_after_the_ruling_is_put_on_a_desk(ledger: Ledger, door: Door) -> None:
    restriction = restricting(ledger)
    request = reported(ledger, restriction)
    close_one(ledger, restriction, at=AT)
    ruled = later(hours=10)
    ledger.rule_child(request, Indication.AGE_ON_FILE, by="privacy desk", at=ruled)
    day = timedelta(hours=24)
    assert ledger.mind_reports(at=ruled + day - timedelta(seconds=1)) == []

    assert ledger.mind_reports(at=ruled + day) == [Late(request, Code.MINOR_NOT_GONE)]
    assert ledger.mind_reports(at=ruled + 2 * day) == []
    assert door(DESK, request) == [(Code.MINOR_NOT_GONE.value, "erasure")]

    close_one(ledger, request, at=ruled + 2 * day)
    ledger.mind_reports(at=ruled + 2 * day)
    assert door(DESK, request) == []


def test_CHI_02_an_account_holder_who_is_none_is_told_on_each_channel_and_their_data_given_free(
    ledger: Ledger, door: Door
) -> None:
    restriction = restricting(ledger)
    request = reported(ledger, restriction)
    ledger.seal(request, "working", REPLY, Channel("email", "proven@example.org").sealed(), at=AT)
    ledger.seal(request, "working", PARENT, Channel("email", "stranger@example.net").sealed(), at=AT)
    ledger.keep_reach(request, REACH, doubt=False, at=AT)
    ledger.mind_reports(at=AT, sms=SMS, directory=True)
    close_one(ledger, restriction, at=AT)

    ledger.rule_not_child(request, by="privacy desk", at=later(hours=2), notice=NOTICE)

    told = places(ledger, door, request, LetterKind.MINOR_CLEARED)
    assert set(told) == {*EVERY, "proven@example.org"}
    said = ledger.unseal(request, "file", f"letter/{LetterKind.MINOR_CLEARED}/0") or b""
    assert Particulars.model_validate_json(said).lift_on == (later(hours=2) + NOTICE).date()
    # The lifting waits for one that went to a channel on file by mail, and for no other letter.
    ((letter,),) = door("SELECT letter FROM restrictions WHERE request_id = %s", restriction)
    assert ledger.heard_of_lifting(restriction, at=later(hours=3)) is None
    door("UPDATE letters SET state = 'sent', settled_at = %s WHERE id = %s", later(hours=3), letter)
    assert places(ledger, door, request, LetterKind.MINOR_CLEARED)[int(letter.rpartition(".")[2])] in EVERY
    assert ledger.heard_of_lifting(restriction, at=later(hours=4)) == later(hours=3) + NOTICE
    assert door("SELECT count(*) FROM letters WHERE kind = 'restriction_to_be_lifted'") == [(0,)]
    assert ledger.mind_reports(at=later(days=9)) == []
    assert not confirmed(door, request)


def test_CHI_02_a_hundred_false_reports_purge_nothing_however_long_nobody_rules(ledger: Ledger, door: Door) -> None:
    restriction = open_one(ledger, right=Right.RESTRICTION, confirmed=True).request_id
    requests = {reported(ledger, restriction) for _ in range(100)}
    for hours in (1, 24, 72):
        assert {one.request_id for one in ledger.mind_reports(at=later(hours=hours))} == requests

    assert door("SELECT count(*) FROM requests WHERE \"right\" = 'erasure' AND confirmed_at IS NOT NULL") == [(0,)]
    assert door("SELECT count(*) FROM intents") == [(0,)]
