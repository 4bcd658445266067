"""One credential at one bucket, and the few requests that this connector makes.

The one rule: nothing is deleted but by key and version id, and no request that changes anything is repeated by itself:
what may have been done is looked at first.
"""

import logging
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

import boto3
from botocore.config import Config

from connectors.clock import steady_clock
from connectors.errors import ConnectorError, NeedsHuman, Retryable
from connectors.s3.errors import DRIVER, code_of, explain, explain_code
from connectors.s3.sealed import Sealed, Sending
from connectors.s3.settings import Settings
from rights.codes import Code

CONNECT_S: Final = 10
"""A store that is up accepts within milliseconds; a dead address must not hold a worker's thread."""
LOOKS_TRIED: Final = 4
"""A look through a million keys is a thousand requests; one SlowDown among them is waited out within seconds."""
CONNECTIONS: Final = 10
PAGE: Final = 1000
"""Keys in one answer, the most that S3 gives."""

_SDK: Final[Any] = boto3.session.Session()
_MAKING: Final = threading.Lock()
"""What AWS says of its services is read once; making clients of it is not safe for several threads at a time."""

# They write down, at level DEBUG, every request: keys, and what signs them.
for _name in ("boto3", "botocore", "s3transfer", "urllib3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks. Without keys it is the machine's own role, as the AWS SDK finds it."""

    name: str
    """What the map calls the secret: connection.reader."""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def read(cls, name: str, text: str) -> Self:
        """Take ACCESS_KEY:SECRET_KEY or ACCESS_KEY:SECRET_KEY:SESSION_TOKEN, or the one word role.

        Raises:
            ValueError: it is neither; the text quotes nothing of it.
        """
        if text == "role":
            return cls(f"connection.{name}")
        access, _, rest = text.partition(":")
        secret, colon, token = rest.partition(":")
        if not access or not secret or (colon and not token) or any(c.isspace() for c in text):
            raise ValueError(
                f"connection: {name} is ACCESS_KEY:SECRET_KEY, or the word role for the machine's own role"
            )
        return cls(f"connection.{name}", access, secret, token)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that a key holds: a version, a delete marker, or an upload that was never finished."""

    key: str = field(repr=False)
    version: str
    """The version id; `null` where the bucket keeps none; of an upload its id after `upload:`."""
    kind: str
    """version, marker or upload"""
    latest: bool
    modified: datetime
    size: int | None = None
    etag: str = ""
    storage_class: str = ""

    @property
    def file(self) -> str:
        """What it is called in an export; empty if it has no content."""
        if self.kind != "version":
            return ""
        return f"current/{self.key}" if self.latest else f"versions/{self.version}/{self.key}"


UPLOAD: Final = "upload:"
_LISTING: Final = {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"}
_UPLOADING: Final = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}


def connect(settings: Settings, credentials: Credentials, *, writes: bool) -> Any:
    """A client for a credential; it is asked by several threads, and makes no request before it is."""
    with _MAKING:
        client = _SDK.client(
            "s3",
            region_name=settings.region or "us-east-1",
            endpoint_url=settings.endpoint or None,
            aws_access_key_id=credentials.access_key or None,
            aws_secret_access_key=credentials.secret_key or None,
            aws_session_token=credentials.token or None,
            verify=settings.ca_file or None,
            config=Config(
                connect_timeout=CONNECT_S,
                read_timeout=settings.timeout,
                max_pool_connections=CONNECTIONS,
                retries={"mode": "standard", "total_max_attempts": 1 if writes else LOOKS_TRIED},
                s3={"addressing_style": "path" if settings.path_style else "auto"},
            ),
        )
    if settings.requester_pays:
        client.meta.events.register("before-call.s3", _requester_pays)
    return client


class Session:
    """A credential at a bucket, for one call. Its methods raise the contract's errors."""

    def __init__(self, client: Any, settings: Settings, credential: str, system: str) -> None:
        self._client, self._bucket = client, settings.bucket
        self._credential, self._system = credential, system
        self._deadline: float | None = None

    @contextmanager
    def within(self, seconds: int) -> Iterator[None]:
        """Inside, no request is sent once so many seconds are over."""
        self._deadline = steady_clock() + seconds
        try:
            yield
        finally:
            self._deadline = None

    def rows(self, prefix: str, *, exact: bool) -> Iterator[list[Row]]:
        """All that is there under a beginning of keys, or under one key: a list for each key, newest first.

        It is asked for page by page, and no more than a page and the versions of one key are held.
        """
        groups: dict[str, list[Row]] = {}
        for page, more in self._pages("list_object_versions", _LISTING, Prefix=prefix, MaxKeys=PAGE):
            for kind, name in (("version", "Versions"), ("marker", "DeleteMarkers")):
                for item in page.get(name, ()):
                    if item["Key"] == prefix or (not exact and item["Key"].startswith(prefix)):
                        groups.setdefault(item["Key"], []).append(_row(item, kind))
            # The last key of a page may go on on the next one.
            last = groups.pop(more, None)
            yield from map(_newest_first, groups.values())
            if exact and groups:
                return  # what follows only begins like the key
            groups = {more: last} if last else {}
        yield from map(_newest_first, groups.values())

    def uploads(self, prefix: str, *, exact: bool) -> Iterator[Row]:
        """Uploads that were begun there and never finished: their parts hold bytes, and stand in no listing."""
        for page, _ in self._pages("list_multipart_uploads", _UPLOADING, Prefix=prefix, MaxUploads=PAGE):
            for item in page.get("Uploads", ()):
                if item["Key"] == prefix or (not exact and item["Key"].startswith(prefix)):
                    yield Row(item["Key"], f"{UPLOAD}{item['UploadId']}", "upload", False, item["Initiated"])

    def _pages(
        self, operation: str, markers: Mapping[str, str], **arguments: Any
    ) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Pages of a listing, each with the key that it ends at; none with the last."""
        known: dict[str, str] = {}
        while True:
            answer = self._ask(operation, **{**arguments, **known})
            if not answer.get("IsTruncated"):
                yield answer, ""
                return
            told = {ours: answer[theirs] for ours, theirs in markers.items() if answer.get(theirs)}
            if not told or told == known:
                # It says that there is more, and not where: what it has shown is not all.
                raise NeedsHuman(Code.SHAPE, self._system)
            known = told
            yield answer, known.get("KeyMarker", "")

    def delete(self, rows: Sequence[Row], *, bypass: bool) -> dict[Row, str]:
        """Delete versions and markers by their ids, up to 1,000, and say which the store refused, with its word."""
        things = [{"Key": row.key, "VersionId": row.version} for row in rows]
        extra: dict[str, Any] = {"BypassGovernanceRetention": True} if bypass else {}
        answer = self._ask("delete_objects", Delete={"Objects": things, "Quiet": True}, **extra)
        by_id = {(row.key, row.version): row for row in rows}
        refused: dict[Row, str] = {}
        for error in answer.get("Errors", ()):
            row = by_id.get((error.get("Key", ""), error.get("VersionId") or "null"))
            if row is None:
                raise Retryable(Code.BUSY, self._system)  # it speaks of what it was not asked for: look again
            if error.get("Code") not in {"NoSuchVersion", "NoSuchKey"}:
                refused[row] = str(error.get("Code", ""))
        return refused

    def abort(self, row: Row) -> None:
        """Abort an upload that was never finished; one that is gone is gone."""
        self._ask_or("NoSuchUpload", "abort_multipart_upload", Key=row.key, UploadId=row.version.removeprefix(UPLOAD))

    def head(self, row: Row) -> Mapping[str, Any] | None:
        """What is known of a version; None if it is gone."""
        try:
            return self._ask_or("404", "head_object", **self._named(row), ChecksumMode="ENABLED")
        except _Gone:
            return None

    def get(self, row: Row, start: int = 0) -> Mapping[str, Any] | None:
        """Begin to read a version, from a byte on; None if it is gone or is not what was listed."""
        extra = {"Range": f"bytes={start}-"} if start else {}
        try:
            return self._ask_or(_NOT_THAT, "get_object", **self._named(row), **self._match(row), **extra)
        except _Gone:
            return None

    def _match(self, row: Row) -> dict[str, str]:
        """A version never changes; what has no version id is read only while it is what was listed."""
        if row.version != "null" or not row.etag.strip('"'):
            return {}
        if "-" not in row.etag:
            return {"IfMatch": row.etag}
        # SeaweedFS lists what it has cut in pieces under another ETag than it answers with.
        head = self.head(row) or {}
        same = (head.get("ContentLength"), head.get("LastModified")) == (row.size, row.modified.replace(microsecond=0))
        return {"IfMatch": head["ETag"] if same else row.etag}

    def put(self, row: Row, etag: str, body: Sealed, headers: Mapping[str, Any]) -> bool:
        """Write an object anew, in one request that takes effect as a whole or not at all; False if it is not any more
        what had this ETag.

        Raises:
            Retryable: BUSY: it could not be sent in time.
        """
        body.seek(0)
        sending = Sending(body, self._deadline)
        try:
            self._ask_or(_NOT_THAT, "put_object", Key=row.key, Body=sending, IfMatch=etag, **headers)
        except _Gone:
            return False
        except ConnectorError:
            if not sending.late:
                raise
        if sending.late:
            raise Retryable(Code.BUSY, self._system)
        return True

    def open(self, key: str) -> Mapping[str, Any] | None:
        """Begin to read an object as it is now; None if there is none."""
        try:
            return self._ask_or("NoSuchKey", "get_object", Key=key)
        except _Gone:
            return None

    def tags(self, row: Row) -> dict[str, str] | None:
        """A version's tags, in the store's order; None if it is gone."""
        try:
            answer = self._ask_or(_NOT_THAT, "get_object_tagging", **self._named(row))
        except _Gone:
            return None
        return {tag["Key"]: tag["Value"] for tag in answer.get("TagSet", ())}

    def tag(self, row: Row, tags: Mapping[str, str]) -> bool:
        """Give a version these tags and no others; False if it is gone."""
        tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
        try:
            self._ask_or(_NOT_THAT, "put_object_tagging", **self._named(row), Tagging={"TagSet": tag_set})
        except _Gone:
            return False
        return True

    def restore(self, row: Row, days: int, tier: str) -> None:
        """Have an archived version made readable for some days."""
        request = {"Days": days, "GlacierJobParameters": {"Tier": tier}}
        self._ask_or("RestoreAlreadyInProgress", "restore_object", **self._named(row), RestoreRequest=request)

    def bucket_tags(self) -> dict[str, str]:
        """The bucket's tags."""
        try:
            answer = self._ask_or("NoSuchTagSet", "get_bucket_tagging")
        except _Gone:
            return {}
        return {tag["Key"]: tag["Value"] for tag in answer.get("TagSet", ())}

    def versioning(self) -> Mapping[str, Any]:
        """Whether the bucket keeps versions (Status), and lets them go only with a second factor (MFADelete)."""
        return self._ask("get_bucket_versioning")

    def locks(self) -> bool:
        """Whether objects of the bucket can be locked."""
        try:
            answer = self._ask_or(_NO_LOCKS, "get_object_lock_configuration")
        except _Gone:
            return False
        return bool(answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled")

    def policy(self) -> str:
        """The bucket's policy, as JSON; empty if it has none."""
        try:
            return str(self._ask_or("NoSuchBucketPolicy", "get_bucket_policy")["Policy"])
        except _Gone:
            return ""

    def explain(self, code: str) -> ConnectorError:
        """What the store's word for one key among many means."""
        return explain_code(code, self._system, self._credential)

    def chunks(self, answer: Mapping[str, Any], size: int) -> Generator[bytes, None, None]:
        """The bytes of an object. Fewer than were announced are an error."""
        body = answer["Body"]
        try:
            while chunk := self._read(body, size):
                yield chunk
        finally:
            body.close()

    def _read(self, body: Any, size: int) -> bytes:
        try:
            return bytes(body.read(size))
        except DRIVER as error:
            trouble = explain(error, self._system, self._credential)
        raise trouble

    def _named(self, row: Row) -> dict[str, str]:
        return {"Key": row.key, "VersionId": row.version}

    def _ask_or(self, gone: str | frozenset[str], operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Make a request that may find what it asks for gone.

        Raises:
            _Gone: the store answers with one of the codes `gone`.
        """
        codes = frozenset({gone}) if isinstance(gone, str) else gone
        try:
            return self._ask(operation, gone=codes, **arguments)
        except _Gone:
            if operation in {"abort_multipart_upload", "restore_object"}:
                return {}
            raise

    def _ask(
        self, operation: str, gone: frozenset[str] | set[str] = frozenset(), **arguments: Any
    ) -> Mapping[str, Any]:
        """Make a request, and turn what goes wrong into the contract's words."""
        if self._deadline is not None and steady_clock() > self._deadline:
            raise Retryable(Code.BUSY, self._system)
        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(Bucket=self._bucket, **arguments)
        except DRIVER as error:
            trouble = _Gone() if code_of(error) in gone else explain(error, self._system, self._credential)
        else:
            return answer
        # Out here, so that the driver's own error does not hang on ours as its context: it may quote a key.
        raise trouble


_NOT_THAT: Final = frozenset({"NoSuchKey", "NoSuchVersion", "404", "PreconditionFailed", "412", "InvalidRange"})
_NO_LOCKS: Final = frozenset({"ObjectLockConfigurationNotFoundError", "NotImplemented", "InvalidRequest"})


class _Gone(Exception):
    """What was asked for is not there."""


def _row(item: Mapping[str, Any], kind: str) -> Row:
    return Row(
        key=item["Key"],
        version=item.get("VersionId") or "null",
        kind=kind,
        latest=bool(item.get("IsLatest")),
        modified=item["LastModified"],
        size=item.get("Size"),
        etag=item.get("ETag", ""),
        storage_class=item.get("StorageClass", ""),
    )


def _newest_first(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (not row.latest, -row.modified.timestamp()))


def _requester_pays(params: dict[str, Any], **_: object) -> None:
    params["headers"]["x-amz-request-payer"] = "requester"
