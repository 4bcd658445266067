"""Zendesk Support: users, their tickets, and deletion in two steps.

The one rule: a soft deletion keeps the person. Only a user without tickets that are not closed can be
deleted; only a deleted one permanently; and permanent deletion is over only when every product says
`complete`. What the person wrote in tickets stays until a comment is redacted or the ticket deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from starter.stack.vendors.clock import Clock, Limits, whole_seconds, zulu
from starter.stack.vendors.exchange import Answer, Ask, Operation, reply
from starter.stack.vendors.seeding import completed
from starter.stack.vendors.zendesk_pages import Pages, invalid, not_found
from starter.stack.vendors.zendesk_tickets import AGENT_ID, Path, Tickets

AGENT: Final = "agent@shop.example"
TOKEN: Final = "zendesk-token"  # noqa: S105 - of the fake
SUBDOMAIN: Final = "made-up-shop"
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
        self._clock, self._base, self._pages = clock, base, Pages(base)
        self._tickets = Tickets(clock, base, self._pages)
        self.load({"users": {}, "tickets": {}, "next_ticket": 1000})

    def load(self, state: dict[str, Any]) -> None:
        self.state = state
        self._tickets.load(state)
        self._limits = Limits(self._clock, state.setdefault("spent", {}))

    def operations(self) -> Sequence[Operation]:
        one = "/api/v2/users/{id:int}"
        paths: Sequence[Path] = (
            ("user.search", "GET", "/api/v2/users/search", self._search),
            ("users", "GET", "/api/v2/users", self._users),
            ("user", "GET", one, self._user),
            ("user.update", "PUT", one, self._update),
            ("user.delete", "DELETE", one, self._delete),
            ("user.identities", "GET", f"{one}/identities", self._identities),
            ("user.identity", "PUT", f"{one}/identities/{{identity:int}}", self._change_identity),
            ("user.related", "GET", f"{one}/related", self._related),
            ("user.requested", "GET", f"{one}/tickets/requested", self._named_in("requester_id")),
            ("user.ccd", "GET", f"{one}/tickets/ccd", self._named_in("collaborator_ids")),
            ("user.compliance", "GET", f"{one}/compliance_deletion_statuses", self._statuses),
            ("deleted.list", "GET", "/api/v2/deleted_users", self._deleted_users),
            ("deleted", "GET", "/api/v2/deleted_users/{id:int}", self._deleted_user),
            ("deleted.delete", "DELETE", "/api/v2/deleted_users/{id:int}", self._delete_for_good),
            *self._tickets.paths(),
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
        self._tickets.forget_of(idents)
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
                self._tickets.open(person, "open" if number < person["open_tickets"] else "closed")
        return len(people)

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
        return self._pages.paged(ask, "users", rows)

    def _users(self, ask: Ask) -> Answer:
        return self._pages.paged(
            ask, "users", [self._shown(user) for user in self.state["users"].values() if user["active"]]
        )

    def _user(self, ask: Ask) -> Answer:
        user = self._held(ask)
        return reply({"user": self._shown(user)}) if user else not_found()

    def _update(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None or not user["active"]:
            return not_found()
        try:
            changes = ask.json()["user"]
        except (ValueError, KeyError):
            return invalid("user", "user is missing")
        known = ("name", "email", "phone", "external_id", "suspended", "notes", "details", "tags")
        user |= {name: changes[name] for name in known if name in changes}
        user["updated_at"] = zulu(self._clock.now())
        return reply({"user": self._shown(user)})

    def _delete(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None or not user["active"]:
            return not_found()
        waiting = [one for one in self._tickets.asked_by(user["id"]) if one["status"] != "closed"]
        if waiting:
            return invalid("base", f"{user['name']} is the requester of {len(waiting)} ticket(s) that are not closed.")
        user["active"] = False
        user["deleted_at"] = self._clock.now().isoformat()
        user["updated_at"] = zulu(self._clock.now())
        return reply({"user": self._shown(user)})

    def _identities(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None:
            return not_found()
        kinds = [("email", user["email"]), ("phone_number", user["phone"])]
        rows = [
            {"id": user["id"] * 10 + n, "user_id": user["id"], "type": kind, "value": value, "primary": n == 0}
            | {"verified": True}
            for n, (kind, value) in enumerate(kinds)
            if value
        ]
        # The primary address is wherever it is: an account may have had others before it.
        return self._pages.paged(ask, "identities", rows[::-1])

    def _change_identity(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None or not user["active"] or int(ask.params["identity"]) != user["id"] * 10 or not user["email"]:
            return not_found()
        try:
            value = ask.json()["identity"]["value"]
        except (ValueError, KeyError):
            return invalid("identity", "identity is missing")
        if not isinstance(value, str) or "@" not in value:
            return invalid("value", "Email: is not properly formatted")
        others = (one for one in self.state["users"].values() if one is not user and not one["permanent_at"])
        if any(one["email"] == value.lower() for one in others):
            return invalid("value", f"Email: {value} is already being used by another user")
        user |= {"email": value.lower(), "updated_at": zulu(self._clock.now())}
        shown = {"id": user["id"] * 10, "user_id": user["id"], "type": "email", "value": user["email"]}
        return reply({"identity": shown | {"primary": True, "verified": True}})

    def _related(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None:
            return not_found()
        asked = len(self._tickets.asked_by(user["id"]))
        return reply({"user_related": {"requested_tickets": asked, "ccd_tickets": 0, "assigned_tickets": 0}})

    # Deletion for good

    def _deleted_users(self, ask: Ask) -> Answer:
        rows = [self._shown_deleted(user) for user in self.state["users"].values() if user["deleted_at"]]
        return self._pages.paged(ask, "deleted_users", rows)

    def _shown_deleted(self, user: Mapping[str, Any]) -> dict[str, Any]:
        names = ("id", "name", "email", "phone", "photo", "role", "active", "locale", "time_zone", "organization_id")
        shown = {name: user[name] for name in names}
        times = {"created_at": user["created_at"], "updated_at": user["updated_at"]}
        return shown | times | {"url": f"{self._base}/api/v2/deleted_users/{user['id']}.json"}

    def _deleted_user(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None or user["active"]:
            return not_found()
        return reply({"deleted_user": self._shown_deleted(user)})

    def _delete_for_good(self, ask: Ask) -> Answer:
        user = self._held(ask)
        if user is None or user["active"]:
            return not_found()
        shown = self._shown_deleted(user)
        self._forget(user, self._clock.now(), AGENT_ID)
        return reply({"deleted_user": shown})

    def _forget(self, user: dict[str, Any], at: datetime, executer: int | None) -> None:
        user |= dict.fromkeys(_PERSONAL) | {"name": GONE, "tags": []}
        user |= {"permanent_at": at.isoformat(), "executer_id": executer, "updated_at": zulu(at)}

    def _statuses(self, ask: Ask) -> Answer:
        user = self.state["users"].get(ask.params["id"])
        if user is None:
            return not_found()
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

    def _named_in(self, field: str) -> Callable[[Ask], Answer]:
        def handle(ask: Ask) -> Answer:
            if self._held(ask) is None:
                return not_found()
            return self._pages.paged(ask, "tickets", self._tickets.shown_of(int(ask.params["id"]), field))

        return handle
