"""One transfer from its manifest to its receipt, on disk.

    <quarantine>/<sender>/<id>.manifest      announced: the signed manifest
    <quarantine>/<sender>/.<id>.<random>     under way; thrown away unless it ends well
    <quarantine>/<sender>/<id>/              taken in: archive.zip, files/, manifest.jws, receipt.jws

The one rule: a transfer is there whole and checked, or it is not there. Its folder comes into being by one rename, so
nothing that broke off is ever half accepted; and whoever sends the same again gets the same receipt.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from activities.jws import NotSignedError, sign, verified
from rights.transfer import FORMAT, Manifest, Receiving, Taken
from starter.receiving.archive import ArchiveError, sync, unpack

RECEIPT: Final = "habeas-receipt/1"
SKEW: Final = timedelta(minutes=5)
"""How far clocks may differ."""
_CHUNK: Final = 256 * 1024


class RefusedError(Exception):
    """A transfer is not taken in. The text is for the sender, and quotes nothing that was sent."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Intake:
    """Takes transfers in."""

    def __init__(self, config: Receiving, key: Ed25519PrivateKey, now: Callable[[], datetime] | None = None) -> None:
        self._config, self._key = config, key
        self._now = now or (lambda: datetime.now(UTC))
        self._quarantine = Path(config.quarantine)
        self._quarantine.mkdir(mode=0o700, parents=True, exist_ok=True)
        for sender in config.senders:
            folder = self._quarantine / sender
            folder.mkdir(mode=0o700, exist_ok=True)
            for left in folder.glob(".*"):
                shutil.rmtree(left, ignore_errors=True)

    def announce(self, transfer: str, statement: bytes) -> bytes | None:
        """Take a manifest. The receipt, if this very archive was taken in before.

        Raises:
            RefusedError: it is no manifest of a known sender to us, or is over, or names another archive than before.
        """
        manifest = self._manifest(statement)
        if manifest.id != transfer:
            raise RefusedError(400, "the manifest is of another transfer")
        if receipt := self._receipt(manifest):
            return receipt
        if manifest.archive_size > self._config.largest:
            raise RefusedError(413, "the archive is larger than is taken here")
        if sum(part.size for part in manifest.files) > self._config.largest_unpacked:
            raise RefusedError(413, "the files are larger together than is taken here")
        waiting = self._waiting(manifest.sender, transfer)
        part = waiting.with_name(f".{transfer}.{secrets.token_hex(8)}")
        part.write_bytes(statement)
        part.replace(waiting)
        return None

    def take(self, transfer: str, body: BinaryIO, size: int) -> bytes:
        """Take an announced archive of so many bytes; the signed receipt.

        Raises:
            RefusedError: it was not announced, is not what was announced, or may do harm. Nothing of it is left.
        """
        statement, manifest = self._announced(transfer)
        if receipt := self._receipt(manifest):
            return receipt
        if size != manifest.archive_size:
            raise RefusedError(400, "the archive has another size than was announced")
        home = self._quarantine / manifest.sender
        part = home / f".{transfer}.{secrets.token_hex(8)}"
        part.mkdir(mode=0o700)
        try:
            self._store(body, part / "archive.zip", manifest)
            rows = unpack(part / "archive.zip", manifest, part / "files")
            taken = Taken(
                id=manifest.id,
                sender=manifest.sender,
                recipient=manifest.recipient,
                archive_sha256=manifest.archive_sha256,
                files=len(manifest.files),
                rows=rows,
                received_at=self._now(),
            )
            receipt = sign(self._key, RECEIPT, taken.model_dump_json().encode())
            (part / "manifest.jws").write_bytes(statement)
            (part / "receipt.jws").write_bytes(receipt)
            sync(part)
            try:
                part.rename(home / transfer)
            except OSError:
                # Two at once: the other one was first, and is as good.
                if known := self._receipt(manifest):
                    return known
                raise
            sync(home)
        except ArchiveError as error:
            raise RefusedError(422, str(error)) from None
        finally:
            shutil.rmtree(part, ignore_errors=True)
        with suppress(FileNotFoundError):
            self._waiting(manifest.sender, transfer).unlink()
        return receipt

    def _manifest(self, statement: bytes) -> Manifest:
        """A manifest that a known sender has signed for us, and that is not over."""
        sender = self._said_sender(statement)
        known = self._config.senders.get(sender)
        if known is None:
            raise RefusedError(403, "the sender is not known here")
        try:
            manifest = Manifest.model_validate_json(verified(known.key, FORMAT, statement))
        except NotSignedError:
            raise RefusedError(403, "the signature is not the sender's") from None
        except ValidationError:
            raise RefusedError(400, "the manifest is not of the form habeas-transfer/1") from None
        if manifest.sender != sender or manifest.recipient != self._config.name:
            raise RefusedError(403, "the manifest is for somebody else")
        if not manifest.issued_at - SKEW <= self._now() < manifest.expires_at:
            raise RefusedError(403, "the manifest is over, or not begun")
        return manifest

    def _said_sender(self, statement: bytes) -> str:
        """Who the sender says to be, to find the key that proves it."""
        import base64

        try:
            body = statement.split(b".")[1]
            said = orjson.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))["sender"]
        except (IndexError, KeyError, TypeError, ValueError):
            raise RefusedError(400, "this is no signed manifest") from None
        return said if isinstance(said, str) else ""

    def _announced(self, transfer: str) -> tuple[bytes, Manifest]:
        for sender in self._config.senders:
            for place in (self._waiting(sender, transfer), self._quarantine / sender / transfer / "manifest.jws"):
                with suppress(FileNotFoundError, NotADirectoryError):
                    statement = place.read_bytes()
                    return statement, self._manifest(statement)
        raise RefusedError(404, "this transfer was not announced: put its manifest first")

    def _receipt(self, manifest: Manifest) -> bytes | None:
        """The receipt of a transfer that was taken in before.

        Raises:
            RefusedError: under its id another archive was taken in.
        """
        folder = self._quarantine / manifest.sender / manifest.id
        try:
            receipt = (folder / "receipt.jws").read_bytes()
            before = Manifest.model_validate_json(
                verified(self._config.senders[manifest.sender].key, FORMAT, (folder / "manifest.jws").read_bytes())
            )
        except (FileNotFoundError, NotADirectoryError):
            return None
        except NotSignedError:
            raise RefusedError(409, "under this id something was taken in that another key has signed") from None
        if before.archive_sha256 != manifest.archive_sha256:
            raise RefusedError(409, "under this id another archive was taken in")
        return receipt

    def _waiting(self, sender: str, transfer: str) -> Path:
        return self._quarantine / sender / f"{transfer}.manifest"

    def _store(self, body: BinaryIO, target: Path, manifest: Manifest) -> None:
        digest, left = hashlib.sha256(), manifest.archive_size
        with target.open("wb") as out:
            while left:
                chunk = body.read(min(_CHUNK, left))
                if not chunk:
                    raise RefusedError(400, "the archive broke off")
                digest.update(chunk)
                out.write(chunk)
                left -= len(chunk)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != manifest.archive_sha256:
            raise RefusedError(422, "the archive is not the one that the manifest names")
