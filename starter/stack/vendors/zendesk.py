"""Zendesk Support: users, their tickets, and deletion in two steps.

The one rule: a soft deletion keeps the person. Only a user without tickets that are not closed can be
deleted; only a deleted one permanently; and permanent deletion is over only when every product says
`complete`. What the person wrote in tickets stays until a comment is redacted or the ticket deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from starter.stack.vendors.clock import Clock, Limits, whole_seconds, zulu
from starter.stack.vendors.exchange import Answer, Ask, Operation, reply
from starter.stack.vendors.seeding import completed

AGENT: Final = "agent@shop.example"
TOKEN: Final = "zendesk-token"  # noqa: S105 - of the fake
SUBDOMAIN: Final = "made-up-shop"
AGENT_ID: Final = 900_000_000_000
REQUESTS_A_MINUTE: Final = 700
PERMANENT_IN_TEN_MINUTES: Final = 700
# How long after the request each product starts and completes.
PRODUCTS: Final = {
    "support": (timedelta(minutes=1), timedelta(minutes=10)),
    "explore": (timedelta(hours=1), timedelta(days=1)),
    "chat": (timedelta(hours=4), timedelta(days=3)),
}
BIN_LASTS: Final = timedelta(days=30)
GONE: Final = "Permanently Deleted User"
_PERSONAL: Final = ("email", "phone", "external_id", "notes", "details", "photo", "time_zone", "locale")


class Zendesk:
    """The shop's account with its end users."""

    name = "zendesk"

    def __init__(self, clock: Clock, base: str) -> None:
        self._clock, self._base = clock, base
        self.load({"users": {}, "tickets": {}, "next_ticket": 1000})

    def load(self, state: dict[str, Any]) -> None:
        self.state = state
        self._limits = Limits(self._clock, state.setdefault("spent", {}))

    def operations(self) -> Sequence[Operation]:
        one = "/api/v2/users/{id:int}"
        paths: Sequence[tuple[str, str, str, Callable[[Ask], Answer]]] = (
            ("user.search", "GET", "/api/v2/users/search", self._search),
            ("users", "GET", "/api/v2/users", self._users),
            ("user", "GET", one, self._user),
            ("user.update", "PUT", one, self._update),
            ("user.delete", "DELETE", one, self._delete),
            ("user.identities", "GET", f"{one}/identities", self._identities),
            ("user.related", "GET", f"{one}/related", self._related),
            ("user.requested", "GET", f"{one}/tickets/requested", self._tickets("requester_id")),
            ("user.ccd", "GET", f"{one}/tickets/ccd", self._tickets("collaborator_ids")),
            ("user.compliance", "GET", f"{one}/compliance_deletion_statuses", self._statuses),
            ("deleted.list", "GET", "/api/v2/deleted_users", self._deleted_users),
            ("deleted", "GET", "/api/v2/deleted_users/{id:int}", self._deleted_user),
            ("deleted.delete", "DELETE", "/api/v2/deleted_users/{id:int}", self._delete_for_good),
            ("ticket", "GET", "/api/v2/tickets/{id:int}", self._ticket),
            ("ticket.update", "PUT", "/api/v2/tickets/{id:int}", self._update_ticket),
            ("ticket.delete", "DELETE", "/api/v2/tickets/{id:int}", self._delete_ticket),
            ("ticket.comments", "GET", "/api/v2/tickets/{id:int}/comments", self._comments),
            ("deleted_ticket.list", "GET", "/api/v2/deleted_tickets", self._deleted_tickets),
            ("deleted_ticket.delete", "DELETE", "/api/v2/deleted_tickets/{id:int}", self._delete_ticket_for_good),
            ("comment.redact", "PUT", "/api/v2/comment_redactions/{id:int}", self._redact),
        )
        # Each path is known with and without the ending.
        return [
            Operation(name, method, path + ending, handle)
            for name, method, path, handle in paths
            for ending in ("", ".json")
        ]

    def admit(self, ask: Ask, operation: str) -> Answer | None:
        if ask.basic() != (f"{AGENT}/token", TOKEN) and ask.bearer() != TOKEN:
            return reply({"error": "Couldn't authenticate you"}, 401)
        wait = self._limits.wait("requests", REQUESTS_A_MINUTE, 60)
        if not wait and operation == "deleted.delete":
            wait = self._limits.wait("permanent", PERMANENT_IN_TEN_MINUTES, 600)
        if wait:
            text = "Number of allowed API requests per minute exceeded"
            headers = {"retry-after": whole_seconds(wait)}
            return reply({"error": "APIRateLimitExceeded", "description": text}, 429, headers=headers)
        return None

    def unknown(self, ask: Ask) -> Answer:
        return reply({"error": "InvalidEndpoint", "description": "Not found"}, 404)

    def settle(self) -> None:
        """What lies in the bin for 30 days is deleted permanently; a complete product has forgotten the person."""
        now = self._clock.now()
        for user in self.state["users"].values():
            deleted_at = user["deleted_at"] and datetime.fromisoformat(user["deleted_at"])
            if deleted_at and not user["permanent_at"] and now >= deleted_at + BIN_LASTS:
                self._forget(user, deleted_at + BIN_LASTS, None)

    def seed(self, people: Sequence[Mapping[str, Any]]) -> int:
        chosen = [completed(person) for person in people]
        idents = {person["zendesk_id"] for person in chosen}
        tickets = self.state["tickets"]
        for number in [number for number, one in tickets.items() if one["requester_id"] in idents]:
            del tickets[number]
        for person in chosen:
            ident = person["zendesk_id"]
            now = zulu(self._clock.now())
            self.state["users"][str(ident)] = {
                "id": ident,
                "name": person["name"],
                "email": person["email"].lower(),
                "external_id": person["id"],
                "phone": person["phone"],
                "role": "end-user",
                "active": True,
                "suspended": False,
                "verified": True,
                "notes": f"Asked for a call back on {person['phone']}.",
                "details": "",
                "photo": None,
                "locale": "de",
                "time_zone": "Berlin",
                "organization_id": None,
                "tags": [],
                "created_at": f"{person['joined']}T09:00:00Z",
                "updated_at": now,
                "deleted_at": None,
                "permanent_at": None,
                "executer_id": None,
            }
            for number in range(person["tickets"]):
                self._open_ticket(person, "open" if number < person["open_tickets"] else "closed")
        return len(people)

    def _open_ticket(self, person: Mapping[str, Any], status: str) -> None:
        number = self.state["next_ticket"]
        self.state["next_ticket"] += 1
        now = zulu(self._clock.now())
        texts = (
            (person["zendesk_id"], f"Hello, this is {person['name']}. Please call me on {person['phone']}."),
            (AGENT_ID, f"Dear {person['name']}, we have sent the parcel again."),
        )
        self.state["tickets"][str(number)] = {
            "id": number,
            "subject": f"Question {number}",
            "description": texts[0][1],
            "status": status,
            "requester_id": person["zendesk_id"],
            "submitter_id": person["zendesk_id"],
            "collaborator_ids": [],
            "created_at": now,
            "updated_at": now,
            "deleted": False,
            "comments": [
                {
                    "id": number * 10 + index,
                    "type": "Comment",
                    "author_id": author,
                    "body": text,
                    "plain_body": text,
                    "public": True,
                    "attachments": [],
                    "created_at": now,
                }
                for index, (author, text) in enumerate(texts)
            ],
        }

    # Users

    def _held(self, ask: Ask) -> dict[str, Any] | None:
        """The user, soft deleted or not; a permanently deleted one is in `deleted_users` alone."""
        user: dict[str, Any] | None = self.state["users"].get(ask.params["id"])
        return None if user is None or user["permanent_at"] else user

    def _shown(self, user: Mapping[str, Any]) -> dict[str, Any]:
        hidden = ("deleted_at", "permanent_at", "executer_id")
        shown = {name: value for name, value in user.items() if name not in hidden}
        return shown | {"url": f"{self._base}/api/v2/users/{user['id']}.json"}

    def _search(self, ask: Ask) -> Answer:
        external, query = ask.query.get("external_id"), ask.query.get("query", "").strip()
        kind, _, value = query.partition(":")
        wanted = value.strip().strip("\"'").lower()

        def fits(user: Mapping[str, Any]) -> bool:
            if external is not None:
                return bool(user["external_id"] == external)
            if kind in ("email", "external_id", "phone", "name") and wanted:
                return str(user[kind] or "").lower() == wanted
            # Words without a field are sought in name and address: others' records may match.
            return bool(query) and query.lower() in f"{user['name']} {user['email']}".lower()

        rows = [self._shown(user) for user in self.state["users"].values() if user["active"] and fits(user)]
        return self._paged(ask, "users", rows)

    def _users(self, ask: Ask) -> Answer:
        return self._paged(ask, "users", [self._shown(user) for user in self.state["users"].values() if user["active"]])

    def _user(self, ask: Ask) -> Answer:
        user = self._held(ask)
        return reply({"user": self._shown(user)}) if user else _not_found()

    def _update(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None or not user["active"]:
            return _not_found()
        try:
            changes = ask.json()["user"]
        except (ValueError, KeyError):
            return _invalid("user", "user is missing")
        known = ("name", "email", "phone", "external_id", "suspended", "notes", "details", "tags")
        user |= {name: changes[name] for name in known if name in changes}
        user["updated_at"] = zulu(self._clock.now())
        return reply({"user": self._shown(user)})

    def _delete(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None or not user["active"]:
            return _not_found()
        waiting = [one for one in self._asked_by(user["id"]) if one["status"] != "closed"]
        if waiting:
            return _invalid("base", f"{user['name']} is the requester of {len(waiting)} ticket(s) that are not closed.")
        user["active"] = False
        user["deleted_at"] = self._clock.now().isoformat()
        user["updated_at"] = zulu(self._clock.now())
        return reply({"user": self._shown(user)})

    def _identities(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None:
            return _not_found()
        kinds = [("email", user["email"]), ("phone_number", user["phone"])]
        rows = [
            {"id": user["id"] * 10 + n, "user_id": user["id"], "type": kind, "value": value, "primary": n == 0}
            | {"verified": True}
            for n, (kind, value) in enumerate(kinds)
            if value
        ]
        return self._paged(ask, "identities", rows)

    def _related(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None:
            return _not_found()
        asked = len(self._asked_by(user["id"]))
        return reply({"user_related": {"requested_tickets": asked, "ccd_tickets": 0, "assigned_tickets": 0}})

    # Deletion for good

    def _deleted_users(self, ask: Ask) -> Answer:
        rows = [self._shown_deleted(user) for user in self.state["users"].values() if user["deleted_at"]]
        return self._paged(ask, "deleted_users", rows)

    def _shown_deleted(self, user: Mapping[str, Any]) -> dict[str, Any]:
        names = ("id", "name", "email", "phone", "photo", "role", "active", "locale", "time_zone", "organization_id")
        shown = {name: user[name] for name in names}
        times = {"created_at": user["created_at"], "updated_at": user["updated_at"]}
        return shown | times | {"url": f"{self._base}/api/v2/deleted_users/{user['id']}.json"}

    def _deleted_user(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None or user["active"]:
            return _not_found()
        return reply({"deleted_user": self._shown_deleted(user)})

    def _delete_for_good(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None or user["active"]:
            return _not_found()
        shown = self._shown_deleted(user)
        self._forget(user, self._clock.now(), AGENT_ID)
        return reply({"deleted_user": shown})

    def _forget(self, user: dict[str, Any], at: datetime, executer: int | None) -> None:
        user |= dict.fromkeys(_PERSONAL) | {"name": GONE, "tags": []}
        user |= {"permanent_at": at.isoformat(), "executer_id": executer, "updated_at": zulu(at)}

    def _statuses(self, ask: Ask) -> Answer:
        user = self.state["users"].get(ask.params["id"])
        if user is None:
            return _not_found()
        entries = []
        if user["permanent_at"]:
            asked = datetime.fromisoformat(user["permanent_at"])
            entries.append(("all", "request_deletion", asked, user["executer_id"]))
            for product, (start, end) in PRODUCTS.items():
                entries.append((product, "started", asked + start, None))
                entries.append((product, "complete", asked + end, None))
        wanted = ask.query.get("application")
        rows = [
            {
                "application": application,
                "action": action,
                "created_at": zulu(at),
                "executer_id": executer,
                "user_id": user["id"],
                "account_subdomain": SUBDOMAIN,
            }
            for application, action, at, executer in sorted(entries, key=lambda entry: entry[2])
            if at <= self._clock.now() and wanted in (None, application)
        ]
        return reply({"compliance_deletion_statuses": rows})

    # Tickets

    def _asked_by(self, user: int) -> list[dict[str, Any]]:
        tickets: dict[str, dict[str, Any]] = self.state["tickets"]
        return [one for one in tickets.values() if one["requester_id"] == user and not one["deleted"]]

    def _tickets(self, field: str) -> Callable[[Ask], Answer]:
        def handle(ask: Ask) -> Answer:
            if self._held(ask) is None:
                return _not_found()
            wanted = int(ask.params["id"])
            rows = [
                self._shown_ticket(one)
                for one in self.state["tickets"].values()
                if not one["deleted"]
                and (wanted in one[field] if field == "collaborator_ids" else one[field] == wanted)
            ]
            return self._paged(ask, "tickets", rows)

        return handle

    def _held_ticket(self, ask: Ask) -> dict[str, Any] | None:
        ticket: dict[str, Any] | None = self.state["tickets"].get(ask.params["id"])
        return None if ticket is None or ticket["deleted"] else ticket

    def _shown_ticket(self, ticket: Mapping[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in ticket.items() if name not in ("comments", "deleted")}
        return shown | {"url": f"{self._base}/api/v2/tickets/{ticket['id']}.json"}

    def _ticket(self, ask: Ask) -> Answer:
        ticket = self._held_ticket(ask)
        return reply({"ticket": self._shown_ticket(ticket)}) if ticket else _not_found()

    def _update_ticket(self, ask: Ask) -> Answer:
        ticket = self._held_ticket(ask)
        if ticket is None:
            return _not_found()
        if ticket["status"] == "closed":
            return _invalid("status", "closed prevents ticket update")
        try:
            changes = ask.json()["ticket"]
        except (ValueError, KeyError):
            return _invalid("ticket", "ticket is missing")
        ticket |= {name: changes[name] for name in ("status", "subject", "requester_id") if name in changes}
        ticket["updated_at"] = zulu(self._clock.now())
        return reply({"ticket": self._shown_ticket(ticket), "audit": {"ticket_id": ticket["id"]}})

    def _delete_ticket(self, ask: Ask) -> Answer:
        ticket = self._held_ticket(ask)
        if ticket is None:
            return _not_found()
        ticket["deleted"] = True
        return Answer(204)

    def _deleted_tickets(self, ask: Ask) -> Answer:
        rows = [
            {"id": one["id"], "subject": one["subject"], "description": one["description"], "actor": {"id": AGENT_ID}}
            | {"deleted_at": one["updated_at"], "previous_state": one["status"]}
            for one in self.state["tickets"].values()
            if one["deleted"]
        ]
        return self._paged(ask, "deleted_tickets", rows)

    def _delete_ticket_for_good(self, ask: Ask) -> Answer:
        ticket = self.state["tickets"].get(ask.params["id"])
        if ticket is None or not ticket["deleted"]:
            return _not_found()
        del self.state["tickets"][ask.params["id"]]
        job = {"id": f"job-{ask.params['id']}", "status": "completed", "total": 1, "progress": 1, "results": []}
        return reply({"job_status": job})

    def _comments(self, ask: Ask) -> Answer:
        ticket = self._held_ticket(ask)
        return self._paged(ask, "comments", ticket["comments"]) if ticket else _not_found()

    def _redact(self, ask: Ask) -> Answer:
        try:
            number = str(ask.json()["ticket_id"])
        except (ValueError, KeyError):
            return _invalid("ticket_id", "ticket_id is missing")
        ticket = self.state["tickets"].get(number)
        for comment in ticket["comments"] if ticket else ():
            if str(comment["id"]) == ask.params["id"]:
                comment["body"] = comment["plain_body"] = "▇▇▇▇"
                return reply({"comment": comment})
        return _not_found()

    def _paged(self, ask: Ask, name: str, rows: Sequence[Any]) -> Answer:
        """By cursor when `page[size]` is given, else by page number, 100 at most."""
        if "page[size]" in ask.query:
            size, after = _int(ask, "page[size]", 100), _int(ask, "page[after]", 0)
            more = after + size < len(rows)
            url = self._again(ask, {"page[size]": size, "page[after]": after + size})
            meta = {"has_more": more, "after_cursor": str(after + size) if more else None, "before_cursor": None}
            return reply({name: rows[after : after + size], "meta": meta, "links": {"next": url if more else None}})
        page, size = max(_int(ask, "page", 1), 1), _int(ask, "per_page", 100)
        more = page * size < len(rows)
        url = self._again(ask, {"page": page + 1, "per_page": size})
        body = {name: rows[(page - 1) * size : page * size], "count": len(rows), "next_page": url if more else None}
        return reply({**body, "previous_page": None})

    def _again(self, ask: Ask, changed: Mapping[str, int]) -> str:
        return f"{self._base}{ask.path}?{urlencode({**ask.query, **changed})}"


def _int(ask: Ask, name: str, default: int) -> int:
    value = ask.query.get(name, "")
    return min(max(int(value), 1 if name != "page[after]" else 0), 100_000) if value.isdecimal() else default


def _not_found() -> Answer:
    return reply({"error": "RecordNotFound", "description": "Not found"}, 404)


def _invalid(field: str, text: str) -> Answer:
    details = {field: [{"description": text}]}
    return reply({"error": "RecordInvalid", "description": "Record validation errors", "details": details}, 422)
