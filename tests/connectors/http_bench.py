"""Benches for the HTTP connector: vendors of the fake, seeded and looked into by its back door.

The one rule: nothing goes through the connector, and nothing through a vendor file.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import httpx2

from connectors.conformance import Dump, Person
from connectors.http import build
from connectors.http.connector import HttpConnector
from connectors.protocol import Key
from rights.datamap import System
from rights.mapfile import read_map
from starter.stack.vendors import Vendors
from starter.stack.vendors.seeding import number_of, stripe_id

_client: Final = httpx2.Client(limits=httpx2.Limits(max_keepalive_connections=0))
"""One for all: each reads a hundred certificates when it is made."""


def system_of(vendors: Vendors, vendor: str, text: str, **options: Any) -> System:
    """The one system of a map, at a vendor of the fake."""
    (system,) = read_map({"map.yaml": text}).systems.values()
    place = {"base_url": vendors.url(vendor), "private": ["127.0.0.1", "::1"]}
    return system.model_copy(update={"options": {**system.options, **place, **options}})


class VendorBench:
    """One vendor's account."""

    vendor: ClassVar[str]
    map: ClassVar[str]
    secrets: ClassVar[Mapping[str, str]]
    destroys: ClassVar[str]
    """The operation after which somebody is gone, as the fake calls it."""
    updates: ClassVar[tuple[str, ...]] = ()
    """Those by which rows are corrected."""

    def __init__(self, vendors: Vendors) -> None:
        self.vendors = vendors
        vendors.reset()
        vendors.freeze()
        self.system = system_of(vendors, self.vendor, self.map)
        self.connector: HttpConnector = build(self.system, self.secrets, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        self.wait(timedelta(seconds=seconds))

    def wait(self, delay: timedelta) -> None:
        self.vendors.advance(f"PT{delay.total_seconds()}S")

    def now(self) -> datetime:
        return datetime.fromisoformat(self.vendors.control("GET", "clock")["now"])

    def mark(self, environment: str) -> None:
        self.connector.environment = environment

    @contextmanager
    def outage(self) -> Iterator[None]:
        with self._fault("dropped"):
            yield

    @contextmanager
    def refused(self) -> Iterator[None]:
        with self._fault("unauthorised"):
            yield

    @contextmanager
    def cut(self) -> Iterator[None]:
        for operation in (self.destroys, *self.updates):
            self.vendors.fault(self.vendor, "timeout", operation, times=1, seconds=0.01)
        yield
        self.vendors.clear_faults()

    def revert(self, collection: str, column: str) -> None:
        """The vendor says yes, and nothing is otherwise."""
        for operation in self.updates:
            self.vendors.fault(self.vendor, "answer", operation, times=1_000_000, status=200, body={})

    @contextmanager
    def _fault(self, kind: str, operation: str = "*", times: int = 1_000_000, seconds: float = 0) -> Iterator[None]:
        self.vendors.fault(self.vendor, kind, operation, times=times, seconds=seconds)
        yield
        self.vendors.clear_faults()

    def rows(self, person: Person) -> dict[str, frozenset[Key]]:
        return {
            name: frozenset(key for key, row in rows.items() if self._is_of(person, name, row))
            for name, rows in self.everything().items()
        }

    def everything(self) -> Dump:
        state = self.vendors.dump(self.vendor)
        return {
            name: {
                tuple(str(row[column]) for column in collection.key): {c: row[c] for c in collection.fields}
                for row in self._held(state, name)
            }
            for name, collection in self.system.collections.items()
        }

    @abstractmethod
    def _held(self, state: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]: ...

    @abstractmethod
    def _is_of(self, person: Person, name: str, row: Mapping[str, object]) -> bool: ...


class MailchimpBench(VendorBench):
    """Members of two audiences; people begin in the first."""

    vendor = "mailchimp"
    destroys = "member.delete"
    updates = ("member.update",)
    writable: ClassVar = {"members": frozenset({"first_name"})}
    secrets: ClassVar = {"key": "mailchimp-key-us1"}
    map = """
system: newsletter
owner: marketing
connector: http
backups: none
options: {vendor: mailchimp, dc: us1}
collections:
  members:
    key: [list_id, id]
    fields:
      list_id: {}
      id: {}
      email: {category: contact, identity: email}
      first_name: {category: name}
      status: {}
"""

    def seed(self, person: Person, rows: int) -> None:
        self._add(person, "newsletter")

    def arrive(self, person: Person) -> None:
        self._add(person, "loyalty")

    def _add(self, person: Person, name: str) -> None:
        lists = self.vendors.dump("mailchimp")["lists"].values()
        (ident,) = [one["id"] for one in lists if one["name"].lower() == name]
        url = f"{self.vendors.url('mailchimp')}/3.0/lists/{ident}/members"
        body = {"email_address": person.of("email"), "status": "subscribed", "merge_fields": {"FNAME": person.text}}
        assert _client.post(url, json=body, auth=("any", self.secrets["key"])).status_code == 200

    def _held(self, state: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
        for members in state["members"].values():
            for member in members.values():
                yield member | {"email": member["email_address"], "first_name": member["merge_fields"]["FNAME"]}

    def _is_of(self, person: Person, name: str, row: Mapping[str, object]) -> bool:
        return row["id"] == hashlib.md5(person.of("email").lower().encode(), usedforsecurity=False).hexdigest()


class ZendeskBench(VendorBench):
    """Users, and tickets that hang on them."""

    vendor = "zendesk"
    destroys = "deleted_ticket.delete"
    updates = ("user.update", "user.identity")
    writable: ClassVar = {"users": frozenset({"name", "email", "external_id"})}
    secrets: ClassVar = {"token": "zendesk-token"}
    map = """
system: support
owner: service
connector: http
backups: none
options: {vendor: zendesk, subdomain: made-up-shop, agent: agent@shop.example, products: [support, explore, chat]}
collections:
  users:
    key: [id]
    fields:
      id: {}
      external_id: {category: reference, identity: customer_number}
      email: {category: contact, identity: email}
      name: {category: name}
      suspended: {}
  tickets:
    key: [id]
    fields: {id: {}, requester_id: {}, description: {category: free_text}}
    links: [{field: requester_id, to: users.id}]
"""

    def seed(self, person: Person, rows: int) -> None:
        number = person.of("customer_number")
        # A ticket is two calls and more to erase: few are enough where the suite does not ask for very many.
        tickets = rows if rows > 100 else 2
        known = {"id": number, "email": person.of("email"), "name": person.text, "tickets": tickets}
        self.vendors.seed([known], ["zendesk"])

    def _held(self, state: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
        for row in state[name].values():
            if not row.get("permanent_at"):
                yield row

    def _is_of(self, person: Person, name: str, row: Mapping[str, object]) -> bool:
        number = 900_000_000_000 + int(person.of("customer_number"))
        return row["id" if name == "users" else "requester_id"] == number


class StripeBench(VendorBench):
    """Customers, found by the very address that is corrected; the search lags behind."""

    vendor = "stripe"
    destroys = "jobs.run"
    updates = ("customers.update",)
    secrets: ClassVar = {"key": "sk_test_fake"}
    shares = "email"
    writable: ClassVar = {"customers": frozenset({"email", "name"})}
    map = """
system: payments
owner: finance
connector: http
backups: none
options: {vendor: stripe}
collections:
  customers:
    erase: redact
    key: [id]
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: constant, value: "[redacted]"}
      name: {category: name, strategy: constant, value: "[redacted]"}
"""

    def seed(self, person: Person, rows: int) -> None:
        known = {"email": person.of("email"), "name": person.text, "id": self._number(person), "charges": 1}
        self.vendors.seed([known], ["stripe"])

    def _held(self, state: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
        yield from (row for row in state["customers"].values() if not row.get("deleted"))

    def _is_of(self, person: Person, name: str, row: Mapping[str, object]) -> bool:
        return row["id"] == stripe_id(self._number(person))

    def _number(self, person: Person) -> str:
        """Of two people with one address too."""
        return str(number_of(f"{person.text} {person.of('email')}"))


class AmplitudeBench(VendorBench):
    """Users, deleted by jobs of days."""

    vendor = "amplitude"
    destroys = "deletion.create"
    secrets: ClassVar = {
        "key": "amplitude-project-key",
        "secret": "amplitude-project-secret",
        "org_key": "amplitude-org-key",
        "org_secret": "amplitude-org-secret",
    }
    map = """
system: analytics
owner: product
connector: http
backups: none
options: {vendor: amplitude, hosts: [localhost]}
collections:
  users:
    key: [amplitude_id]
    fields:
      amplitude_id: {}
      user_id: {category: reference, identity: customer_number}
"""

    def seed(self, person: Person, rows: int) -> None:
        self.vendors.seed([{"id": person.of("customer_number"), "name": person.text, "events": 1}], ["amplitude"])

    def _held(self, state: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
        yield from state["users"].values()

    def _is_of(self, person: Person, name: str, row: Mapping[str, object]) -> bool:
        return row["user_id"] == person.of("customer_number")
