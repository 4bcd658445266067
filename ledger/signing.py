"""The key that signs what the ledger says, and the keys whose signatures still count.

The one rule: a key is known by its id, the SHA-256 of its public half (SubjectPublicKeyInfo, DER), so that anybody can
find the right one among several: `openssl pkey -pubin -in KEY -outform DER | sha256sum`. A retired key signs nothing
any more, and what it has signed stays good.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

_PEM: Final = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----\s*", re.DOTALL)


class KeyFileError(ValueError):
    """A file of keys that cannot be used; one sentence that says what to do."""


def key_id(key: Ed25519PublicKey) -> str:
    """The id of a public key, hex."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def pem_of(key: Ed25519PublicKey) -> str:
    """A public key in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public_keys(data: bytes) -> dict[str, Ed25519PublicKey]:
    """The public keys in a PEM file, by id; one or several, in their order.

    Raises:
        KeyFileError: there is none, or one of them is no Ed25519 key.
    """
    found = {}
    for block in _PEM.findall(data):
        try:
            key = load_pem_public_key(block)
        except ValueError:
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise KeyFileError("a public key is not Ed25519: habeas evidence keys writes the right file")
        found[key_id(key)] = key
    if not found:
        raise KeyFileError("there is no public key in PEM here: habeas evidence keys writes the right file")
    return found


class Keyring:
    """A signing key, and the public keys that signed before it."""

    def __init__(self, key: Ed25519PrivateKey, retired: Iterable[Ed25519PublicKey] = ()) -> None:
        self._key: Final = key
        self.current: Final = key_id(key.public_key())
        """The id of the key that signs."""
        self.public: Final[Mapping[str, Ed25519PublicKey]] = {
            self.current: key.public_key(),
            **{key_id(one): one for one in retired},
        }
        """All whose signatures count, by id; the present one first."""

    @classmethod
    def open(cls, pem: str, retired: Iterable[Ed25519PublicKey] = ()) -> Self:
        """Use a private key in PEM.

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
        return cls(key, retired)

    def sign(self, data: bytes) -> bytes:
        """Sign with the present key."""
        return self._key.sign(data)


def signed_by(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether a key's owner has signed this."""
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True
