"""Signed statements as files: DSSE envelopes (secure-systems-lab/dsse v1) with one Ed25519 signature.

The one rule: an envelope has one spelling, so that no byte of it can be changed without being seen; whoever reads one
compares it with what would have been written.
"""

import base64
import binascii
from typing import Final, NamedTuple

import orjson

from ledger.signing import Keyring

IN_TOTO: Final = "application/vnd.in-toto+json"
"""The payload type of in-toto statements."""


class NotAnEnvelopeError(ValueError):
    """The file is no envelope as it is written here."""


class Envelope(NamedTuple):
    """What an envelope holds; nothing of it is checked yet."""

    payload_type: str
    payload: bytes
    key_id: str
    signature: bytes

    @property
    def signed(self) -> bytes:
        """What the signature is made over (DSSE's pre-authentication encoding)."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)

    def written(self) -> bytes:
        """The file."""
        body = {
            "payloadType": self.payload_type,
            "payload": base64.b64encode(self.payload).decode(),
            "signatures": [{"keyid": self.key_id, "sig": base64.b64encode(self.signature).decode()}],
        }
        return orjson.dumps(body) + b"\n"


def enclose(payload: bytes, keys: Keyring) -> bytes:
    """Sign an in-toto statement; the file."""
    unsigned = Envelope(IN_TOTO, payload, keys.current, b"")
    return unsigned._replace(signature=keys.sign(unsigned.signed)).written()


def read_envelope(data: bytes) -> Envelope:
    """Read a file.

    Raises:
        NotAnEnvelopeError: it is none, or is not spelled as it is written.
    """
    try:
        body = orjson.loads(data)
        (one,) = body["signatures"]
        found = Envelope(
            body["payloadType"],
            base64.b64decode(body["payload"], validate=True),
            one["keyid"],
            base64.b64decode(one["sig"], validate=True),
        )
        same = found.written() == data
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise NotAnEnvelopeError from None
    if not same:
        raise NotAnEnvelopeError
    return found
