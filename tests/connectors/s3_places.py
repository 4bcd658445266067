"""A bench for corrections: a person's files, metadata and tags in a bucket of a real server, read by the back door."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from types import MappingProxyType
from typing import Any

from connectors.conformance import Dump, Person
from connectors.protocol import Key
from starter.stack import Objects
from tests.connectors.s3_bench import S3Bench, policy_of

BY_PLACE = """
system: uploads
owner: commerce
connector: s3
backups: none
options: {plaintext: true, timeout: 20, restricted_tag: habeas-restricted}
collections:
  objects:
    key: [key, version]
    options:
      keys: ["users/{user_id}/"]
      places:
        - full_name = .json#name
        - street = .json#address.street
        - full_name = .jsonl#who.name
        - age = .jsonl#age
        - full_name = .csv#Customer
        - shown = metadata#owner
        - full_name = tag#owner
    fields:
      user_id: {category: reference, identity: user_id}
      key: {}
      version: {}
      last_modified: {}
      content_disposition: {category: name}
      file: {}
      full_name: {category: name}
      street: {category: contact}
      age: {}
      shown: {category: name}
"""


def body_of(number: int, name: str) -> tuple[str, bytes]:
    """A file with somebody's name in it: its ending, and what is in it."""
    match number % 3:
        case 0:
            body = f'{{"n": 1.50, "name" : {json.dumps(name)},\n "address": {{"street": "Quarry Lane 1"}}, "x": [1e3]}}'
            return ".json", body.encode()
        case 1:
            line = json.dumps({"who": {"name": name}, "age": 41})
            return ".jsonl", f'{line}\n\n{{"event":"opened"}}\n{line}'.encode()
        case _:
            cell = '"' + name.replace('"', '""') + '"'
            return ".csv", f'id;Customer;Note\r\n1;{cell};"a; ""b"""\r\n2;{cell};\r\n'.encode()


def names_in(key: str, body: bytes) -> set[str | None]:
    """The names that stand in such a file."""
    if key.endswith(".json"):
        return {json.loads(body).get("name")}
    if key.endswith(".jsonl"):
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        return {line["who"]["name"] for line in lines if "name" in line.get("who", {})}
    return {row["Customer"] for row in csv.DictReader(io.StringIO(body.decode(), newline=""), delimiter=";")}


class PlacesBench(S3Bench):
    """A person's files; the writer may write objects, too."""

    writable: Mapping[str, frozenset[str]] = MappingProxyType({"objects": frozenset({"full_name"})})

    def __init__(self, server: Objects, text: str = BY_PLACE, versioning: str = "", *, lock: bool = False) -> None:
        super().__init__(server, text, versioning, lock=lock)
        self._files = count()

    def account(self, role: str) -> Any:
        return super().account("mender" if role == "writer" else role)

    @staticmethod
    def _statements(role: str) -> list[dict[str, Any]]:
        if role != "mender":
            return S3Bench._statements(role)
        found: list[dict[str, Any]] = policy_of("writer", "bucket-*")["Statement"]
        return [*found, *policy_of("corrections", "bucket-*")["Statement"]]

    def seed(self, person: Person, rows: int) -> None:
        """One file of each kind, and no more: a correction is tried with each of its steps cut short."""
        self._keys[person] = set()
        for _ in range(min(rows, 3)):
            self.arrive(person)

    def arrive(self, person: Person) -> None:
        number = next(self._files)
        ending, body = body_of(number, person.text)
        key = f"users/{person.of('user_id')}/ä b+{number}{ending}"
        self._keys.setdefault(person, set()).add(key)
        self.put(key, body, ContentType="text/plain", Metadata={"by": "app"}, Tagging="kind=upload")

    def everything(self) -> Dump:
        return {"objects": dict(self._read())}

    def _read(self) -> Iterator[tuple[Key, Mapping[str, object]]]:
        for (key, version), row in self._objects():
            told = {column: value for column, value in row.items() if column not in {"last_modified", "body"}}
            if "body" in row:
                body = row["body"]
                assert isinstance(body, bytes)
                name = next(iter(names_in(key, body)), None) if key.endswith((".json", ".jsonl", ".csv")) else None
                rest = re.sub(re.escape(json.dumps(name)[1:-1]).encode(), b"NAME", body) if name else body
                told |= {"full_name": name, "rest": rest}
            yield (key, version), told

    @contextmanager
    def cut(self) -> Iterator[None]:
        with self.proxy.failing("PUT", "users/", lost=True):
            yield
