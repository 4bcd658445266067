"""Believing signed tokens: which algorithms count, and which one key a token can mean.

The one rule: only a signature with a pair of keys is believed, by the one key that is meant; why a token is not, is
told to nobody.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

ALGORITHMS: Final[Mapping[str, str]] = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP", "Ed25519": "OKP",
}  # fmt: skip
"""What a signature may be made with, each with its kind of key. None of them has one key for both sides: with one that
has, whoever knows the provider's public keys could sign."""
LEEWAY_S: Final = 30
"""How far two clocks may be apart."""


class NotBelieved(Exception):
    """A token is not to be believed. `why` is a word for the log: nobody else is told."""

    def __init__(self, why: str) -> None:
        super().__init__("this token is not good here")
        self.why = why


def header(token: str) -> tuple[str, str | None]:
    """Algorithm and key id of a token, read before anything of it is believed."""
    try:
        head = token.split(".", 1)[0]
        said = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        algorithm, kid = said["alg"], said.get("kid")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NotBelieved("header") from None
    if not isinstance(algorithm, str) or not (kid is None or isinstance(kid, str)):
        raise NotBelieved("header")
    return algorithm, kid


def only(known: tuple[Key, ...], algorithm: str, kid: str | None) -> Key | None:
    """The one key that can be meant; None where there is none, or several."""
    found = [
        key
        for key in known
        if key.key_type == ALGORITHMS[algorithm]
        and kid in {None, key.kid}
        and key.get("alg") in {None, algorithm}
        and key.get("use") in {None, "sig"}
    ]
    return found[0] if len(found) == 1 else None


def usable(document: Any) -> tuple[Key, ...]:
    """The keys of a JSON Web Key Set that can have signed something; others are passed over."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found = []
    for one in listed if isinstance(listed, list) else ():
        try:
            if one["kty"] in set(ALGORITHMS.values()):
                found.append(JWKRegistry.import_key(one))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return tuple(found)
