"""Signed statements: JWS in compact form (RFC 7515) with Ed25519 (RFC 8037), and nothing else of either.

The one rule: the algorithm is never taken from the statement. One key is asked, by one algorithm, about these very
bytes.
"""

import base64
import binascii
from typing import Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_HEADER: Final = {"alg": "EdDSA"}


class NotSignedError(ValueError):
    """This is not what the key's owner has signed. Never says what it is."""


def load_signing_key(pem: str) -> Ed25519PrivateKey:
    """A private key in PEM.

    Raises:
        ValueError: this is no Ed25519 key.
    """
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("no Ed25519 private key in PEM: make one with `openssl genpkey -algorithm ed25519`")
    return key


def public_key(key: Ed25519PrivateKey) -> str:
    """The public key that goes with it, as base64url."""
    return _encoded(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def sign(key: Ed25519PrivateKey, typ: str, body: bytes) -> bytes:
    """Sign a text as one of a kind."""
    signed = f"{_encoded(orjson.dumps({**_HEADER, 'typ': typ}))}.{_encoded(body)}"
    return f"{signed}.{_encoded(key.sign(signed.encode()))}".encode()


def verified(public: str, typ: str, statement: bytes) -> bytes:
    """The text of a statement of this kind that the key's owner has signed.

    Raises:
        NotSignedError: it is something else.
    """
    try:
        head, body, signature = statement.split(b".")
        header = orjson.loads(_decoded(head))
        if header != {**_HEADER, "typ": typ}:
            raise NotSignedError
        key = Ed25519PublicKey.from_public_bytes(_decoded(public.encode()))
        key.verify(_decoded(signature), head + b"." + body)
        return _decoded(body)
    except (ValueError, InvalidSignature, binascii.Error):
        raise NotSignedError("the signature is not right") from None


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: bytes) -> bytes:
    """Bytes of base64url, in its one right spelling."""
    data = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encoded(data).encode() != text:
        raise ValueError
    return data
