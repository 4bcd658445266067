"""Signed checkpoints of the journal's head, kept outside the ledger.

Whoever may write to the ledger's database could rewrite the whole chain, or cut its tail; he cannot rewrite these. The
one rule: a line is added, never changed.

The file has one JSON object a line: tenant, seq, hash (hex), at, key (the signer's public key, hex) and signature
(Ed25519 over the JSON of the other five, keys sorted, no spaces; hex).
"""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from rights.value import Value


class Checkpoint(Value):
    """The head of a tenant's journal at a moment."""

    tenant: str
    seq: int
    hash: str
    at: datetime


def new_signing_key() -> str:
    """A fresh Ed25519 key, PEM."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


class Checkpoints:
    """The file of one or more tenants' checkpoints, and the key that signs them."""

    def __init__(self, path: Path, key: Ed25519PrivateKey) -> None:
        self._path, self._key = path, key
        self._public: Final = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    @classmethod
    def open(cls, path: Path, pem: str) -> Self:
        """Use a file, made with the first checkpoint, and a private key in PEM.

        Raises:
            ValueError: this is no Ed25519 key.
        """
        try:
            key = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(
                "the checkpoint key is not an Ed25519 private key in PEM: "
                "make one with `openssl genpkey -algorithm ed25519`"
            )
        return cls(path, key)

    def add(self, checkpoint: Checkpoint) -> None:
        """Sign a checkpoint and append it, durably."""
        body = checkpoint.model_dump(mode="json") | {"key": self._public}
        signed = {**body, "signature": self._key.sign(_signed(body)).hex()}
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            # A line that a crash has cut short must not swallow this one.
            torn = size and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, (b"\n" if torn else b"") + orjson.dumps(signed) + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)

    def read(self, tenant: str) -> Iterator[tuple[int, Checkpoint | None]]:
        """The tenant's checkpoints by line number; None for a line that is damaged or that this key did not sign."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    found = self._check(line)
                except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
                    yield number, None
                    continue
                if found.tenant == tenant:
                    yield number, found

    def _check(self, line: bytes) -> Checkpoint:
        body = orjson.loads(line)
        signature = bytes.fromhex(body.pop("signature"))
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(self._public)).verify(signature, _signed(body))
        return Checkpoint.model_validate(body)


def _signed(body: dict[str, object]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
