"""Whoever was erased is recognised by token when all else is shredded, under whichever key, and read back by nobody."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.ledger import Ledger
from ledger.requests import Ending
from rights.codes import Code
from rights.subject import Identity, Sharing
from rights.suppression import Scope, Source
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, OTTO, close_one, later, open_one
from tests.ledger.conftest import Door

ANNA_TOO = Identity("email", "ANNA.BERG@EXAMPLE.ORG")


def erase(ledger: Ledger, who: tuple[Identity, ...] = ANNA, *, request_id: str = "", **ending: Any) -> str:
    """Close an erasure, opened if need be."""
    request_id = request_id or open_one(ledger, who).request_id
    close_one(ledger, request_id, ending=Ending(erased=who, **ending))
    return request_id


def test_an_erasure_is_remembered_when_its_vault_is_shredded(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database
) -> None:
    request_id = erase(ledger)
    ledger.shred(request_id, ["working", "file", "history"], as_of=later(days=2000))

    anna, otto = make_ledger(tables.url).screen([ANNA_TOO, *OTTO], at=later(days=2001))

    assert (anna.erased_at, anna.ground) == (AT, "eu-gdpr: erasure")
    assert otto.erased_at is None


def test_nothing_of_the_person_stands_in_the_tables(ledger: Ledger, door: Door) -> None:
    erase(ledger)

    rows = str(
        door(
            "SELECT erasure_tokens::text, encode(token, 'escape'), erasures::text FROM erasure_tokens"
            " JOIN erasures USING (tenant, request_id)"
        )
    ).lower()
    assert rows.count("erasure") >= 2
    assert not any(one.value.lower() in rows for one in ANNA)


def test_what_several_people_may_have_recognises_nobody(ledger: Ledger, door: Door) -> None:
    family = Identity("email", "family@example.org", Sharing.SHARED)
    erase(ledger, (family, Identity("customer_id", "4711")))

    (one,) = ledger.screen([Identity("email", "family@example.org")], at=later(days=1))

    assert one.erased_at is None
    assert door("SELECT count(*) FROM erasure_tokens") == [(1,)]


def test_stops_and_erasures_are_told_apart_for_many_at_once(ledger: Ledger) -> None:
    erase(ledger, OTTO)
    ledger.suppress("r", ANNA[:1], (Scope.MARKETING, Scope.SALE), source=Source.PERSON, at=AT)
    crowd = [Identity("email", f"n{number}@example.org") for number in range(500)]

    found = ledger.screen([*crowd, ANNA_TOO, *OTTO], at=later(days=1))

    assert not any(one.stops or one.erased_at for one in found[:500])
    assert {one.scope for one in found[500].stops} == {Scope.MARKETING, Scope.SALE}
    assert (found[501].stops, found[501].erased_at) == ((), AT)


def test_a_consent_clears_marketing_and_not_that_somebody_was_erased(ledger: Ledger) -> None:
    erase(ledger)
    ledger.suppress("r", ANNA, (Scope.MARKETING, Scope.SALE), source=Source.PERSON, at=AT)

    ledger.clear_suppression([ANNA_TOO], at=later(days=1), by="sign-up form")

    (anna,) = ledger.screen([ANNA_TOO], at=later(days=2))
    assert [one.scope for one in anna.stops] == [Scope.SALE]
    assert anna.erased_at == AT


def tokens(door: Door) -> set[bytes]:
    query = "SELECT token FROM suppressions UNION SELECT token FROM erasure_tokens"
    return {bytes(token) for (token,) in door(query)}


def test_keys_are_turned_without_knowing_whom_a_token_stands_for(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database, door: Door
) -> None:
    request_id = erase(ledger)
    ledger.suppress("r", ANNA, (Scope.SALE,), source=Source.PERSON, at=AT)
    ledger.shred(request_id, ["working", "file", "history"], as_of=later(days=2000))
    other_process = make_ledger(tables.url)
    assert other_process.screen([ANNA_TOO], at=AT)[0].erased_at == AT
    before = tokens(door)

    assert ledger.rotate_tokens(at=later(days=1)) == 2
    (between,) = other_process.screen([ANNA_TOO], at=later(days=1))
    assert ledger.renew_tokens(at=later(days=1)) == 4
    assert ledger.renew_tokens(at=later(days=1)) == 0

    assert tokens(door).isdisjoint(before)
    for reader in (ledger, other_process):
        (anna,) = reader.screen([ANNA_TOO], at=later(days=2))
        assert anna == between
        assert anna.erased_at == AT
        assert [one.scope for one in anna.stops] == [Scope.SALE]


def test_no_verb_on_tokens_waits_for_a_second_connection_while_it_has_one(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database
) -> None:
    """As many threads as there are connections would wait for each other."""
    ledger.suppress("r", ANNA, (Scope.SALE,), source=Source.PERSON, at=AT)
    request_id = open_one(ledger).request_id
    one, other = (make_ledger(tables.url, pool_size=1) for _ in range(2))

    erase(one, request_id=request_id)
    assert other.suppress("s", ANNA, (Scope.SALE,), source=Source.PERSON, at=later(days=1)) == 0
    assert other.signal_key(ANNA) == ledger.signal_key(ANNA)


def test_what_was_stopped_under_both_keys_becomes_one(ledger: Ledger, door: Door) -> None:
    ledger.suppress("r", ANNA[:1], (Scope.MARKETING,), source=Source.PERSON, at=AT)
    ledger.rotate_tokens(at=later(days=1))
    ledger.suppress("s", ANNA[:1], (Scope.MARKETING,), source=Source.PERSON, at=later(days=2))
    assert door("SELECT count(*) FROM suppressions") == [(2,)]

    ledger.renew_tokens(at=later(days=3))

    assert door("SELECT count(*), min(key_version) FROM suppressions") == [(1, 2)]
    (one,) = ledger.suppressed(ANNA[:1], at=later(days=4))
    assert one.since == AT
    assert ledger.clear_suppression(ANNA[:1], at=later(days=5), by="sign-up form") == 1


def test_what_stands_under_two_old_keys_becomes_one_under_the_newest(ledger: Ledger, door: Door) -> None:
    request_id = erase(ledger, ANNA[:1])
    ledger.suppress("r", ANNA[:1], (Scope.SALE,), source=Source.PERSON, at=AT)
    ledger.rotate_tokens(at=AT)
    ledger.suppress("s", ANNA[:1], (Scope.SALE,), source=Source.PERSON, at=AT)
    ledger.reopen(request_id, {"shop": Code.RESTORED}, at=AT)
    erase(ledger, ANNA[:1], request_id=request_id, again=True)
    ledger.rotate_tokens(at=AT)
    under = (
        "SELECT 'stopped', key_version FROM suppressions UNION ALL "
        "SELECT 'erased', key_version FROM erasure_tokens ORDER BY 1, 2"
    )
    assert door(under) == [("erased", 1), ("erased", 2), ("stopped", 1), ("stopped", 2)]

    assert ledger.renew_tokens(at=later(days=1)) == 4

    assert door(under) == [("erased", 3), ("stopped", 3)]
    (anna,) = ledger.screen([ANNA_TOO], at=later(days=2))
    assert ([one.scope for one in anna.stops], anna.erased_at) == ([Scope.SALE], AT)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["rotate", "renew", "sale", "research"]), max_size=6), st.emails())
def test_in_whatever_order_keys_are_turned_nothing_is_forgotten(
    ledger: Ledger, course: list[str], address: str
) -> None:
    who = Identity("email", address)
    asked = set()
    for number, word in enumerate(course):
        at = AT + timedelta(minutes=number)
        if word == "rotate":
            ledger.rotate_tokens(at=at)
        elif word == "renew":
            ledger.renew_tokens(at=at)
        else:
            ledger.suppress("r", [who], (Scope(word),), source=Source.PERSON, at=at)
            asked.add(Scope(word))
        (seen,) = ledger.screen([who], at=at)
        assert asked <= {one.scope for one in seen.stops}
