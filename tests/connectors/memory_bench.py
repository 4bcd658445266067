"""A bench for the reference connector: systems in memory, filled by what their maps say.

The one rule: it touches the store, never the connector.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from itertools import count

from connectors.conformance import AS_OF, Dump, Person
from connectors.fates import Place, Row, key_of
from connectors.memory import Memory
from connectors.memorystore import Store
from connectors.protocol import Key
from rights.datamap import System
from rights.mapfile import read_map

# Everything that goes with its row: several identities, a composite key, grandchildren, a second place for the address.
SHOP = """
system: shop
owner: commerce
connector: memory
directory: true
options: {batch: 4}
collections:
  customers:
    key: [id]
    fields:
      id: {}
      number: {category: reference, identity: customer_number}
      email: {category: contact, identity: email, channel: email}
      phone: {category: contact, identity: phone, sharing: shared}
      referrer: {category: contact, identity: referrer, sharing: hint}
      name: {category: name}
      password: {category: secret, export: false}
  addresses:
    key: [id]
    fields: {id: {}, customer: {}, street: {category: contact, channel: post}}
    links: [{field: customer, to: customers.id}]
  orders:
    key: [id]
    fields: {id: {}, customer: {}, remark: {category: free_text}, amount: {}, scan: {yields: object_key}}
    links: [{field: customer, to: customers.id}]
  order_lines:
    key: [order_id, line]
    fields: {order_id: {}, line: {}, engraving: {category: free_text}}
    links: [{field: order_id, to: orders.id}]
  newsletter:
    key: [id]
    fields: {id: {}, address: {category: contact, identity: email}, greeting: {category: name}}
"""

# Everything that stays: terms, what they can do without, shells, redaction, whole collections, fields with a ground.
BOOKS = """
system: books
owner: finance
connector: memory
options: {batch: 3}
collections:
  clients:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: pseudonym}
      name: {category: name, strategy: 'null'}
      born: {category: birth, strategy: generalise, to: decade}
      town: {category: contact, strategy: generalise, to: 'prefix:2'}
      login: {category: contact, strategy: generalise, to: network}
  invoices:
    key: [id]
    fields:
      id: {}
      client: {}
      issued: {}
      remark: {category: free_text, strategy: 'null'}
      phone: {category: contact, strategy: constant, value: unknown}
      buyer: {category: name, strategy: 'null'}
    links: [{field: client, to: clients.id}]
    retention:
      - {ground: tax law, after: issued, period: P10Y, from: end_of_year, minimise: [remark, phone]}
      - {ground: warranty, after: issued, period: P2Y, minimise: [remark]}
  invoice_lines:
    key: [invoice, line]
    fields: {invoice: {}, line: {}, issued: {}, text: {category: free_text, strategy: 'null'}}
    links: [{field: invoice, to: invoices.id}]
    retention:
      - {ground: tax law, after: issued, period: P6M, minimise: [text]}
  visits:
    key: [id]
    fields: {id: {}, client: {}, page: {category: behaviour, yields: recording}}
    links: [{field: client, to: clients.id}]
  members:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: anonymise}
      name: {category: name, strategy: constant, value: gone}
    erase: redact
  reviews:
    key: [id]
    fields:
      id: {}
      member: {}
      author: {category: name, strategy: anonymise}
      body: {category: free_text, strategy: 'null'}
      photo: {category: media, yields: object_key, strategy: anonymise}
    links: [{field: member, to: members.id}]
    erase: redact
  donors:
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: 'null'}
      tax_number: {category: tax, strategy: retain, ground: charity law}
      name: {category: name, strategy: 'null'}
    erase: redact
  consents:
    key: [id]
    fields: {id: {}, email: {category: contact, identity: email}, given: {category: consent}}
    erase: retain
    ground: proof of consent
"""

# Rows that are used for something that can be stopped: two have a field that says so, one has none.
OPTING = (
    SHOP.replace("      name: {category: name}\n", "      name: {category: name}\n      mailing: {}\n")
    .replace(
        "      password: {category: secret, export: false}\n",
        """      password: {category: secret, export: false}
    opt_out: {marketing: {field: mailing, value: stopped}}
""",
    )
    .replace(
        "greeting: {category: name}}",
        """greeting: {category: name}, mailing: {}}
    opt_out: {marketing: {field: mailing, value: stopped}}""",
    )
    .replace("scan: {yields: object_key}}\n", "scan: {yields: object_key}}\n    uses: [profiling]\n")
)


def system_of(text: str) -> System:
    """The one system of a map."""
    (system,) = read_map({"map.yaml": text}).systems.values()
    return system


class FrailStore(Store):
    """A system that can be away, closed, or cut off once it has carried a call out, and quotes rows as it fails."""

    away = closed = cutting = False

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self.reverted: set[tuple[str, str]] = set()
        """Fields in which whatever is written is changed back at once."""
        self.locked: dict[Place, tuple[str, dict[str, object]]] = {}
        """Rows that are locked away, each with the request that has done it; an application does not read them."""

    def mark(self) -> str:
        self._reach()
        return super().mark()

    def scan(self, collection: str) -> list[Row]:
        self._reach()
        return [*super().scan(collection), *(row for (name, _), (_, row) in self.locked.items() if name == collection)]

    def change(self, changes: Mapping[Place, Row | None]) -> set[Place]:
        self._reach()
        before = self.rows.copy()
        lasting = {
            place: values and {field: v for field, v in values.items() if (place[0], field) not in self.reverted}
            for place, values in changes.items()
        }
        there = super().change(lasting)
        for place in changes.keys() & self.locked.keys():
            request, row = self.locked.pop(place)
            there.add(place)
            if (values := changes[place]) is not None:
                self.locked[place] = request, {**row, **values}
        if self.cutting:
            self.cutting = False
            raise ConnectionResetError(f"the connection was cut at {before!r}")
        return there

    def _reach(self) -> None:
        if self.away:
            raise ConnectionRefusedError(f"nobody answers about {self.rows!r}")
        if self.closed:
            raise PermissionError(f"nobody may read {self.rows!r}")


class MemoryBench:
    """Systems in memory. A test of a connector that is to fail gives another class than Memory."""

    def __init__(self, text: str = SHOP, kind: type[Memory] = Memory) -> None:
        self.system = system_of(text)
        self.store = FrailStore(self.system)
        batch = self.system.options["batch"]
        assert isinstance(batch, int)
        self.connector = kind(self.system, self.store, batch)
        self._numbers = count(1)
        self._seeded: dict[Person, dict[str, list[Row]]] = {}

    def seed(self, person: Person, rows: int) -> None:
        hanging = [c for c in self.system.collections.values() if c.links]
        self._seeded[person] = {name: [] for name in self.system.collections}
        for name in self.system.parents_first:
            many = max(1, -(-rows // len(hanging))) if self.system.collections[name].links else 1
            for number in range(many):
                self._insert(name, person, number)

    def rows(self, person: Person) -> dict[str, frozenset[Key]]:
        return {
            name: frozenset(self._key(name, row) for row in rows)
            & frozenset(self._key(name, row) for row in self.store.rows[name])
            for name, rows in self._seeded[person].items()
        }

    def everything(self) -> Dump:
        return {name: {self._key(name, row): dict(row) for row in rows} for name, rows in self.store.rows.items()}

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.store.away = True
        yield
        self.store.away = False

    @contextmanager
    def refused(self) -> Iterator[None]:
        self.store.closed = True
        yield
        self.store.closed = False

    @contextmanager
    def cut(self) -> Iterator[None]:
        self.store.cutting = True
        yield
        self.store.cutting = False

    def mark(self, environment: str) -> None:
        self.store.environment = environment

    shares = "email"

    def arrive(self, person: Person) -> None:
        if "visits" in self.system.collections:
            self._insert("visits", person, 0)
        elif self.rows(person)["customers"]:
            self._insert("addresses", person, 0)
        else:
            self._insert("newsletter", person, 0)

    def orphan(self, person: Person) -> None:
        self._insert("order_lines" if "order_lines" in self.system.collections else "visits", person, 77)

    def overwrite(self, collection: str, key: Key, column: str, value: object) -> None:
        for row in self.store.rows[collection]:
            if self._key(collection, row) == key:
                row[column] = value

    def revert(self, collection: str, column: str) -> None:
        self.store.reverted.add((collection, column))

    def seed_dated(self, person: Person, collection: str, day: date) -> None:
        self._insert(collection, person, 0, day)

    def _key(self, collection: str, row: Row) -> Key:
        return key_of(self.system.collections[collection].key, row)

    def _insert(self, name: str, person: Person, number: int, day: date | None = None) -> None:
        collection = self.system.collections[name]
        row = {column: self._value(name, column, person, number, day) for column in collection.fields}
        self._seeded[person][name].append(dict(row))
        self.store.rows[name].append(row)

    def _value(self, name: str, column: str, person: Person, number: int, day: date | None) -> object:
        collection = self.system.collections[name]
        field = collection.fields[column]
        for link in collection.links:
            if link.field == column:
                parent, target = link.target
                parents = self._seeded[person][parent]
                return parents[number % len(parents)][target]
        if field.identity:
            return person.of(field.identity)
        if field.yields:
            return f"{name}/{next(self._numbers)}/Scan.pdf"
        if column in {rule.after for rule in collection.retention}:
            # Old parents have young children: what is kept of these makes shells of those.
            ages = (9000, 1500, 100) if "line" in collection.fields else (100, 1500, 9000)
            return day or AS_OF.date() - timedelta(days=ages[number % 3])
        special = {
            "born": date(1984, 7, 15),
            "login": str(ipaddress.ip_address("192.0.2.77")),
            "amount": Decimal("12.30"),
        }
        if column in special:
            return special[column]
        return person.text if field.category else next(self._numbers)


class RestrictingBench(MemoryBench):
    """A system that can lock rows away: an application reads those that are not."""

    def rows(self, person: Person) -> dict[str, frozenset[Key]]:
        return {
            name: keys
            | (frozenset(key for place, key in self.store.locked if place == name) & self._known(person, name))
            for name, keys in super().rows(person).items()
        }

    def everything(self) -> Dump:
        locked = {place: {**row, "locked for": request} for place, (request, row) in self.store.locked.items()}
        return {
            name: {**rows, **{("locked", *key): row for (other, key), row in locked.items() if other == name}}
            for name, rows in super().everything().items()
        }

    def readable(self, person: Person) -> int:
        return sum(map(len, super().rows(person).values()))

    def contents(self, person: Person) -> object:
        rows = [*((name, row) for name, some in self.store.rows.items() for row in some)]
        rows += [(name, row) for (name, _), (_, row) in self.store.locked.items()]
        return sorted(repr((name, row)) for name, row in rows if self._key(name, row) in self._known(person, name))

    def replace(self, person: Person) -> "Somebody":
        (name, _), (_, row) = next(iter(self.store.locked.items()))
        new = {**row, next(column for column in row if column not in self.system.collections[name].key): "new"}
        self.store.rows[name].append(new)
        return Somebody(self.store.rows[name], new, dict(new))

    def _known(self, person: Person, name: str) -> frozenset[Key]:
        return frozenset(self._key(name, row) for row in self._seeded[person][name])


class Somebody:
    """A row that somebody has written where a locked one was."""

    def __init__(self, rows: list[dict[str, object]], row: dict[str, object], as_it_was: dict[str, object]) -> None:
        self._rows, self._row, self._as_it_was = rows, row, as_it_was

    def still_there(self) -> bool:
        return any(row is self._row and row == self._as_it_was for row in self._rows)

    def __call__(self) -> None:
        self._rows.remove(self._row)
