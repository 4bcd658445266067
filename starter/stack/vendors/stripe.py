"""Stripe: customers with what hangs on them; their redaction is in `redaction`.

The one rule: a POST with an idempotency key is done once, and answered the same way for a day.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from starter.stack.vendors.clock import Clock, Limits
from starter.stack.vendors.exchange import Answer, Ask, Operation, reply
from starter.stack.vendors.redaction import REDACTED, UNFINISHED, Redaction
from starter.stack.vendors.seeding import completed, token
from starter.stack.vendors.stripe_form import count, error, listed, missing, nested

KEY: Final = "sk_test_fake"
REQUESTS_A_SECOND: Final = 100
KEYS_LAST: Final = timedelta(hours=24)
SEARCH_LAG: Final = timedelta(minutes=1)
_LISTED: Final = ("charges", "invoices", "payment_intents", "subscriptions")


class Stripe:
    """The shop's account, in test mode."""

    name = "stripe"

    def __init__(self, clock: Clock) -> None:
        self._clock, self._jobs = clock, Redaction(clock)
        kinds: dict[str, Any] = {kind: {} for kind in ("customers", *_LISTED)}
        self.load({**kinds, "jobs": {}, "keys": {}, "events": [], "made": 0})

    def load(self, state: dict[str, Any]) -> None:
        self.state = state
        self._limits = Limits(self._clock, state.setdefault("spent", {}))
        self._jobs.load(state)

    def operations(self) -> Sequence[Operation]:
        once = self._once
        lists = [Operation(f"{kind}.list", "GET", f"/v1/{kind}", self._list(kind)) for kind in _LISTED]
        return [
            Operation("customers.search", "GET", "/v1/customers/search", self._search),
            Operation("customers.list", "GET", "/v1/customers", self._customers),
            Operation("customers.create", "POST", "/v1/customers", once(self._create)),
            Operation("customers.get", "GET", "/v1/customers/{id}", self._customer),
            Operation("customers.update", "POST", "/v1/customers/{id}", once(self._update)),
            Operation("customers.delete", "DELETE", "/v1/customers/{id}", self._delete),
            *lists,
            Operation("payment_intents.cancel", "POST", "/v1/payment_intents/{id}/cancel", once(self._cancel_payment)),
            Operation("subscriptions.cancel", "DELETE", "/v1/subscriptions/{id}", self._cancel_subscription),
            *self._jobs.operations(once),
        ]

    def admit(self, ask: Ask, operation: str) -> Answer | None:
        given = ask.bearer() or (ask.basic() or ("", ""))[0]
        if not given:
            return error(401, "You did not provide an API key.")
        if given != KEY:
            return error(401, f"Invalid API Key provided: {given[:3]}****")
        if self._limits.wait("requests", REQUESTS_A_SECOND, 1):
            headers = {"stripe-rate-limited-reason": "global-rate"}
            return error(429, "Request rate limit exceeded.", "rate_limit", headers=headers)
        if operation.startswith("jobs.") and not ask.headers.get("stripe-version", "").endswith(".preview"):
            return error(400, "This endpoint needs a preview version: set Stripe-Version to one that ends in .preview.")
        return None

    def unknown(self, ask: Ask) -> Answer:
        return error(404, f"Unrecognized request URL ({ask.method}: {ask.path}).")

    def settle(self) -> None:
        self._jobs.settle()

    def seed(self, people: Sequence[Mapping[str, Any]]) -> int:
        for person in map(completed, people):
            ident = person["stripe_id"]
            created = int(datetime.fromisoformat(f"{person['joined']}T09:00:00+00:00").timestamp())
            self.state["customers"][ident] = {
                "id": ident,
                "object": "customer",
                "address": {"line1": "Lindenstraße 1", "city": "Berlin", "postal_code": "10115", "country": "DE"},
                "balance": 0,
                "created": created,
                "currency": "eur",
                "description": None,
                "email": person["email"],
                "livemode": False,
                "metadata": {"shop_id": person["id"]},
                "name": person["name"],
                "phone": person["phone"],
                "shipping": None,
            }
            for number in range(person["charges"]):
                self._charge(person, number, created + 86_400 * number)
            if person["pending_payment"]:
                made = self._add("payment_intents", "pi_", f"{ident} pending", ident, created, "payment_intent")
                made |= {"amount": 1200, "currency": "eur", "status": "requires_payment_method"}
                made |= {"receipt_email": person["email"]}
            if person["active_subscription"]:
                made = self._add("subscriptions", "sub_", ident, ident, created, "subscription")
                made |= {"status": "active", "currency": "eur", "canceled_at": None}
        return len(people)

    def _charge(self, person: Mapping[str, Any], number: int, created: int) -> None:
        ident, key = person["stripe_id"], f"{person['stripe_id']} {number}"
        amount = 900 + 137 * number
        payment = self._add("payment_intents", "pi_", key, ident, created, "payment_intent")
        payment |= {"amount": amount, "currency": "eur", "status": "succeeded", "receipt_email": person["email"]}
        charge = self._add("charges", "ch_", key, ident, created, "charge")
        details = {"name": person["name"], "email": person["email"], "phone": person["phone"], "address": None}
        charge |= {"amount": amount, "currency": "eur", "status": "succeeded", "paid": True}
        charge |= {"billing_details": details, "receipt_email": person["email"], "payment_intent": payment["id"]}
        invoice = self._add("invoices", "in_", key, ident, created, "invoice")
        invoice |= {"amount_paid": amount, "currency": "eur", "status": "paid"}
        invoice |= {"customer_email": person["email"], "customer_name": person["name"]}

    def _add(self, kind: str, prefix: str, key: str, customer: str, created: int, name: str) -> dict[str, Any]:
        ident = prefix + token(kind, key, 24)
        made = {"id": ident, "object": name, "created": created, "customer": customer, "livemode": False}
        self.state[kind][ident] = made
        return made

    # Idempotency

    def _once(self, handle: Callable[[Ask], Answer]) -> Callable[[Ask], Answer]:
        """The first answer again for the same key and parameters, for a day, whatever it was."""

        def handled(ask: Ask) -> Answer:
            key = ask.headers.get("idempotency-key")
            if key is None:
                return handle(ask)
            now = self._clock.now()
            print_ = hashlib.sha256(f"{ask.method} {ask.path} {sorted(ask.form())}".encode()).hexdigest()
            held = self.state["keys"].get(key)
            if held and now < datetime.fromisoformat(held["at"]) + KEYS_LAST:
                if held["request"] != print_:
                    text = (
                        "Keys for idempotent requests can only be used with the same parameters they were first used"
                        " with."
                    )
                    return error(400, text, kind="idempotency_error")
                headers = {**held["headers"], "idempotent-replayed": "true"}
                return Answer(held["status"], held["body"].encode(), headers)
            answer = handle(ask)
            known = {"status": answer.status, "body": answer.body.decode(), "headers": dict(answer.headers)}
            self.state["keys"][key] = {"at": now.isoformat(), "request": print_, **known}
            return answer

        return handled

    # Customers

    def _customers(self, ask: Ask) -> Answer:
        email = ask.query.get("email")
        # Case counts here, as with the vendor.
        rows = [one for one in self._live("customers") if email is None or one["email"] == email]
        return listed(ask, rows, "/v1/customers")

    def _live(self, kind: str) -> list[dict[str, Any]]:
        return sorted(
            (one for one in self.state[kind].values() if not one.get("deleted")),
            key=lambda one: (-one["created"], one["id"]),
        )

    def _search(self, ask: Ask) -> Answer:
        terms = re.findall(r"(email|name|phone|metadata\[[\"']([^\"']+)[\"']\])([:~])[\"']([^\"']*)[\"']", _query(ask))
        if not terms:
            return error(400, "We were unable to parse your search query.", kind="invalid_request_error")
        now = self._clock.now().timestamp()
        rows = [
            one
            for one in self._live("customers")
            if now - one["created"] >= SEARCH_LAG.total_seconds() and all(_fits(one, *term) for term in terms)
        ]
        size, start = count(ask, "limit", 10), count(ask, "page", 0)
        more = start + size < len(rows)
        body = {"object": "search_result", "url": "/v1/customers/search", "has_more": more}
        return reply({**body, "data": rows[start : start + size], "next_page": str(start + size) if more else None})

    def _customer(self, ask: Ask) -> Answer:
        one = self.state["customers"].get(ask.params["id"])
        if one is None:
            return missing("customer", ask.params["id"])
        return reply({"id": one["id"], "object": "customer", "deleted": True} if one.get("deleted") else one)

    def _create(self, ask: Ask) -> Answer:
        self.state["made"] += 1
        ident = "cus_" + token("made", self.state["made"], 14)
        created = int(self._clock.now().timestamp())
        known = dict.fromkeys(("address", "description", "email", "name", "phone", "shipping"))
        self.state["customers"][ident] = {
            **known,
            "id": ident,
            "object": "customer",
            "balance": 0,
            "created": created,
            "currency": None,
            "livemode": False,
            "metadata": {},
        }
        return self._changed(self.state["customers"][ident], ask)

    def _update(self, ask: Ask) -> Answer:
        one = self.state["customers"].get(ask.params["id"])
        if one is None or one.get("deleted"):
            return missing("customer", ask.params["id"])
        if one["email"] == REDACTED:
            return error(400, "This customer has been redacted and cannot be updated.")
        return self._changed(one, ask)

    def _changed(self, one: dict[str, Any], ask: Ask) -> Answer:
        given = nested(ask.form())
        one |= {name: given[name] for name in ("email", "name", "phone", "description") if name in given}
        one["metadata"] = {**one["metadata"], **given.get("metadata", {})}
        return reply(one)

    def _delete(self, ask: Ask) -> Answer:
        one = self.state["customers"].get(ask.params["id"])
        if one is None or one.get("deleted"):
            return missing("customer", ask.params["id"])
        one["deleted"] = True
        for held in self._of("subscriptions", one["id"]):
            held["status"] = "canceled"
        return reply({"id": one["id"], "object": "customer", "deleted": True})

    # What hangs on a customer

    def _of(self, kind: str, customer: str) -> list[dict[str, Any]]:
        return [one for one in self._live(kind) if one["customer"] == customer]

    def _list(self, kind: str) -> Callable[[Ask], Answer]:
        def handle(ask: Ask) -> Answer:
            customer = ask.query.get("customer")
            rows = self._live(kind) if customer is None else self._of(kind, customer)
            return listed(ask, rows, f"/v1/{kind}")

        return handle

    def _cancel_payment(self, ask: Ask) -> Answer:
        one = self.state["payment_intents"].get(ask.params["id"])
        if one is None:
            return missing("payment_intent", ask.params["id"])
        if one["status"] not in UNFINISHED:
            return error(400, f"You cannot cancel this PaymentIntent because it has a status of {one['status']}.")
        one["status"] = "canceled"
        return reply(one)

    def _cancel_subscription(self, ask: Ask) -> Answer:
        one = self.state["subscriptions"].get(ask.params["id"])
        if one is None or one["status"] == "canceled":
            return missing("subscription", ask.params["id"])
        one |= {"status": "canceled", "canceled_at": int(self._clock.now().timestamp())}
        return reply(one)


def _query(ask: Ask) -> str:
    return ask.query.get("query", "")


def _fits(one: Mapping[str, Any], field: str, key: str, how: str, wanted: str) -> bool:
    held = one["metadata"].get(key) if key else one[field]
    value = str(held or "")
    # The search knows no case, unlike the list.
    return value.lower() == wanted.lower() if how == ":" else bool(wanted) and wanted.lower() in value.lower()
