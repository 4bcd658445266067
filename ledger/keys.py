"""Key-encryption keys: where they live, and how one is destroyed for good.

A data key of the vault never lies in the ledger but wrapped by one of these, so that destroying this one key makes all
backups of what it wrapped unreadable. The one rule: such a key never leaves its provider's place, and none is held in
memory longer than a call, so that destroyed means destroyed.
"""

import os
import secrets
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.errors import KeyGoneError, VaultError

KEY_BYTES: Final = 32
"""AES-256."""
NONCE_BYTES: Final = 12
"""The size AES-GCM is specified for."""
MIN_SECRET: Final = 32
"""Characters of a root secret; a password would be guessed."""


class KeyProvider(Protocol):
    """Keeps key-encryption keys by id. All methods may be called again with the same arguments."""

    @property
    def destroys(self) -> bool:
        """Whether `destroy` makes a key unrecoverable."""

    def create(self, kek_id: str) -> None:
        """Make a key if there is none of this id."""

    def wrap(self, kek_id: str, key: bytes) -> bytes:
        """Encrypt a data key.

        Raises:
            KeyGoneError: there is no key of this id.
        """

    def unwrap(self, kek_id: str, blob: bytes) -> bytes:
        """Decrypt what `wrap` gave.

        Raises:
            KeyGoneError: there is no key of this id.
            VaultError: it was wrapped by another key, or changed.
        """

    def destroy(self, kek_id: str) -> timedelta:
        """Destroy a key; how long the provider can still bring it back."""


def open_keys(reference: str) -> KeyProvider:
    """The provider behind a reference: ``file:DIRECTORY``, ``env:NAME`` or ``kms:ALIAS_PREFIX``.

    Raises:
        ValueError: there is no such kind, or what it needs is missing; the text says what to write.
    """
    kind, _, where = reference.partition(":")
    match kind:
        case "file" if where:
            return FileKeys(Path(where))
        case "env" if where:
            secret = os.environ.get(where, "")
            if len(secret) < MIN_SECRET:
                raise ValueError(
                    f"the root secret in {where} is missing or shorter than {MIN_SECRET} characters: "
                    f"set {where} to a long random text"
                )
            return EnvKeys(secret)
        case "kms" if where:
            from ledger.kms import KmsKeys

            return KmsKeys.connect(where)
        case _:
            raise ValueError("name the key provider as file:DIRECTORY, env:NAME or kms:ALIAS_PREFIX")


class FileKeys:
    """One file per key, 0600, in a directory of its own, which no backup of the ledger may include.

    A destroyed key's file is overwritten before it is removed. On flash storage and on copy-on-write file systems the
    medium may keep the old blocks for a while: encrypt the disk below.
    """

    destroys = True

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, kek_id: str) -> None:
        path = self._path(kek_id)
        if path.exists():
            return
        handle, draft = tempfile.mkstemp(dir=self._directory)  # made 0600
        try:
            with open(handle, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(handle)
            # A link, unlike a rename, never replaces the key that another process has just made.
            os.link(draft, path)
        except FileExistsError:
            return
        finally:
            os.unlink(draft)
            self._sync()

    def wrap(self, kek_id: str, key: bytes) -> bytes:
        return _wrap(self._read(kek_id), kek_id, key)

    def unwrap(self, kek_id: str, blob: bytes) -> bytes:
        return _unwrap(self._read(kek_id), kek_id, blob)

    def destroy(self, kek_id: str) -> timedelta:
        path = self._path(kek_id)
        try:
            with open(path, "r+b", buffering=0) as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                os.fsync(file.fileno())
        except FileNotFoundError:
            return timedelta(0)
        path.unlink(missing_ok=True)
        self._sync()
        return timedelta(0)

    def _read(self, kek_id: str) -> bytes:
        try:
            key = self._path(kek_id).read_bytes()
        except FileNotFoundError:
            raise KeyGoneError(f"there is no key {kek_id} in {self._directory}") from None
        if len(key) != KEY_BYTES:
            raise KeyGoneError(f"the key {kek_id} in {self._directory} is damaged")
        return key

    def _path(self, kek_id: str) -> Path:
        return self._directory / f"{kek_id}.key"

    def _sync(self) -> None:
        """Make the directory's entries durable; creating and removing alone are not."""
        handle = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class EnvKeys:
    """All keys derived from one root secret. Simple to run, but none can be destroyed while the secret lives: a shred
    then takes effect in backups only when the last backup that holds the wrapped key is gone."""

    destroys = False

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def create(self, kek_id: str) -> None:
        """Every key is there, always."""

    def wrap(self, kek_id: str, key: bytes) -> bytes:
        return _wrap(self._derive(kek_id), kek_id, key)

    def unwrap(self, kek_id: str, blob: bytes) -> bytes:
        return _unwrap(self._derive(kek_id), kek_id, blob)

    def destroy(self, kek_id: str) -> timedelta:
        raise VaultError(
            "keys derived from a root secret cannot be destroyed one by one: use file: or kms: for keys that can"
        )

    def _derive(self, kek_id: str) -> bytes:
        info = b"habeas key " + kek_id.encode()
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=info).derive(self._secret)


def _wrap(kek: bytes, kek_id: str, key: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(kek).encrypt(nonce, key, kek_id.encode())


def _unwrap(kek: bytes, kek_id: str, blob: bytes) -> bytes:
    try:
        return AESGCM(kek).decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], kek_id.encode())
    except InvalidTag:
        raise VaultError(f"this was not wrapped by the key {kek_id}") from None
