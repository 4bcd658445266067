"""Benches for the bucket connector: a bucket of its own on a real server, filled by the administrator's client.

The one rule: it reads and writes through that client, never through the connector. The connector's own accounts have
the policies that docs/s3.md gives, and no more.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from botocore.exceptions import ClientError

from connectors.conformance import Dump, Person
from connectors.protocol import Key
from connectors.s3 import Bucket, build
from rights.datamap import System
from rights.mapfile import read_map
from starter.stack import HOST, Account, Objects
from tests.connectors.s3_proxy import S3Proxy

PAGE = Path(__file__).parents[2] / "docs" / "s3.md"
FIELDS = """
      key: {yields: object_key}
      version: {}
      kind: {}
      latest: {}
      size: {}
      last_modified: {}
      content_type: {}
      metadata: {category: free_text}
      tags: {category: free_text}
      file: {}
"""
BY_TEMPLATE = f"""
system: uploads
owner: commerce
connector: s3
backups: none
options: {{plaintext: true, batch: 5, timeout: 20, restricted_tag: habeas-restricted}}
collections:
  objects:
    key: [key, version]
    options: {{keys: ["users/{{user_id}}/", "avatars/{{user_id}}.png"]}}
    fields:
      user_id: {{category: reference, identity: user_id}}
{FIELDS}
"""
BY_MANIFEST = f"""
system: recordings
owner: support
connector: s3
backups: none
options: {{plaintext: true, batch: 4, timeout: 20, restricted_tag: habeas-restricted}}
collections:
  objects:
    key: [key, version]
    options: {{manifest: index/manifest.jsonl}}
    fields:
      user_id: {{category: reference, identity: user_id}}
      email: {{category: contact, identity: email}}
      phone: {{category: contact, identity: phone, sharing: shared}}
      nickname: {{category: name, identity: nickname, sharing: hint}}
{FIELDS}
"""
STAYS = f"""
{BY_TEMPLATE}
    retention:
      - {{ground: tax law, after: last_modified, period: P10Y, from: end_of_year}}
      - {{ground: warranty, after: last_modified, period: P2Y}}
"""
_numbers = count(1)
_accounts: WeakKeyDictionary[Objects, dict[str, Account]] = WeakKeyDictionary()
_SAYS_OTHERWISE = {"s3:ListBucketMultipartUploads": "s3:List*", "s3:PutObjectVersionTagging": ""}
"""What the server calls an action, where it is not what AWS does; empty: it knows none such, and asks for none."""


def system_of(text: str, bucket: str, endpoint: str, **options: Any) -> System:
    """The one system of a map, in a bucket of a server."""
    (system,) = read_map({"map.yaml": text}).systems.values()
    return system.model_copy(update={"options": {**system.options, "bucket": bucket, "endpoint": endpoint, **options}})


def policy_of(name: str, bucket: str, names: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """A policy of docs/s3.md, for a bucket, in the words of the server."""
    (text,) = re.findall(rf"<!-- policy: {name} -->\n```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for ours, theirs in {"uploads-bucket": bucket, **names}.items():
        text = text.replace(ours, theirs)
    policy: dict[str, Any] = json.loads(text)
    for statement in policy["Statement"]:
        actions = [_SAYS_OTHERWISE.get(action, action) for action in statement["Action"]]
        statement["Action"] = [action for action in actions if action]
    return policy


class S3Bench:
    """A bucket behind a wire that can be cut, with objects by key template."""

    writable: Mapping[str, frozenset[str]] = MappingProxyType({})

    def __init__(
        self, server: Objects, text: str = BY_TEMPLATE, versioning: str = "Enabled", *, lock: bool = False
    ) -> None:
        self.server, self.bucket = server, f"bucket-{next(_numbers)}"
        self.door = server.client()
        self.door.create_bucket(Bucket=self.bucket, ObjectLockEnabledForBucket=lock)
        if versioning and not lock:
            self.door.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": versioning})  # type: ignore[typeddict-item]
        self.proxy = S3Proxy(server.port)
        self.system = system_of(text, self.bucket, f"http://{HOST}:{self.proxy.port}")
        self.reader, self.writer = (self.account(role) for role in ("reader", "writer"))
        self.app = self.account("app")
        self.door.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(self.denial()))
        self.connector: Bucket = self.connected()
        self._keys: dict[Person, set[str]] = {}
        self._ids = count(1)

    def account(self, role: str) -> Account:
        """The account with the policy that the documentation gives this role; one for all buckets of a server, which
        grows slow with many accounts."""
        known = _accounts.setdefault(self.server, {})
        if role not in known:
            known[role] = self.server.account(f"habeas-{role}", *self._statements(role))
        return known[role]

    @staticmethod
    def _statements(role: str) -> list[dict[str, Any]]:
        if role == "app":
            return [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::bucket-*/*"]}]
        found: list[dict[str, Any]] = policy_of(role, "bucket-*")["Statement"]
        return found

    def denial(self) -> dict[str, Any]:
        """The bucket's policy, as docs/s3.md has it for stores that know their principals by name."""
        return policy_of("denial", self.bucket, {"arn:aws:iam::111122223333:user/app": self.app.arn})

    def connected(self, **options: Any) -> Bucket:
        """A connector to this bucket."""
        system = self.system.model_copy(update={"options": {**self.system.options, **options}})
        secrets = {
            name: f"{who.access_key}:{who.secret_key}"
            for name, who in (("reader", self.reader), ("writer", self.writer))
        }
        return build(system, secrets)

    def close(self) -> None:
        self.proxy.close()

    def readable(self, person: Person) -> int:
        """An application's own credentials, which may do anything with objects that the policy does not deny."""
        return sum(self._reads(key, version) for key, version in self.rows(person)["objects"])

    def contents(self, person: Person) -> object:
        rows = self.everything()["objects"]
        return sorted(
            (key, {**rows[key], "tags": {**rows[key]["tags"], "habeas-restricted": ""}})  # type: ignore[dict-item]
            for key in self.rows(person)["objects"]
        )

    def _reads(self, key: str, version: str) -> bool:
        try:
            self.server.client(self.app).get_object(Bucket=self.bucket, Key=key, VersionId=version)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return False
        return True

    def put(self, key: str, body: bytes = b"", **extra: Any) -> str:
        """Put an object in, and say its version."""
        answer = self.door.put_object(Bucket=self.bucket, Key=key, Body=body, **extra)
        return answer.get("VersionId", "null")

    def seed(self, person: Person, rows: int) -> None:
        """In a versioned bucket a third of the rows are further versions of a key."""
        self._keys[person] = set()
        for _ in range(rows):
            self.arrive(person)

    def arrive(self, person: Person) -> None:
        number, keys = next(self._ids), self._keys.setdefault(person, set())
        key = f"avatars/{person.of('user_id')}.png" if not keys else f"users/{person.of('user_id')}/ä b+{number}/x.txt"
        if number % 3 == 2 and keys and self.versioned:
            key = max(keys)  # one more version
        keys.add(key)
        self.put(key, person.text.encode(), ContentType="text/plain", Metadata={"by": "app"}, Tagging="kind=upload")

    def rows(self, person: Person) -> dict[str, frozenset[Key]]:
        mine = self._keys[person]
        return {"objects": frozenset(key for key in self.everything()["objects"] if key[0] in mine)}

    def everything(self) -> Dump:
        return {"objects": dict(self._objects())}

    @property
    def versioned(self) -> bool:
        return self.door.get_bucket_versioning(Bucket=self.bucket).get("Status") == "Enabled"

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.proxy.away = True
        self.proxy.hang_up()
        yield
        self.proxy.away = False

    @contextmanager
    def refused(self) -> Iterator[None]:
        for account in (self.reader, self.writer):
            self.server.revoke(account)
        yield
        for account in (self.reader, self.writer):
            self.server.admit(account)

    @contextmanager
    def cut(self) -> Iterator[None]:
        with self.proxy.failing("POST", "?delete", lost=True):
            yield

    def mark(self, environment: str) -> None:
        self.door.delete_bucket_tagging(Bucket=self.bucket)
        if environment:
            tag_set = [{"Key": "habeas-environment", "Value": environment}]
            self.door.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": tag_set})  # type: ignore[typeddict-item]

    def _objects(self) -> Iterator[tuple[Key, Mapping[str, object]]]:
        for page in self.door.get_paginator("list_object_versions").paginate(Bucket=self.bucket):
            for item in page.get("Versions", ()):
                key, version = item["Key"], item["VersionId"]
                if key.startswith("index/"):
                    continue
                answer = self.door.get_object(Bucket=self.bucket, Key=key, VersionId=version)
                tags = self.door.get_object_tagging(Bucket=self.bucket, Key=key, VersionId=version)["TagSet"]
                yield (
                    (key, version),
                    {
                        **self._says(key),
                        "body": answer["Body"].read(),
                        "last_modified": item["LastModified"],
                        "metadata": answer["Metadata"],
                        "content_type": answer["ContentType"],
                        "tags": {tag["Key"]: tag["Value"] for tag in tags},
                    },
                )
            for marker in page.get("DeleteMarkers", ()):
                yield (
                    (marker["Key"], marker["VersionId"]),
                    {**self._says(marker["Key"]), "last_modified": marker["LastModified"]},
                )

    def _says(self, key: str) -> dict[str, object]:
        """What is known of an object by its key."""
        whose = re.match(r"(?:users/|avatars/)([^/.]+)", key)
        return {"key": key, "user_id": whose[1] if whose else ""}


class ManifestBench(S3Bench):
    """Objects anywhere in the bucket, and a manifest that says whose they are."""

    shares = "phone"

    def __init__(self, server: Objects) -> None:
        super().__init__(server, BY_MANIFEST, "")
        self._lines: dict[str, str] = {}
        self._write()

    def seed(self, person: Person, rows: int) -> None:
        self._keys[person] = set()
        for _ in range(rows):
            self._put(person)
        self._write()

    def arrive(self, person: Person) -> None:
        self._put(person)
        self._write()

    def orphan(self, person: Person) -> None:
        """An object comes back under its key, and the manifest has long forgotten it."""
        key = min(self._keys[person])
        for other in self._keys[person]:
            self._lines.pop(other, None)
        self._write()
        self.put(key, person.text.encode())

    def _says(self, key: str) -> dict[str, object]:
        known: dict[str, object] = json.loads(self._lines.get(key, '{"user_id": "", "email": "", "phone": ""}'))
        return {**known, "key": key}

    def _put(self, person: Person) -> None:
        key = f"calls/2026/{next(self._ids)}.wav"
        self._keys.setdefault(person, set()).add(key)
        self.put(key, person.text.encode(), ContentType="text/plain")
        self._lines[key] = json.dumps({"key": key, **{i.kind: i.value for i in person.identities}})

    def _write(self) -> None:
        body = io.BytesIO("".join(f"{line}\n" for line in self._lines.values()).encode())
        self.door.put_object(Bucket=self.bucket, Key="index/manifest.jsonl", Body=body)
