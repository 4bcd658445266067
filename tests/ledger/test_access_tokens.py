"""Tokens of systems: seen once, kept as a digest, over at their end, and nobody else's."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ledger.accesstokens import AccessToken
from ledger.errors import LedgerRefusal
from ledger.ledger import Ledger
from tests.conftest import Database
from tests.ledger.builders import AT, later
from tests.ledger.conftest import Door


def made(ledger: Ledger, **more: Any) -> tuple[AccessToken, str]:
    said: dict[str, Any] = {"ends_at": later(days=30), "by": "s-17", "at": AT}
    return ledger.make_access_token("shop", ("requests:read", "requests:open"), **said | more)


def test_what_is_kept_of_a_token_is_its_digest_alone(ledger: Ledger, door: Door) -> None:
    token, secret = made(ledger)
    assert ledger.access_token(secret, at=AT) == token
    assert door("SELECT digest FROM access_tokens") == [(hashlib.sha256(secret.encode()).digest(),)]
    for table in ("access_tokens", "entries"):
        assert secret not in str(door(f"SELECT t::text FROM {table} t"))
    assert len({made(ledger)[1] for _ in range(5)} | {secret}) == 6


def test_a_token_is_good_to_its_end_and_not_a_moment_longer(ledger: Ledger) -> None:
    _, secret = made(ledger)
    assert ledger.access_token(secret, at=later(days=30) - timedelta(microseconds=1))
    assert ledger.access_token(secret, at=later(days=30)) is None


def test_a_revoked_token_lets_nobody_in_and_revoking_twice_is_once(ledger: Ledger, door: Door) -> None:
    token, secret = made(ledger)
    ledger.revoke_access_token(token.id, by="s-17", at=later(hours=1))
    again = ledger.revoke_access_token(token.id, by="s-18", at=later(hours=2))
    assert again.revoked_at == later(hours=1)
    assert ledger.access_token(secret, at=AT) is None
    assert door("SELECT kind, body::json->>'by' FROM entries ORDER BY seq") == [
        ("access_token_made", "s-17"),
        ("access_token_revoked", "s-17"),
    ]


def test_the_last_day_of_use_is_kept_and_never_goes_back(ledger: Ledger) -> None:
    _, secret = made(ledger)
    for days in (3, 1, 2):
        ledger.access_token(secret, at=later(days=days))
    assert [one.used_on for one in ledger.access_tokens()] == [later(days=3).date()]


def test_while_one_token_replaces_another_both_are_good(ledger: Ledger) -> None:
    old, first = made(ledger)
    new, second = made(ledger, replaces=old.id, overlap=timedelta(hours=6), at=later(days=1))
    during, after = later(days=1, hours=5), later(days=1, hours=6)
    assert (ledger.access_token(first, at=during) or old).id == old.id
    assert ledger.access_token(first, at=after) is None
    assert (ledger.access_token(second, at=after) or old).id == new.id


def test_an_overlap_makes_no_token_last_longer_than_it_would(ledger: Ledger) -> None:
    old, secret = made(ledger, ends_at=later(hours=1))
    made(ledger, replaces=old.id, overlap=timedelta(days=9))
    assert ledger.access_token(secret, at=later(hours=1)) is None


def test_what_is_over_or_another_systems_is_not_replaced(ledger: Ledger) -> None:
    old, _ = made(ledger)
    with pytest.raises(LedgerRefusal, match="another system's"):
        ledger.make_access_token("till", ("requests:read",), ends_at=later(days=9), by="s-1", at=AT, replaces=old.id)
    ledger.revoke_access_token(old.id, by="s-1", at=AT)
    with pytest.raises(LedgerRefusal, match="is over"):
        made(ledger, replaces=old.id)


@pytest.mark.parametrize("wrong", [{"ends_at": AT}, {"at": later(days=31)}])
def test_a_token_has_an_end_to_come(ledger: Ledger, wrong: dict[str, Any]) -> None:
    with pytest.raises(LedgerRefusal, match="a day to come"):
        made(ledger, **wrong)


def test_a_token_of_one_tenant_is_none_at_another(make_ledger: Callable[..., Ledger], tables: Database) -> None:
    ours, theirs = make_ledger(tables.url), make_ledger(tables.url, tenant="other")
    token, secret = made(ours)
    assert theirs.access_token(secret, at=AT) is None
    assert theirs.access_tokens() == []
    with pytest.raises(LedgerRefusal, match="no token of this id"):
        theirs.revoke_access_token(token.id, by="s-17", at=AT)
    assert ours.access_token(secret, at=AT)
