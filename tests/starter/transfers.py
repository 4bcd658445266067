"""What tests of transfers share: two controllers with keys, a certificate, a receiving endpoint in a process."""

import hashlib
import io
import json
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activities.jws import public_key, sign
from rights.transfer import FORMAT, Manifest, Part, Receiving, Sender
from tests.certificates import certify

ROOT = Path(__file__).parents[2]
PLAIN = serialization.NoEncryption()
SENDER, RECIPIENT = "shop.example", "other.example"


def pem(key: Any) -> bytes:
    return bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, PLAIN))


@dataclass
class Other:
    """A second company that takes data in: its files, and its endpoint as a process of its own."""

    home: Path
    sender: Ed25519PrivateKey
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    port: int = 0
    pin: str = ""
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.home.mkdir(exist_ok=True)
        self.pin = certify(self.home, "127.0.0.1")
        (self.home / "signing.pem").write_bytes(pem(self.key))
        (self.home / "receiving.yaml").write_text(
            f"name: {RECIPIENT}\n"
            f"signing_key: file:{self.home / 'signing.pem'}\n"
            f"certificate: {self.home / 'cert.pem'}\n"
            f"certificate_key: file:{self.home / 'key.pem'}\n"
            f"quarantine: {self.quarantine}\n"
            f"senders:\n  {SENDER}: {{key: {public_key(self.sender)}}}\n"
        )

    @property
    def quarantine(self) -> Path:
        return self.home / "quarantine"

    @property
    def taken(self) -> list[Path]:
        """What was taken in, whole."""
        return sorted(p for p in (self.quarantine / SENDER).glob("*") if p.is_dir() and not p.name.startswith("."))

    def start(self) -> None:
        ready = self.home / "ready"
        ready.unlink(missing_ok=True)
        words = ["receive", str(self.home / "receiving.yaml"), "--port", str(self.port), "--ready-file", str(ready)]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "starter.cli", *words], cwd=ROOT, stdout=log, stderr=log
            )
        until = time.monotonic() + 120
        while not (ready.exists() and ready.read_text()):
            assert time.monotonic() < until, (self.home / "log").read_text()
            assert self.process.poll() is None, (self.home / "log").read_text()
            time.sleep(0.05)
        self.port = int(ready.read_text())

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def receivers(self, **changes: str) -> str:
        """The sender's file of receivers."""
        trust = {"ca": str(self.home / "cert.pem"), **changes}
        lines = "".join(f"    {name}: '{value}'\n" for name, value in trust.items() if value)
        return (
            f"sender: {SENDER}\nsigning_key: file:{self.home / 'sender.pem'}\nreceivers:\n  other:\n"
            f"    name: {RECIPIENT}\n    url: https://127.0.0.1:{self.port}/transfers\n"
            f"    key: {public_key(self.key)}\n    private: [127.0.0.1]\n{lines}"
        )

    def __enter__(self) -> Self:
        (self.home / "sender.pem").write_bytes(pem(self.sender))
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "shop.customers",
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "email": {"type": ["null", "string"], "description": "provided, contact"},
    },
    "required": ["id"],
    "additionalProperties": False,
}
FILES = {
    "bagit.txt": b"BagIt-Version: 1.0\n",
    "data/shop/customers.jsonl": b'{"id":1,"email":"anna@example.org"}\n{"id":2,"email":null}\n',
    "data/shop/customers.schema.json": json.dumps(SCHEMA).encode(),
}


def zipped(files: dict[str, bytes], folder: str = "habeas-x") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(f"{folder}/{name}" if folder else name, body)
    return out.getvalue()


def manifest(archive: bytes, files: dict[str, bytes] | None = None, **changes: Any) -> dict[str, Any]:
    """A manifest as its sender would sign it, as plain values so that a test may spoil it."""
    held = FILES if files is None else files
    now = datetime.now(UTC)
    made = Manifest(
        id="ab" * 16,
        sender=SENDER,
        recipient=RECIPIENT,
        issued_at=now,
        expires_at=now + timedelta(days=1),
        archive_sha256=hashlib.sha256(archive).hexdigest(),
        archive_size=len(archive),
        folder="habeas-x",
        files=tuple(Part(path=p, size=len(b), sha256=hashlib.sha256(b).hexdigest()) for p, b in held.items()),
        schemas={p: p.replace(".jsonl", ".schema.json") for p in held if p.endswith(".jsonl")},
    )
    return {**made.model_dump(mode="json"), **changes}


def signed(key: Ed25519PrivateKey, body: dict[str, Any], typ: str = FORMAT) -> bytes:
    return sign(key, typ, orjson.dumps(body))


def config(folder: Path, sender: Ed25519PrivateKey, **changes: Any) -> Receiving:
    return Receiving(
        name=RECIPIENT,
        signing_key="file:none",
        certificate="none",
        certificate_key="file:none",
        quarantine=str(folder / "quarantine"),
        senders={SENDER: Sender(key=public_key(sender))},
        **changes,
    )
