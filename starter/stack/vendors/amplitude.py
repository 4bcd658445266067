"""Amplitude: deletion jobs of days (User Privacy API v1), access results that expire (DSAR API), user lookup.

The one rule: a job's state follows from the clock alone. The batch runs 10 to 13 days after its first
request; until three days before it is `staging` and can be changed; then it is `submitted`; on the day
after its run it is `done`. Events of a deleted user make a new user.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import orjson

from starter.stack.vendors.clock import Clock, Limits
from starter.stack.vendors.exchange import Answer, Ask, Operation, reply
from starter.stack.vendors.seeding import completed, token

PROJECT_KEY: Final = ("amplitude-project-key", "amplitude-project-secret")
ORG_KEY: Final = ("amplitude-org-key", "amplitude-org-secret")
APP: Final = 123456
IDS_A_CALL: Final = 100
DSAR_BUDGET: Final = 14_400
DSAR_COST: Final = {"access.create": 8, "access.status": 1, "access.output": 1}
LOOKUPS_AN_HOUR: Final = 360
TOO_MANY_A_MONTH: Final = 100_000
BEGUN_AFTER: Final = timedelta(minutes=30)
ANSWERED_AFTER: Final = timedelta(days=1)
RESULTS_LAST: Final = timedelta(days=2)
_FROZEN: Final = timedelta(days=3)
_WINDOW: Final = timedelta(days=184)


class Amplitude:
    """One project of one organisation."""

    name = "amplitude"

    def __init__(self, clock: Clock, base: str, store: str) -> None:
        self._clock, self._base, self._store = clock, base, store
        self.load(
            {"users": {}, "jobs": [], "requests": {}, "waiting": [], "next_id": 400_000_000_000, "next_request": 53_367}
        )

    def load(self, state: dict[str, Any]) -> None:
        self.state = state
        self._limits = Limits(self._clock, state.setdefault("spent", {}))

    def operations(self) -> Sequence[Operation]:
        return (
            Operation("deletion.create", "POST", "/api/2/deletions/users", self._delete),
            Operation("deletion.list", "GET", "/api/2/deletions/users", self._jobs),
            Operation("deletion.revoke", "DELETE", "/api/2/deletions/users/{ident}/{day}", self._revoke),
            Operation("access.create", "POST", "/api/2/dsar/requests", self._request),
            Operation("access.status", "GET", "/api/2/dsar/requests/{request:int}", self._status),
            Operation("access.output", "GET", "/api/2/dsar/requests/{request:int}/outputs/{output:int}", self._output),
            Operation("user.search", "GET", "/api/2/usersearch", self._search),
            Operation("user.activity", "GET", "/api/2/useractivity", self._activity),
        )

    def admit(self, ask: Ask, operation: str) -> Answer | None:
        if ask.basic() != (ORG_KEY if operation in DSAR_COST else PROJECT_KEY):
            return _error(401, "Unauthorized", "Invalid API key or secret key.")
        if operation in DSAR_COST:
            over = self._limits.wait("dsar", DSAR_BUDGET, 3600, DSAR_COST[operation])
        elif operation.startswith("user."):
            over = self._limits.wait("lookups", LOOKUPS_AN_HOUR, 3600)
        else:
            over = self._limits.wait("deletions", 1, 1)
        return _error(429, "Too Many Requests", "Exceeded the rate limit.") if over else None

    def unknown(self, ask: Ask) -> Answer:
        return _error(404, "Not Found", "No such endpoint.")

    def settle(self) -> None:
        """Run the jobs whose day has come: each takes all events of its users. Answer access requests of a day ago."""
        for job in self.state["jobs"]:
            run = _midnight(job["day"])
            if not job["ran"] and self._clock.now() >= run:
                self._answer_until(run)  # results due before the deletion have what it takes away
                for one in job["amplitude_ids"]:
                    self.state["users"].pop(str(one["amplitude_id"]), None)
                job["ran"] = True
        self._answer_until(self._clock.now())

    def _answer_until(self, moment: datetime) -> None:
        waiting = self.state["waiting"]  # the oldest first
        while waiting and _asked_at(self.state["requests"][str(waiting[0])]) + ANSWERED_AFTER <= moment:
            self._collect(waiting.pop(0))

    def seed(self, people: Sequence[Mapping[str, Any]]) -> int:
        """People whose user id is still known get further events; others are new, as after a deletion."""
        held = self._by_user_id()
        used = {str(one["amplitude_id"]) for job in self.state["jobs"] for one in job["amplitude_ids"]}
        for given in people:
            person = completed(given)
            user = held.get(person["id"])
            if user is None:
                wanted = str(person["amplitude_id"])
                if wanted in used and "amplitude_id" not in given:
                    self.state["next_id"] += 1
                    wanted = str(self.state["next_id"])
                user = held[person["id"]] = self.state["users"][wanted] = {
                    "amplitude_id": int(wanted),
                    "user_id": person["id"],
                    "device_ids": [token("device", person["id"], 32)],
                    "properties": {"email": person["email"], "name": person["name"]},
                    "events": [],
                }
            self._add_events(user, person["events"])
        return len(people)

    def stored(self, signature: str) -> bytes | None:
        """The file behind a signed address of the object store; None when it is unknown or expired."""
        for request in self.state["requests"].values():
            if signature in request["files"] and not self._expired(request):
                lines = request["files"][signature]
                return gzip.compress(b"".join(orjson.dumps(line) + b"\n" for line in lines), mtime=0)
        return None

    def _add_events(self, user: dict[str, Any], count: int) -> None:
        now = self._clock.now()
        for number in range(count):
            at = now - timedelta(days=17 * number, minutes=number)
            user["events"].append(
                {
                    "amplitude_id": user["amplitude_id"],
                    "app": APP,
                    "user_id": user["user_id"],
                    "device_id": user["device_ids"][0],
                    "event_type": ("session_start", "view_item", "add_to_cart", "purchase")[number % 4],
                    "event_time": at.strftime("%Y-%m-%d %H:%M:%S.%f"),
                    "server_upload_time": (at + timedelta(seconds=2)).strftime("%Y-%m-%d %H:%M:%S.%f"),
                    "user_properties": dict(user["properties"]),
                    "ip_address": "192.0.2." + str(user["amplitude_id"] % 250 + 1),
                }
            )

    def _by_user_id(self) -> dict[str, dict[str, Any]]:
        return {user["user_id"]: user for user in self.state["users"].values()}

    # Deletion

    def _delete(self, ask: Ask) -> Answer:
        try:
            body = ask.json()
            wanted = [("amplitude_id", str(one)) for one in body.get("amplitude_ids", [])]
            wanted += [("user_id", str(one)) for one in body.get("user_ids", [])]
        except (ValueError, TypeError):
            return _error(400, "Bad Request", "The body is not valid JSON.")
        if not wanted:
            return _error(400, "Bad Request", "amplitude_ids or user_ids is required.")
        if len(wanted) > IDS_A_CALL:
            return _error(400, "Bad Request", f"At most {IDS_A_CALL} ids can be given in one request.")
        across = str(body.get("delete_from_org", "false")).lower() == "true"
        if across and body.get("amplitude_ids"):
            return _error(400, "Bad Request", "delete_from_org takes user_ids only.")
        found, invalid = self._resolve(wanted)
        if invalid and not across and str(body.get("ignore_invalid_id", "false")).lower() != "true":
            return _error(400, "Bad Request", "Invalid ids: " + ", ".join(invalid))
        job = self._open_batch()
        today = self._clock.now().date().isoformat()
        listed = {one["amplitude_id"] for one in job["amplitude_ids"]}
        for amplitude_id, user_id in found.items():
            if amplitude_id not in listed:
                entry = {
                    "amplitude_id": amplitude_id,
                    "requested_on_day": today,
                    "requester": body.get("requester", ""),
                }
                job["amplitude_ids"].append(entry | ({"user_id": user_id} if user_id else {}))
        shown = self._shown(job)
        return reply([shown | {"app": str(APP)}] if across else shown)

    def _resolve(self, wanted: Sequence[tuple[str, str]]) -> tuple[dict[int, str | None], list[str]]:
        """Known users by Amplitude id, with the user id where that was what was asked for; and the rest."""
        found: dict[int, str | None] = {}
        invalid, held = [], self._by_user_id()
        for kind, value in wanted:
            user = held.get(value) if kind == "user_id" else self.state["users"].get(value)
            if user is None:
                invalid.append(value)
            else:
                found[user["amplitude_id"]] = value if kind == "user_id" else None
        return found, invalid

    def _open_batch(self) -> dict[str, Any]:
        jobs: list[dict[str, Any]] = self.state["jobs"]
        for job in jobs:
            if self._phase(job) == "staging":
                return job
        today = self._clock.now().date()
        day = today + timedelta(days=10 + today.toordinal() % 4)
        job = {"day": day.isoformat(), "amplitude_ids": [], "ran": False}
        jobs.append(job)
        return job

    def _phase(self, job: Mapping[str, Any]) -> str:
        now, run = self._clock.now(), _midnight(job["day"])
        if now < run - _FROZEN:
            return "staging"
        return "done" if now >= run + timedelta(days=1) else "submitted"

    def _shown(self, job: Mapping[str, Any]) -> dict[str, Any]:
        return {"day": job["day"], "status": self._phase(job), "amplitude_ids": job["amplitude_ids"]}

    def _jobs(self, ask: Ask) -> Answer:
        try:
            start = date.fromisoformat(ask.query["start_day"])
            end = date.fromisoformat(ask.query["end_day"])
        except (KeyError, ValueError):
            return _error(400, "Bad Request", "start_day and end_day are required, as YYYY-MM-DD.")
        if end < start or end - start > _WINDOW:
            return _error(400, "Bad Request", "The time range is at most six months.")
        return reply([self._shown(job) for job in self.state["jobs"] if start <= date.fromisoformat(job["day"]) <= end])

    def _revoke(self, ask: Ask) -> Answer:
        for job in self.state["jobs"]:
            taken = [
                one
                for one in job["amplitude_ids"]
                if ask.params["ident"] in (str(one["amplitude_id"]), one.get("user_id"))
            ]
            if job["day"] == ask.params["day"] and taken:
                if self._phase(job) != "staging":
                    return _error(400, "Bad Request", "The job is no longer staging.")
                job["amplitude_ids"] = [one for one in job["amplitude_ids"] if one not in taken]
                return reply(self._shown(job) | {"amplitude_ids": taken})
        return _error(404, "Not Found", "No such user in a job of that day.")

    # Access

    def _request(self, ask: Ask) -> Answer:
        try:
            body = ask.json() if "json" in ask.headers.get("content-type", "") else dict(ask.form())
            start, end = date.fromisoformat(body["startDate"]), date.fromisoformat(body["endDate"])
        except (KeyError, TypeError, ValueError):
            return _error(400, "Bad Request", "startDate and endDate are required, as YYYY-MM-DD.")
        if body.get("userId") is None and body.get("amplitudeId") is None:
            return _error(400, "Bad Request", "userId or amplitudeId is required.")
        number = self.state["next_request"]
        self.state["next_request"] += 1
        self.state["requests"][str(number)] = {
            "userId": None if body.get("userId") is None else str(body["userId"]),
            "amplitudeId": None if body.get("amplitudeId") is None else int(body["amplitudeId"]),
            "startDate": start.isoformat(),
            "endDate": end.isoformat(),
            "at": self._clock.now().isoformat(),
            "files": {},
            "failReason": None,
        }
        self.state["waiting"].append(number)
        return reply({"requestId": number}, 202)

    def _collect(self, number: int) -> None:
        """Gather one file a month of the user's events."""
        request = self.state["requests"][str(number)]
        user = (
            self.state["users"].get(str(request["amplitudeId"]))
            if request["amplitudeId"] is not None
            else self._by_user_id().get(request["userId"])
        )
        months = defaultdict(list)
        for event in user["events"] if user else []:
            if request["startDate"] <= event["event_time"][:10] <= request["endDate"]:
                months[event["event_time"][:7]].append(event)
        if any(len(events) > TOO_MANY_A_MONTH for events in months.values()):
            request["failReason"] = "Users with more than 100k events per month are not supported."
            return
        request["files"] = {token(f"file{number}", month, 32): months[month] for month in sorted(months)}

    def _phase_of_request(self, number: int, request: Mapping[str, Any]) -> str:
        if number in self.state["waiting"]:
            return "staging" if self._clock.now() < _asked_at(request) + BEGUN_AFTER else "submitted"
        return "failed" if request["failReason"] else "done"

    def _expires(self, request: Mapping[str, Any]) -> datetime:
        return _asked_at(request) + ANSWERED_AFTER + RESULTS_LAST

    def _expired(self, request: Mapping[str, Any]) -> bool:
        return self._clock.now() >= self._expires(request)

    def _status(self, ask: Ask) -> Answer:
        number = int(ask.params["request"])
        request = self.state["requests"].get(str(number))
        if request is None:
            return _error(404, "Not Found", "No such request.")
        phase = self._phase_of_request(number, request)
        body: dict[str, Any] = {"requestId": number}
        body |= {name: request[name] for name in ("userId", "amplitudeId") if request[name] is not None}
        body |= {name: request[name] for name in ("startDate", "endDate", "failReason")}
        outputs = f"{self._base}/api/2/dsar/requests/{number}/outputs"
        urls = [f"{outputs}/{index}" for index in range(len(request["files"]))] if phase == "done" else []
        expires = self._expires(request).date().isoformat() if phase == "done" else None
        return reply(body | {"status": phase, "urls": urls, "expires": expires})

    def _output(self, ask: Ask) -> Answer:
        request = self.state["requests"].get(ask.params["request"])
        index = int(ask.params["output"])
        if request is None or index >= len(request["files"]) or self._expired(request):
            return _error(404, "Not Found", "No such output, or it has expired.")
        return Answer(302, b"", {"location": f"{self._store}/{list(request['files'])[index]}.gz"})

    # Lookup

    def _search(self, ask: Ask) -> Answer:
        wanted = ask.query.get("user", "")
        users: list[dict[str, Any]] = list(self.state["users"].values())
        kinds = {
            "match_amplitude_id": [user for user in users if str(user["amplitude_id"]) == wanted],
            "match_user_or_device_id": [u for u in users if wanted == u["user_id"] or wanted in u["device_ids"]],
            "match_user_id_prefix": [user for user in users if wanted and user["user_id"].startswith(wanted)],
        }
        kind = next((name for name, matches in kinds.items() if matches), "no_match")
        shown = [{"user_id": u["user_id"], "amplitude_id": u["amplitude_id"]} for u in kinds.get(kind, [])]
        return reply({"matches": shown, "type": kind})

    def _activity(self, ask: Ask) -> Answer:
        user = self.state["users"].get(ask.query.get("user", ""))
        if user is None:
            return _error(400, "Bad Request", "Invalid user.")
        events = sorted(user["events"], key=lambda event: str(event["event_time"]), reverse=True)
        try:
            start, size = int(ask.query.get("offset", 0)), min(int(ask.query.get("limit", 1000)), 1000)
        except ValueError:
            return _error(400, "Bad Request", "offset and limit are numbers.")
        data = {
            "user_id": user["user_id"],
            "canonical_amplitude_id": user["amplitude_id"],
            "merged_amplitude_ids": [],
            "num_events": len(events),
            "num_sessions": len(events) // 4 + 1,
            "first_used": events[-1]["event_time"][:10] if events else None,
            "last_used": events[0]["event_time"][:10] if events else None,
            "country": "Germany",
            "city": "Berlin",
            "device_ids": user["device_ids"],
            "properties": user["properties"],
        }
        return reply({"userData": data, "events": events[start : start + size]})


class Store:
    """The object store that holds the results: another host, which takes signed addresses and no credential."""

    name = "store"

    def __init__(self, owner: Amplitude) -> None:
        self._owner = owner
        self.state: dict[str, Any] = {}

    def operations(self) -> Sequence[Operation]:
        return (Operation("download", "GET", "/{signature}.gz", self._download),)

    def admit(self, ask: Ask, operation: str) -> Answer | None:
        # A signed address and a credential at once: the store takes only one of them.
        return _xml(400, "InvalidArgument") if "authorization" in ask.headers else None

    def unknown(self, ask: Ask) -> Answer:
        return _xml(404, "NoSuchKey")

    def settle(self) -> None:
        self._owner.settle()

    def seed(self, people: Sequence[Mapping[str, Any]]) -> int:
        return 0

    def load(self, state: dict[str, Any]) -> None:
        """It has nothing of its own."""

    def _download(self, ask: Ask) -> Answer:
        body = self._owner.stored(ask.params["signature"])
        return _xml(403, "AccessDenied") if body is None else Answer(200, body, {"content-type": "application/gzip"})


def _xml(status: int, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code></Error>".encode(), {"content-type": "application/xml"})


def _asked_at(request: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(request["at"])


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def _error(status: int, title: str, text: str) -> Answer:
    return reply({"error": {"http_code": status, "type": title, "message": text}}, status)
