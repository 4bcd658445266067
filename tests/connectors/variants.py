"""Good connectors with more than the reference has, so that every promise of the suite is tried on a good one too."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from connectors.fates import Row
from connectors.memory import Memory, Store
from connectors.protocol import Call, Export
from rights.datamap import System
from rights.receipt import Tally


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
        return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


class Restricting(Memory):
    """Locks rows away in a second place, and looks there as well."""

    def __init__(self, system: System, store: Store, batch: int) -> None:
        super().__init__(system, store, batch)
        self.locked: dict[str, list[Row]] = defaultdict(list)

    def restrict(self, call: Call) -> Tally:
        look = self.locate(call)
        for name, rows in self._see(call).certain.items():
            self.locked[name] += rows
            self.rows[name] = [row for row in self.rows[name] if row not in rows]
        return look.tally

    def lift(self, call: Call) -> Tally:
        look = self.locate(call)
        for name, rows in self.locked.items():
            self.rows[name] += [dict(row) for row in rows]
        self.locked.clear()
        return look.tally

    def _ask(self, question: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        answer = super()._ask(question, *args, **kwargs)
        return [*answer, *self.locked[args[0]]] if question == self.store.scan else answer
