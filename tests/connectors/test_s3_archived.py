"""Archived objects, on the one server that has archives (moto): restored and waited for, asked about, or erased."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from connectors.conformance import AS_OF, ENVIRONMENT, Gate
from connectors.errors import NeedsHuman
from connectors.protocol import Call, Pending
from connectors.s3 import Bucket, build
from rights.codes import Code
from rights.datamap import DataMap
from rights.plan import make_plan
from rights.request import Right
from rights.subject import Identity
from tests.connectors.s3_bench import BY_TEMPLATE, system_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "archive-bucket"


class Archive:
    """A bucket with one object of user 1 in an archive."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.door: S3Client = boto3.session.Session().client(
            "s3", endpoint_url=self.endpoint, aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1"
        )
        self.door.create_bucket(Bucket=BUCKET)
        self.door.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.door.put_bucket_tagging(
            Bucket=BUCKET, Tagging={"TagSet": [{"Key": "habeas-environment", "Value": ENVIRONMENT}]}
        )
        self.door.put_object(Bucket=BUCKET, Key="users/1/old", Body=b"cold", StorageClass="GLACIER")

    def connector(self, **options: Any) -> Bucket:
        system = system_of(BY_TEMPLATE, BUCKET, self.endpoint, **options)
        return build(system, {"reader": "x:x", "writer": "x:x"})

    def call(self, connector: Bucket) -> Call:
        system = connector.system
        return Call(
            key="archive/uploads/export/0",
            as_of=AS_OF,
            system=system,
            work=make_plan(Right.ACCESS, DataMap.of({system.system: system}), AS_OF).of(system.system).works,
            identities=(Identity("user_id", "1"),),
            beat=lambda: None,
            fence=Gate(),
            environment=ENVIRONMENT,
        )


@pytest.fixture
def archive() -> Iterator[Archive]:
    s3_backends.reset()  # it lives in this process, and remembers
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield Archive(port)
    server.stop()


def test_without_leave_to_restore_a_person_is_asked(archive: Archive) -> None:
    connector = archive.connector()

    with pytest.raises(NeedsHuman) as caught:
        connector.export(archive.call(connector))

    assert caught.value.code is Code.ARCHIVED
    assert "Restore" not in archive.door.head_object(Bucket=BUCKET, Key="users/1/old")


def test_with_leave_it_is_restored_waited_for_and_given(archive: Archive) -> None:
    connector = archive.connector(restore_days=3, restore_tier="Standard")

    answer = connector.export(archive.call(connector))

    assert isinstance(answer, Pending)
    assert answer.check_after == timedelta(hours=3)
    assert "Restore" in archive.door.head_object(Bucket=BUCKET, Key="users/1/old")
    for _ in range(3):
        if not isinstance(answer := connector.export(archive.call(connector)), Pending):
            break
    assert not isinstance(answer, Pending)
    given = {part.name: b"".join(part.pages) for part in answer}
    assert given["current/users/1/old"] == b"cold"


def test_an_erasure_needs_no_restore(archive: Archive) -> None:
    connector = archive.connector()

    assert connector.erase(archive.call(connector)).changed == 1

    assert archive.door.list_object_versions(Bucket=BUCKET).get("Versions", []) == []
