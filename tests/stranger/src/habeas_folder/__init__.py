"""A folder with one JSON file per person, ID.json, as a system of Habeas: `connector: folder`."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from connectors import Call, Candidate, ConnectorError, Export, Links, Look, NeedsHuman, Retryable
from rights.codes import Code
from rights.datamap import Erase, System, Telling
from rights.receipt import Count, Tally
from rights.subject import Identity, Sharing, comparable

Row = dict[str, Any]
T = TypeVar("T")

BATCH = 100
"""Files that one passage of the fence takes: a hold binds from the next batch on."""
LONGEST = timedelta(seconds=30)
"""After this time within the fence no further file is deleted; a hundred take milliseconds."""


class Folder:
    def __init__(self, system: System, path: Path) -> None:
        self.system, self.path = system, path
        ((self.name, self.collection),) = system.collections.items()

    @property
    def longest(self) -> timedelta:
        return LONGEST

    def locate(self, call: Call) -> Look:
        certain, doubtful = self._see(call)
        candidates = tuple(Candidate(self.name, (row["id"],), row) for row in doubtful)
        tally = self._tally(found=len(certain) + len(doubtful))
        return Look(tally, candidates=candidates, links=self._links(call, certain))

    # Every row goes with its file and no path leads from one to another, so looking again is looking.
    verify = locate

    def _links(self, call: Call, rows: Iterable[Row]) -> tuple[Identity, ...]:
        links = Links(call)
        for row in rows:
            links.add_row(self.name, row)
        return links.found

    def export(self, call: Call) -> Iterator[Export]:
        (work,) = call.work
        rows = self._undoubted(call)
        lines = (json.dumps({name: row.get(name) for name in work.export}).encode() + b"\n" for row in rows)
        yield Export(self.name, "application/x-ndjson", lines)

    def erase(self, call: Call) -> Tally:
        if not call.environment or self._mark() != call.environment:
            raise NeedsHuman(Code.ENVIRONMENT, self.system.system)
        rows = self._undoubted(call)
        call.learn(self._links(call, rows))  # a row that came in since the look tells its own before it goes
        look = self._tally(found=len(rows))
        gone = 0
        for start in range(0, len(rows), BATCH):
            call.beat()
            batch = rows[start : start + BATCH]
            until = time.monotonic() + LONGEST.total_seconds()
            with call.fence({self.name: len(batch)}, look) as intent:
                erased = sum(self._delete(row, until) for row in batch)
                intent.done(self._tally(erased=erased))
            gone += erased
        return self._tally(found=len(rows), erased=gone)

    def check(self) -> list[str]:
        """What does not fit, for `habeas map check --live`."""
        if self._mark():
            return []
        return ["the folder belongs to no environment: write the environment's name into the file 'environment' in it"]

    def _see(self, call: Call) -> tuple[list[Row], list[Row]]:
        """The rows that are the person's, and those of which it is open whose they are."""
        wanted = self._wanted(call)
        mine = call.rulings.mine.get(self.name, frozenset())
        others = call.rulings.others.get(self.name, frozenset())
        certain: list[Row] = []
        doubtful: list[tuple[Row, Sharing]] = []
        matching = 0
        for row in self._rows(call):
            sharing = _match(row, wanted)
            matching += sharing is not None
            if sharing is None or (row["id"],) in others:
                continue
            if (row["id"],) in mine:
                certain.append(row)
            else:
                doubtful.append((row, sharing))
        # One match, and by an identity that only one person has: no need to ask.
        if matching == 1 and doubtful and doubtful[0][1] is Sharing.UNIQUE:
            return [doubtful[0][0]], []
        return certain, [row for row, _ in doubtful]

    def _wanted(self, call: Call) -> list[tuple[str, Telling, dict[str, Sharing]]]:
        """For each field that people are found by, the values looked for; a hint is never followed."""
        wanted = []
        for name, about in self.collection.identities.items():
            values: dict[str, Sharing] = {}
            for identity in call.identities:
                kinds = {identity.sharing, Sharing(about.sharing)}
                if identity.kind == about.identity and identity.value and Sharing.HINT not in kinds:
                    value = comparable(identity.value, casefold=about.casefold)
                    if values.get(value) is not Sharing.UNIQUE:
                        values[value] = Sharing.SHARED if Sharing.SHARED in kinds else Sharing.UNIQUE
            wanted.append((name, about, values))
        return wanted

    def _undoubted(self, call: Call) -> list[Row]:
        certain, doubtful = self._see(call)
        if doubtful:
            raise NeedsHuman(Code.SEVERAL_PEOPLE, self.name)
        return certain

    def _rows(self, call: Call) -> Iterator[Row]:
        # Not glob: of a folder that is not there it would say that it is empty, and nobody would be held in it.
        for name in sorted(self._ask(partial(os.listdir, self.path))):
            call.beat()
            if name.endswith(".json"):
                file = self.path / name
                yield {**self._ask(partial(_read, file)), "id": file.stem}

    def _delete(self, row: Row, until: float) -> bool:
        """Delete a row's file; False if somebody else did."""
        if time.monotonic() > until:
            raise Retryable(Code.BUSY, self.system.system)
        return self._ask(partial(_unlink, self.path / f"{row['id']}.json"))

    def _mark(self) -> str:
        if "environment" not in self._ask(partial(os.listdir, self.path)):
            return ""
        return self._ask((self.path / "environment").read_text).strip()

    def _ask(self, question: Callable[[], T]) -> T:
        """Put a question to the file system, and say what goes wrong in the words of the contract."""
        failure: ConnectorError
        try:
            return question()
        except PermissionError:
            failure = NeedsHuman(Code.RIGHTS, self.name)
        except (ValueError, TypeError):
            failure = NeedsHuman(Code.SHAPE, self.name)
        except OSError:
            failure = Retryable(Code.UNREACHABLE, self.system.system)
        # Out here, so that the system's own error does not hang on ours as its context: it may name a person.
        raise failure

    def _tally(self, *, found: int = 0, erased: int = 0) -> Tally:
        return Tally(counts=(Count(collection=self.name, found=found, erased=erased),))


def _read(file: Path) -> Row:
    return dict(json.loads(file.read_text()))


def _unlink(file: Path) -> bool:
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    return True


def _match(row: Row, wanted: list[tuple[str, Telling, dict[str, Sharing]]]) -> Sharing | None:
    """How surely a row is the person's; None: not at all."""
    found = {
        values.get(comparable(str(row.get(name) or ""), casefold=about.casefold)) for name, about, values in wanted
    }
    return next((sharing for sharing in (Sharing.UNIQUE, Sharing.SHARED) if sharing in found), None)


def build(system: System, secrets: Mapping[str, str]) -> Folder:
    """Options: `path`."""
    options = dict(system.options)
    path = options.pop("path", None)
    if options or secrets or not isinstance(path, str):
        raise ValueError("a folder has one option and no connection: write options: {path: ...}")
    if len(system.collections) != 1:
        raise ValueError("a folder is one collection: write a file of the map for each")
    for collection in system.collections.values():
        if collection.erase is not Erase.DELETE or collection.retention or collection.options:
            raise ValueError("a folder can only delete: write erase: delete, and neither retention nor options")
        if collection.key != ("id",):
            raise ValueError("the key of a folder is the name of its files: write key: [id]")
    return Folder(system, Path(path))
