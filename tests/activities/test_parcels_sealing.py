"""The sealed stream: what comes out is what was put in, or an error."""

import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.sealing import PAGE, SealBroken, sealed, unseal
from activities.store import FileStore, NotStored
from tests.activities.parcel_samples import KEY

NAME = "r1/shop.spool"
HEADER = 16
SEALED = PAGE + 16
EDGES = (0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE - 1, 2 * PAGE, 2 * PAGE + 1, 3 * PAGE + 77)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FileStore:
    return FileStore(tmp_path_factory.mktemp("store"))


def put(store: FileStore, data: bytes, name: str = NAME, key: bytes = KEY, step: int = PAGE * 8) -> None:
    with sealed(store, name, key) as out:
        for at in range(0, len(data), step):
            out.write(data[at : at + step])


def get(store: FileStore, name: str = NAME, key: bytes = KEY) -> bytes:
    with store.read(name) as source:
        return unseal(source, key, name).read()


def raw(store: FileStore, name: str = NAME) -> bytes:
    with store.read(name) as source:
        return source.read(1 << 30)


def put_raw(store: FileStore, data: bytes, name: str = NAME) -> None:
    with store.write(name) as sink:
        sink.write(data)


def some(size: int, seed: int = 1) -> bytes:
    return Random(seed).randbytes(size)  # noqa: S311  # content, not a secret


@given(size=st.sampled_from(EDGES) | st.integers(0, 4 * PAGE), step=st.sampled_from((1013, PAGE - 1, PAGE, 3 * PAGE)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_sealed_comes_out_again(store: FileStore, size: int, step: int) -> None:
    data = some(size)
    put(store, data, step=step)
    assert get(store) == data


def test_a_sealed_file_is_what_the_page_on_it_says(store: FileStore) -> None:
    data = some(2 * PAGE + 5)
    put(store, data)
    body = raw(store)
    assert body[:8] == b"HABEAS\x00\x01"
    cipher, found = AESGCM(KEY), b""
    for number, last in ((0, 0), (1, 0), (2, 1)):
        at = HEADER + number * SEALED
        counter = struct.pack(">I", number)
        about = counter + bytes([last]) + body[:HEADER] + NAME.encode()
        found += cipher.decrypt(body[8:16] + counter, body[at : at + SEALED], about)
    assert found == data


@pytest.mark.parametrize("size", EDGES)
def test_a_full_last_page_is_not_followed_by_an_empty_one(store: FileStore, size: int) -> None:
    put(store, some(size))
    pages = max(1, -(-size // PAGE))
    assert len(raw(store)) == HEADER + size + 16 * pages


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_flipped_bit_anywhere_breaks_the_seal(store: FileStore, where: float, bit: int) -> None:
    put(store, some(PAGE + 999), "r1/flipped.spool")
    body = bytearray(raw(store, "r1/flipped.spool"))
    body[int(where * len(body))] ^= 1 << bit
    put_raw(store, bytes(body), "r1/flipped.spool")
    with pytest.raises(SealBroken):
        get(store, "r1/flipped.spool")


@given(size=st.sampled_from(EDGES), keep=st.floats(0, 1, exclude_max=True))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_file_does_not_open(store: FileStore, size: int, keep: float) -> None:
    put(store, some(size), "r1/cut.spool")
    body = raw(store, "r1/cut.spool")
    put_raw(store, body[: int(keep * len(body))], "r1/cut.spool")
    with pytest.raises(SealBroken):
        get(store, "r1/cut.spool")


def pages(body: bytes) -> list[bytes]:
    return [body[at : at + SEALED] for at in range(HEADER, len(body), SEALED)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda p: p[:-1], id="cut at a page's end"),
        pytest.param(lambda p: [p[1], p[0], p[2]], id="two pages swapped"),
        pytest.param(lambda p: [p[0], p[0], p[2]], id="a page twice"),
        pytest.param(lambda p: [p[1], p[2]], id="the first page missing"),
        pytest.param(lambda p: [p[0], p[2]], id="a middle page missing"),
        pytest.param(lambda p: [*p, p[0]], id="a page more"),
        pytest.param(lambda p: [*p, b"x"], id="a byte more"),
        pytest.param(lambda p: [p[2]], id="the last page alone"),
        pytest.param(lambda p: [], id="no page"),
    ],
)
def test_pages_cannot_be_moved_dropped_or_added(store: FileStore, change: Callable[[list[bytes]], list[bytes]]) -> None:
    put(store, some(3 * PAGE))
    body = raw(store)
    put_raw(store, body[:HEADER] + b"".join(change(pages(body))))
    with pytest.raises(SealBroken):
        get(store)


def test_a_page_of_another_file_under_the_same_key_does_not_fit(store: FileStore) -> None:
    put(store, some(2 * PAGE, 1))
    put(store, some(2 * PAGE, 2), "r1/other.spool")
    mine, other = raw(store), raw(store, "r1/other.spool")
    put_raw(store, mine[: HEADER + SEALED] + other[HEADER + SEALED :])
    with pytest.raises(SealBroken):
        get(store)


def test_a_file_does_not_open_under_another_name(store: FileStore) -> None:
    put(store, b"of request one")
    put_raw(store, raw(store), "r2/shop.spool")
    with pytest.raises(SealBroken):
        get(store, "r2/shop.spool")


def test_another_key_does_not_open_it_and_the_error_tells_nothing(store: FileStore) -> None:
    put(store, b"anna@example.org")
    with pytest.raises(SealBroken) as caught:
        get(store, key=bytes(32))
    assert "anna" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("body", [b"", b"HABEAS", b"PK\x03\x04" + bytes(100), b"HABEAS\x00\x02" + bytes(60)])
def test_what_is_no_sealed_file_is_refused(store: FileStore, body: bytes) -> None:
    put_raw(store, body)
    with pytest.raises(SealBroken):
        get(store)


def test_a_short_key_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    with pytest.raises(ValueError, match="32 bytes"), sealed(store, NAME, b"short"):
        pass
    assert not store.exists(NAME)


def test_the_same_text_is_never_sealed_to_the_same_bytes(store: FileStore) -> None:
    put(store, b"the same text")
    first = raw(store)
    put(store, b"the same text")
    second = raw(store)
    assert first[:8] == second[:8]
    assert first[8:] != second[8:]


def test_nothing_of_the_text_is_readable_where_it_lies(store: FileStore) -> None:
    put(store, b"canary-anna-berg@example.org " * 40_000)
    assert b"canary" not in raw(store)


def test_a_writer_that_fails_leaves_what_was_there(store: FileStore) -> None:
    put(store, b"the first attempt")

    def half() -> None:
        with sealed(store, NAME, KEY) as out:
            out.write(some(3 * PAGE))
            raise RuntimeError("cut")

    with pytest.raises(RuntimeError):
        half()
    assert get(store) == b"the first attempt"


def test_a_file_that_is_not_there_is_said_not_to_be(store: FileStore) -> None:
    with pytest.raises(NotStored, match=r"r9/none\.spool"):
        get(store, "r9/none.spool")
