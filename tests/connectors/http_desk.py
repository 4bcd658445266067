"""One vendor's system at the fake, and the calls that the engine would make on it.

The one rule: time passes at the vendor as it does for the engine, and only when a test says so.
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connectors.conformance.gate import Gate
from connectors.http import build
from connectors.http.connector import HttpConnector
from connectors.protocol import Call, Fence, Pending
from rights.datamap import DataMap, System
from rights.plan import make_plan
from rights.request import Right
from rights.subject import Identity
from starter.stack.vendors import Vendors
from tests.connectors.http_bench import system_of

STRIPE = """
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
      id: {yields: stripe_customer}
      email: {category: contact, identity: email, strategy: constant, value: "[redacted]"}
      name: {category: name, strategy: constant, value: "[redacted]"}
"""
GOOGLE = """
system: website
owner: marketing
connector: http
backups: none
options: {vendor: google_analytics, property: "412345678"}
collections:
  users:
    key: [submission]
    fields:
      submission: {}
      user_id: {category: reference, identity: customer_number}
      user_data: {category: contact, identity: email}
"""


class Desk:
    """One vendor's system, and the calls that the engine would make on it."""

    def __init__(self, vendors: Vendors, vendor: str, text: str, secrets: dict[str, str], **options: Any) -> None:
        self.vendors, self.vendor = vendors, vendor
        self.system: System = system_of(vendors, vendor, text, environment="test", **options)
        self.connector: HttpConnector = build(self.system, secrets, pause=lambda s: self.wait(timedelta(seconds=s)))
        self.spent: Counter[str] = Counter()

    def wait(self, delay: timedelta) -> None:
        self.vendors.advance(f"PT{delay.total_seconds()}S")

    def call(self, *identities: tuple[str, str], fence: Fence | None = None, **more: Any) -> Call:
        now = datetime.fromisoformat(self.vendors.control("GET", "clock")["now"])
        plan = make_plan(Right.ERASURE, DataMap.of({self.system.system: self.system}), now)

        def quota(name: str, cost: int, limit: int, window: timedelta) -> None:
            self.spent[name] += cost

        return Call(
            key="request/system/erase/0",
            as_of=now,
            system=self.system,
            work=plan.of(self.system.system).works,
            identities=tuple(Identity(kind, value) for kind, value in identities),
            beat=lambda: None,
            fence=fence or Gate(),
            environment="test",
            quota=quota,
            **more,
        )

    def through(self, operation: str, call: Call) -> Any:
        """Call an operation until it is not pending any more."""
        for _ in range(200):
            answer = getattr(self.connector, operation)(call)
            if not isinstance(answer, Pending):
                return answer
            self.wait(answer.check_after)
            call = replace(call, job=answer.job, as_of=call.as_of + answer.check_after)
        raise AssertionError("still pending")

    def worked(self, operation: str) -> int:
        return sum(one["worked"] for one in self.vendors.traffic(self.vendor, operation))
