"""What another controller sends is taken in whole, signed and harmless, or not at all."""

import io
import json
import os
import socket
import ssl
import stat
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.jws import public_key, verified
from rights.transfer import Taken
from starter.receiving import Intake, RefusedError
from tests.starter.transfers import FILES, RECIPIENT, SENDER, Other, config, manifest, signed, zipped

KEY = Ed25519PrivateKey.generate()
OURS = Ed25519PrivateKey.generate()
ID = "ab" * 16


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(config(tmp_path, KEY), OURS)


def left(tmp_path: Path) -> list[str]:
    """Everything in quarantine but what was only announced."""
    home = tmp_path / "quarantine"
    return [str(p.relative_to(home)) for p in home.rglob("*") if p.is_file() and p.suffix != ".manifest"]


def send(intake: Intake, body: dict[str, Any], archive: bytes, key: Ed25519PrivateKey = KEY) -> bytes:
    receipt = intake.announce(body["id"], signed(key, body))
    return receipt or intake.take(body["id"], io.BytesIO(archive), len(archive))


def test_what_is_right_is_taken_in_and_receipted(intake: Intake, tmp_path: Path) -> None:
    archive = zipped(FILES)

    receipt = send(intake, manifest(archive), archive)

    taken = Taken.model_validate_json(verified(public_key(OURS), "habeas-receipt/1", receipt))
    assert (taken.id, taken.sender, taken.recipient, taken.files, taken.rows) == (ID, SENDER, RECIPIENT, 3, 2)
    folder = tmp_path / "quarantine" / SENDER / ID
    assert {p.name for p in folder.iterdir()} == {"archive.zip", "files", "manifest.jws", "receipt.jws"}
    assert (folder / "files/data/shop/customers.jsonl").read_bytes() == FILES["data/shop/customers.jsonl"]
    assert stat.S_IMODE((folder / "files/data/shop/customers.jsonl").stat().st_mode) == 0o600


def test_the_same_again_gets_the_same_receipt_and_is_not_taken_in_twice(intake: Intake, tmp_path: Path) -> None:
    archive = zipped(FILES)
    first = send(intake, manifest(archive), archive)
    before = os.stat(tmp_path / "quarantine" / SENDER / ID).st_ino

    again = intake.announce(ID, signed(KEY, manifest(archive)))
    whole = intake.take(ID, io.BytesIO(archive), len(archive))

    assert first == again == whole
    assert os.stat(tmp_path / "quarantine" / SENDER / ID).st_ino == before


def test_an_id_that_was_used_takes_no_other_archive(intake: Intake) -> None:
    archive = zipped(FILES)
    send(intake, manifest(archive), archive)
    other = {**FILES, "bagit.txt": b"BagIt-Version: 1.0 \n"}

    with pytest.raises(RefusedError) as refused:
        send(intake, manifest(zipped(other), other), zipped(other))
    assert refused.value.status == 409


def _changed(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda body: {**body, **changes}


NOW = datetime.now(UTC)
SPOILT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "of an unknown sender": _changed(sender="stranger.example"),
    "for somebody else": _changed(recipient="third.example"),
    "over": _changed(issued_at=(NOW - timedelta(days=3)).isoformat(), expires_at=(NOW - timedelta(days=1)).isoformat()),
    "not begun": _changed(
        issued_at=(NOW + timedelta(days=1)).isoformat(), expires_at=(NOW + timedelta(days=2)).isoformat()
    ),
    "for longer than a week": _changed(expires_at=(NOW + timedelta(days=9)).isoformat()),
    "of another form": _changed(format="habeas-transfer/2"),
    "with a key that nobody knows": _changed(extra=1),
    "with a path that leads out": lambda b: {**b, "files": [*b["files"], {**b["files"][0], "path": "../../etc/cron"}]},
    "with an absolute path": lambda b: {**b, "files": [*b["files"], {**b["files"][0], "path": "/etc/cron"}]},
    "with a hidden file": lambda b: {**b, "files": [*b["files"], {**b["files"][0], "path": "data/.ssh/key"}]},
    "with a name twice": lambda b: {**b, "files": [*b["files"], {**b["files"][0], "path": "BAGIT.txt"}]},
    "with a table that has no schema": _changed(schemas={}),
    "of more bytes than are taken": _changed(archive_size=1 << 40),
    "that unpacks to more than is taken": lambda b: {
        **b,
        "files": [{**b["files"][0], "size": 1 << 40}, *b["files"][1:]],
    },
    "of no file": _changed(files=[], schemas={}),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_manifest_is_refused_that_is(how: str, intake: Intake, tmp_path: Path) -> None:
    archive = zipped(FILES)
    body = SPOILT[how](manifest(archive))

    with pytest.raises(RefusedError) as refused:
        intake.announce(ID, signed(KEY, body))

    assert refused.value.status in {400, 403, 413}
    assert not left(tmp_path)
    with pytest.raises(RefusedError, match="not announced"):
        intake.take(ID, io.BytesIO(archive), len(archive))


def test_a_signature_of_another_key_kind_or_text_is_refused(intake: Intake) -> None:
    body = manifest(zipped(FILES))
    good = signed(KEY, body)
    head, text, signature = good.split(b".")
    other = signed(KEY, {**body, "reference": "x"}).split(b".")
    for statement in (
        signed(Ed25519PrivateKey.generate(), body),
        signed(KEY, body, typ="habeas-receipt/1"),
        b".".join([head, other[1], signature]),
        b".".join([b"eyJhbGciOiJub25lIn0", text, b""]),
        b".".join([head, text]),
        b".".join([head, text, signature.swapcase()]),
        good + b".x",
        b"",
        b"\xff.\xff.\xff",
    ):
        with pytest.raises(RefusedError) as refused:
            intake.announce(ID, statement)
        assert refused.value.status in {400, 403}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(min_value=0), st.integers(1, 255))
def test_no_bit_of_a_signed_manifest_can_be_changed(intake: Intake, place: int, change: int) -> None:
    statement = bytearray(signed(KEY, manifest(zipped(FILES))))
    statement[place % len(statement)] ^= change
    with pytest.raises(RefusedError):
        intake.announce(ID, bytes(statement))


def _link() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in FILES.items():
            info = zipfile.ZipInfo(f"habeas-x/{name}")
            if name == "bagit.txt":
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, body)
    return out.getvalue()


def _twice() -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w") as archive:
        for name in [*list(FILES)[:2], "bagit.txt"]:
            archive.writestr(f"habeas-x/{name}", FILES[name])
    return out.getvalue()


BOMB = b"0" * 200_000_000
ARCHIVES: dict[str, Callable[[], bytes]] = {
    "no archive": lambda: b"PK\x03\x04 and so on",
    "cut": lambda: zipped(FILES)[:-30],
    "another file's content": lambda: zipped({**FILES, "bagit.txt": b"BagIt-Version: 9.9\n"}),
    "a file more": lambda: zipped({**FILES, "data/more.txt": b"x"}),
    "a file less": lambda: zipped(dict(list(FILES.items())[:2])),
    "a name that leads out": lambda: zipped({**dict(list(FILES.items())[1:]), "../../../out.txt": FILES["bagit.txt"]}),
    "an absolute name": lambda: zipped({f"/{name}": body for name, body in FILES.items()}, folder=""),
    "another folder": lambda: zipped(FILES, folder="habeas-y"),
    "a link": _link,
    "a name twice": _twice,
    "a bomb under a small file's name": lambda: zipped({**FILES, "bagit.txt": BOMB}),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_is_refused_that_has(what: str, intake: Intake, tmp_path: Path) -> None:
    archive = ARCHIVES[what]()
    body = manifest(archive, FILES)

    with pytest.raises(RefusedError) as refused:
        send(intake, body, archive)

    assert refused.value.status == 422
    assert "example.org" not in refused.value.text
    assert not left(tmp_path)
    assert not (tmp_path / "out.txt").exists()
    size = sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert size < 100_000, "a bomb does not go off"


@pytest.mark.parametrize(
    "rows",
    [
        b'{"id":"1","email":null}\n',
        b'{"email":null}\n',
        b'{"id":1,"email":null,"password":"x"}\n',
        b'{"id":true}\n',
        b"[1]\n",
        b"{\n",
        b'{"id":1}',
        b'{"id":1.5}\n',
    ],
)
def test_rows_that_do_not_fit_their_schema_are_refused(rows: bytes, intake: Intake, tmp_path: Path) -> None:
    files = {**FILES, "data/shop/customers.jsonl": rows}
    archive = zipped(files)
    with pytest.raises(RefusedError) as refused:
        send(intake, manifest(archive, files), archive)
    assert refused.value.status == 422
    assert not left(tmp_path)


@pytest.mark.parametrize(
    "schema",
    [
        b"{}",
        b"[]",
        b"nothing",
        json.dumps({"type": "object", "properties": {}, "additionalProperties": True}).encode(),
        json.dumps({"$ref": "https://elsewhere.example/x", "type": "object", "additionalProperties": False}).encode(),
        json.dumps(
            {"type": "object", "properties": {"id": {"pattern": "(a+)+$"}}, "additionalProperties": False}
        ).encode(),
    ],
)
def test_a_schema_that_says_more_than_is_understood_is_refused(schema: bytes, intake: Intake) -> None:
    files = {**FILES, "data/shop/customers.schema.json": schema}
    archive = zipped(files)
    with pytest.raises(RefusedError) as refused:
        send(intake, manifest(archive, files), archive)
    assert refused.value.status == 422


def test_an_archive_that_breaks_off_leaves_nothing_and_can_be_sent_again(intake: Intake, tmp_path: Path) -> None:
    archive = zipped(FILES)
    body = manifest(archive)
    intake.announce(ID, signed(KEY, body))
    with pytest.raises(RefusedError, match="broke off"):
        intake.take(ID, io.BytesIO(archive[:100]), len(archive))
    assert not left(tmp_path)

    assert intake.take(ID, io.BytesIO(archive), len(archive))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    with Other(tmp_path_factory.mktemp("other"), KEY) as other:
        yield other


def raw(other: Other, text: bytes, *, hang_up: bool = False) -> bytes:
    """Say something over TLS; what is answered."""
    context = ssl.create_default_context(cafile=str(other.home / "cert.pem"))
    with (
        socket.create_connection(("127.0.0.1", other.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as line,
    ):
        line.sendall(text)
        if hang_up:
            return b""
        answer = b""
        while piece := line.recv(65536):
            answer += piece
        return answer


def put(path: str, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"PUT {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n".encode() + body


def test_the_endpoint_takes_a_transfer_and_refuses_what_is_none(other: Other) -> None:
    archive = zipped(FILES)
    body = manifest(archive, id="cd" * 16)
    place = f"/transfers/{body['id']}"

    assert b" 404 " in raw(other, put(f"{place}/archive", archive))
    assert b" 404 " in raw(other, put("/../../etc/passwd", b"x"))
    assert b" 411 " in raw(other, b"PUT " + f"{place}/manifest".encode() + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    assert b" 413 " in raw(other, put(f"{place}/manifest", b"", 1 << 30))
    assert b" 403 " in raw(other, put(f"{place}/manifest", signed(Ed25519PrivateKey.generate(), body)))
    assert b" 201 " in raw(other, put(f"{place}/manifest", signed(KEY, body)))
    raw(other, put(f"{place}/archive", archive[:200], len(archive)), hang_up=True)
    time.sleep(0.1)
    assert not other.taken
    assert b" 200 " in raw(other, put(f"{place}/archive", archive))
    assert [p.name for p in other.taken] == [body["id"]]
    log = (other.home / "log").read_text()
    assert "anna@example.org" not in log
