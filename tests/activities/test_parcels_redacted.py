"""What is taken out of a copy is in none of its files, and what the plan leaves out does not even reach the spool."""

import io
import json
import zipfile
from pathlib import Path

import bagit
import pytest

from activities.parcels import only_planned, open_parcel, package, spool
from activities.store import FileStore
from connectors.protocol import Export
from rights.plan import Work
from rights.redaction import Mark, Redacted
from tests.activities.parcel_samples import AT, CSV, KEY, REQUEST, export, facts, lines, no_beat

ROWS = [{"id": n, "body": f"from friend-{n} secret-{n}", "file": f"box/{n}.eml"} for n in range(1, 2501)]
"""So many that the copy is made in several pieces."""
TABLE = b'"id","body","file"\r\n' + b"".join(
    b'%d,"from friend-%d secret-%d","box/%d.eml"\r\n' % (n, n, n, n) for n in range(1, 2501)
)


def exports() -> list[Export]:
    """A table in both forms as a system gives it, and files."""
    files = [
        Export("mail", "message/rfc822", iter([f"full text of secret-{n}".encode()]), f"box/{n}.eml") for n in (1, 2, 3)
    ]
    return [export("mail", lines(ROWS)), export("mail", TABLE, CSV), *files]


def packed(store: FileStore, folder: Path, marks: list[Mark]) -> tuple[Redacted, dict[str, bytes]]:
    spool(store, REQUEST, "shop", exports(), key=KEY, beat=no_beat)
    made = package(store, REQUEST, ["shop"], key=KEY, facts=facts(), as_of=AT, beat=no_beat, marks=marks)
    out = folder / "parcel.zip"
    open_parcel(store, REQUEST, KEY, out, digest=made.digest, replace=True)
    with zipfile.ZipFile(io.BytesIO(out.read_bytes())) as archive:
        archive.extractall(folder)
        bagit.Bag(str(folder / f"habeas-{REQUEST}")).validate()
        return made.redacted, {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


def mark(**where: object) -> Mark:
    return Mark.model_validate({"system": "shop", "collection": "mail", "export": "d", **where})


def test_no_file_of_the_copy_holds_what_was_taken_out(tmp_path: Path) -> None:
    marks = [
        mark(row=1),
        mark(file=1),
        mark(row=2, field="body", start=5, end=13),
        mark(row=2400, field="body"),
        mark(file=2),
    ]

    taken, files = packed(FileStore(tmp_path / "store"), tmp_path, marks)

    assert taken == Redacted(rows=1, fields=1, passages=1, files=2)
    for gone in (b"secret-1 ", b'secret-1"', b"friend-2 ", b"friend-2400", b"secret-2400", b"full text of secret-1"):
        assert not [path for path, body in files.items() if gone in body], gone
    rows = [json.loads(line) for line in files["data/shop/mail.jsonl"].splitlines()]
    assert len(rows) == 2499
    assert rows[2:] == list(ROWS[3:2399]) + rows[2398:2399] + ROWS[2400:]
    assert files["data/shop/mail.csv"].count(b"\r\n") == 2500
    assert len([path for path in files if "/files/" in path]) == 1
    about = json.loads(files["data/about.json"])
    (mail,) = (c for c in about["systems"][0]["collections"] if c["collection"] == "mail")
    assert mail["redacted"] == {"rows": 1, "fields": 1, "passages": 1, "files": 2}
    assert b"1 row, 1 field, 1 passage, 2 files" in files["data/index.html"]


def test_without_marks_the_copy_is_what_the_system_gave(tmp_path: Path) -> None:
    taken, files = packed(FileStore(tmp_path / "store"), tmp_path, [])
    assert not taken.anything
    assert files["data/shop/mail.jsonl"] == lines(ROWS)
    assert files["data/shop/mail.csv"] == TABLE


@pytest.mark.parametrize(
    ("work", "given"),
    [
        (Work(collection="mail"), ["table", "table", "file", "file", "file"]),
        (Work(collection="mail", files=False), ["table", "table"]),
        (Work(collection="mail", left_out=True, files=False), []),
        (Work(collection="other", left_out=True), ["table", "table", "file", "file", "file"]),
    ],
)
def test_what_the_plan_leaves_out_is_read_past(work: Work, given: list[str]) -> None:
    pages: list[int] = []

    def told(export: Export) -> Export:
        def read() -> object:
            yield from export.pages
            pages.append(1)

        return Export(export.collection, export.media_type, read(), export.name)  # type: ignore[arg-type]

    wanted = []
    for one in only_planned((told(one) for one in exports()), [work]):
        wanted.append("file" if one.name else "table")
        for _ in one.pages:
            pass

    assert wanted == given
    assert len(pages) == 5, "every file is read to its end before the next is taken"
