"""Handing data to another controller (GDPR Art. 20(2)): who may be sent to, what the sender signs, and the receipt.

The one rule: nothing is believed that is not signed by whoever the file names, and what is signed says who it is for,
of what, and until when.
"""

import re
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rights.yamlfile import read

FORMAT: Final = "habeas-transfer/1"
LIFE: Final = timedelta(days=7)
"""How long a manifest may be used: longer than any outage that the sender's own attempts cover."""
MOST_FILES: Final = 100_000
MANIFEST_MOST: Final = 32 << 20
"""Bytes of a signed manifest: a hundred thousand files take 20 MB."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,99}$")]
"""A controller as both sides call it, best by its domain."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
"""An Ed25519 public key: its 32 bytes as base64url without padding, as in a JWK's x."""
Secret = Annotated[str, Field(pattern=r"^(env|file):.+")]
_PATH: Final = re.compile(
    r"(?!\.)[A-Za-z0-9_$-][A-Za-z0-9._$-]{0,199}(/(?!\.)[A-Za-z0-9_$-][A-Za-z0-9._$-]{0,199}){0,5}\Z"
)


_FORMS: Final = {
    "signing_key": "a key is named, never written here: env:NAME or file:/path",
    "certificate_key": "a key is named, never written here: env:NAME or file:/path",
    "key": "write the Ed25519 public key as base64url, 43 characters: habeas transfer key prints ours",
    "pin": "write the SHA-256 of the certificate as 64 small hexadecimal digits",
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Receiver(_Strict):
    """A controller that data may be sent to."""

    name: Name
    url: str
    """Where transfers are put; https, and nothing else."""
    key: Key
    """What its receipts are signed with."""
    ca: str = ""
    """A file with the authority that its certificate must be from; empty: the public ones."""
    pin: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """SHA-256 of its certificate (DER), hex: this very one, whoever has signed it."""
    private: tuple[str, ...] = ()
    """Addresses of our own networks that it may have."""
    recipient: str = Field(default="", pattern=r"^([a-z][a-z0-9-]{0,40})?$")
    """Who it is in the register of recipients; needed where there is one."""

    @field_validator("url")
    @classmethod
    def _https(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("a receiver is reached by https alone: write https://host/path, without a name or query")
        return url.rstrip("/")

    @field_validator("private")
    @classmethod
    def _addresses(cls, private: tuple[str, ...]) -> tuple[str, ...]:
        for address in private:
            ip_address(address)
        return private

    @model_validator(mode="after")
    def _one_trust(self) -> Self:
        if self.ca and self.pin:
            raise ValueError("give ca or pin, not both: which of them counts?")
        return self


class Receivers(_Strict):
    """Who we are to others, and whom we send to."""

    sender: Name
    signing_key: Secret
    """Our Ed25519 private key (PEM), by reference: env:NAME or file:/path."""
    receivers: dict[Name, Receiver]


class Sender(_Strict):
    """A controller whose data we take into quarantine."""

    key: Key


class Receiving(_Strict):
    """How an endpoint takes data in."""

    name: Name
    """Who we are to others: what a manifest must be addressed to."""
    signing_key: Secret
    """Our Ed25519 private key (PEM), for receipts."""
    certificate: str
    """A file with our TLS certificate and those between it and its authority."""
    certificate_key: Secret
    quarantine: str
    """A directory that nothing reads by itself. What comes in lies there until a person looks at it."""
    senders: dict[Name, Sender]
    largest: int = Field(default=2 << 30, ge=1)
    """Bytes of an archive."""
    largest_unpacked: int = Field(default=8 << 30, ge=1)
    """Bytes of all its files."""


class Part(_Strict):
    """A file of an archive."""

    path: str
    size: int = Field(ge=0)
    sha256: Digest

    @field_validator("path")
    @classmethod
    def _tame(cls, path: str) -> str:
        if not _PATH.match(path):
            raise ValueError("a path has plain names, and none that begins with a point")
        return path


class Manifest(_Strict):
    """What a sender signs."""

    format: Literal["habeas-transfer/1"] = FORMAT
    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    """Of this transfer alone; the same whenever it is tried again."""
    sender: Name
    recipient: Name
    reference: str = Field(default="", max_length=200)
    """What the recipient knows the person by, if the person has said so."""
    issued_at: datetime
    expires_at: datetime
    archive_sha256: Digest
    archive_size: int = Field(ge=1)
    folder: str = Field(pattern=r"^[a-z0-9-]{1,60}$")
    """The folder that all files of the archive stand in."""
    files: tuple[Part, ...] = Field(min_length=1, max_length=MOST_FILES)
    schemas: dict[str, str]
    """By .jsonl file, the JSON Schema of its rows; both are among the files."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not timedelta(0) < self.expires_at - self.issued_at <= LIFE:
            raise ValueError("a manifest ends after it begins, and within a week")
        paths = [part.path for part in self.files]
        if len({path.lower() for path in paths}) != len(paths):
            raise ValueError("two files have the same name")
        known = set(paths)
        if not known >= {*self.schemas, *self.schemas.values()}:
            raise ValueError("a schema, or what it is of, is not among the files")
        if {path for path in paths if path.endswith(".jsonl")} != {*self.schemas}:
            raise ValueError("each .jsonl file has a schema")
        return self


class Taken(_Strict):
    """What a receiver signs: it has the archive, whole, and has checked it."""

    format: Literal["habeas-receipt/1"] = "habeas-receipt/1"
    id: str
    sender: Name
    recipient: Name
    archive_sha256: Digest
    files: int
    rows: int
    received_at: datetime

    def fits(self, manifest: Manifest) -> bool:
        """Whether it is the receipt of this transfer."""
        ours = (manifest.id, manifest.sender, manifest.recipient, manifest.archive_sha256, len(manifest.files))
        return (self.id, self.sender, self.recipient, self.archive_sha256, self.files) == ours


def read_receivers(file: str, text: str) -> Receivers:
    """Read whom data may be sent to.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read(Receivers, file, text, "this file is a list of key: value, from sender: NAME on", forms=_FORMS)


def read_receiving(file: str, text: str) -> Receiving:
    """Read how data is taken in.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read(Receiving, file, text, "this file is a list of key: value, from name: NAME on", forms=_FORMS)
