"""Good connectors with more than the reference has, so that every promise of the suite is tried on a good one too."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator

from connectors.errors import NeedsHuman
from connectors.fates import Place, key_of
from connectors.memory import Memory
from connectors.protocol import Call, Export, Restricted
from connectors.spreadsheets import harmless
from rights.codes import Code
from rights.receipt import Tally
from tests.connectors.memory_bench import FrailStore


class Tables(Memory):
    """Gives every collection as a table, too."""

    def export(self, call: Call) -> Iterator[Export]:
        for part in super().export(call):
            lines = b"".join(part.pages)
            yield Export(part.collection, part.media_type, iter([lines]))
            yield Export(part.collection, "text/csv", iter([self.table(call, part.collection, lines)]))

    def table(self, call: Call, collection: str, lines: bytes) -> bytes:
        (columns,) = (work.export for work in call.work if work.collection == collection)
        file = io.StringIO(newline="")
        writer = csv.writer(file)
        writer.writerow(columns)
        for line in lines.splitlines():
            writer.writerow([self.cell(value) for value in json.loads(line).values()])
        return file.getvalue().encode()

    def cell(self, value: object) -> object:
        """A text that a spreadsheet would take for a formula is marked as a text."""
        return harmless(value) if isinstance(value, str) else value


class Restricting(Memory):
    """Locks rows away in a second place, each with the request it is locked for, and looks there as well."""

    def restrict(self, call: Call) -> Restricted:
        meant = {work.collection for work in call.work if work.locks}
        rows = [place for place in self._open_rows(call) if place[0] in meant]
        counts = self.locate(call).tally.counts
        look = Tally(counts=tuple(count for count in counts if count.collection in meant))
        for start in range(0, len(rows), self.batch):
            call.beat()
            batch = rows[start : start + self.batch]
            with call.fence(Counter(name for name, _ in batch), look) as intent:
                for place in batch:
                    self._move_away(place, call)
                intent.done(look)
        return Restricted(look, {"request": call.session})

    def lift(self, call: Call) -> Tally:
        self._marked(call)
        mine = [place for place, (request, _) in self._locked.items() if request == self._request(call)]
        if any(self._taken(place) for place in mine):
            raise NeedsHuman(Code.BLOCKED, self.system.system)
        for place in mine:
            self._put_back(place)
        return self.locate(call).tally

    @property
    def _locked(self) -> dict[Place, tuple[str, dict[str, object]]]:
        assert isinstance(self.store, FrailStore)
        return self.store.locked

    def _request(self, call: Call) -> str:
        return call.restricted.get("request", call.session)

    def _marked(self, call: Call) -> None:
        if self._ask(self.store.mark) != call.environment:
            raise NeedsHuman(Code.ENVIRONMENT, self.system.system)

    def _open_rows(self, call: Call) -> list[Place]:
        self._marked(call)
        sight = self._see(call)
        self._refuse_doubt(sight)
        keys = {name: collection.key for name, collection in self.system.collections.items()}
        places = [(name, key_of(keys[name], row)) for name, rows in sight.certain.items() for row in rows]
        return [place for place in places if place not in self._locked]

    def _move_away(self, place: Place, call: Call) -> None:
        name, key = place
        columns = self.system.collections[name].key
        (row,) = (row for row in self.rows[name] if key_of(columns, row) == key)
        self.rows[name].remove(row)
        self._locked[place] = call.session, row

    def _put_back(self, place: Place) -> None:
        _, row = self._locked.pop(place)
        self.rows[place[0]].append(row)

    def _taken(self, place: Place) -> bool:
        name, key = place
        return any(key_of(self.system.collections[name].key, row) == key for row in self.rows[name])
