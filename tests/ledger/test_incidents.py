"""What an incident stops, that nothing slips past it, and what is on record of it."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import delete

from ledger.errors import LedgerRefusal
from ledger.fence import FenceRefused
from ledger.incidents import About
from ledger.ledger import Ledger
from ledger.letters import REPLY, Channel, Letter, LetterState
from ledger.models import request_subjects
from ledger.requests import StandsStill
from rights.codes import Code
from rights.incidentlaw import How, Kind
from rights.incidents import Incident, IncidentError, Origin, Threat, Waits
from rights.journal import REPLAYED
from rights.plan import Operation
from rights.request import Conclusion, Phase, Right
from rights.restriction import Ground
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, OTTO, close_one, enter, later, opened_id
from tests.ledger.conftest import Door
from tests.ledger.test_deferrals import carry_out, left_behind
from tests.ledger.test_letters import ask, queue
from tests.ledger.test_relooks import answered
from tests.ledger.test_uses import approved, asked, sealed, taken

CANARY = "canary: a list was mailed to a Mr Example"
DAY = timedelta(days=1)


def open_it(ledger: Ledger, *requests: str, kind: Kind = Kind.ACCESS, **more: Any) -> Incident:
    said: dict[str, Any] = {
        "aware_at": AT,
        "regime": "eu-gdpr",
        "zone": "Europe/Berlin",
        "by": "s-17",
        "note": CANARY,
        "at": AT,
    }
    about = more.pop("about", About(requests=requests))
    return ledger.open_incident(kind, about, **said | more).incident


def at_work(ledger: Ledger, **more: Any) -> str:
    return opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True, **more)


def waits_for_a_lock(tables: Database) -> None:
    """Until a session waits for a row that another one has locked."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(tables.conninfo, autocommit=True) as door:
        until = time.monotonic() + 60
        while door.execute(waiting).fetchone() == (0,):
            assert time.monotonic() < until
            time.sleep(0.02)


def test_the_fence_is_closed_to_what_is_named_and_to_nothing_else(ledger: Ledger) -> None:
    mine, other = at_work(ledger), at_work(ledger, identities=OTTO)
    incident = open_it(ledger, mine)

    for operation in (Operation.ERASE, Operation.RECTIFY, Operation.RESTRICT):
        with pytest.raises(FenceRefused) as refused:
            enter(ledger, mine, operation=operation)
        assert refused.value.code is Code.INCIDENT
    assert enter(ledger, mine, operation=Operation.SUPPRESS), "what only stops something goes on"
    assert enter(ledger, other)
    assert (ledger.gate(mine).incident, ledger.gate(other).incident) == (incident.id, "")
    assert ledger.request(mine).incident == incident.id

    ledger.lift_incident(incident.id, by="s-17", note=None, at=later(hours=1))
    assert enter(ledger, mine)
    assert ledger.request(mine).incident is None
    assert ledger.incident(incident.id).waits_for() == (Waits.NOTIFY, Waits.ADVICE), "it is still open"


def test_whoever_opens_it_hears_of_calls_that_may_still_run(ledger: Ledger) -> None:
    request = at_work(ledger)
    enter(ledger, request)

    opened = ledger.open_incident(
        Kind.LOSS, About(requests=(request,)), aware_at=AT, regime="eu-gdpr", zone="UTC", by="s-17", note=None, at=AT
    )

    assert opened.in_flight == 1


def test_nothing_enters_after_an_incident_is_open_however_they_race(ledger: Ledger, door: Door) -> None:
    requests = [at_work(ledger) for _ in range(8)]

    def enters(request: str) -> bool:
        try:
            return bool(enter(ledger, request))
        except FenceRefused:
            return False

    with ThreadPoolExecutor(8) as pool:
        entered = [pool.submit(enters, request) for request in requests]
        incident = pool.submit(open_it, ledger, *requests)
        let_through = sum(one.result() for one in entered)
        incident.result()

    (opened,) = door("SELECT seq FROM entries WHERE kind = 'incident_opened'")[0]
    assert door("SELECT count(*) FROM entries WHERE kind = 'intent' AND seq < %s", opened) == [(let_through,)]
    assert door("SELECT count(*) FROM entries WHERE kind = 'intent' AND seq > %s", opened) == [(0,)]
    assert not any(enters(request) for request in requests)


def test_it_is_not_closed_and_no_letter_goes_before_it_is_lifted(ledger: Ledger, door: Door) -> None:
    request = ask(ledger)
    letter = queue(ledger, request)
    assert letter
    incident = open_it(ledger, request)

    assert ledger.letters_to_send(10) == []
    assert ledger.letters_left()[0] == 0
    assert not ledger.begin_sending(ledger.letter(letter), at=AT), "nor by who had read of it before"
    with pytest.raises(StandsStill):
        close_one(ledger, request, Conclusion.WITHDRAWN)
    assert ledger.request(request).phase is not Phase.CLOSED
    assert [task.code for task in ledger.tasks(request_id=request)] == [Code.INCIDENT]
    assert door("SELECT count(*) FROM outbox WHERE kind = 'wake' AND request_id = %s", request) == [(1,)]

    ledger.lift_incident(incident.id, by="s-17", note=None, at=AT)
    assert [one.id for one in ledger.letters_to_send(10)] == [letter]
    assert ledger.tasks(request_id=request) == []
    close_one(ledger, request, Conclusion.WITHDRAWN)
    assert door("SELECT count(*) FROM outbox WHERE kind = 'wake' AND request_id = %s", request) == [(2,)]
    assert ledger.verify().sound


def test_a_closing_that_has_waited_for_the_opening_of_one_is_refused(ledger: Ledger, tables: Database) -> None:
    request = at_work(ledger)
    with ThreadPoolExecutor(1) as pool:
        # As an opening does it: the request is locked, and it is noted that it stands still.
        with psycopg.connect(tables.conninfo) as opening:
            opening.execute("SELECT id FROM requests WHERE id = %s FOR NO KEY UPDATE", (request,))
            closing = pool.submit(close_one, ledger, request)
            waits_for_a_lock(tables)
            opening.execute(
                "INSERT INTO incidents (tenant, id, kind, origin, systems, regimes, hours, zone, aware_at, opened_at,"
                " opened_by) VALUES ('main', 'one', 'access', 'person', '{}', '{}', 72, 'UTC', now(), now(), 's-17')"
            )
            opening.execute("INSERT INTO incident_requests VALUES ('main', 'one', %s, false, true)", (request,))
        with pytest.raises(StandsStill):
            closing.result()

    assert ledger.request(request).phase is not Phase.CLOSED


def test_what_two_incidents_name_goes_on_when_both_are_lifted(ledger: Ledger) -> None:
    request = at_work(ledger)
    first, second = open_it(ledger, request), open_it(ledger, request)

    ledger.lift_incident(first.id, by="s-17", note=None, at=AT)
    with pytest.raises(FenceRefused):
        enter(ledger, request)
    ledger.lift_incident(second.id, by="s-17", note=None, at=AT)
    assert enter(ledger, request)


def test_hours_count_from_the_awareness_and_not_from_when_it_was_entered(ledger: Ledger) -> None:
    incident = open_it(ledger, at_work(ledger), aware_at=AT - 2 * DAY)

    assert ledger.incident(incident.id).due_at == AT + DAY
    with pytest.raises(IncidentError, match="nobody is aware"):
        open_it(ledger, aware_at=later(seconds=1), about=About(systems=("shop",)))


def test_a_refused_opening_leaves_nothing(ledger: Ledger, door: Door) -> None:
    request = at_work(ledger)
    before = door("SELECT count(*) FROM entries")

    with pytest.raises(LedgerRefusal, match="no request"):
        open_it(ledger, request, "01kap2v7q4m8w3x9yd5tgh6jzr")
    with pytest.raises(LedgerRefusal, match="no parcel"):
        open_it(ledger, about=About(parcels=(request,)))

    assert door("SELECT count(*) FROM entries") == before
    assert door("SELECT count(*) FROM incidents") == [(0,)]
    assert enter(ledger, request)


def test_a_delay_beyond_the_hours_needs_its_recorded_reason(ledger: Ledger, door: Door) -> None:
    incident = open_it(ledger, at_work(ledger))
    late = AT + 3 * DAY + timedelta(minutes=1)

    with pytest.raises(IncidentError, match="--reason-file"):
        ledger.notify_of_incident(incident.id, late, by="s-17", text=None, reason=" ", at=late)
    assert ledger.incident(incident.id).notified_at is None
    after = ledger.notify_of_incident(incident.id, late, by="s-17", text="sent", reason=CANARY, at=late)
    assert after.late_by == timedelta(minutes=1)
    (body,) = door("SELECT body FROM entries WHERE kind = 'incident_notified'")[0]
    assert '"note_digest"' in body
    sealed = door("SELECT name FROM vault WHERE case_id = %s AND name LIKE 'late/%%'", incident.id)
    assert len(sealed) == 1

    more = ledger.notify_of_incident(incident.id, late + DAY, by="s-18", text=None, reason=None, at=late + DAY)
    assert (more.notified_at, more.notified_by) == (late, "s-17"), "the first notice counts"


def test_it_is_closed_when_nothing_is_left_and_what_it_stopped_goes_on(ledger: Ledger, door: Door) -> None:
    request = at_work(ledger)
    incident = open_it(ledger, request)
    end: dict[str, Any] = {"by": "s-17", "note": CANARY, "file_until": later(days=1000), "at": AT}

    with pytest.raises(LedgerRefusal, match="notify, advice"):
        ledger.close_incident(incident.id, **end)
    ledger.advise_incident(incident.id, Threat.HIGH, reason=CANARY, by="s-9", at=AT)
    ledger.notify_of_incident(incident.id, AT, by="s-17", text=CANARY, reason=None, at=AT)
    with pytest.raises(LedgerRefusal, match="tell"):
        ledger.close_incident(incident.id, **end)
    ledger.told_of_incident(incident.id, How.EACH, by="s-17", text=CANARY, at=AT)
    closed = ledger.close_incident(incident.id, **end)

    assert (closed.waits_for(), closed.stopped) == ((), ())
    assert enter(ledger, request)
    assert ledger.incidents(open_only=True) == []
    assert door("SELECT keep_until IS NOT NULL FROM case_keys WHERE case_id = %s", incident.id) == [(True,)]
    with pytest.raises(LedgerRefusal, match="closed"):
        ledger.advise_incident(incident.id, Threat.RISK, reason="x", by="s-9", at=AT)
    for rows in ("SELECT * FROM incidents", "SELECT * FROM entries", "SELECT * FROM outbox", "SELECT * FROM tasks"):
        assert "canary" not in str(door(rows))
    assert ledger.verify().sound


def test_a_reminder_is_noted_once_and_later_ones_count_down(ledger: Ledger, door: Door) -> None:
    incident = open_it(ledger, at_work(ledger))

    noted = [ledger.note_incident_reminder(incident.id, hours, at=AT) for hours in (48, 48, 24, 48, 0, 0, 4)]

    assert noted == [True, False, True, False, True, False, False]
    assert door("SELECT count(*) FROM entries WHERE kind = 'incident_due'") == [(3,)]


def test_residue_opens_an_incident_by_itself_and_what_mends_it_goes_on(ledger: Ledger) -> None:
    request = answered(ledger)
    ledger.settle_relook(request, {"shop": Code.RETURNED, "crm": Code.UNREACHABLE}, clean=False, at=later(days=7))

    (incident,) = ledger.incidents()
    assert (incident.kind, incident.origin, incident.requests) == (Kind.RESIDUE, Origin.RELOOK, (request,))
    assert (incident.systems, incident.aware_at, incident.stopped) == (("shop",), later(days=7), ())
    assert enter(ledger, request), "to erase it once more is what ends it"

    ledger.settle_relook(request, {"shop": Code.RETURNED}, clean=False, at=later(days=7))
    assert len(ledger.incidents()) == 1


@pytest.mark.parametrize("found", [{}, {"shop": Code.UNREACHABLE}])
def test_a_look_that_has_found_nobody_opens_none(ledger: Ledger, found: dict[str, Code]) -> None:
    ledger.settle_relook(answered(ledger), found, clean=not found, at=later(days=7))

    assert ledger.incidents() == []


def test_a_disputed_parcel_has_its_request_stand_still_though_it_is_closed(ledger: Ledger) -> None:
    request = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, Phase.PACKAGING, right=Right.ACCESS, confirmed=True)
    ledger.keep_parcel(request, "d" * 64, 10, 3, at=AT)
    close_one(ledger, request)

    incident = open_it(ledger, kind=Kind.WRONG_RECIPIENT, about=About(parcels=(request,)))

    assert (incident.parcels, ledger.request(request).incident) == ((request,), incident.id)
    assert ledger.tasks(request_id=request) == [], "a closed request has no desk"


def test_nothing_of_a_closed_request_is_shredded_before_it_is_lifted(ledger: Ledger) -> None:
    mine, other = at_work(ledger), at_work(ledger, identities=OTTO)
    for one in (mine, other):
        ledger.case_key(one, "parcel", create=True)
        close_one(ledger, one)
    incident = open_it(ledger, kind=Kind.WRONG_RECIPIENT, about=About(requests=(mine,)))

    assert {one.case_id for one in ledger.shred_due(later(days=2000))} == {other}
    assert ledger.case_key(mine, "parcel")
    with pytest.raises(LedgerRefusal, match="incident"):
        ledger.shred(mine, ["parcel"], as_of=AT)
    ledger.lift_incident(incident.id, by="s-17", note=None, at=AT)
    assert {one.case_id for one in ledger.shred_due(later(days=2000))} == {mine}
    assert ledger.case_key(mine, "parcel") is None


def test_no_copy_of_what_is_restricted_is_handed_over_before_it_is_lifted(ledger: Ledger) -> None:
    request = opened_id(ledger, Phase.LOCATING, right=Right.RESTRICTION)
    ledger.begin_restriction(request, Ground.CLAIMS, at=AT, review_on=later(days=90))
    close_one(ledger, request)
    use = asked(ledger, request)
    approved(ledger, use)
    sealed(ledger, use)
    incident = open_it(ledger, request)

    with pytest.raises(LedgerRefusal, match="incident"):
        taken(ledger, use)
    assert ledger.use(use.id).handed_at is None
    ledger.lift_incident(incident.id, by="s-17", note=None, at=AT)
    assert taken(ledger, use).handed_at == AT


def test_people_are_counted_once_however_many_requests_they_have(ledger: Ledger) -> None:
    mine, again, other = at_work(ledger), at_work(ledger, identities=ANNA[:1]), at_work(ledger, identities=OTTO)

    assert ledger.how_many_people([mine, again, other]) == 2
    assert ledger.how_many_people([]) == 0


def test_whose_identities_are_destroyed_makes_nobody_more(ledger: Ledger) -> None:
    mine, again = at_work(ledger), at_work(ledger, identities=ANNA[:1])
    close_one(ledger, again)
    ledger.shred_due(later(days=2000))

    assert ledger.how_many_people([mine, again]) == 1, "it may be the same person"
    assert ledger.how_many_people([again]) == 1


def test_what_the_engine_opens_for_somebody_stands_still_with_their_other_requests(ledger: Ledger, door: Door) -> None:
    """The rest of an answered erasure, and what a replay carries out anew: else each would slip out of the freeze."""
    frozen = left_behind(ledger)
    incident = open_it(ledger, frozen)

    rest = carry_out(ledger, frozen)
    replayed = opened_id(ledger, assurance=REPLAYED, ground=REPLAYED, confirmed=True)
    others = opened_id(ledger, identities=OTTO, assurance=REPLAYED, ground=REPLAYED, confirmed=True)
    asked_by_somebody = opened_id(ledger, confirmed=True)

    still = {one: ledger.request(one).incident for one in (rest, replayed, others, asked_by_somebody)}
    assert still == {rest: incident.id, replayed: incident.id, others: None, asked_by_somebody: None}
    assert [task.code for task in ledger.tasks(request_id=rest)] == [Code.INCIDENT]
    for one in (rest, replayed):
        with pytest.raises(FenceRefused):
            enter(ledger, one)
    assert set(ledger.incident(incident.id).stopped) == {frozen, rest, replayed}
    ledger.lift_incident(incident.id, by="s-17", note=None, at=later(hours=1))
    assert [ledger.request(one).incident for one in (rest, replayed)] == [None, None]
    assert ledger.tasks(request_id=rest) == []
    assert carry_out(ledger, left_behind(ledger, request_id=at_work(ledger, identities=OTTO)))
    assert ledger.verify().sound


def test_what_the_engine_opens_stands_still_though_its_people_are_known_by_other_names(ledger: Ledger) -> None:
    """The one whose rest it carries out is named; its digests may be gone."""
    frozen = left_behind(ledger)
    with ledger._begin() as connection:
        connection.execute(delete(request_subjects).where(request_subjects.c.request_id == frozen))
    incident = open_it(ledger, frozen)
    assert ledger.request(carry_out(ledger, frozen)).incident == incident.id


def test_nothing_that_the_engine_opens_slips_past_an_incident_however_they_race(ledger: Ledger) -> None:
    def opens(_: int) -> str:
        return opened_id(ledger, assurance=REPLAYED, ground=REPLAYED, confirmed=True)

    frozen = at_work(ledger)
    incident = open_it(ledger, frozen)
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(opens, number) for number in range(8)]
        pool.submit(ledger.lift_incident, incident.id, by="s-17", note=None, at=later(hours=1)).result()
        opened = [one.result() for one in made]

    assert [ledger.request(one).incident for one in opened] == [None] * 8, "nobody would let one go that came too late"


def test_no_letter_of_it_is_posted_while_it_stands_still(ledger: Ledger) -> None:
    request = ask(ledger, reachable=False)
    queue(ledger, request)
    incident = open_it(ledger, request, at=later(days=3), aware_at=later(days=3))
    (task,) = (one for one in ledger.tasks(request_id=request) if one.code == Code.POST_OUT)

    with pytest.raises(LedgerRefusal, match="stands still for an incident, so no letter of it goes out"):
        ledger.rule(request, task.id, "done", at=later(days=4))
    assert ledger.tasks(request_id=request), "it is still to be posted"
    assert ledger.rule(request, task.id, "done", at=later(days=4), on=later(days=1).date()), "it was, before"

    queue(ledger, request, "interim_answer")
    (task,) = (one for one in ledger.tasks(request_id=request) if one.code == Code.POST_OUT)
    ledger.lift_incident(incident.id, by="s-17", note=None, at=later(days=5))
    assert ledger.rule(request, task.id, "done", at=later(days=5))


def cools(ledger: Ledger) -> tuple[str, list[Letter]]:
    """An erasure that cools off for three days, with its notices on the way."""
    request = opened_id(ledger, confirmed=True)
    ledger.seal(request, "working", REPLY, Channel("email", "anna@example.org").sealed(), at=AT)
    ledger.cool(request, later(days=3), at=AT)
    ledger.move(request, Phase.COOLING, at=AT)
    return request, notices(ledger, request)


def notices(ledger: Ledger, request: str) -> list[Letter]:
    """Those that would be sent now."""
    return [one for one in ledger.letters_to_send(20) if one.request_id == request]


def test_no_cooling_off_begins_or_runs_out_while_it_stands_still(ledger: Ledger) -> None:
    request, _ = cools(ledger)
    fresh = opened_id(ledger, confirmed=True)
    open_it(ledger, request, fresh)

    assert ledger.cool(request, later(days=9), at=later(days=4)).cooling == "running"
    assert ledger.cool(fresh, later(days=9), at=later(days=4)).cooling == "", "nobody could be told of it"
    assert notices(ledger, fresh) == []


def test_a_cooling_off_that_nobody_was_told_of_begins_anew_with_a_notice_of_its_own(ledger: Ledger) -> None:
    request, first = cools(ledger)
    old = ledger.stop_token(request)
    assert old
    incident = open_it(ledger, request)
    ledger.lift_incident(incident.id, by="s-17", note=None, at=later(days=5))

    assert {ledger.letter(one.id).state for one in first} == {LetterState.LEFT}, "their moment and link are none"
    with pytest.raises(FenceRefused):
        enter(ledger, request)
    assert ledger.gate(request).cooling_until is None
    gate = ledger.cool(request, later(days=8), at=later(days=5))
    assert (gate.cooling, gate.cooling_until) == ("running", later(days=8))
    anew = notices(ledger, request)
    assert len(anew) == len(first)
    assert not {one.id for one in anew} & {one.id for one in first}
    new = ledger.stop_token(request)
    assert new
    assert new != old
    assert ledger.cool(request, later(days=20), at=later(days=6)).cooling_until == later(days=8), "once"
    assert ledger.stop(new, at=later(days=7))
    assert ledger.verify().sound


def test_whoever_was_told_before_can_stop_it_all_the_time_and_its_moment_stays(ledger: Ledger) -> None:
    (request, (notice, *rest)), (other, (others, *_)) = cools(ledger), cools(ledger)
    for letter in (notice, others):
        assert ledger.begin_sending(letter, b"as sent", at=AT)
        assert ledger.letter_sent(letter, at=AT)
    token = ledger.stop_token(other)
    assert token
    incident = open_it(ledger, request, other)
    assert ledger.stop(token, at=later(days=4)), "nothing of it is erased yet"
    ledger.lift_incident(incident.id, by="s-17", note=None, at=later(days=5))

    assert ledger.gate(request).cooling_until == later(days=3)
    assert {ledger.letter(one.id).state for one in rest} <= {LetterState.LEFT}, "none comes when it stops nothing"
    assert ledger.cool(request, later(days=9), at=later(days=5)).cooling == "over"
    assert ledger.gate(other).cooling == "frozen"
