"""A request moves along its transitions only, and always gets to its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rights.request import TRANSITIONS, Phase, may_move


def test_every_phase_says_where_it_leads() -> None:
    assert TRANSITIONS.keys() == set(Phase)


def test_a_closed_request_stays_closed() -> None:
    assert not any(may_move(Phase.CLOSED, phase) for phase in Phase if phase is not Phase.CLOSED)
    assert [phase for phase in Phase if not phase.open] == [Phase.CLOSED]


@given(st.sampled_from(Phase))
def test_from_every_phase_a_request_can_be_closed(phase: Phase) -> None:
    assert may_move(phase, Phase.CLOSED)


@given(st.sampled_from(Phase))
def test_every_phase_can_be_reached(phase: Phase) -> None:
    reached = {Phase.RECEIVED}
    while more := {there for here in reached for there in TRANSITIONS[here]} - reached:
        reached |= more

    assert phase in reached


@given(st.sampled_from(Phase))
def test_staying_is_always_allowed(phase: Phase) -> None:
    assert may_move(phase, phase)


@pytest.mark.parametrize("phase", [Phase.FULFILLING, Phase.APPROVING, Phase.VERIFYING, Phase.PACKAGING])
def test_nothing_is_done_before_the_person_was_looked_for(phase: Phase) -> None:
    assert not may_move(Phase.RECEIVED, phase)
    assert not may_move(Phase.CONFIRMING, phase)


def test_the_transitions_cannot_be_changed_at_run_time() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[Phase.CLOSED] = frozenset(Phase)  # type: ignore[index]
