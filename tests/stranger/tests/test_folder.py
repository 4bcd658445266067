"""The connector keeps every promise that it can be held to."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from habeas_folder import build

from connectors.conformance import Bench, Conformance, Dump, Person
from connectors.protocol import Key
from rights.mapfile import read_map

MAP = (Path(__file__).parents[1] / "maps" / "newsletter.yaml").read_text()


class FolderBench:
    shares = "email"

    def __init__(self, path: Path) -> None:
        (system,) = read_map({"newsletter.yaml": MAP}).systems.values()
        self.system = system.model_copy(update={"options": {"path": str(path)}})
        self.connector = build(self.system, {})
        self.path, self.numbers = path, count(1)
        self.ids: dict[Person, set[str]] = defaultdict(set)

    def seed(self, person: Person, rows: int) -> None:
        self.arrive(person)

    def arrive(self, person: Person) -> None:
        number = str(next(self.numbers))
        row = {
            name: person.of(about.identity) if about.identity else f"{person.text} {name} {number}"
            for name, about in self.system.collections["subscribers"].fields.items()
            if name != "id"
        }
        (self.path / f"{number}.json").write_text(json.dumps({**row, "name": person.text}))
        self.ids[person].add(number)

    def rows(self, person: Person) -> dict[str, frozenset[Key]]:
        there = (number for number in self.ids[person] if (self.path / f"{number}.json").exists())
        return {"subscribers": frozenset((number,) for number in there)}

    def everything(self) -> Dump:
        files = self.path.glob("*.json")
        return {"subscribers": {(file.stem,): {**json.loads(file.read_text()), "id": file.stem} for file in files}}

    @contextmanager
    def outage(self) -> Iterator[None]:
        away = self.path.rename(self.path.with_name("away"))
        yield
        away.rename(self.path)

    def mark(self, environment: str) -> None:
        (self.path / "environment").write_text(environment)


class TestFolder(Conformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        path = tmp_path / "subscribers"
        path.mkdir()
        return FolderBench(path)
