"""The system behind the reference connector: a few lists of dicts, which is to it what a server is to another.

The one rule: rows once read never change under the reader, and a change is all at once.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence

from connectors.corrections import Mend
from connectors.fates import Place, Row, key_of
from rights.datamap import System


class Store:
    """The system itself. Calls may raise ConnectionError or PermissionError."""

    def __init__(self, system: System, environment: str = "") -> None:
        self.environment = environment
        self.rows: dict[str, list[dict[str, object]]] = {name: [] for name in system.collections}
        self._keys = {name: collection.key for name, collection in system.collections.items()}
        self._lock = threading.Lock()

    def mark(self) -> str:
        """The environment this system belongs to; empty if nobody has marked it."""
        return self.environment

    def scan(self, collection: str) -> Sequence[Row]:
        """All rows. `change` puts new rows in place of old ones, so rows once read never change under the reader."""
        return self.rows[collection]

    def change(self, changes: Mapping[Place, Row | None]) -> set[Place]:
        """Delete rows (None) or set fields of them, all at once, and say which of them were still there."""
        with self._lock:
            there: set[Place] = set()
            for name in {name for name, _ in changes}:
                left = []
                for row in self.rows[name]:
                    place = (name, key_of(self._keys[name], row))
                    if place not in changes:
                        left.append(row)
                        continue
                    there.add(place)
                    if (values := changes[place]) is not None:
                        left.append({**row, **values})
                self.rows[name] = left
            return there


class Foreseen(Store):
    """The system as it will be once it is corrected; to be read only."""

    def __init__(self, store: Store, due: Iterable[Mend]) -> None:
        self._store, self._keys = store, store._keys
        self._changes = {mend.place: mend.new for mend in due}

    def scan(self, collection: str) -> Sequence[Row]:
        places = ((row, (collection, key_of(self._keys[collection], row))) for row in self._store.scan(collection))
        return [{**row, **self._changes.get(place, {})} for row, place in places]
