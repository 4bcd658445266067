"""What is in somebody's hands is not in the ledger, and what was used once is used up."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ledger.ledger import Ledger
from ledger.sessions import AT_ONCE
from tests.conftest import Database
from tests.ledger.builders import AT, later
from tests.ledger.conftest import Door

IDLE = timedelta(minutes=30)


def begun(ledger: Ledger, state: str = "state", **more: Any) -> None:
    said: dict[str, Any] = {"back": "/v1/me", "fresh": False, "ends_at": later(minutes=10), "at": AT}
    ledger.begin_sign_in(state, "browser", **said | more)


def opened(ledger: Ledger, staff: str = "s-17", roles: tuple[str, ...] = ("agent",), **more: Any) -> str:
    said: dict[str, Any] = {"second_factor": True, "signed_in_at": AT, "ends_at": later(hours=8), "at": AT}
    return ledger.open_session(staff, roles, **said | more)


def test_a_sign_in_comes_back_once(ledger: Ledger) -> None:
    begun(ledger)
    found = ledger.take_sign_in("state", "browser", at=AT)
    assert found is not None
    assert (found.back, found.fresh) == ("/v1/me", False)
    assert ledger.take_sign_in("state", "browser", at=AT) is None


def test_a_sign_in_comes_back_to_the_browser_it_began_in_and_another_one_does_not_use_it_up(ledger: Ledger) -> None:
    begun(ledger)
    assert ledger.take_sign_in("state", "another", at=AT) is None
    assert ledger.take_sign_in("other", "browser", at=AT) is None
    assert ledger.take_sign_in("state", "browser", at=AT)


def test_a_sign_in_that_takes_too_long_is_over_and_forgotten(ledger: Ledger, door: Door) -> None:
    begun(ledger)
    assert ledger.take_sign_in("state", "browser", at=later(minutes=10)) is None
    begun(ledger, "first")
    begun(ledger, "second", at=later(hours=1), ends_at=later(hours=2))
    assert door("SELECT count(*) FROM sign_ins") == [(1,)]


def test_a_flood_of_sign_ins_keeps_nobody_out_and_does_not_grow(ledger: Ledger, door: Door) -> None:
    begun(ledger)
    door(
        "INSERT INTO sign_ins SELECT tenant, sha256(n::text::bytea), browser, back, fresh, begun_at, ends_at "
        "FROM sign_ins, generate_series(2, %s) n",
        AT_ONCE,
    )
    begun(ledger, "one-more", at=later(minutes=1))

    assert ledger.take_sign_in("one-more", "browser", at=later(minutes=2))
    assert door("SELECT count(*) <= %s FROM sign_ins", AT_ONCE) == [(True,)]


def test_no_secret_is_in_the_ledger(ledger: Ledger, door: Door) -> None:
    begun(ledger)
    secret = opened(ledger)
    kept = str([door(f"SELECT t::text FROM {table} t") for table in ("sign_ins", "sessions", "entries")])
    for word in ("state'", "browser'", secret, secret.encode().hex()):
        assert word not in kept


def test_a_session_is_looked_for_without_a_write_unless_a_minute_has_passed(ledger: Ledger, door: Door) -> None:
    secret = opened(ledger)
    for seconds, seen in ((30, 0), (90, 90), (100, 90), (60, 90)):
        ledger.session(secret, idle=IDLE, at=later(seconds=seconds))
        assert door("SELECT seen_at FROM sessions") == [(later(seconds=seen),)]


def test_ended_sessions_are_forgotten_after_a_month(ledger: Ledger, door: Door) -> None:
    opened(ledger, "s-1")
    opened(ledger, "s-2", at=later(days=40), ends_at=later(days=41))
    assert door("SELECT staff FROM sessions") == [("s-2",)]


def test_sessions_and_staff_ids_of_one_tenant_are_none_at_another(
    make_ledger: Callable[..., Ledger], tables: Database
) -> None:
    ours, theirs = make_ledger(tables.url), make_ledger(tables.url, tenant="other")
    secret = opened(ours)
    begun(ours)
    assert theirs.session(secret, idle=IDLE, at=AT) is None
    assert theirs.take_sign_in("state", "browser", at=AT) is None
    theirs.end_session(secret, at=AT)
    assert theirs.end_sessions_of("s-17", by="s-1", at=AT) == 0
    opened(theirs, roles=("dpo",), instead_of=secret)
    assert ours.session(secret, idle=IDLE, at=AT)
    assert ours.staff_id_of("https://id.example", "1") != theirs.staff_id_of("https://id.example", "1")
