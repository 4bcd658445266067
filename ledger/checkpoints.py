"""Signed checkpoints of the journal's head, kept outside the ledger.

Whoever may write to the ledger's database could rewrite the whole chain, or cut its tail; he cannot rewrite these. The
one rule: a line is added, never changed.

The file has one JSON object a line: tenant, seq, hash (hex), at, key (the signer's public key, hex) and signature
(Ed25519 over the JSON of the other five, keys sorted, no spaces; hex).
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ledger.signing import Keyring
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

    def __init__(self, path: Path, keys: Keyring) -> None:
        self._path = path
        self.keys: Final = keys
        """What signs, and whose signatures count."""
        self._public: Final = _raw(keys.public[keys.current])

    @classmethod
    def open(cls, path: Path, pem: str, retired: Iterable[Ed25519PublicKey] = ()) -> Self:
        """Use a file, made with the first checkpoint, and a private key in PEM. `retired` are public keys of those
        that have signed before it.

        Raises:
            ValueError: this is no Ed25519 key.
        """
        return cls(path, Keyring.open(pem, retired))

    def add(self, checkpoint: Checkpoint) -> None:
        """Sign a checkpoint and append it, durably."""
        body = checkpoint.model_dump(mode="json") | {"key": self._public}
        signed = {**body, "signature": self.keys.sign(_signed(body)).hex()}
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Workers share the file, over a network too, where appending alone is not one step. Closing it lets go.
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            # A line that a crash has cut short must not swallow this one.
            torn = size and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, (b"\n" if torn else b"") + orjson.dumps(signed) + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)

    def read(self, tenant: str) -> Iterator[tuple[int, Checkpoint | None]]:
        """The tenant's checkpoints, as `read_checkpoints` has them."""
        return read_checkpoints(self._path, tenant, self.keys.public.values())

    def newest(self, tenant: str) -> Checkpoint | None:
        """The tenant's newest checkpoint that one of the keys has signed, read from the end of the file."""
        known = {_raw(key): key for key in self.keys.public.values()}
        for line in reversed(self._path.read_bytes().splitlines() if self._path.exists() else []):
            with suppress(ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
                if (found := _check(line, known)).tenant == tenant:
                    return found
        return None


def read_checkpoints(
    path: Path, tenant: str, keys: Iterable[Ed25519PublicKey]
) -> Iterator[tuple[int, Checkpoint | None]]:
    """The tenant's checkpoints in a file by line number; None for a line that is damaged or that none of the keys has
    signed. A file that is not there has none."""
    known = {_raw(key): key for key in keys}
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = _check(line, known)
            except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
                yield number, None
                continue
            if found.tenant == tenant:
                yield number, found


def _check(line: bytes, known: Mapping[str, Ed25519PublicKey]) -> Checkpoint:
    body = orjson.loads(line)
    signature = bytes.fromhex(body.pop("signature"))
    known[body["key"]].verify(signature, _signed(body))
    return Checkpoint.model_validate(body)


def _raw(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _signed(body: dict[str, object]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
