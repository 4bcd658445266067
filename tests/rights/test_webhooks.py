"""What others hear of a request, and how they know that it is from us."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from rights.request import Right
from rights.webhooks import KINDS, SECRET_BYTES, Event, SecretError, event_of, key_of, kinds_of, new_secret, signed

OLD = timedelta(minutes=6)
AT = datetime(2026, 11, 27, 10, 15, tzinfo=UTC)
secrets = st.binary(min_size=SECRET_BYTES.start, max_size=SECRET_BYTES.stop - 1).map(new_secret)


def event(entry_hash: bytes = bytes(32)) -> Event:
    return event_of("closed", {"conclusion": "answered", "books": {"shop": []}}, entry_hash, "r1", Right.ERASURE, AT)


@given(secret=secrets, entry_hash=st.binary(min_size=32, max_size=32))
def test_the_published_library_of_standard_webhooks_takes_in_what_we_sign(secret: str, entry_hash: bytes) -> None:
    told = event(entry_hash)
    taken = Webhook(secret).verify(told.body(), signed(told, [key_of(secret)], datetime.now(UTC)))
    assert taken["type"] == "request.closed"
    assert taken["data"] == {"request": "r1", "right": "erasure", "conclusion": "answered"}


@given(present=secrets, before=secrets)
def test_while_receivers_change_over_both_secrets_are_believed(present: str, before: str) -> None:
    headers = signed(event(), [key_of(present), key_of(before)], datetime.now(UTC))
    for secret in (present, before):
        Webhook(secret).verify(event().body(), headers)


@given(secret=secrets, other=secrets, place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_changed_byte_another_secret_and_an_old_time_are_refused(
    secret: str, other: str, place: int, bit: int
) -> None:
    body, headers = bytearray(event().body()), signed(event(), [key_of(secret)], datetime.now(UTC))
    body[place % len(body)] ^= 1 << bit
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.decode("latin-1"), headers)
    if key_of(other) != key_of(secret):
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(event().body(), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(
            event().body(), signed(event(), [key_of(secret)], datetime.now(UTC) - timedelta(minutes=6))
        )


def test_an_event_says_only_what_the_list_has_whatever_its_entry_holds() -> None:
    for kind in KINDS:
        body = {"phase": "fulfilling", "risk": "due_3d", "conclusion": "answered", "note": "zqnote", "hold": "zqhold"}
        told = event_of(kind, body, bytes(32), "r1", Right.ACCESS, AT).body().decode()
        assert "zq" not in told


def test_nothing_of_an_event_tells_how_many_entries_lie_before_it() -> None:
    one, other = (event(bytes([n]) * 32) for n in (1, 2))
    assert one.id != other.id
    assert one.body() == other.body()


@pytest.mark.parametrize("text", ["", "whsec_c2hvcnQ=", "whsec_***", new_secret(bytes(70)), "c2VjcmV0" * 6])
def test_what_is_no_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SecretError) as refused:
        key_of(text)
    assert not text or text not in str(refused.value)


def test_a_webhook_hears_of_the_types_it_names_and_of_all_if_it_names_none() -> None:
    assert kinds_of(["request.closed"]) == {"closed"}
    assert kinds_of([]) == KINDS
