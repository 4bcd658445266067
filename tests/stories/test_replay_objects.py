"""A bucket is filled again from a copy, with all its versions: whoever was erased since goes again, every version."""

import os
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from ledger.vault import Purpose
from starter.stack import Objects
from tests.connectors.s3_bench import BY_TEMPLATE, S3Bench
from tests.connectors.s3_place import shared_objects
from tests.stories.test_replay import habeas
from tests.stories.test_restriction import typed
from tests.world import World

__all__ = ["habeas", "shared_objects"]

pytestmark = [pytest.mark.soak, pytest.mark.timeout(180)]

ALL: tuple[Purpose, ...] = ("working", "history", "file")
FILES = {"users/7/letter.txt": [b"first", b"second"], "users/8/letter.txt": [b"theirs", b"theirs again"]}


@pytest.fixture
def bucket(world: World, objects: Objects) -> Iterator[S3Bench]:
    bench = S3Bench(objects)
    bench.mark("test")
    fill(bench)
    os.environ |= {
        "TEST_S3_READER": f"{bench.reader.access_key}:{bench.reader.secret_key}",
        "TEST_S3_WRITER": f"{bench.writer.access_key}:{bench.writer.secret_key}",
    }
    options = f"bucket: {bench.bucket}, endpoint: 'http://127.0.0.1:{bench.proxy.port}', plaintext: true"
    uploads = BY_TEMPLATE.replace("options: {plaintext: true", f"options: {{{options}", 1)
    uploads += "connection: {reader: env:TEST_S3_READER, writer: env:TEST_S3_WRITER}\nmode: auto\n"
    world.write_maps({"uploads": uploads})
    yield bench
    bench.close()


def fill(bucket: S3Bench) -> None:
    """What the copy has: two versions of each, and a marker over the last."""
    for key, versions in FILES.items():
        for body in versions:
            bucket.put(key, body)
    bucket.door.delete_object(Bucket=bucket.bucket, Key="users/7/letter.txt")


def versions(bucket: S3Bench) -> dict[str, int]:
    """How many versions and markers each key has, by the back door."""
    listed = bucket.door.list_object_versions(Bucket=bucket.bucket)
    found: dict[str, int] = {}
    for item in (*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())):
        found[item["Key"]] = found.get(item["Key"], 0) + 1
    return found


def erased_and_filled_again(world: World, bucket: S3Bench) -> str:
    assert versions(bucket) == {"users/7/letter.txt": 3, "users/8/letter.txt": 2}
    request = world.open("erasure", [("user_id", "7")])
    world.wait_closed(request)
    assert versions(bucket) == {"users/8/letter.txt": 2}
    fill(bucket)
    return request


def test_every_version_goes_again(world: World, bucket: S3Bench, habeas: CliRunner) -> None:
    world.start_worker()
    since = world.now()
    request = erased_and_filled_again(world, bucket)

    made = typed(habeas, "replay", "--system", "uploads", "--since", since.isoformat())["replay"]
    world.wait(lambda: world.ledger.replay(made).over, 90, "the replay to end")

    assert versions(bucket) == {"users/8/letter.txt": 4}
    assert world.ledger.replay(made).state == "clean"
    assert world.conclusion(request) == "answered"


def test_whom_nobody_knows_any_more_cannot_be_looked_for_in_a_bucket(
    world: World, bucket: S3Bench, habeas: CliRunner
) -> None:
    world.start_worker()
    since = world.now()
    world.ledger.shred(erased_and_filled_again(world, bucket), ALL, as_of=world.now())

    made = typed(habeas, "replay", "--system", "uploads", "--since", since.isoformat())["replay"]
    world.wait(lambda: world.ledger.replay(made).over, 90, "the replay to end")

    found = world.ledger.replay(made)
    assert (found.state, found.report["indeterminate"]) == ("unsure", {"cannot_be_listed": 1})
    assert versions(bucket)["users/7/letter.txt"] == 3
