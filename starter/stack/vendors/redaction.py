"""Stripe's redaction jobs (public preview).

The one rule: a redaction job is validated before it can run, and what it redacts stays: the objects,
amounts and dates survive with `[redacted]` in place of the person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from starter.stack.vendors.clock import Clock
from starter.stack.vendors.exchange import Answer, Ask, Operation, reply
from starter.stack.vendors.seeding import token
from starter.stack.vendors.stripe_form import error, listed, missing, nested

OBJECTS_A_JOB: Final = 10
VALIDATING: Final = (timedelta(seconds=2), timedelta(seconds=30))
REDACTING: Final = timedelta(minutes=10)
REDACTED: Final = "[redacted]"
UNFINISHED: Final = ("requires_payment_method", "requires_confirmation", "requires_action", "processing")
_KINDS: Final = (
    *("charges", "checkout_sessions", "customers", "identity_verification_sessions", "invoices"),
    *("issuing_cardholders", "issuing_cards", "payment_intents", "radar_value_list_items", "setup_intents"),
)
_JOB: Final = "/v1/privacy/redaction_jobs"


class Redaction:
    """The jobs of an account, whose state is the account's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.state: dict[str, Any] = {}

    def load(self, state: dict[str, Any]) -> None:
        """Work on this account from now on."""
        self.state = state

    def operations(self, once: Callable[[Callable[[Ask], Answer]], Callable[[Ask], Answer]]) -> list[Operation]:
        """The endpoints; `once` makes one keep to idempotency keys."""
        return [
            Operation("jobs.create", "POST", _JOB, once(self._create_job)),
            Operation("jobs.list", "GET", _JOB, self._jobs),
            Operation("jobs.get", "GET", f"{_JOB}/{{id}}", self._job),
            Operation("jobs.update", "POST", f"{_JOB}/{{id}}", once(self._update_job)),
            Operation("jobs.validate", "POST", f"{_JOB}/{{id}}/validate", once(self._validate)),
            Operation("jobs.run", "POST", f"{_JOB}/{{id}}/run", once(self._run)),
            Operation("jobs.cancel", "POST", f"{_JOB}/{{id}}/cancel", once(self._cancel)),
            Operation("jobs.errors", "GET", f"{_JOB}/{{id}}/validation_errors", self._validation_errors),
        ]

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

    def _create_job(self, ask: Ask) -> Answer:
        given = nested(ask.form())
        objects = {kind: _many(ids) for kind, ids in (given.get("objects") or {}).items()}
        behaviour = given.get("validation_behavior", "error")
        if not any(objects.values()):
            return error(400, "Missing required param: objects.", param="objects")
        for kind, ids in objects.items():
            if kind not in _KINDS:
                return error(400, f"Received unknown parameter: objects[{kind}]", param=f"objects[{kind}]")
            for ident in ids:
                if not self._known(kind, ident):
                    return error(400, f"No such object: '{ident}'", "resource_missing", param=f"objects[{kind}]")
        if sum(map(len, objects.values())) > OBJECTS_A_JOB:
            return error(400, f"At most {OBJECTS_A_JOB} objects can be given in one job.", param="objects")
        if behaviour not in ("error", "fix"):
            return error(400, "Invalid validation_behavior: must be one of error or fix", param="validation_behavior")
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
        return listed(ask, [_job_body(one) for one in jobs if status in (None, one["status"])], _JOB)

    def _held_job(self, ask: Ask) -> dict[str, Any] | None:
        job: dict[str, Any] | None = self.state["jobs"].get(ask.params["id"])
        return job

    def _job(self, ask: Ask) -> Answer:
        job = self._held_job(ask)
        return self._job_shown(ask, job) if job else missing("privacy.redaction_job", ask.params["id"])

    def _move(self, ask: Ask, allowed: Sequence[str], status: str) -> Answer:
        job = self._held_job(ask)
        if job is None:
            return missing("privacy.redaction_job", ask.params["id"])
        if job["status"] not in allowed:
            return error(400, f"The redaction job is {job['status']}; this needs {' or '.join(allowed)}.")
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
            return missing("privacy.redaction_job", ask.params["id"])
        behaviour = nested(ask.form()).get("validation_behavior", job["validation_behavior"])
        if behaviour not in ("error", "fix"):
            return error(400, "Invalid validation_behavior: must be one of error or fix", param="validation_behavior")
        job["validation_behavior"] = behaviour
        return self._job_shown(ask, job)

    def _validation_errors(self, ask: Ask) -> Answer:
        job = self._held_job(ask)
        if job is None:
            return missing("privacy.redaction_job", ask.params["id"])
        rows = [{name: value for name, value in one.items() if name != "fixable"} for one in job["errors"]]
        return listed(ask, rows, f"{_JOB}/{job['id']}/validation_errors")

    def _faulty(self, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Why the job cannot run: what hangs on its objects and is not at its end, and other jobs' objects."""
        errors: list[dict[str, Any]] = []

        def found(code: str, ident: str, kind: str, text: str, fixable: bool) -> None:
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
                    found("locked_by_other_job", ident, kind.removesuffix("s"), "Cancel the other job first.", False)
        for one in self._touched(job, "payment_intents"):
            if one["status"] in UNFINISHED:
                text = "PaymentIntent is not finalized. Confirm or cancel the payment intent."
                found("invalid_state", one["id"], "payment_intent", text, True)
        for one in self._touched(job, "subscriptions"):
            if one["status"] != "canceled":
                found("invalid_state", one["id"], "subscription", "Subscription is active. Cancel it first.", True)
        return errors

    def _live(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.state[kind].values() if not one.get("deleted")]

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
            one["status"] = "canceled" if one["status"] in UNFINISHED else one["status"]
        for one in self._touched(job, "charges"):
            one["receipt_email"] = REDACTED
            one["billing_details"] = dict.fromkeys(one["billing_details"], REDACTED)
        for one in self._touched(job, "invoices"):
            one |= {"customer_email": REDACTED, "customer_name": REDACTED}


def _many(ids: Any) -> list[str]:
    """The ids of `[]` or of `[0]`, `[1]`, ..., each once."""
    values = list(ids.values()) if isinstance(ids, dict) else ids if isinstance(ids, list) else [ids]
    return list(dict.fromkeys(map(str, values)))


def _job_body(job: Mapping[str, Any]) -> dict[str, Any]:
    names = ("id", "created", "status", "validation_behavior")
    return {"object": "privacy.redaction_job", "livemode": False, **{name: job[name] for name in names}}
