"""A file in a bucket is corrected, looked at again, and comes back to a person when a job puts the old one there."""

import json
import os
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from activities.corrections import disputed
from starter.cli import app
from starter.stack import Objects
from tests.connectors.s3_place import shared_objects
from tests.connectors.s3_places import BY_PLACE, PlacesBench
from tests.stories.test_restriction import habeas, opened, typed
from tests.world import World

__all__ = ["habeas", "shared_objects"]

DETAILS = """
corrections:
  - {system: uploads, collection: objects, values: {full_name: Anna Quartz}}
"""
KEY = "users/7/profile.json"


@pytest.fixture
def bucket(world: World, objects: Objects) -> Iterator[PlacesBench]:
    bench = PlacesBench(objects, versioning="Enabled")
    bench.mark("test")
    os.environ |= {
        "TEST_S3_READER": f"{bench.reader.access_key}:{bench.reader.secret_key}",
        "TEST_S3_WRITER": f"{bench.writer.access_key}:{bench.writer.secret_key}",
    }
    options = f"bucket: {bench.bucket}, endpoint: 'http://127.0.0.1:{bench.proxy.port}', plaintext: true"
    uploads = BY_PLACE.replace("options: {plaintext: true", f"options: {{{options}", 1)
    uploads += "connection: {reader: env:TEST_S3_READER, writer: env:TEST_S3_WRITER}\nmode: auto\n"
    world.write_maps({"uploads": uploads})
    yield bench
    bench.close()


def says(bucket: PlacesBench) -> str:
    return str(json.loads(bucket.door.get_object(Bucket=bucket.bucket, Key=KEY)["Body"].read())["name"])


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_REC_01_a_file_is_corrected_and_what_stays_of_it_is_said(
    world: World, bucket: PlacesBench, habeas: CliRunner
) -> None:
    bucket.put(KEY, b'{"name": "Anna Qwartz", "since": 2019}')
    world.start_worker(HABEAS_RECTIFICATION_LOOK_AFTER="PT10S", HABEAS_WORKING_DAYS="0")
    request = opened(world, habeas, "rectification", DETAILS, ("user_id", "7"))
    world.wait_task(request, "accuracy")
    typed(habeas, "rectification", "decide", request, "--accept", "all")
    world.wait_closed(request)

    assert says(bucket) == "Anna Quartz"
    old = disputed(world.ledger, request, "uploads")["objects"]
    assert [row["full_name"] for row in old.values()] == [("Anna Qwartz",)]
    (verified,) = [r for r in world.receipts(request) if r["step"]["operation"] == "verify"]
    (count,) = verified["tally"]["counts"]
    assert (verified["outcome"], verified["certainty"]) == ("retained", "verified")
    assert [(kept["ground"], kept["rows"]) for kept in count["kept"]] == [("older version", 1)]
    answer = habeas.invoke(app, ["request", "answer", request]).stdout
    assert "older version" in answer, "the person is told that it is there"

    # A nightly job that does not know of it.
    bucket.put(KEY, b'{"name": "Anna Qwartz", "since": 2019}')
    task = world.wait_task(request, "changed_back", 150)
    assert says(bucket) == "Anna Qwartz", "nothing is written over by itself"
    typed(habeas, "request", "rule", request, "retry", "--task", task)
    world.wait(lambda: says(bucket) == "Anna Quartz", 60, "the correction, once more")
    assert "Qwartz" not in world.log
    assert "Quartz" not in world.log
