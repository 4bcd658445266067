"""Files with names of their own: whatever they are called, they come out whole, under a name that does no harm."""

import csv
import hashlib
import json
import logging
import re
import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import bagit
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.parcels import BadExport, open_parcel, package, spool, spool_name
from activities.spool import kept_as
from activities.store import FileStore
from connectors.protocol import Export
from tests.activities.parcel_samples import AT, JSON, KEY, REQUEST, export, facts, lines, no_beat, opened

TABLE = lines([{"id": 1}])
HOSTILE = [
    "../../etc/passwd",
    "..\\..\\windows\\system.ini",
    "/",
    "..",
    "\0",
    "a\0b.eml",
    "x" * 300 + ".pdf",
    "CON",
    "con.txt",
    "ends with a dot. ",
    "Straße/Müller, Übersicht.PDF",
    "写真.jpg",
    "anna.eml",
    "Anna.EML",
    "anna.eml",
    "=cmd|' /C calc'!A0",
    "half \udc80 a pair",
    "orders.jsonl",
    "line\nend  data/index.html",
    "<script>alert(1)</script>.html",
    "." + "e" * 400,
]


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def named(name: str, body: bytes, collection: str = "mail", media_type: str = "message/rfc822") -> Export:
    return Export(collection, media_type, iter([body]), name)


def exports(names: list[str]) -> Iterator[Export]:
    yield export("mail", TABLE)
    for number, name in enumerate(names):
        yield named(name, f"body {number}".encode())


def listed(bag: Path, collection: str = "mail") -> list[dict[str, object]]:
    # Cut at line ends alone: a name may hold what else Python takes for one.
    return [json.loads(line) for line in (bag / f"data/shop/{collection}/files.jsonl").read_bytes().split(b"\n")[:-1]]


def test_hostile_names_stay_inside_and_are_told_in_the_list(store: FileStore, out: Path) -> None:
    bag = opened(store, out, exports(HOSTILE))
    bagit.Bag(str(bag)).validate()
    held = listed(bag)
    assert [line["name"] for line in held] == HOSTILE
    for number, line in enumerate(held):
        body = (bag / "data/shop/mail" / str(line["file"])).read_bytes()
        assert body == f"body {number}".encode()
        assert (line["bytes"], line["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert len({str(line["file"]).lower() for line in held}) == len(HOSTILE)
    assert sorted(path.name for path in out.iterdir()) == [bag.name, "parcel.zip"]
    assert (bag / "data/shop/mail/files/00011-Strasse.PDF").exists() is False
    assert (bag / "data/shop/mail/files/00011-Muller_Ubersicht.PDF").exists()


def test_the_list_as_a_table_starts_no_formula(store: FileStore, out: Path) -> None:
    bag = opened(store, out, exports(["=1+1.eml", "plain.eml"]))
    with (bag / "data/shop/mail/files.csv").open(newline="") as text:
        assert [row["name"] for row in csv.DictReader(text, strict=True)] == ["'=1+1.eml", "plain.eml"]


@given(st.integers(1, 10**7), st.text(st.characters(), max_size=300))
def test_any_name_becomes_one_that_every_machine_can_write(number: int, name: str) -> None:
    kept = kept_as(number, name)
    assert re.fullmatch(r"[0-9]{5,}(-[A-Za-z0-9._-]*[A-Za-z0-9])?", kept), kept
    assert len(kept) <= 70
    assert kept.startswith(f"{number:05}")


def test_two_thousand_files_are_counted_and_the_page_stays_small(store: FileStore, out: Path) -> None:
    few = len((opened(store, out, exports([f"message {n}.eml" for n in range(20)])) / "data/index.html").read_bytes())
    (out / "more").mkdir()
    bag = opened(store, out / "more", exports([f"message {n}.eml" for n in range(2000)]))
    bagit.Bag(str(bag)).validate()
    page = (bag / "data/index.html").read_text()
    assert "1 row, 2,000 files" in page
    assert 'href="shop/mail/files.csv"' in page
    assert len(page.encode()) < few + 200
    assert ">message 19.eml</a>" in page
    assert ">message 20.eml</a>" not in page
    assert "These are the first 20 of 2,000 files." in page
    assert len((bag / "data/about.json").read_bytes()) < 5000
    assert len(list((bag / "data/shop/mail/files").iterdir())) == len(listed(bag)) == 2000


def test_the_digest_is_the_same_again_and_covers_names_and_bodies(store: FileStore) -> None:
    def digest(*files: Export) -> str:
        given = [export("mail", TABLE), *files]
        result = spool(store, REQUEST, "shop", given, key=KEY, beat=no_beat)
        packed = package(store, REQUEST, ["shop"], key=KEY, facts=facts(), as_of=AT, beat=no_beat)
        assert packed.exports == {"shop": result.digest}
        return result.digest

    first = digest(named("a/x.eml", b"1"))
    assert digest(named("a/x.eml", b"1")) == first
    assert digest(named("a/x.eml", b"2")) != first
    assert digest(named("b/x.eml", b"1")) != first
    assert digest() != first


def test_the_digest_can_be_found_again_in_the_bag(store: FileStore, out: Path) -> None:
    given = [*exports(HOSTILE), export("orders.csv", TABLE), named("x", b"1", "orders.csv"), export("orders", TABLE)]
    result = spool(store, REQUEST, "shop", given, key=KEY, beat=no_beat)
    package(store, REQUEST, ["shop"], key=KEY, facts=facts(), as_of=AT, beat=no_beat)
    open_parcel(store, REQUEST, KEY, out / "p.zip")
    lines_of = "grep -E ' data/shop/(.*[.]jsonl|[^/]*/files/.*)$'"
    command = f"unzip -p p.zip '*/manifest-sha256.txt' | grep -v tagmanifest | {lines_of} | sha256sum"
    said = subprocess.run(["bash", "-c", command], cwd=out, capture_output=True, text=True, check=True)
    assert said.stdout.split()[0] == result.digest
    subprocess.run(["unzip", "-q", "p.zip"], cwd=out, check=True)
    bagit.Bag(str(out / f"habeas-{REQUEST}")).validate()


def test_files_of_a_collection_without_rows_are_not_called_nothing(store: FileStore, out: Path) -> None:
    bag = opened(store, out, [export("mail", b""), named("a.eml", b"1")])
    page = (bag / "data/index.html").read_text()
    assert "nothing about you found" not in page
    assert "0 rows, 1 file" in page


def test_a_named_table_is_a_file_and_kept_as_it_is(store: FileStore, out: Path) -> None:
    given = [named("rows.jsonl", b'{"n":1}', media_type=JSON), named("t.csv", b"=1", media_type="text/csv")]
    bag = opened(store, out, [*given, export("mail", TABLE)])
    assert (bag / "data/shop/mail/files/00001-rows.jsonl").read_bytes() == b'{"n":1}'
    assert (bag / "data/shop/mail/files/00002-t.csv").read_bytes() == b"=1"
    assert (bag / "data/shop/mail.jsonl").read_bytes() == TABLE


def test_no_name_stands_in_a_log_an_error_or_in_clear(
    store: FileStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(BadExport, match=r"^shop\.mail: .*no JSON lines") as caught:
        spool(store, REQUEST, "shop", [named("canary.eml", b"1")], key=KEY, beat=no_beat)
    assert "canary" not in str(caught.value) + repr(caught.value.args)
    assert not store.exists(spool_name(REQUEST, "shop"))
    spool(store, REQUEST, "shop", exports(["canary.eml"]), key=KEY, beat=no_beat)
    package(store, REQUEST, ["shop"], key=KEY, facts=facts(), as_of=AT, beat=no_beat)
    for path in (tmp_path / "store").rglob("*"):
        assert "canary" not in path.name
        assert path.is_dir() or b"canary" not in path.read_bytes()
    assert "canary" not in caplog.text


def test_a_large_file_passes_with_flat_memory(store: FileStore, out: Path) -> None:
    page = bytes(1 << 20)
    large = Export("mail", "video/mp4", (page for _ in range(300)), "holiday.mp4")
    tracemalloc.start()
    try:
        result = spool(store, REQUEST, "shop", [export("mail", TABLE), large], key=KEY, beat=no_beat)
        package(store, REQUEST, ["shop"], key=KEY, facts=facts(), as_of=AT, beat=no_beat)
        open_parcel(store, REQUEST, KEY, out / "p.zip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.size == len(TABLE) + (300 << 20)
    assert peak < 12_000_000
    subprocess.run(["unzip", "-q", "p.zip"], cwd=out, check=True)
    bagit.Bag(str(out / f"habeas-{REQUEST}")).validate()


def test_a_hostile_name_is_shown_and_not_obeyed(store: FileStore, out: Path) -> None:
    page = (opened(store, out, exports(['<img src=x onerror="alert(1)">.eml'])) / "data/index.html").read_text()

    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;.eml</a>" in page
    assert "<img" not in page
