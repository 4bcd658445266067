"""A bucket: exact keys, every version, what is locked stays and is said, and files that are whole."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from connectors.conformance import Gate, Trial
from connectors.errors import Held, NeedsHuman, Retryable
from connectors.protocol import Call, Export
from rights.codes import Code
from rights.receipt import Kept
from rights.subject import Identity
from starter.stack import Objects
from tests.connectors.s3_bench import BY_TEMPLATE, S3Bench
from tests.connectors.s3_place import shared_objects

__all__ = ["shared_objects"]

KEYS = BY_TEMPLATE.replace("keys: [", "whole_keys: [object], keys: [").replace(
    "fields:\n", "fields:\n      object: {identity: object_key}\n", 1
)


@pytest.fixture
def bench(objects: Objects) -> Iterator[S3Bench]:
    yield from made(S3Bench(objects))


@pytest.fixture
def locked(objects: Objects) -> Iterator[S3Bench]:
    yield from made(S3Bench(objects, lock=True))


@pytest.fixture
def plain(objects: Objects) -> Iterator[S3Bench]:
    yield from made(S3Bench(objects, versioning=""))


def made(bench: S3Bench) -> Iterator[S3Bench]:
    bench.mark("conformance")
    yield bench
    bench.close()


def asking(bench: S3Bench, value: str = "1", kind: str = "user_id", **differs: Any) -> Call:
    return replace(Trial(bench).call([Identity(kind, value)]), **differs)


def there(bench: S3Bench) -> dict[str, int]:
    """Versions and markers by key, by the back door."""
    found: dict[str, int] = {}
    for key, _ in bench.everything()["objects"]:
        found[key] = found.get(key, 0) + 1
    return found


def files(bench: S3Bench, call: Call) -> dict[str, bytes]:
    parts = bench.connector.export(call)
    assert isinstance(parts, Iterator)
    return {part.name: b"".join(part.pages) for part in parts}


def test_one_persons_key_never_takes_what_only_begins_like_it(bench: S3Bench) -> None:
    ours = ["users/1/a", "users/1/b/c", "avatars/1.png"]
    others = ["users/10/a", "users/1", "users/1.json", "users/11/x", "avatars/1.png.bak", "avatars/1.pn", "users/2/a"]
    for key in (*ours, *others):
        bench.put(key, b"x")

    assert bench.connector.locate(asking(bench)).tally.found == 3
    assert bench.connector.erase(asking(bench)).changed == 3

    assert there(bench) == dict.fromkeys(others, 1)


@pytest.mark.parametrize("value", ["../2", "2/../1", "1/", "/", "", ".", "..", "a/b", "\x00", "1\n"])
def test_a_value_that_could_leave_its_place_is_a_question_and_nothing_is_touched(bench: S3Bench, value: str) -> None:
    for key in ("users/2/a", "users/1/a", "users/a/b/c"):
        bench.put(key)
    before = there(bench)

    for act in (bench.connector.locate, bench.connector.erase, bench.connector.verify):
        with pytest.raises(NeedsHuman) as caught:
            act(asking(bench, value))
        assert caught.value.code is Code.NO_PLACE

    assert there(bench) == before


def test_what_the_page_grants_is_enough_for_who_asks_whether_it_can_be_reached(bench: S3Bench) -> None:
    bench.connector.probe(asking(bench))
    assert bench.connector.mark(asking(bench)) == "conformance"


def test_every_version_and_marker_goes_and_nothing_is_only_hidden(bench: S3Bench) -> None:
    for body in (b"one", b"two", b"three"):
        bench.put("users/1/a", body)
    bench.door.delete_object(Bucket=bench.bucket, Key="users/1/a")
    gate = Gate(bench.everything)

    tally = bench.connector.erase(asking(bench, fence=gate))

    assert (tally.found, tally.changed) == (4, 4)
    assert there(bench) == {}
    assert not any(said.startswith("DELETE ") for said in bench.proxy.said), "a plain DELETE only hides"


def test_versions_from_before_versioning_was_suspended_go_too(objects: Objects) -> None:
    for bench in made(S3Bench(objects)):
        bench.put("users/1/a", b"old")
        bench.door.put_bucket_versioning(Bucket=bench.bucket, VersioningConfiguration={"Status": "Suspended"})
        bench.put("users/1/a", b"null version")

        assert bench.connector.erase(asking(bench)).changed == 2
        assert there(bench) == {}


def test_an_upload_that_was_never_finished_is_found_and_aborted(bench: S3Bench) -> None:
    for key in ("users/1/movie", "users/10/movie"):
        upload = bench.door.create_multipart_upload(Bucket=bench.bucket, Key=key)["UploadId"]
        bench.door.upload_part(Bucket=bench.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"x" * 1000)

    assert bench.connector.locate(asking(bench)).tally.found == 1
    assert bench.connector.erase(asking(bench)).changed == 1

    left = bench.door.list_multipart_uploads(Bucket=bench.bucket).get("Uploads", [])
    assert [upload["Key"] for upload in left] == ["users/10/movie"]
    assert bench.connector.verify(asking(bench)).tally.left == 0


def test_a_key_that_another_system_knows_is_looked_at_whole(objects: Objects) -> None:
    for bench in made(S3Bench(objects, KEYS)):
        for key in ("docs/a b.pdf", "docs/a b.pdf.sig", "docs/ä.pdf"):
            bench.put(key)

        for value in ("docs/a b.pdf", f"s3://{bench.bucket}/docs/ä.pdf", "s3://another/docs/a b.pdf.sig"):
            bench.connector.erase(asking(bench, value, "object_key"))

        assert there(bench) == {"docs/a b.pdf.sig": 1}


def test_what_is_locked_for_a_term_stays_and_is_said_with_its_day(locked: S3Bench) -> None:
    until = datetime.now(UTC) + timedelta(days=400)
    for mode in ("COMPLIANCE", "GOVERNANCE"):
        locked.put(f"users/1/{mode}", b"x", ObjectLockMode=mode, ObjectLockRetainUntilDate=until)
    locked.put("users/1/open", b"x")
    call = asking(locked, as_of=datetime.now(UTC))

    tally = locked.connector.erase(call)

    assert tally.of("objects").kept == (Kept(ground="object lock", until=until.date(), rows=2),)
    assert tally.changed == 1
    assert there(locked) == {"users/1/COMPLIANCE": 1, "users/1/GOVERNANCE": 1}
    after = locked.connector.verify(call).tally
    assert (after.found, after.left) == (2, 0)
    past = locked.connector.locate(replace(call, as_of=until + timedelta(days=1)))
    assert past.tally.kept_rows == 0, "when the term is over it is due"


def test_a_governed_term_is_passed_over_only_if_the_map_says_so(locked: S3Bench) -> None:
    until = datetime.now(UTC) + timedelta(days=400)
    for mode in ("COMPLIANCE", "GOVERNANCE"):
        locked.put(f"users/1/{mode}", b"x", ObjectLockMode=mode, ObjectLockRetainUntilDate=until)
    locked.writer = locked.server.admin
    call = asking(locked, as_of=datetime.now(UTC))

    tally = locked.connected(bypass_governance=True).erase(call)

    assert (tally.changed, tally.kept_rows) == (1, 1)
    assert there(locked) == {"users/1/COMPLIANCE": 1}


def test_a_legal_hold_holds_the_step_and_everything_else_goes(locked: S3Bench) -> None:
    locked.put("users/1/evidence", b"x", ObjectLockLegalHoldStatus="ON")
    locked.put("users/1/other", b"x")
    call = asking(locked)

    with pytest.raises(Held) as caught:
        locked.connector.erase(call)

    assert caught.value.code is Code.LEGAL_HOLD
    assert (caught.value.tally.found, caught.value.tally.changed) == (2, 1)
    assert there(locked) == {"users/1/evidence": 1}
    with pytest.raises(Held):
        locked.connector.verify(call)
    for key, version in locked.everything()["objects"]:
        locked.door.put_object_legal_hold(Bucket=locked.bucket, Key=key, VersionId=version, LegalHold={"Status": "OFF"})
    assert locked.connector.erase(call).changed == 1
    assert locked.connector.verify(call).tally.left == 0


def test_a_marker_stays_over_what_is_locked_so_that_nothing_hidden_comes_back(locked: S3Bench) -> None:
    until = datetime.now(UTC) + timedelta(days=400)
    locked.put("users/1/a", b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)
    locked.door.delete_object(Bucket=locked.bucket, Key="users/1/a")

    tally = locked.connector.erase(asking(locked, as_of=datetime.now(UTC)))

    assert (tally.changed, tally.kept_rows) == (0, 2)
    with pytest.raises(ClientError):
        locked.door.get_object(Bucket=locked.bucket, Key="users/1/a")


def test_mfa_delete_is_a_task_before_anything_is_tried(bench: S3Bench) -> None:
    bench.put("users/1/a")
    enabled = b"<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"

    with (
        bench.proxy.failing(
            "GET", "versioning", rewrite=lambda body: body.replace(b"<Status>Enabled</Status>", enabled)
        ),
        pytest.raises(NeedsHuman) as caught,
    ):
        bench.connector.erase(asking(bench))

    assert caught.value.code is Code.MFA_DELETE
    assert there(bench) == {"users/1/a": 1}


def test_an_export_gives_every_version_byte_for_byte_with_what_is_known_of_it(bench: S3Bench) -> None:
    old = bench.put("users/1/a b+ü%20.txt", b"old")
    bench.put(
        "users/1/a b+ü%20.txt", b"new", ContentType="text/plain", Metadata={"author": "app"}, Tagging="kind=note&by=x"
    )
    bench.put("users/1/empty", b"")
    bench.door.delete_object(Bucket=bench.bucket, Key="users/1/empty")

    given = files(bench, asking(bench))

    table = [json.loads(line) for line in given.pop("").splitlines()]
    empty = next(name for name in given if name.endswith("/users/1/empty"))
    assert given == {
        "current/users/1/a b+ü%20.txt": b"new",
        f"versions/{old}/users/1/a b+ü%20.txt": b"old",
        empty: b"",
    }
    (row,) = (row for row in table if row["file"] == "current/users/1/a b+ü%20.txt")
    assert (row["content_type"], row["metadata"], row["tags"]) == (
        "text/plain",
        {"author": "app"},
        {"kind": "note", "by": "x"},
    )
    assert (row["size"], row["kind"], row["user_id"]) == (3, "version", "1")
    assert sorted(row["kind"] for row in table) == ["marker", "version", "version", "version"]


def test_a_large_object_passes_in_flat_memory(bench: S3Bench) -> None:
    size = 64 << 20
    bench.door.upload_fileobj(io.BufferedReader(_Zeros(size)), bench.bucket, "users/1/large")
    parts = bench.connector.export(asking(bench))
    assert isinstance(parts, Iterator)
    largest = total = 0

    for part in parts:
        for page in part.pages:
            largest = max(largest, len(page))
            total += len(page) if part.name else 0

    assert total == size
    assert largest <= 256 * 1024


class _Zeros(io.RawIOBase):
    """A file of zeros that lies nowhere."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        size = min(self._left, len(into))
        into[:size] = bytes(size)
        self._left -= size
        return size


def test_a_restriction_is_refused_where_the_policy_denies_nothing(bench: S3Bench) -> None:
    version = bench.put("users/1/a", b"x", Tagging="kind=note")
    bench.door.delete_bucket_policy(Bucket=bench.bucket)

    with pytest.raises(NeedsHuman) as caught:
        bench.connector.restrict(asking(bench))

    assert caught.value.code is Code.NOT_DENIED
    tags = bench.door.get_object_tagging(Bucket=bench.bucket, Key="users/1/a", VersionId=version)["TagSet"]
    assert tags == [{"Key": "kind", "Value": "note"}]


def test_what_two_requests_restrict_is_lifted_by_the_second(bench: S3Bench) -> None:
    bench.put("users/1/a", b"x")
    first, second = (asking(bench, session=f"habeas-{n}") for n in (1, 2))
    states = [bench.connector.restrict(call).state for call in (first, second)]

    bench.connector.lift(replace(first, restricted=states[0]))
    assert not bench._reads("users/1/a", *_versions(bench))
    bench.connector.lift(replace(second, restricted=states[1]))
    assert bench._reads("users/1/a", *_versions(bench))


def _versions(bench: S3Bench) -> list[str]:
    return [version for _, version in bench.everything()["objects"]]


def test_a_new_object_beside_a_restricted_one_is_left_as_it_is(bench: S3Bench) -> None:
    bench.put("users/1/a", b"old")
    call = asking(bench)
    call = replace(call, restricted=bench.connector.restrict(call).state)
    bench.put("users/1/a", b"new", Tagging="kind=new")

    bench.connector.lift(call)

    rows = bench.everything()["objects"].values()
    assert sorted((row["body"], row["tags"] == {"kind": "new"}) for row in rows) == [(b"new", True), (b"old", False)]
    assert bench.door.get_object(Bucket=bench.bucket, Key="users/1/a")["Body"].read() == b"new"


def test_a_replica_is_a_system_of_its_own(bench: S3Bench, plain: S3Bench) -> None:
    """Deletions of versions are replicated by nobody, so each bucket is erased by itself."""
    for one in (bench, plain):
        one.put("users/1/a", b"x")

    bench.connector.erase(asking(bench))

    assert (there(bench), there(plain)) == ({}, {"users/1/a": 1})
    keys = {link.value for link in plain.connector.locate(asking(plain)).links}
    assert keys == {"users/1/a"}, "what is found here is looked for in other systems that know keys"
    assert plain.connector.erase(asking(plain)).changed == 1


def test_pages_of_an_export_are_of_the_version_that_was_seen(plain: S3Bench) -> None:
    plain.put("users/1/a", b"before")
    parts = plain.connector.export(asking(plain))
    assert isinstance(parts, Iterator)
    table: Export = next(parts)
    assert b"users/1/a" in b"".join(table.pages)

    plain.put("users/1/a", b"after!")

    with pytest.raises(Retryable):
        next(parts)
