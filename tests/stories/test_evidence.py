"""Evidence and audit packs through the command line, of requests on real systems, with a real time-stamping authority:
an access, an erasure with rows that stay and a system that only a person can reach, and a refusal."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from starter.cli import app
from tests.stories.test_deciding import Desk, evidence, refuse
from tests.stories.test_deciding import desk as desk  # the fixture
from tests.stories.test_rulings import ARCHIVE
from tests.tsa import Tsa
from tests.world import ROOT, World, shop_map

PERSON = (b"c7@shop.example", b"Name" + hashlib.md5(b"n7", usedforsecurity=False).hexdigest().encode(), b"+49301000007")
"""What tells of customer 7."""


@pytest.fixture
def tsa(tmp_path: Path) -> Iterator[Tsa]:
    with Tsa(tmp_path / "tsa") as tsa:
        yield tsa


def separately(file: Path, keys: Path, *more: str) -> str:
    """The word of the verifier in docs/, in a process that cannot import the engine."""
    done = subprocess.run(
        [sys.executable, "-P", ROOT / "docs" / "verify_evidence.py", file, "--keys", keys, *more],
        cwd=file.parent,
        env={name: value for name, value in os.environ.items() if not name.startswith(("HABEAS", "PYTHON"))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == (done.stdout != "genuine\n"), done.stderr
    return done.stdout.strip()


def verdict(file: Path, *more: str) -> Any:
    """What the command finds of a file, genuine or not."""
    done = CliRunner().invoke(app, ["evidence", "verify", str(file), *more, "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == (0 if found["verdict"] == "genuine" else 1)
    return found["verdict"]


def said(file: Path) -> Any:
    """The predicate of a file, read by hand."""
    return json.loads(base64.b64decode(json.loads(file.read_bytes())["payload"]))["predicate"]


@pytest.mark.soak
def test_what_closed_requests_leave_behind_can_be_believed_without_the_engine(
    world: World, desk: Desk, tsa: Tsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HABEAS_EVIDENCE", json.dumps({"tsa": tsa.url, "tsa_roots": str(tsa.roots)}))
    world.write_maps({"shop": shop_map(retention=True), "archive": ARCHIVE})
    erasure = desk.open("erasure", "c7@shop.example")
    access = desk.open("access", "c8@shop.example")
    refused = desk.open("access", "c9@shop.example")
    decision = desk(*refuse(desk, refused, *evidence(desk, "reason", "objective", "subjective")))["id"]
    desk("decision", "dissent", decision, "--by", "s-04", "--note-file", desk.text("dissent", "zqdissent"))
    assert "is open" in desk.refused("evidence", "export", erasure)
    open_pack = desk("audit-pack", erasure, "--out", str(world.home / "open.zip"))
    assert not open_pack["closed"]
    world.ledger.close_connections()
    older = f"{world.ledger_db}_older"
    world.postgres.create_database(older, template=world.ledger_db)
    world.start_worker()
    desk("decision", "approve", decision, "--by", "s-18")
    by_hand(world, erasure, access, refused)

    keys = world.home / "keys.pem"
    published = desk("evidence", "keys", "--out", str(keys))["keys"]
    files = {}
    for request in (erasure, access, refused):
        files[request] = world.home / f"{request}.evidence.json"
        assert desk("evidence", "export", request)["timestamp"]
        assert desk("evidence", "show", request)["predicate"] == said(files[request])
    assert [json.loads(f.read_bytes())["signatures"][0]["keyid"] for f in files.values()] == [
        published[0]["key_id"]
    ] * 3

    # What they say.
    told = said(files[erasure])
    assert told["request"]["conclusion"] == "in_part"
    assert told["certainty"] == {"accepted": [], "completed": [], "verified": ["shop"], "attested": ["archive"]}
    shop = next(one for one in told["systems"] if one["system"] == "shop")
    books = {b["collection"]: (b["before"], b["erased"], b["kept"], b["after"]) for b in shop["books"]}
    assert books["orders"] == (4, 1, 3, 3)
    assert books["addresses"] == (3, 3, 0, 0)
    assert [(k["ground"], k["rows"]) for k in shop["kept"] if k["collection"] == "orders"] == [("tax law", 1)] * 3
    assert said(files[access])["certainty"]["completed"] == ["shop"]
    assert said(files[access])["delivered"][0]["rows"] == 18
    no = said(files[refused])
    assert (no["request"]["conclusion"], no["systems"]) == ("refused", [])
    assert no["decision"]["grounds"] == [{"code": "gdpr_12_5_excessive", "provision": "GDPR Art. 12(5)(b)"}]
    assert [(one["word"], one["role"]) for one in no["decision"]["words"]] == [
        ("dissent", "dpo"),
        ("approve_decision", "counsel"),
    ]
    (dates,) = told["dates"]
    assert dates["rule"]["term"] == "1 month"
    assert any(step["about"] == "legal due" for step in dates["arithmetic"])

    # Checked by the command with nothing but file and key, by the other program, and by openssl.
    offline = ("--keys-file", str(keys), "--tsa-roots-file", str(tsa.roots))
    stamps = world.home / "stamps"
    for file in files.values():
        assert verdict(file, *offline) == "genuine"
        assert verdict(file, "--ledger", "--checkpoints-file", str(world.home / "checkpoints.jsonl")) == "genuine"
        assert separately(file, keys, "--timestamp", str(stamps)) == "genuine"
        assert tsa.believes(stamps / "note", stamps / "response.tsr")
    with Tsa(world.home / "other") as other:
        assert verdict(files[access], "--keys-file", str(keys), "--tsa-roots-file", str(other.roots)) == "bad_timestamp"

    # A swapped file, a changed one, and one under a key that nobody published.
    swapped = world.home / "elsewhere" / files[erasure].name
    swapped.parent.mkdir()
    shutil.copy(files[access], swapped)
    changed = world.home / "changed.json"
    changed.write_bytes(files[access].read_bytes().replace(b'"sig":"', b'"sig":"A', 1))
    for file, word in ((swapped, "other_request"), (changed, "unreadable")):
        assert verdict(file, *offline) == word
        assert separately(file, keys) == word
    assert verdict(files[access], "--keys-file", str(keys), "--request", erasure) == "other_request"

    # The key is changed: the old files stay good by the old public key, and new ones are signed by the new.
    old = world.home / "old.pub.pem"
    shutil.copy(keys, old)
    fresh = world.home / "fresh.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", fresh], check=True)
    monkeypatch.setenv("HABEAS_CHECKPOINT_KEY", f"file:{fresh}")
    monkeypatch.setenv(
        "HABEAS_EVIDENCE", json.dumps({"tsa": tsa.url, "tsa_roots": str(tsa.roots), "retired_keys": [str(old)]})
    )
    assert [one["signs"] for one in desk("evidence", "keys")["keys"]] == [True, False]
    assert verdict(files[erasure], "--ledger") == "genuine"
    renewed = world.home / "renewed.json"
    desk("evidence", "export", erasure, "--out", str(renewed))
    assert said(renewed) == told
    assert separately(renewed, old) == "unknown_key"
    assert separately(files[erasure], old) == "genuine"
    assert desk("ledger", "verify")["sound"]

    # The pack: the same bytes at the same head, and all of it checked by hand.
    first = desk("audit-pack", erasure)
    again = desk("audit-pack", erasure, "--head", str(first["head"]), "--out", str(world.home / "again.zip"))
    assert again["sha256"] == first["sha256"] == sha256((world.home / f"{erasure}.audit.zip").read_bytes())
    with zipfile.ZipFile(world.home / "again.zip") as pack:
        packed = {name: pack.read(name) for name in pack.namelist()}
    listed = json.loads(base64.b64decode(json.loads(packed["manifest.dsse.json"])["payload"]))
    assert {one["name"]: one["digest"]["sha256"] for one in listed["subject"]} == {
        name: sha256(data) for name, data in packed.items() if name != "manifest.dsse.json"
    }
    (inside,) = (name for name in packed if name.endswith(".evidence.json"))
    (world.home / "pack").mkdir()
    (world.home / "pack" / inside).write_bytes(packed[inside])
    (world.home / "pack" / "keys.pem").write_bytes(packed["keys.pem"])
    assert separately(world.home / "pack" / inside, world.home / "pack" / "keys.pem") == "genuine"
    timeline = packed["timeline.txt"].decode()
    for words in (
        "Received: a request for erasure under eu-gdpr",
        "verified: looked again, and found nothing but what is kept",
        "attested: a person says so; the engine could not look",
        "1 row of orders kept, tax law until ",
        "Closed: in part",
    ):
        assert words in timeline
    assert len(timeline.splitlines()) == len(packed["journal.jsonl"].splitlines())
    assert "The journal notes" not in timeline, "every entry has words"

    # Nothing of anybody is in any of it.
    everything = b"".join(
        [*packed.values(), *(base64.b64decode(json.loads(f.read_bytes())["payload"]) for f in files.values())]
    )
    for value in (*PERSON, b"c8@shop", b"c9@shop", b"zqreason", b"zqobjective", b"zqdissent"):
        assert value not in everything

    # Whoever puts an older ledger in its place cannot hide that from who has the file.
    monkeypatch.setenv("TEST_LEDGER", world.postgres.dsn(older))
    assert verdict(files[erasure], "--ledger") == "rolled_back"
    assert verdict(files[erasure], *offline) == "genuine"
    world.postgres.drop_database(older)


def by_hand(world: World, *requests: str) -> None:
    """Say of every task of the filing cabinet that it is done, until all is closed."""

    def closed() -> bool:
        for task, request in world.query(
            "SELECT id, request_id FROM tasks WHERE code = 'manual' AND ruling IS NULL AND settled_at IS NULL"
        ):
            world.rule(request, task, "done")
        return all(world.phase(request) == "closed" for request in requests)

    world.wait(closed, 60, "all of them to close")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
