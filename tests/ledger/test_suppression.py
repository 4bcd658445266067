"""What is suppressed outlives the request and its vault, and nobody can be read back from it."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.fence import FenceRefused
from ledger.ledger import Ledger
from rights.request import Phase
from rights.subject import Identity
from rights.suppression import Scope, Source
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, OTTO, close_one, enter, later, open_one, opened_id
from tests.ledger.conftest import Door

ANNA_TOO = (Identity("email", "ANNA.BERG@EXAMPLE.ORG"),)


def suppress(ledger: Ledger, *scopes: Scope, source: Source = Source.PERSON) -> str:
    request_id = open_one(ledger).request_id
    ledger.suppress(request_id, ANNA, scopes or (Scope.MARKETING,), source=source, at=AT)
    return request_id


def scopes(ledger: Ledger, who: tuple[Identity, ...] = ANNA_TOO) -> set[Scope]:
    return {one.scope for one in ledger.suppressed(who, at=later(days=400))}


def test_it_outlives_the_request_and_its_shredded_vault(
    ledger: Ledger, make_ledger: Callable[..., Ledger], tables: Database
) -> None:
    request_id = suppress(ledger, Scope.MARKETING, Scope.SALE)
    close_one(ledger, request_id)
    ledger.shred(request_id, ["working", "file", "history"], as_of=later(days=2000))

    assert ledger.unseal(request_id, "working", "identities") is None
    elsewhere = make_ledger(tables.url)
    assert scopes(elsewhere) == {Scope.MARKETING, Scope.SALE}
    assert scopes(elsewhere, OTTO) == set()


def test_nothing_of_the_person_stands_in_the_table(ledger: Ledger, door: Door) -> None:
    suppress(ledger)

    rows = str(door("SELECT suppressions::text, encode(token, 'escape') FROM suppressions")).lower()
    assert rows.count("marketing") == 2
    # Four digits may well stand somewhere in a token, in hexadecimal; a word of its own is what must not.
    assert not any(re.search(rf"(?<![0-9a-f]){re.escape(one.value.lower())}(?![0-9a-f])", rows) for one in ANNA)


def test_the_tokens_of_two_tenants_have_nothing_in_common(
    make_ledger: Callable[..., Ledger], tables: Database, door: Door
) -> None:
    one, other = make_ledger(tables.url), make_ledger(tables.url, tenant="other")
    suppress(one)
    assert scopes(other) == set()
    suppress(other)

    assert door("SELECT count(*), count(DISTINCT token) FROM suppressions") == [(4, 4)]


def test_asked_for_again_it_is_the_same_and_the_day_moves_on(ledger: Ledger, door: Door) -> None:
    request_id = suppress(ledger, Scope.SALE)

    assert ledger.suppress(request_id, ANNA, (Scope.SALE,), source=Source.GPC, at=later(days=3)) == 0

    (one,) = ledger.suppressed(ANNA_TOO, at=later(days=4))
    assert (one.since, one.confirmed_at, one.source) == (AT, later(days=3), Source.PERSON)
    assert door("SELECT count(*) FROM entries WHERE kind = 'suppressed'") == [(1,)]


def test_a_new_consent_ends_the_block_on_marketing_and_nothing_else(ledger: Ledger) -> None:
    suppress(ledger, Scope.MARKETING, Scope.SALE, Scope.PROFILING)

    assert ledger.clear_suppression(ANNA_TOO, at=later(days=1), by="sign-up form") == 1

    assert {one.scope for one in ledger.suppressed(ANNA_TOO, at=later(days=2))} == {Scope.SALE, Scope.PROFILING}
    assert ledger.clear_suppression(ANNA_TOO, at=later(days=1), by="sign-up form") == 0


def test_what_a_consent_has_ended_begins_anew(ledger: Ledger) -> None:
    request_id = suppress(ledger)
    ledger.clear_suppression(ANNA, at=later(days=1), by="sign-up form")

    assert ledger.suppress(request_id, ANNA, (Scope.MARKETING,), source=Source.PERSON, at=later(days=2)) == 2

    (one,) = ledger.suppressed(ANNA_TOO, at=later(days=3))
    assert one.since == later(days=2)


def test_a_withdrawn_consent_is_remembered_by_its_purpose(ledger: Ledger) -> None:
    request_id = open_one(ledger).request_id
    ledger.suppress(request_id, ANNA, (Scope.CONSENT,), source=Source.PERSON, at=AT, purposes=("newsletter", "surveys"))

    found = ledger.suppressed(ANNA_TOO, at=later(days=1))
    assert [(one.scope, one.about) for one in found] == [(Scope.CONSENT, "newsletter"), (Scope.CONSENT, "surveys")]


def test_they_are_counted_and_not_listed(ledger: Ledger) -> None:
    suppress(ledger, Scope.MARKETING, Scope.SALE)

    assert ledger.suppression_counts(at=later(days=1)) == {Scope.MARKETING: 2, Scope.SALE: 2}
    assert not any("token" in name or "list" in name for name in dir(ledger) if "suppress" in name)


def test_a_phone_number_is_completed_by_the_calling_code_of_the_deployment(ledger: Ledger) -> None:
    ledger.calling_code = "+49"
    request_id = open_one(ledger).request_id
    ledger.suppress(request_id, [Identity("phone", "030 1234567")], (Scope.MARKETING,), source=Source.PERSON, at=AT)

    assert scopes(ledger, (Identity("phone", "+49 30 1234567"),)) == {Scope.MARKETING}


@pytest.mark.parametrize(
    ("kind", "held", "known"),
    [("phone", "030 1234567", "+49 30 1234567"), ("phone", "+49301234567", "(030) 123-4567"),
     ("email", "anna@bücher.example", "anna@xn--bcher-kva.example")],
)  # fmt: skip
def test_a_hold_and_an_objection_bind_however_the_same_is_written(
    ledger: Ledger, kind: str, held: str, known: str
) -> None:
    ledger.calling_code = "+49"
    request_id = opened_id(ledger, Phase.LOCATING, Phase.FULFILLING, confirmed=True)
    ledger.learn(request_id, [Identity(kind, known)], at=AT)
    ledger.place_hold([Identity(kind, held)], "a court case", at=AT)

    with pytest.raises(FenceRefused):
        enter(ledger, request_id)
    ledger.suppress(request_id, [Identity(kind, held)], (Scope.MARKETING,), source=Source.PERSON, at=AT)
    assert scopes(ledger, (Identity(kind, known),)) == {Scope.MARKETING}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.emails())
def test_every_way_to_write_an_address_finds_its_suppression(ledger: Ledger, address: str) -> None:
    ledger.suppress("r", [Identity("email", address)], (Scope.MARKETING,), source=Source.PERSON, at=AT)

    written = Identity("email", f"  {address.lower()} ")
    assert scopes(ledger, (written,)) == {Scope.MARKETING}


def test_a_signal_has_one_key_until_a_consent_ends_what_it_began(ledger: Ledger) -> None:
    first = ledger.signal_key(ANNA)
    suppress(ledger)
    assert ledger.signal_key(ANNA_TOO + ANNA[1:]) == first != ledger.signal_key(OTTO)

    ledger.clear_suppression(ANNA, at=AT + timedelta(days=1), by="sign-up form")

    assert ledger.signal_key(ANNA) != first
