"""Who may do what: the table is whole, and closed unless opened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starter.access import PEOPLE_ONLY, SECOND_FACTOR, TABLE, Action, Caller, NotAllowed, Role, permit

actions, roles = st.sampled_from(Action), st.frozensets(st.sampled_from(Role))


def allowed(caller: Caller, action: Action) -> str:
    """The code of the refusal, or nothing."""
    try:
        permit(caller, action)
    except NotAllowed as refused:
        return refused.code
    return ""


def test_the_table_says_of_each_action_who_may() -> None:
    assert set(TABLE) == set(Action)
    assert all(TABLE.values()), "an action that nobody may do is no action"


@given(action=actions, has=roles, second=st.booleans())
def test_a_person_does_what_the_table_opens_to_one_of_their_roles_and_nothing_else(
    action: Action, has: frozenset[Role], second: bool
) -> None:
    said = allowed(Caller(tenant="main", staff="s-1", roles=has, second_factor=second), action)
    if not has & TABLE[action]:
        assert said == "role_missing"
    elif action in SECOND_FACTOR and not second:
        assert said == "second_factor_missing"
    else:
        assert said == ""


@given(action=actions, scopes=st.frozensets(actions), has=roles)
def test_a_system_does_what_its_token_names_and_never_what_somebody_has_to_answer_for(
    action: Action, scopes: frozenset[Action], has: frozenset[Role]
) -> None:
    caller = Caller(tenant="main", staff="shop", scopes=scopes, roles=has, is_system=True, second_factor=True)
    assert (allowed(caller, action) == "") == (action in scopes and action not in PEOPLE_ONLY)


@pytest.mark.parametrize("action", [Action.APPROVE, Action.REVEAL, Action.OPEN_PARCEL])
def test_approvals_reveals_and_parcels_need_a_second_factor(action: Action) -> None:
    one = Caller(tenant="main", staff="s-1", roles=frozenset(Role))
    assert allowed(one, action) == "second_factor_missing"
