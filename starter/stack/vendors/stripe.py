"""Stripe: customers with what hangs on them, and redaction jobs (public preview).

The one rule: a redaction job is validated before it can run, and what it redacts stays: the objects,
amounts and dates survive with `[redacted]` in place of the person.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from starter.stack.vendors.clock import Clock, Limits
from starter.stack.vendors.exchange import Answer, Ask, Operation, reply
from starter.stack.vendors.seeding import completed, token

KEY: Final = "sk_test_fake"
REQUESTS_A_SECOND: Final = 100
OBJECTS_A_JOB: Final = 10
KEYS_LAST: Final = timedelta(hours=24)
VALIDATING: Final = (timedelta(seconds=2), timedelta(seconds=30))
REDACTING: Final = timedelta(minutes=10)
SEARCH_LAG: Final = timedelta(minutes=1)
REDACTED: Final = "[redacted]"
_KINDS: Final = {
    "customers": "cus_",
    "charges": "ch_",
    "checkout_sessions": "cs_",
    "identity_verification_sessions": "vs_",
    "invoices": "in_",
    "issuing_cardholders": "ich_",
    "issuing_cards": "ic_",
    "payment_intents": "pi_",
    "radar_value_list_items": "rsli_",
    "setup_intents": "seti_",
}
_LISTED: Final = ("charges", "invoices", "payment_intents", "subscriptions")
_JOB: Final = "/v1/privacy/redaction_jobs"
_UNFINISHED: Final = ("requires_payment_method", "requires_confirmation", "requires_action", "processing")


class Stripe:
    """The shop's account, in test mode."""

    name = "stripe"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        kinds: dict[str, Any] = {kind: {} for kind in ("customers", *_LISTED)}
        self.load({**kinds, "jobs": {}, "keys": {}, "events": [], "made": 0})

    def load(self, state: dict[str, Any]) -> None:
        self.state = state
        self._limits = Limits(self._clock, state.setdefault("spent", {}))

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
            Operation("jobs.create", "POST", _JOB, once(self._create_job)),
            Operation("jobs.list", "GET", _JOB, self._jobs),
            Operation("jobs.get", "GET", f"{_JOB}/{{id}}", self._job),
            Operation("jobs.update", "POST", f"{_JOB}/{{id}}", once(self._update_job)),
            Operation("jobs.validate", "POST", f"{_JOB}/{{id}}/validate", once(self._validate)),
            Operation("jobs.run", "POST", f"{_JOB}/{{id}}/run", once(self._run)),
            Operation("jobs.cancel", "POST", f"{_JOB}/{{id}}/cancel", once(self._cancel)),
            Operation("jobs.errors", "GET", f"{_JOB}/{{id}}/validation_errors", self._validation_errors),
        ]

    def admit(self, ask: Ask, operation: str) -> Answer | None:
        given = ask.bearer() or (ask.basic() or ("", ""))[0]
        if not given:
            return _error(401, "You did not provide an API key.")
        if given != KEY:
            return _error(401, f"Invalid API Key provided: {given[:3]}****")
        if self._limits.wait("requests", REQUESTS_A_SECOND, 1):
            headers = {"stripe-rate-limited-reason": "global-rate"}
            return _error(429, "Request rate limit exceeded.", "rate_limit", headers=headers)
        if operation.startswith("jobs.") and not ask.headers.get("stripe-version", "").endswith(".preview"):
            return _error(
                400, "This endpoint needs a preview version: set Stripe-Version to one that ends in .preview."
            )
        return None

    def unknown(self, ask: Ask) -> Answer:
        return _error(404, f"Unrecognized request URL ({ask.method}: {ask.path}).")

    def settle(self) -> None:
        """Move each job on; a validated one waits, for it is not run by itself."""
        now = self._clock.now()
        moving = ("created", "validating", "canceling", "redacting")
        for job in [one for one in self.state["jobs"].values() if one["status"] in moving]:
            age = now - datetime.fromisoformat(job["since"])
            if job["status"] == "created" and age >= VALIDATING[0]:
                job["status"] = "validating"
            if job["status"] == "validating" and age >= VALIDATING[1]:
                job["errors"] = self._faulty(job)
                stuck = [one for one in job["errors"] if not one["fixable"] or job["validation_behavior"] != "fix"]
                job["status"] = "failed" if stuck else "ready"
                self._tell("validation_error" if stuck else "ready", job)
            if job["status"] == "canceling":
                job["status"] = "canceled"
                self._tell("canceled", job)
            if job["status"] == "redacting" and age >= REDACTING:
                self._redact(job)
                job["status"] = "succeeded"
                self._tell("succeeded", job)

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
                    return _error(400, text, kind="idempotency_error")
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
        return self._listed(ask, rows, "/v1/customers")

    def _live(self, kind: str) -> list[dict[str, Any]]:
        return sorted(
            (one for one in self.state[kind].values() if not one.get("deleted")),
            key=lambda one: (-one["created"], one["id"]),
        )

    def _search(self, ask: Ask) -> Answer:
        terms = re.findall(r"(email|name|phone|metadata\[[\"']([^\"']+)[\"']\])([:~])[\"']([^\"']*)[\"']", _query(ask))
        if not terms:
            return _error(400, "We were unable to parse your search query.", kind="invalid_request_error")
        now = self._clock.now().timestamp()
        rows = [
            one
            for one in self._live("customers")
            if now - one["created"] >= SEARCH_LAG.total_seconds() and all(_fits(one, *term) for term in terms)
        ]
        size, start = _int(ask, "limit", 10), _int(ask, "page", 0)
        more = start + size < len(rows)
        body = {"object": "search_result", "url": "/v1/customers/search", "has_more": more}
        return reply({**body, "data": rows[start : start + size], "next_page": str(start + size) if more else None})

    def _customer(self, ask: Ask) -> Answer:
        one = self.state["customers"].get(ask.params["id"])
        if one is None:
            return _missing("customer", ask.params["id"])
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
            return _missing("customer", ask.params["id"])
        if one["email"] == REDACTED:
            return _error(400, "This customer has been redacted and cannot be updated.")
        return self._changed(one, ask)

    def _changed(self, one: dict[str, Any], ask: Ask) -> Answer:
        given = nested(ask.form())
        one |= {name: given[name] for name in ("email", "name", "phone", "description") if name in given}
        one["metadata"] = {**one["metadata"], **given.get("metadata", {})}
        return reply(one)

    def _delete(self, ask: Ask) -> Answer:
        one = self.state["customers"].get(ask.params["id"])
        if one is None or one.get("deleted"):
            return _missing("customer", ask.params["id"])
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
            return self._listed(ask, rows, f"/v1/{kind}")

        return handle

    def _listed(self, ask: Ask, rows: Sequence[Mapping[str, Any]], url: str) -> Answer:
        size, after = min(_int(ask, "limit", 10), 100), ask.query.get("starting_after")
        start = next((n + 1 for n, one in enumerate(rows) if one["id"] == after), 0)
        more = start + size < len(rows)
        return reply({"object": "list", "url": url, "has_more": more, "data": rows[start : start + size]})

    def _cancel_payment(self, ask: Ask) -> Answer:
        one = self.state["payment_intents"].get(ask.params["id"])
        if one is None:
            return _missing("payment_intent", ask.params["id"])
        if one["status"] not in _UNFINISHED:
            return _error(400, f"You cannot cancel this PaymentIntent because it has a status of {one['status']}.")
        one["status"] = "canceled"
        return reply(one)

    def _cancel_subscription(self, ask: Ask) -> Answer:
        one = self.state["subscriptions"].get(ask.params["id"])
        if one is None or one["status"] == "canceled":
            return _missing("subscription", ask.params["id"])
        one |= {"status": "canceled", "canceled_at": int(self._clock.now().timestamp())}
        return reply(one)

    # Redaction jobs

    def _create_job(self, ask: Ask) -> Answer:
        given = nested(ask.form())
        objects = {kind: _many(ids) for kind, ids in (given.get("objects") or {}).items()}
        behaviour = given.get("validation_behavior", "error")
        if not any(objects.values()):
            return _error(400, "Missing required param: objects.", param="objects")
        for kind, ids in objects.items():
            if kind not in _KINDS:
                return _error(400, f"Received unknown parameter: objects[{kind}]", param=f"objects[{kind}]")
            for ident in ids:
                if not self._known(kind, ident):
                    return _error(400, f"No such object: '{ident}'", "resource_missing", param=f"objects[{kind}]")
        if sum(map(len, objects.values())) > OBJECTS_A_JOB:
            return _error(400, f"At most {OBJECTS_A_JOB} objects can be given in one job.", param="objects")
        if behaviour not in ("error", "fix"):
            return _error(400, "Invalid validation_behavior: must be one of error or fix", param="validation_behavior")
        self.state["made"] += 1
        now = self._clock.now()
        ident = "prj_" + token("job", self.state["made"], 24)
        job = {"id": ident, "created": int(now.timestamp()), "objects": objects, "validation_behavior": behaviour}
        self.state["jobs"][ident] = {**job, "status": "created", "since": now.isoformat(), "errors": []}
        self._tell("created", self.state["jobs"][ident])
        return self._job_shown(ask, self.state["jobs"][ident])

    def _tell(self, what: str, job: Mapping[str, Any]) -> None:
        """An event for whoever has asked for callbacks; the last hundred wait."""
        self.state["made"] += 1
        event = {"id": "evt_" + token("event", self.state["made"], 24), "object": "event", "livemode": False}
        about = {"type": f"privacy.redaction_job.{what}", "data": {"object": _job_body(job)}}
        self.state["events"].append({**event, **about, "created": int(self._clock.now().timestamp())})
        del self.state["events"][:-100]

    def _known(self, kind: str, ident: str) -> bool:
        held = self.state.get(kind)
        return ident in held and not held[ident].get("deleted") if held is not None else False

    def _job_shown(self, ask: Ask, job: Mapping[str, Any]) -> Answer:
        """What the job is about is shown only to who asks for it to be expanded."""
        wanted = [value for name, value in [*ask.query.items(), *ask.form()] if name.startswith("expand[")]
        return reply(_job_body(job) | ({"objects": job["objects"]} if "objects" in wanted else {}))

    def _jobs(self, ask: Ask) -> Answer:
        status = ask.query.get("status")
        jobs = sorted(self.state["jobs"].values(), key=lambda one: (-one["created"], one["id"]))
        return self._listed(ask, [_job_body(one) for one in jobs if status in (None, one["status"])], _JOB)

    def _held_job(self, ask: Ask) -> dict[str, Any] | None:
        job: dict[str, Any] | None = self.state["jobs"].get(ask.params["id"])
        return job

    def _job(self, ask: Ask) -> Answer:
        job = self._held_job(ask)
        return self._job_shown(ask, job) if job else _missing("privacy.redaction_job", ask.params["id"])

    def _move(self, ask: Ask, allowed: Sequence[str], status: str) -> Answer:
        job = self._held_job(ask)
        if job is None:
            return _missing("privacy.redaction_job", ask.params["id"])
        if job["status"] not in allowed:
            return _error(400, f"The redaction job is {job['status']}; this needs {' or '.join(allowed)}.")
        job |= {"status": status, "since": self._clock.now().isoformat()}
        return self._job_shown(ask, job)

    def _validate(self, ask: Ask) -> Answer:
        return self._move(ask, ["failed"], "validating")

    def _run(self, ask: Ask) -> Answer:
        return self._move(ask, ["ready"], "redacting")

    def _cancel(self, ask: Ask) -> Answer:
        return self._move(ask, ["ready", "failed"], "canceling")

    def _update_job(self, ask: Ask) -> Answer:
        job = self._held_job(ask)
        if job is None:
            return _missing("privacy.redaction_job", ask.params["id"])
        behaviour = nested(ask.form()).get("validation_behavior", job["validation_behavior"])
        if behaviour not in ("error", "fix"):
            return _error(400, "Invalid validation_behavior: must be one of error or fix", param="validation_behavior")
        job["validation_behavior"] = behaviour
        return self._job_shown(ask, job)

    def _validation_errors(self, ask: Ask) -> Answer:
        job = self._held_job(ask)
        if job is None:
            return _missing("privacy.redaction_job", ask.params["id"])
        rows = [{name: value for name, value in one.items() if name != "fixable"} for one in job["errors"]]
        return self._listed(ask, rows, f"{_JOB}/{job['id']}/validation_errors")

    def _faulty(self, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Why the job cannot run: what hangs on its objects and is not at its end, and other jobs' objects."""
        errors: list[dict[str, Any]] = []

        def error(code: str, ident: str, kind: str, text: str, fixable: bool) -> None:
            known = {"id": "prjve_" + token(job["id"], ident, 24), "object": "privacy.redaction_job_validation_error"}
            about = {"erroring_object": {"id": ident, "object_type": kind}, "message": text, "fixable": fixable}
            errors.append({**known, "code": code, **about})

        others = {
            ident
            for other in self.state["jobs"].values()
            if other["id"] != job["id"] and other["status"] in ("validating", "ready", "redacting")
            for ids in other["objects"].values()
            for ident in ids
        }
        for kind, ids in job["objects"].items():
            for ident in ids:
                if ident in others:
                    error("locked_by_other_job", ident, kind.removesuffix("s"), "Cancel the other job first.", False)
        for one in self._touched(job, "payment_intents"):
            if one["status"] in _UNFINISHED:
                text = "PaymentIntent is not finalized. Confirm or cancel the payment intent."
                error("invalid_state", one["id"], "payment_intent", text, True)
        for one in self._touched(job, "subscriptions"):
            if one["status"] != "canceled":
                error("invalid_state", one["id"], "subscription", "Subscription is active. Cancel it first.", True)
        return errors

    def _touched(self, job: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
        """The objects of a kind that the job names or that hang on its customers."""
        customers, named = job["objects"].get("customers", ()), job["objects"].get(kind, ())
        return [one for one in self._live(kind) if one["id"] in named or one.get("customer") in customers]

    def _redact(self, job: Mapping[str, Any]) -> None:
        for ident in job["objects"].get("customers", ()):
            one = self.state["customers"][ident]
            one |= {"email": REDACTED, "name": REDACTED, "phone": REDACTED, "metadata": {}}
            one |= {"address": dict.fromkeys(one["address"] or {}, REDACTED), "description": None, "shipping": None}
        for one in self._touched(job, "subscriptions"):
            one["status"] = "canceled"
        for one in self._touched(job, "payment_intents"):
            one["receipt_email"] = REDACTED
            one["status"] = "canceled" if one["status"] in _UNFINISHED else one["status"]
        for one in self._touched(job, "charges"):
            one["receipt_email"] = REDACTED
            one["billing_details"] = dict.fromkeys(one["billing_details"], REDACTED)
        for one in self._touched(job, "invoices"):
            one |= {"customer_email": REDACTED, "customer_name": REDACTED}


def nested(form: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Stripe's form encoding undone: `objects[customers][]=cus_1` is {"objects": {"customers": ["cus_1"]}}."""
    tree: dict[str, Any] = {}
    for name, value in form:
        path = [part for part in re.split(r"[\[\]]+", name) if part]
        node = tree
        for part in path[:-1]:
            node = node.setdefault(part, {})
        if name.endswith("[]"):
            node.setdefault(path[-1], []).append(value)
        else:
            node[path[-1]] = value
    return tree


def _many(ids: Any) -> list[str]:
    """The ids of `[]` or of `[0]`, `[1]`, ..., each once."""
    values = list(ids.values()) if isinstance(ids, dict) else ids if isinstance(ids, list) else [ids]
    return list(dict.fromkeys(map(str, values)))


def _job_body(job: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "created", "status", "validation_behavior")
    return {"object": "privacy.redaction_job", "livemode": False, **{name: job[name] for name in names}}


def _query(ask: Ask) -> str:
    return ask.query.get("query", "")


def _fits(one: Mapping[str, Any], field: str, key: str, how: str, wanted: str) -> bool:
    held = one["metadata"].get(key) if key else one[field]
    value = str(held or "")
    # The search knows no case, unlike the list.
    return value.lower() == wanted.lower() if how == ":" else bool(wanted) and wanted.lower() in value.lower()


def _int(ask: Ask, name: str, default: int) -> int:
    value = ask.query.get(name, "")
    return int(value) if value.isdecimal() and value != "0" else default


def _missing(kind: str, ident: str) -> Answer:
    return _error(404, f"No such {kind}: '{ident}'", "resource_missing", param="id")


def _error(
    status: int,
    text: str,
    code: str | None = None,
    *,
    kind: str = "invalid_request_error",
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    known = {"type": kind, "message": text, "code": code, "param": param}
    return reply({"error": {name: value for name, value in known.items() if value}}, status, headers=headers)
