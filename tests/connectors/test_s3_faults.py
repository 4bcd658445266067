"""When a store does not do as it is asked, or changes under us: nothing is half done and called done."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest

from connectors.conformance import Gate
from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.protocol import Intent
from connectors.s3.errors import explain_code
from rights.codes import Code
from rights.receipt import Tally
from starter.stack import Objects
from tests.connectors.s3_bench import S3Bench
from tests.connectors.s3_place import shared_objects
from tests.connectors.test_s3 import asking, files, made, there

__all__ = ["shared_objects"]


@pytest.fixture
def bench(objects: Objects) -> Iterator[S3Bench]:
    yield from made(S3Bench(objects))


def test_a_store_that_says_slow_down_is_asked_again_for_a_look(bench: S3Bench) -> None:
    bench.put("users/1/a")

    with bench.proxy.failing("GET", "versions", status=503, code="SlowDown", times=2) as fault:
        assert bench.connector.locate(asking(bench)).tally.found == 1

    assert not fault.times


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (503, "SlowDown", Code.BUSY),
        (500, "InternalError", Code.BUSY),
        (502, "", Code.BUSY),
        (403, "AccessDenied", Code.RIGHTS),
    ],
)
def test_a_deletion_that_fails_is_not_repeated_unseen_and_not_counted(
    bench: S3Bench, status: int, code: str, expected: Code
) -> None:
    for number in range(3):
        bench.put(f"users/1/{number}")
    gate = Gate()

    with (
        bench.proxy.failing("POST", "?delete", status=status, code=code) as fault,
        pytest.raises(ConnectorError) as caught,
    ):
        bench.connector.erase(asking(bench, fence=gate))

    assert not fault.times, "it was asked once"
    assert (caught.value.code, caught.value.tally.changed) == (expected, 0)
    assert [passage.tally for passage in gate.passages] == [None]
    assert len(there(bench)) == 3
    assert bench.connector.erase(asking(bench)).changed == 3


def test_an_error_of_one_key_among_many_is_read(bench: S3Bench) -> None:
    for number in range(3):
        bench.put(f"users/1/{number}")
    refusal = b"<Error><Key>users/1/1</Key><VersionId>%s</VersionId><Code>AccessDenied</Code></Error></DeleteResult>"
    kept = next(version for key, version in bench.everything()["objects"] if key == "users/1/1")
    gate = Gate()

    with (
        bench.proxy.failing(
            "POST", "?delete", rewrite=lambda body: _closed(body).replace(b"</DeleteResult>", refusal % kept.encode())
        ),
        pytest.raises(NeedsHuman) as caught,
    ):
        bench.connector.erase(asking(bench, fence=gate))

    assert (caught.value.code, caught.value.about) == (Code.RIGHTS, "connection.writer")
    assert caught.value.tally.changed == 2, "the one that was refused is not counted"


def _closed(body: bytes) -> bytes:
    """An answer without anything in it has its one element closed at once."""
    return body.replace(
        b'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>', b"<DeleteResult></DeleteResult>"
    )


def test_a_deletion_that_only_says_it_was_done_is_no_erasure(bench: S3Bench) -> None:
    """What a plain DELETE on a locked key, a proxy or a bad store does: yes, and nothing is gone."""
    bench.put("users/1/a")
    with (
        bench.proxy.failing("POST", "?delete", status=200, body=b"<DeleteResult></DeleteResult>", times=9) as fault,
        pytest.raises(ConnectorError) as caught,
    ):
        bench.connector.erase(asking(bench))

    assert (caught.value.code, caught.value.tally.changed) == (Code.LEFT_BEHIND, 0)
    assert fault.times == 8, "it is not asked again and again"
    assert bench.connector.verify(asking(bench)).tally.left == 1


@pytest.mark.parametrize("cut", [0, 1, 70_000, 199_999])
def test_a_body_that_breaks_off_is_taken_up_or_made_anew_and_never_short(bench: S3Bench, cut: int) -> None:
    body = bytes(range(250)) * 800
    bench.put("users/1/a", body)

    with bench.proxy.failing("GET", "users/1/a", cut=cut):
        try:
            given = files(bench, asking(bench))
        except Retryable:
            given = files(bench, asking(bench))

    assert given["current/users/1/a"] == body


def test_a_body_that_keeps_breaking_off_is_retryable(bench: S3Bench) -> None:
    bench.put("users/1/a", b"x" * 1000)

    with bench.proxy.failing("GET", "users/1/a", cut=10, times=99), pytest.raises(Retryable):
        files(bench, asking(bench))


def test_a_body_of_the_right_length_and_the_wrong_bytes_is_not_given(bench: S3Bench) -> None:
    bench.put("users/1/a", b"x" * 1000)

    with (
        bench.proxy.failing("GET", "users/1/a", rewrite=lambda body: b"y" * len(body), times=99),
        pytest.raises(Retryable),
    ):
        files(bench, asking(bench))


def test_an_object_that_vanishes_between_listing_and_reading_makes_it_anew(bench: S3Bench) -> None:
    version = bench.put("users/1/a", b"x")

    def vanish() -> None:
        bench.door.delete_object(Bucket=bench.bucket, Key="users/1/a", VersionId=version)

    with bench.proxy.failing("GET", "users/1/a", before=vanish), pytest.raises(Retryable):
        files(bench, asking(bench))

    assert list(files(bench, asking(bench))) == [""]


def test_what_is_written_while_an_erasure_goes_on_is_erased_too(bench: S3Bench) -> None:
    bench.put("users/1/a")

    with bench.proxy.failing("POST", "?delete", before=lambda: bench.put("users/1/late")):
        tally = bench.connector.erase(asking(bench))

    assert there(bench) == {}
    assert (tally.found, tally.changed) == (1, 2)


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"]
)
def test_credentials_that_are_refused_are_a_task_that_says_which(bench: S3Bench, code: str) -> None:
    bench.put("users/1/a")

    with bench.proxy.failing("GET", "versions", status=400, code=code), pytest.raises(NeedsHuman) as caught:
        bench.connector.locate(asking(bench))
    assert (caught.value.code, caught.value.about) == (Code.CREDENTIALS, "connection.reader")
    with bench.proxy.failing("GET", "tagging", status=400, code=code), pytest.raises(NeedsHuman) as caught:
        bench.connector.erase(asking(bench))
    assert (caught.value.code, caught.value.about) == (Code.CREDENTIALS, "connection.writer")


def test_a_listing_that_says_there_is_more_and_not_where_is_no_look(bench: S3Bench) -> None:
    bench.put("users/1/a")

    def truncated(body: bytes) -> bytes:
        return body.replace(b"<IsTruncated>false", b"<IsTruncated>true").replace(b"<NextKeyMarker>", b"<Other>")

    with bench.proxy.failing("GET", "versions", rewrite=truncated, times=9), pytest.raises(NeedsHuman) as caught:
        bench.connector.verify(asking(bench))

    assert caught.value.code is Code.SHAPE


def test_more_than_one_page_is_read_to_its_end(bench: S3Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.s3.session.PAGE", 2)
    for number in range(5):
        for _ in range(3):
            bench.put(f"users/1/{number}")
    bench.put("users/2/a")

    assert bench.connector.locate(asking(bench)).tally.found == 15
    assert bench.connector.erase(asking(bench)).changed == 15
    assert there(bench) == {"users/2/a": 1}


def test_a_worker_that_was_frozen_in_the_fence_wakes_too_late_to_destroy(bench: S3Bench) -> None:
    bench.put("users/1/a")
    connector = bench.connected(timeout=1)

    @contextmanager
    def slow(planned: object, look: Tally) -> Iterator[Intent]:
        with Gate()({}, look) as intent:
            time.sleep(1.2)
            yield intent

    with pytest.raises(Retryable):
        connector.erase(asking(bench, fence=_as_fence(slow)))

    assert there(bench) == {"users/1/a": 1}
    assert connector.longest == timedelta(seconds=3)


def _as_fence(fence: Callable[..., AbstractContextManager[Intent]]) -> Callable[..., AbstractContextManager[Intent]]:
    return fence


@pytest.fixture
def frail() -> Iterator[S3Bench]:
    """On a server of its own, that may be killed."""
    with Objects() as server:
        yield from made(S3Bench(server))


@pytest.mark.soak
def test_a_store_killed_in_the_middle_is_settled_by_looking(frail: S3Bench) -> None:
    for number in range(12):
        frail.put(f"users/1/{number}")

    with frail.proxy.failing("POST", "?delete", before=frail.server.kill) as fault, pytest.raises(Retryable) as caught:
        frail.connector.erase(asking(frail))

    assert not fault.times
    assert caught.value.tally.changed == 0
    frail.server.start()
    frail.connector.erase(asking(frail))
    assert there(frail) == {}


@pytest.mark.parametrize(
    ("code", "kind", "expected"),
    [
        ("AccessDenied", NeedsHuman, Code.RIGHTS),
        ("KMS.DisabledException", NeedsHuman, Code.RIGHTS),
        ("NoSuchBucket", NeedsHuman, Code.SCHEMA),
        ("InvalidObjectState", NeedsHuman, Code.ARCHIVED),
        ("SomethingNew", NeedsHuman, Code.INTERNAL),
        ("<b>users/1</b>", NeedsHuman, Code.INTERNAL),
        ("503", Retryable, Code.BUSY),
    ],
)
def test_what_a_store_says_becomes_a_code(code: str, kind: type[ConnectorError], expected: Code) -> None:
    error = explain_code(code, "uploads", "connection.writer")

    assert isinstance(error, kind)
    assert error.code is expected
    assert "users/1" not in str(error)


def test_a_large_object_without_versions_is_exported_whatever_etag_it_is_listed_with(objects: Objects) -> None:
    """SeaweedFS lists what it has cut in pieces under another ETag than it answers with."""
    for bench in made(S3Bench(objects, versioning="")):
        bench.put("users/1/film", b"x" * (20 << 20))

        assert len(files(bench, asking(bench))["current/users/1/film"]) == 20 << 20
