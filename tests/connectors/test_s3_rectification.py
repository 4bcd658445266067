"""Correcting in a bucket: what stands inside a person's files, in their metadata and tags, on a real server."""

import json
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from connectors.conformance import AS_OF, Bench, Gate, Trial
from connectors.conformance.correcting import Kept
from connectors.conformance.rectifying import Rectifying
from connectors.errors import Held, NeedsHuman, Retryable
from connectors.protocol import Call, Correction, Intent
from connectors.s3 import build
from connectors.s3.rectification import OLDER_VERSION
from rights import receipt
from rights.codes import Code
from rights.datamap import DataMap, System
from rights.plan import make_plan
from rights.receipt import Tally
from rights.request import Right
from rights.subject import Identity
from starter.stack import HOST, Objects
from tests.connectors.s3_place import shared_objects
from tests.connectors.s3_places import PlacesBench

__all__ = ["shared_objects"]


@pytest.mark.soak
class TestPromises(Rectifying):
    """In a bucket that keeps no versions, so that a row keeps its key."""

    @pytest.fixture
    def bench(self, objects: Objects) -> Iterator[Bench]:
        bench = PlacesBench(objects)
        yield bench
        bench.close()


@pytest.fixture
def bench(objects: Objects) -> Iterator[PlacesBench]:
    yield from made(PlacesBench(objects))


@pytest.fixture
def versioned(objects: Objects) -> Iterator[PlacesBench]:
    yield from made(PlacesBench(objects, versioning="Enabled"))


def made(bench: PlacesBench) -> Iterator[PlacesBench]:
    bench.mark("conformance")
    yield bench
    bench.close()


def asking(bench: PlacesBench, key: tuple[str, ...] | None = None, /, **values: str | None) -> Call:
    corrections = (Correction("objects", values, key),)
    return replace(Trial(bench).call([Identity("user_id", "1")]), corrections=corrections)


def body(bench: PlacesBench, key: str, version: str = "") -> bytes:
    extra = {"VersionId": version} if version else {}
    door: Any = bench.door
    found: bytes = door.get_object(Bucket=bench.bucket, Key=key, **extra)["Body"].read()
    return found


def tags(bench: PlacesBench, key: str, version: str = "") -> dict[str, str]:
    extra = {"VersionId": version} if version else {}
    door: Any = bench.door
    tag_set = door.get_object_tagging(Bucket=bench.bucket, Key=key, **extra)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in tag_set}


def test_REC_01_a_file_is_corrected_where_the_map_says_and_keeps_all_it_has(bench: PlacesBench) -> None:
    about = {
        "CacheControl": "no-store",
        "ContentDisposition": 'inline; filename="a.json"',
        "ContentLanguage": "de",
        "ContentType": "application/json",
        "Metadata": {"owner": "Anna", "by": "app"},
    }
    bench.put("users/1/a.json", b'{"name": "Anna", "address": {"street": "Old 1"}}', Tagging="owner=Anna&k=v", **about)
    bench.put("users/1/photo.png", b'{"name": "Anna"}')
    bench.put("users/2/a.json", b'{"name": "Anna"}')

    tally = bench.connector.rectify(asking(bench, full_name="Ann B", street=None, shown="Ann"))

    assert (tally.found, tally.rectified) == (1, 1)
    assert body(bench, "users/1/a.json") == b'{"name": "Ann B", "address": {"street": null}}'
    head = bench.door.head_object(Bucket=bench.bucket, Key="users/1/a.json")
    assert {name: head[name] for name in about} == {**about, "Metadata": {"owner": "Ann", "by": "app"}}  # type: ignore[literal-required]
    assert tags(bench, "users/1/a.json") == {"owner": "Ann B", "k": "v"}
    assert body(bench, "users/1/photo.png") == body(bench, "users/2/a.json") == b'{"name": "Anna"}'


def test_a_header_that_names_somebody_is_corrected(bench: PlacesBench) -> None:
    bench.put("users/1/scan.pdf", b"%PDF", ContentDisposition='attachment; filename="Anna.pdf"')

    tally = bench.connector.rectify(asking(bench, content_disposition='attachment; filename="Ann.pdf"'))

    assert tally.rectified == 1
    head = bench.door.head_object(Bucket=bench.bucket, Key="users/1/scan.pdf")
    assert (head["ContentDisposition"], body(bench, "users/1/scan.pdf")) == ('attachment; filename="Ann.pdf"', b"%PDF")


def test_every_value_that_is_written_over_is_kept(bench: PlacesBench) -> None:
    bench.put("users/1/a.jsonl", b'{"who":{"name":"Anna"}}\n{"who":{"name":"Anne"}}\n{"who":{"name":"Anna"}}')
    kept = Kept()

    bench.connector.rectify(replace(asking(bench, full_name="Ann"), keep=kept))

    assert [values["full_name"] for _, values in sorted(kept.first.items())] == ["Anna", "Anne"]


def test_an_older_version_keeps_what_it_says_and_the_receipt_says_so(versioned: PlacesBench) -> None:
    first = versioned.put("users/1/a.json", b'{"name": "Anna"}', Tagging="owner=Anna")
    versioned.put("users/1/a.json", b'{"name": "Anna", "n": 2}', Tagging="owner=Anna")
    gate = Gate()

    tally = versioned.connector.rectify(replace(asking(versioned, full_name="Ann"), fence=gate))

    assert body(versioned, "users/1/a.json") == b'{"name": "Ann", "n": 2}'
    assert body(versioned, "users/1/a.json", first) == b'{"name": "Anna"}', "a version is never written over"
    assert [part.kept for part in tally.counts] == [(receipt.Kept(ground=OLDER_VERSION, rows=2),)]
    assert {tags(versioned, *row)["owner"] for row in versioned.everything()["objects"]} == {"Ann"}, "tags can be"
    again = versioned.connector.rectify(asking(versioned, full_name="Ann"))
    assert (again.rectified, [part.kept for part in again.counts]) == (0, [part.kept for part in tally.counts])


def test_older_versions_that_say_something_else_go_where_the_map_wants_it(versioned: PlacesBench) -> None:
    versioned.put("users/1/a.json", b'{"name": "Anna"}')
    versioned.put("users/1/a.json", b'{"name": "Ann"}')
    versioned.put("users/1/a.json", b'{"name": "Anna", "n": 3}')
    versioned.put("users/1/b.json", b'{"name": "Anna"}')
    versioned.door.delete_object(Bucket=versioned.bucket, Key="users/1/b.json")
    kept = Kept()
    connector = versioned.connected(older_versions="delete")

    tally = connector.rectify(replace(asking(versioned, full_name="Ann"), keep=kept))

    assert (tally.rectified, tally.changed, tally.kept_rows) == (1, 2, 0)
    left = [body(versioned, *row) for row, about in versioned.everything()["objects"].items() if "full_name" in about]
    assert sorted(left) == [b'{"name": "Ann", "n": 3}', b'{"name": "Ann"}']
    assert len(kept.first) == 3, "what they said is kept before they go"


def test_somebody_who_writes_in_between_loses_nothing(bench: PlacesBench) -> None:
    bench.put("users/1/a.json", b'{"name": "Anna", "n": 1}')
    kept = Kept()

    def meanwhile() -> None:
        bench.put("users/1/a.json", b'{"name": "Anja", "n": 2}')

    with bench.proxy.failing("PUT", "users/1/a.json", before=meanwhile) as fault:
        tally = bench.connector.rectify(replace(asking(bench, full_name="Ann"), keep=kept))

    assert not fault.times
    assert body(bench, "users/1/a.json") == b'{"name": "Ann", "n": 2}', "theirs is read anew, and corrected"
    assert tally.rectified == 1
    assert {values["full_name"] for values in kept.first.values()} == {"Anna"}, "by place the first stays"


def test_what_is_written_all_the_time_is_tried_again_later(bench: PlacesBench) -> None:
    bench.put("users/1/a.json", b'{"name": "Anna", "n": 0}')
    numbers = count(1)

    def meanwhile() -> None:
        bench.put("users/1/a.json", b'{"name": "Anna", "n": %d}' % next(numbers))

    with (
        bench.proxy.failing("PUT", "users/1/a.json", before=meanwhile, times=9),
        pytest.raises(Retryable) as caught,
    ):
        bench.connector.rectify(asking(bench, full_name="Ann"))

    assert (caught.value.code, caught.value.tally.rectified) == (Code.BUSY, 0)
    assert json.loads(body(bench, "users/1/a.json"))["name"] == "Anna"


def test_what_is_changed_back_is_not_called_corrected(bench: PlacesBench) -> None:
    bench.put("users/1/a.json", b'{"name": "Anna"}')
    gate = Gate()

    @contextmanager
    def fence(planned: Mapping[str, int], look: Tally) -> Iterator[Intent]:
        with gate(planned, look) as intent:
            yield intent
        bench.put("users/1/a.json", b'{"name": "Anna"}')

    with pytest.raises(NeedsHuman) as caught:
        bench.connector.rectify(replace(asking(bench, full_name="Ann"), fence=fence))

    assert (caught.value.code, caught.value.about) == (Code.CHANGED_BACK, "objects.full_name")
    assert caught.value.tally.rectified == 1, "it was written, and is not so any more"


KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
from connectors.conformance import Gate
from connectors.protocol import Call, Correction
from connectors.s3 import build
from rights.subject import Identity
from tests.connectors.s3_bench import system_of
from tests.connectors.s3_places import BY_PLACE
from tests.connectors.test_s3_rectification import Asked

bucket, endpoint, secret, kept = sys.argv[1:]
asked = Asked(system_of(BY_PLACE, bucket, endpoint), secret)
with Path(kept).open("a") as out:
    asked.connector.rectify(replace(asked.call(), keep=lambda old: print(old, file=out, flush=True)))
"""


class Asked:
    """A connector and a call in a process of its own."""

    def __init__(self, system: System, secret: str) -> None:
        self.system = system
        self.connector = build(system, {"reader": secret, "writer": secret})

    def call(self) -> Call:
        plan = make_plan(Right.RECTIFICATION, DataMap.of({self.system.system: self.system}), AS_OF)
        return Call(
            key="killed",
            as_of=AS_OF,
            system=self.system,
            work=plan.of(self.system.system).works,
            identities=(Identity("user_id", "1"),),
            beat=lambda: None,
            fence=Gate(),
            environment="conformance",
            corrections=(Correction("objects", {"full_name": "Ann"}),),
        )


@pytest.mark.parametrize(("part", "written"), [("users/1/a.jsonl", 1), ("users/1/b.csv", 2)])
def test_REC_01_a_worker_that_is_killed_while_it_writes_leaves_no_file_in_halves(
    bench: PlacesBench, tmp_path: Path, part: str, written: int
) -> None:
    """It is killed when the store has the request and before it answers; the next attempt goes by what is there."""
    whole = {"users/1/a.jsonl": b'{"who":{"name":"Anna"}}\n' * 5000, "users/1/b.csv": b"Customer\n" + b"Anna\n" * 5000}
    for key, content in whole.items():
        bench.put(key, content)
    kept = tmp_path / "kept"
    secret = f"{bench.writer.access_key}:{bench.writer.secret_key}"
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, bench.bucket, f"http://{HOST}:{bench.proxy.port}", secret, str(kept)]
    )

    with bench.proxy.failing("PUT", part, before=child.kill) as fault:
        assert child.wait(60) == -signal.SIGKILL

    assert not fault.times
    assert kept.read_text().count("Anna") == 2, "what stood there is kept before anything is written"
    for _ in range(200):  # the request is on its way, whatever became of who sent it
        if b"Anna" not in body(bench, part):
            break
        time.sleep(0.05)
    tally = bench.connector.rectify(replace(asking(bench, full_name="Ann"), cut_short=True))

    assert tally.rectified == 2 - written
    assert {key: body(bench, key) for key in whole} == {k: v.replace(b"Anna", b"Ann") for k, v in whole.items()}
    assert not bench.door.list_multipart_uploads(Bucket=bench.bucket).get("Uploads")


def test_what_the_bucket_locks_is_not_written_over(objects: Objects) -> None:
    for bench in made(PlacesBench(objects, lock=True)):
        bench.put("users/1/b.json", b'{"name": "Anna"}')
        version = bench.put("users/1/a.json", b'{"name": "Anna"}')
        lock = {"Bucket": bench.bucket, "Key": "users/1/a.json", "VersionId": version}
        bench.door.put_object_legal_hold(**lock, LegalHold={"Status": "ON"})  # type: ignore[arg-type]

        with pytest.raises(Held) as held:
            bench.connector.rectify(asking(bench, full_name="Ann"))
        assert held.value.code is Code.LEGAL_HOLD

        bench.door.put_object_legal_hold(**lock, LegalHold={"Status": "OFF"})  # type: ignore[arg-type]
        until = datetime.now(UTC) + timedelta(days=2)
        bench.door.put_object_retention(**lock, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})  # type: ignore[arg-type]
        with pytest.raises(NeedsHuman) as caught:
            bench.connector.rectify(asking(bench, full_name="Ann"))

        assert (caught.value.code, caught.value.about) == (Code.NOT_RECTIFIABLE, "objects (object lock)")
        bodies = [body(bench, *row) for row in bench.everything()["objects"]]
        assert bodies == [b'{"name": "Anna"}'] * 2, "nothing else is written either"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"full_name": "Ann & Co"}, Code.VALUE),
        ({"full_name": "\ud800"}, Code.VALUE),
        ({"shown": "Änn"}, Code.VALUE),
        ({"content_disposition": None}, Code.VALUE),
        ({"file": "x"}, Code.NOT_RECTIFIABLE),
        ({"last_modified": "x"}, Code.NOT_RECTIFIABLE),
        ({"user_id": "x"}, Code.NOT_RECTIFIABLE),
        ({"age": "many"}, Code.VALUE),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(
    bench: PlacesBench, values: dict[str, str | None], code: Code
) -> None:
    bench.put("users/1/a.json", b'{"name": "Anna"}', Tagging="owner=Anna", Metadata={"owner": "Anna"})
    bench.put("users/1/b.jsonl", b'{"age": 41}')
    before, gate, kept = bench.everything(), Gate(), Kept()

    with pytest.raises(NeedsHuman) as caught:
        bench.connector.rectify(replace(asking(bench, **values), fence=gate, keep=kept))

    assert caught.value.code is code
    assert (gate.passages, kept.first, bench.everything()) == ([], {}, before)


def test_a_file_that_is_not_what_its_ending_says_stops_it_all(bench: PlacesBench) -> None:
    bench.put("users/1/a.json", b'{"name": "Anna"}')
    bench.put("users/1/b.json", b'{"name": "Anna"')

    with pytest.raises(NeedsHuman) as caught:
        bench.connector.rectify(asking(bench, full_name="Ann"))

    assert caught.value.code is Code.SHAPE
    assert body(bench, "users/1/a.json") == b'{"name": "Anna"}'


def test_a_file_that_is_cut_short_on_its_way_is_never_written(bench: PlacesBench) -> None:
    bench.put("users/1/a.jsonl", b'{"who":{"name":"Anna"}}\n{"who":{"name":"Anna"}}\n')

    with (
        bench.proxy.failing("GET", "users/1/a.jsonl", cut=24),
        pytest.raises(Retryable),
    ):
        bench.connector.rectify(asking(bench, full_name="Ann"))

    assert body(bench, "users/1/a.jsonl").count(b"Anna") == 2


def test_a_restricted_file_stays_restricted(bench: PlacesBench) -> None:
    bench.put("users/1/a.json", b'{"name": "Anna"}', Tagging="kind=upload")
    locked = bench.connector.restrict(asking(bench))

    bench.connector.rectify(replace(asking(bench, full_name="Ann"), restricted=locked.state))

    assert json.loads(body(bench, "users/1/a.json")) == {"name": "Ann"}
    assert tags(bench, "users/1/a.json").keys() == {"kind", "habeas-restricted"}
    bench.connector.lift(replace(asking(bench), restricted=locked.state))
    assert tags(bench, "users/1/a.json") == {"kind": "upload"}


def test_what_stands_in_files_is_given_with_them_and_in_no_cell(bench: PlacesBench) -> None:
    bench.put("users/1/a.json", b'{"name": "Anna"}')

    parts = bench.connector.export(asking(bench))
    assert isinstance(parts, Iterator)
    files = {part.name: b"".join(part.pages) for part in parts}

    assert files["current/users/1/a.json"] == b'{"name": "Anna"}'
    assert "full_name" not in json.loads(files[""])


@pytest.mark.soak
def test_a_large_file_is_corrected_in_flat_memory(bench: PlacesBench) -> None:
    """Straight to the server: the wire in between holds what it forwards."""
    connector = bench.connected(endpoint=f"http://{HOST}:{bench.server.port}")
    line = b'{"who":{"name":"Anna"},"text":"%s"}\n' % (b"x" * 4000)
    bench.put("users/1/warm.jsonl", line)
    connector.rectify(asking(bench, full_name="Anne"))
    bench.put("users/1/a.jsonl", line * 12_000)
    tracemalloc.start()

    tally = connector.rectify(asking(bench, full_name="Ann"))

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tally.rectified == 2
    assert (
        bench.door.head_object(Bucket=bench.bucket, Key="users/1/a.jsonl")["ContentLength"]
        == len(line) * 12_000 - 12_000
    )
    assert most < 12 << 20
