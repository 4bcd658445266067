"""A bucket: one person's versions erased, by the connector and by a bare boto3 loop; and how memory grows with keys,
and with the size of an object that is exported.

The one rule: both delete the same number of versions on the same server. The loop lists versions and deletes them a
thousand at a time as it goes; it counts nothing before, has no fence, and does not look whether anything is left. CPU
is what client and server used together.
"""

from __future__ import annotations

import http.client
import os
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from connectors.conformance import Gate
from connectors.conformance.suite import Trial
from rights.subject import Identity
from starter.stack import HOST, Objects
from tests.connectors.s3_bench import BY_TEMPLATE, S3Bench

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

ROUNDS = 3
"""How often each erases one person; the first does not count."""
PER_KEY = 10
"""Versions of each object."""
BATCH = 1000
PART = 64 << 20
"""Bytes of each part of a large object."""


@dataclass
class Spent:
    """What a piece of work took."""

    cpu: float = 0.0
    wall: float = 0.0


@dataclass
class Measured:
    """The connector and the loop; and the most memory that a look took, by keys."""

    ours: Spent = field(default_factory=Spent)
    script: Spent = field(default_factory=Spent)
    peaks: dict[int, float] = field(default_factory=dict)
    """MB that Python held at most beyond what it held before, by the number of keys looked through."""
    export: Spent = field(default_factory=Spent)
    export_peak: float = 0.0
    """The same, while one large object was exported."""


def measure(versions: int, keys: int, size: int) -> Measured:
    """Time the two on so many versions, export an object of `size` bytes, and look through a tenth of so many keys, and
    through all."""
    measured = Measured()
    with Objects() as server:
        # No link is told of each key: all links of a look are held, up to a bound of their own.
        bench = S3Bench(server, BY_TEMPLATE.replace("{yields: object_key}", "{}"))
        # Straight to the server, as the loop goes: what stands between them in tests would be measured too.
        bench.system = bench.system.model_copy(
            update={"options": {**bench.system.options, "endpoint": f"http://{HOST}:{server.port}", "batch": BATCH}}
        )
        bench.connector = bench.connected()
        bench.mark("conformance")
        for number in range(2 * ROUNDS):
            _fill(bench, f"p{number}", versions // PER_KEY, PER_KEY)
        client = server.client(bench.writer)
        for number in range(ROUNDS):
            with _spending(server, measured.ours if number else Spent()):
                gone = _by_connector(bench, f"p{2 * number}")
            with _spending(server, measured.script if number else Spent()):
                gone -= _by_hand(client, bench.bucket, f"users/p{2 * number + 1}/")
            if gone:
                raise AssertionError("they did not delete the same")
        _fill_large(bench, "large", size)
        with _spending(server, measured.export):
            measured.export_peak = _export(bench, "large", size)
        for many in (keys // 10, keys):
            _fill(bench, f"k{many}", many, 1)
            measured.peaks[many] = _peak(bench, f"k{many}", many)
        bench.close()
    return measured


def _by_connector(bench: S3Bench, user: str) -> int:
    return bench.connector.erase(Trial(bench).call([Identity("user_id", user)], fence=Gate())).changed


def _by_hand(client: S3Client, bucket: str, prefix: str) -> int:
    gone = 0
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        things = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": things, "Quiet": True})  # type: ignore[typeddict-item]
        if answer.get("Errors"):
            raise AssertionError("a version was refused")
        gone += len(things)
    return gone


def _peak(bench: S3Bench, user: str, many: int) -> float:
    call = Trial(bench).call([Identity("user_id", user)])
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    found = bench.connector.locate(call).tally.found
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if found != many:
        raise AssertionError(f"{found} of {many} keys were found")
    return (peak - before) / 1e6


def _fill_large(bench: S3Bench, user: str, size: int) -> None:
    bucket, key = bench.bucket, f"users/{user}/0.bin"
    upload = bench.door.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    parts: list[CompletedPartTypeDef] = []
    for number, start in enumerate(range(0, size, PART), start=1):
        body = bytes([number % 256]) * min(PART, size - start)
        part = bench.door.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    bench.door.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})


def _export(bench: S3Bench, user: str, size: int) -> float:
    trial = Trial(bench)
    given = 0
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for part in trial.exports(trial.call([Identity("user_id", user)])):
        length = sum(map(len, part.pages))
        given += length if part.name else 0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if given != size:
        raise AssertionError(f"{given} of {size} bytes were given")
    return (peak - before) / 1e6


def _fill(bench: S3Bench, user: str, keys: int, versions: int) -> None:
    """Put objects; signed by botocore and sent over kept connections, which takes a fifth of what its client does."""
    server = bench.server
    own = threading.local()
    credentials = Credentials(server.admin.access_key, server.admin.secret_key)

    def put(number: int) -> None:
        if not hasattr(own, "line"):
            own.line = http.client.HTTPConnection(HOST, server.port, timeout=60)
        place = f"/{bench.bucket}/users/{user}/{number:07}.txt"
        for _ in range(versions):
            request = AWSRequest("PUT", f"{server.endpoint}{place}", data=b"x")
            S3SigV4Auth(credentials, "s3", server.region).add_auth(request)
            own.line.request("PUT", place, b"x", dict(request.headers.items()))
            answer = own.line.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise AssertionError(f"an object was refused: {answer.status}")

    with ThreadPoolExecutor(4) as pool:
        for start in range(0, keys, 10_000):
            list(pool.map(put, range(start, min(start + 10_000, keys))))


@contextmanager
def _spending(server: Objects, spent: Spent) -> Iterator[None]:
    before, start = _cpu(server), time.monotonic()
    yield
    spent.cpu += _cpu(server) - before
    spent.wall += time.monotonic() - start


def _cpu(server: Objects) -> float:
    """Seconds of processor time of this process and of the server's."""
    times = psutil.Process(server.pid).cpu_times()
    return sum(os.times()[:2]) + times.user + times.system
