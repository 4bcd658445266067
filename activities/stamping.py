"""Timestamps of the journal's tree by somebody else: a time-stamping authority after RFC 3161.

The one rule: the authority is sent a hash and nothing else, and its answer is proved, against the certificates of the
settings, before it is kept.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import httpx2
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from ledger.ledger import Ledger

_TIMEOUT_S: Final = 20
"""An answer takes a fraction of a second; whoever waits is an hourly round, or a person."""
_LARGEST: Final = 64 * 1024
"""Bytes of an answer; with a chain of certificates it has some five thousand."""
_ASKS: Final = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


class StampError(Exception):
    """There is no timestamp; one sentence that says what to do."""


@dataclass(frozen=True)
class Authority:
    """A time-stamping authority, and the certificates that it is believed by."""

    url: str
    roots: tuple[x509.Certificate, ...]

    def stamp(self, data: bytes) -> bytes:
        """Its response for some data, proved; DER.

        Raises:
            StampError: it cannot be reached, refuses, or what it sends is not to be believed.
        """
        request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
        try:
            with httpx2.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
                answer = client.post(self.url, content=request.as_bytes(), headers=_ASKS)
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise StampError(
                "the time-stamping authority cannot be reached: try again later, or look at evidence.tsa"
            ) from None
        if answer.status_code != 200 or len(answer.content) > _LARGEST:
            raise StampError(
                f"the time-stamping authority answered with status {answer.status_code} and no timestamp: "
                "look at evidence.tsa"
            )
        check_stamp(answer.content, data, self.roots, nonce=request.nonce)
        return answer.content


def check_stamp(
    response: bytes, data: bytes, roots: tuple[x509.Certificate, ...], *, nonce: int | None = None
) -> datetime:
    """When an authority has seen some data, by its response.

    Raises:
        StampError: the response is damaged, of other data, or of an authority that the certificates do not vouch for.
    """
    try:
        answer = decode_timestamp_response(response)
        builder = VerifierBuilder(roots=list(roots), nonce=nonce)
        builder.build().verify_message(answer, data)
        return answer.tst_info.gen_time
    except (ValueError, VerificationError):
        raise StampError(
            "the timestamp is not to be believed: it is damaged, of something else, or not by an authority that the "
            "certificates vouch for"
        ) from None


def read_roots(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM file.

    Raises:
        StampError: there is none.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError:
        raise StampError("there is no certificate in PEM here: name the file of the authority's root") from None


def stamp_journal(ledger: Ledger, authority: Authority | None, at: datetime) -> bool:
    """Have the journal's head timestamped if a request was closed since the last time; whether it was.

    Raises:
        StampError: there is no timestamp; nothing was kept.
    """
    if authority is None:
        return False
    head = ledger.to_stamp()
    if head is None:
        return False
    ledger.keep_stamp(head, authority.stamp(head.note), at=at)
    return True
