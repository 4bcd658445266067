"""Hand-offs: the company's own account page says, signed, who is signed in there.

    {"iss": ..., "aud": ..., "sub": ..., "iat": ..., "exp": ..., "jti": ..., "amr": ["pwd", "mfa"],
     "identities": [{"kind": "email", "value": ...}, {"kind": "customer_id", "value": ...}]}

The one rule: each is good for five minutes and one call, for us alone; and what it says of somebody is believed of the
identities in it, and of no other.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.registry import SetupError
from ledger.ledger import Ledger
from rights.identity import Proof, Rung
from rights.subject import MAX_IDENTITIES, MAX_VALUE, Identity, IdentityError, parse_identities
from rights.value import Value
from starter.access import NotSignedIn
from starter.believing import ALGORITHMS, LEEWAY_S, NotBelieved, header, only, usable
from starter.groups import HandoffSettings

LONGEST: Final = timedelta(minutes=5)
_LARGEST: Final = 16_384
_SENTENCE: Final = "send a new hand-off, as Authorization: Bearer: each is good for one call and five minutes"

log = structlog.get_logger()


class Person(Value):
    """Somebody who is signed in at the company's own site."""

    subject: str
    """What the company calls their account."""
    identities: tuple[Identity, ...]
    second_factor: bool

    def proof(self, at: datetime) -> Proof:
        """What the company says of them, as a proof."""
        return Proof(rung=Rung.SECOND_FACTOR if self.second_factor else Rung.SIGNED_IN, at=at)


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: str
    value: Annotated[str, Field(max_length=MAX_VALUE)]


class _Claims(BaseModel):
    """What a hand-off says; other claims are passed over."""

    model_config = ConfigDict(hide_input_in_errors=True, strict=True)

    sub: Annotated[str, Field(min_length=1, max_length=200)]
    jti: Annotated[str, Field(min_length=8, max_length=200)]
    iat: int
    exp: int
    amr: Annotated[list[str], Field(max_length=20)] = []
    identities: Annotated[list[_Given], Field(min_length=1, max_length=MAX_IDENTITIES)]


class Handoffs:
    """Takes hand-offs of one issuer, for one address."""

    def __init__(self, ledger: Ledger, keys: Sequence[Key], said: HandoffSettings, audience: str) -> None:
        self._ledger, self._keys, self._said, self._audience = ledger, tuple(keys), said, audience

    @classmethod
    def of(cls, ledger: Ledger, said: HandoffSettings, audience: str) -> "Handoffs":
        """As the settings say.

        Raises:
            SetupError: the file of keys cannot be read, or has none.
        """
        return cls(ledger, read_keys(said.keys), said, audience)

    def take(self, token: str, *, at: datetime, count: Callable[[str], None]) -> Person:
        """Who a hand-off is of; it is used up. `count` is told whose call it is, before that.

        Raises:
            NotSignedIn: it is not to be believed, or was used before. Which, is not said.
        """
        try:
            claims = self._claims(token, at)
            people = parse_identities((one.kind, one.value) for one in claims.identities)
        except (NotBelieved, IdentityError) as error:
            # A word of ours or the name of a class; what the token says may name somebody.
            log.info("handoff_refused", code=error.why if isinstance(error, NotBelieved) else "identities")
            raise NotSignedIn(_SENTENCE) from None
        count(claims.sub)
        ends = datetime.fromtimestamp(claims.exp + LEEWAY_S, UTC)
        if not self._ledger.use_handoff(claims.jti, expires_at=ends, at=at):
            log.info("handoff_refused", code="used")
            raise NotSignedIn(_SENTENCE)
        second = bool(set(claims.amr) & set(self._said.second_factor))
        return Person(subject=claims.sub, identities=people, second_factor=second)

    def _claims(self, token: str, at: datetime) -> _Claims:
        if len(token) > _LARGEST or not token.isascii():
            raise NotBelieved("size")
        algorithm, kid = header(token)
        if algorithm not in ALGORITHMS:
            raise NotBelieved("algorithm")
        key = only(self._keys, algorithm, kid)
        if key is None:
            raise NotBelieved("key")
        try:
            found: dict[str, Any] = dict(jwt.decode(token, key, algorithms=[algorithm]).claims)
            jwt.JWTClaimsRegistry(
                now=int(at.timestamp()),
                leeway=LEEWAY_S,
                iss={"essential": True, "value": self._said.issuer},
                aud={"essential": True, "value": self._audience},
                exp={"essential": True},
                iat={"essential": True},
                jti={"essential": True},
            ).validate(found)
            claims = _Claims.model_validate(found)
        except ValidationError:
            raise NotBelieved("claims") from None
        except (JoseError, ValueError, TypeError, OverflowError) as error:
            raise NotBelieved(type(error).__name__) from None
        if not 0 < claims.exp - claims.iat <= LONGEST.total_seconds():
            raise NotBelieved("lifetime")
        return claims


def read_keys(file: Path) -> tuple[Key, ...]:
    """The issuer's public keys.

    Raises:
        SetupError: the file cannot be read, has no such keys, or has something secret in it.
    """
    try:
        document = json.loads(file.read_text())
    except (OSError, ValueError):
        raise SetupError("handoff.keys: the file cannot be read: name a JSON Web Key Set in UTF-8") from None
    found = usable(document)
    if not found:
        raise SetupError("handoff.keys: the file has no public key that signs: RSA, EC or OKP")
    if any(key.is_private for key in found):
        raise SetupError("handoff.keys: there is a private key in the file: it has public ones alone")
    return found
