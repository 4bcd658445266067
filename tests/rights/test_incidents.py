"""The hours count from the awareness, whatever day it is; what is owed, and what may be said of it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.deadlines import Risk
from rights.incidentlaw import How, IncidentLaw, Kind, incident_law
from rights.incidents import (
    Incident,
    IncidentError,
    Origin,
    Threat,
    Waits,
    check_aware,
    check_notified,
)
from rights.lawfile import read_law, shipped

FRIDAY = datetime(2026, 4, 3, 16, 30, tzinfo=UTC)
"""Good Friday: nobody is at work for the next three days."""
HOUR = timedelta(hours=1)
MOMENTS = st.integers(1_577_836_800, 2_208_988_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ZONES = st.sampled_from(["Europe/Berlin", "America/Los_Angeles", "Atlantic/Azores", "UTC"])


def incident(aware: datetime = FRIDAY, **more: Any) -> Incident:
    body: dict[str, Any] = {"id": "i", "kind": Kind.ACCESS, "origin": Origin.PERSON, "regimes": ("eu-gdpr",)}
    body |= {"hours": 72, "zone": "Europe/Berlin", "aware_at": aware, "opened_at": aware, "opened_by": "s-17"}
    return Incident(**body | more)


def test_art_33_the_term_ends_after_72_hours_also_on_easter_monday() -> None:
    assert incident().due_at == datetime(2026, 4, 6, 16, 30, tzinfo=UTC)


@given(MOMENTS, ZONES)
def test_art_33_seventy_two_hours_are_so_many_seconds_where_clocks_change_too(aware: datetime, zone: str) -> None:
    due = incident(aware.astimezone(ZoneInfo(zone))).due_at

    assert due.timestamp() - aware.timestamp() == 72 * 3600


@given(MOMENTS, st.floats(0, 80))
def test_the_next_change_is_the_first_moment_at_which_anything_changes(aware: datetime, hours: float) -> None:
    one, at = incident(aware), aware + hours * HOUR
    following = one.next_change(at)

    def seen(moment: datetime) -> tuple[Risk, int | None]:
        return one.risk(moment), one.reminder(moment)

    if following is None:
        assert seen(at) == (Risk.OVERDUE, 0)
        return
    assert following > at
    assert seen(following) != seen(at)
    assert seen(following - timedelta(seconds=1, microseconds=1)) in {seen(at), seen(following)}


@pytest.mark.parametrize(
    ("hours", "risk", "reminder"),
    [
        (0, Risk.DUE_3D, None),
        (23, Risk.DUE_3D, None),
        (24, Risk.DUE_3D, 48),
        (48, Risk.DUE_1D, 24),
        (60, Risk.DUE_1D, 12),
        (68, Risk.DUE_1D, 4),
        (72, Risk.DUE_1D, 4),
        (72.01, Risk.OVERDUE, 0),
    ],
)
def test_it_comes_nearer_and_is_overdue_after(hours: float, risk: Risk, reminder: int | None) -> None:
    at = FRIDAY + hours * HOUR

    assert (incident().risk(at), incident().reminder(at)) == (risk, reminder)
    assert incident().overdue(at) is (risk is Risk.OVERDUE)


def test_what_nobody_has_assessed_is_owed_and_a_recorded_unlikely_is_not() -> None:
    assert incident().waits_for() == (Waits.NOTIFY, Waits.ADVICE)
    assert incident(threat=Threat.RISK).waits_for() == (Waits.NOTIFY,)
    assert incident(threat=Threat.UNLIKELY).waits_for() == (Waits.CLOSE,)
    assert incident(threat=Threat.UNLIKELY).next_change(FRIDAY) is None
    assert incident(threat=Threat.UNLIKELY).risk(FRIDAY + 100 * HOUR) is Risk.ON_TRACK


def test_art_34_where_the_risk_is_high_the_people_are_told_as_well() -> None:
    known: dict[str, Any] = {"notified_at": FRIDAY + HOUR, "threat": Threat.HIGH}

    assert incident(**known).waits_for() == (Waits.TELL,)
    assert incident(**known, told_at=FRIDAY + HOUR).waits_for() == (Waits.CLOSE,)
    assert incident(closed_at=FRIDAY).waits_for() == ()


def test_a_notice_after_the_hours_goes_with_its_reasons() -> None:
    one, late = incident(), FRIDAY + 73 * HOUR
    check_notified(one, one.due_at, late, reason=False)
    check_notified(one, late, late, reason=True)
    with pytest.raises(IncidentError, match="--reason-file"):
        check_notified(one, late, late, reason=False)
    with pytest.raises(IncidentError, match="future"):
        check_notified(one, late, FRIDAY, reason=True)
    with pytest.raises(IncidentError, match="aware"):
        check_notified(one, FRIDAY - HOUR, late, reason=True)
    # What is known only later follows a notice that was in time (Art. 33(4)).
    check_notified(incident(notified_at=FRIDAY + HOUR), late, late, reason=False)
    assert incident(notified_at=late).late_by == HOUR


def test_nobody_is_aware_in_the_future() -> None:
    check_aware(FRIDAY, FRIDAY)
    with pytest.raises(IncidentError):
        check_aware(FRIDAY + timedelta(microseconds=1), FRIDAY)


def test_a_law_that_is_not_listed_has_our_default_and_that_is_said() -> None:
    law = incident_law()

    assert (law.within(["eu-gdpr"]).hours, law.within(["eu-gdpr"]).regimes) == (72, ("eu-gdpr",))
    assert (law.within(["us-va"]).hours, law.within(["us-va"]).regimes) == (72, ())
    assert law.within(["us-va", "uk-gdpr"]).regimes == ("uk-gdpr",)
    assert law.within([]).hours == 72


def test_the_shortest_term_of_several_laws_counts() -> None:
    text = shipped("incidents.yaml").replace("ke-dpa: {hours: 72", "ke-dpa: {hours: 24")
    law = read_law(IncidentLaw, "incidents.yaml", text)

    assert (law.within(["eu-gdpr", "ke-dpa"]).hours, law.within(["eu-gdpr", "ke-dpa"]).regimes) == (24, ("ke-dpa",))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("remind: [48, 24, 12, 4]", "remind: [4, 48]"), ("  averted:\n", "  averted_:\n"), ("hours: 72", "hour: 72")],
)
def test_a_slip_in_the_file_is_refused_with_file_and_line(was: str, becomes: str) -> None:
    text = shipped("incidents.yaml")
    assert was in text
    with pytest.raises(ValueError, match=r"^incidents\.yaml:\d+: "):
        read_law(IncidentLaw, "incidents.yaml", text.replace(was, becomes, 1))


def test_of_the_ways_to_tell_people_two_tell_nobody() -> None:
    assert {how for how, said in incident_law().people.items() if not said.tells} == {How.UNINTELLIGIBLE, How.AVERTED}
