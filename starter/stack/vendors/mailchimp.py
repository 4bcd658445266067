"""Mailchimp Marketing: audiences, their members, and what is kept about each.

The one rule: archiving is not erasing. `DELETE` keeps the member as archived; only `delete-permanent`
takes the person out, for good: the address cannot be added to that audience again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from starter.stack.vendors.clock import Clock, zulu
from starter.stack.vendors.exchange import Answer, Ask, Operation, reply
from starter.stack.vendors.mailchimp_answers import invalid, not_found, page, problem, with_fields
from starter.stack.vendors.seeding import completed, number_of, token

KEY: Final = "mailchimp-key-us1"
CONNECTIONS: Final = 10
LISTS: Final = {"newsletter": "a1b2c3d4e5", "loyalty": "f6a7b8c9d0"}
_STATUSES: Final = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived")
_MEMBER: Final = "/3.0/lists/{list}/members/{hash}"


class Mailchimp:
    """One account with two audiences."""

    name = "mailchimp"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        lists = {ident: {"id": ident, "name": name.title()} for name, ident in LISTS.items()}
        self.load(
            {"lists": lists, "members": {ident: {} for ident in lists}, "forgotten": {ident: [] for ident in lists}}
        )

    def load(self, state: dict[str, Any]) -> None:
        self.state = state

    def operations(self) -> Sequence[Operation]:
        known = (
            Operation("ping", "GET", "/3.0/ping", lambda _: reply({"health_status": "Everything's Chimpy!"})),
            Operation("lists", "GET", "/3.0/lists", self._lists),
            Operation("list", "GET", "/3.0/lists/{list}", self._list),
            Operation("search", "GET", "/3.0/search-members", self._search),
            Operation("members", "GET", "/3.0/lists/{list}/members", self._members),
            Operation("member.add", "POST", "/3.0/lists/{list}/members", self._add),
            Operation("member", "GET", _MEMBER, self._member),
            Operation("member.put", "PUT", _MEMBER, self._put),
            Operation("member.update", "PATCH", _MEMBER, self._update),
            Operation("member.archive", "DELETE", _MEMBER, self._archive),
            Operation("member.delete", "POST", f"{_MEMBER}/actions/delete-permanent", self._delete),
            Operation("member.activity", "GET", f"{_MEMBER}/activity", self._part("activity")),
            Operation("member.feed", "GET", f"{_MEMBER}/activity-feed", self._part("activity")),
            Operation("member.tags", "GET", f"{_MEMBER}/tags", self._part("tags")),
            Operation("member.tag", "POST", f"{_MEMBER}/tags", self._tag),
            Operation("member.notes", "GET", f"{_MEMBER}/notes", self._part("notes")),
            Operation("member.events", "GET", f"{_MEMBER}/events", self._part("events")),
            Operation("member.goals", "GET", f"{_MEMBER}/goals", self._part("goals")),
        )
        return [one._replace(handle=with_fields(one.handle)) for one in known]

    def admit(self, ask: Ask, operation: str) -> Answer | None:
        key = ask.bearer() or (ask.basic() or ("", ""))[1]
        if key != KEY:
            text = "Your API key may be invalid, or you've attempted to access the wrong datacenter."
            return problem(401, "API Key Invalid", text)
        if ask.in_flight > CONNECTIONS:
            return problem(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections.")
        return None

    def unknown(self, ask: Ask) -> Answer:
        return not_found()

    def settle(self) -> None:
        """Nothing here takes time."""

    def seed(self, people: Sequence[Mapping[str, Any]]) -> int:
        for person in map(completed, people):
            for name in person["lists"]:
                ident = LISTS[name]
                status = "subscribed" if person["subscribed"] else "unsubscribed"
                merge = {"FNAME": person["name"].split(" ")[0], "LNAME": person["name"].split(" ")[-1]}
                member = self._made(ident, person["email"], status, merge | {"PHONE": person["phone"]})
                member["tags"] = [{"id": 11, "name": "customer"}, {"id": 12, "name": f"since {person['joined'][:4]}"}]
                member["notes"] = [self._note(ident, member["id"], f"{person['name']} called about an order.")]
                member["activity"] = self._activity_of(person["events"])
                member["events"] = [{"occurred_at": member["timestamp_opt"], "name": "purchased", "properties": {}}]
                self.state["members"][ident][member["id"]] = member
        return len(people)

    # Audiences

    def _lists(self, ask: Ask) -> Answer:
        email = ask.query.get("email")
        shown = [
            self._list_shown(ident)
            for ident in self.state["lists"]
            if email is None or _hash(email) in self.state["members"][ident]
        ]
        return reply({"lists": page(ask, shown), "total_items": len(shown), "constraints": {}, "_links": []})

    def _list(self, ask: Ask) -> Answer:
        ident = ask.params["list"]
        return reply(self._list_shown(ident)) if ident in self.state["lists"] else not_found()

    def _list_shown(self, ident: str) -> dict[str, Any]:
        members = self.state["members"][ident].values()
        count = sum(member["status"] == "subscribed" for member in members)
        return {
            **self.state["lists"][ident],
            "web_id": number_of(ident) % 10**6,
            "date_created": "2019-01-01T00:00:00+00:00",
            "visibility": "prv",
            "stats": {"member_count": count, "total_contacts": len(members)},
            "_links": [],
        }

    # Members

    def _search(self, ask: Ask) -> Answer:
        query = ask.query.get("query", "")
        if not query:
            return invalid()
        chosen = ask.query.get("list_id")
        exact, loose = [], []
        for ident in self.state["lists"]:
            for member in self.state["members"][ident].values() if chosen in (None, ident) else ():
                if member["email_address"].lower() == query.lower():
                    exact.append(_shown(member))
                elif query.lower() in f"{member['email_address']} {member['full_name']}".lower():
                    loose.append(_shown(member))
        found = {"exact_matches": exact, "full_search": exact + loose}
        shown = {name: {"members": rows[:30], "total_items": len(rows)} for name, rows in found.items()}
        return reply({**shown, "_links": []})

    def _members(self, ask: Ask) -> Answer:
        ident = ask.params["list"]
        if ident not in self.state["lists"]:
            return not_found()
        # As with the vendor, archived members show only when they are asked for by that status.
        status = ask.query.get("status")
        rows = [
            _shown(member)
            for member in self.state["members"][ident].values()
            if (member["status"] == status if status else member["status"] != "archived")
        ]
        body = {"members": page(ask, rows), "list_id": ident, "total_items": len(rows), "_links": []}
        return reply(body)

    def _found(self, ask: Ask) -> dict[str, Any] | None:
        """The member by hash of the address, the address itself, or contact id."""
        members: dict[str, dict[str, Any]] = self.state["members"].get(ask.params["list"], {})
        wanted = ask.params["hash"]
        if wanted in members:
            return members[wanted]
        if "@" in wanted:
            return members.get(_hash(wanted))
        return next((member for member in members.values() if member["contact_id"] == wanted), None)

    def _member(self, ask: Ask) -> Answer:
        member = self._found(ask)
        return reply(_shown(member)) if member else not_found()

    def _add(self, ask: Ask) -> Answer:
        body = _read(ask)
        if ask.params["list"] not in self.state["lists"]:
            return not_found()
        if body is None or "@" not in str(body.get("email_address")) or body.get("status") not in _STATUSES:
            return invalid()
        held = self.state["members"][ask.params["list"]].get(_hash(body["email_address"]))
        if held and held["status"] != "archived":
            return problem(400, "Member Exists", f"{body['email_address']} is already a list member.")
        return self._store(ask.params["list"], body, body["status"])

    def _put(self, ask: Ask) -> Answer:
        member, body = self._found(ask), _read(ask)
        if ask.params["list"] not in self.state["lists"]:
            return not_found()
        if body is None:
            return invalid()
        if member:
            return self._change(member, body)
        if "@" not in str(body.get("email_address")) or body.get("status_if_new") not in _STATUSES:
            return invalid()
        return self._store(ask.params["list"], body, body["status_if_new"])

    def _store(self, ident: str, body: Mapping[str, Any], status: str) -> Answer:
        email = body["email_address"]
        if _hash(email) in self.state["forgotten"][ident]:
            text = f"{email} was permanently deleted and cannot be re-imported. The contact must re-subscribe."
            return problem(400, "Forgotten Email Not Subscribed", text)
        member = self._made(ident, email, status, body.get("merge_fields", {}))
        self.state["members"][ident][member["id"]] = member
        return reply(_shown(member))

    def _update(self, ask: Ask) -> Answer:
        member, body = self._found(ask), _read(ask)
        if member is None:
            return not_found()
        if body is None:
            return invalid()
        return self._change(member, body)

    def _change(self, member: dict[str, Any], body: Mapping[str, Any]) -> Answer:
        status = body.get("status", member["status"])
        if status not in _STATUSES:
            return invalid()
        if _is_partial(body.get("merge_fields", {}).get("ADDRESS", "")):
            return problem(400, "Invalid Resource", "ADDRESS: Please enter a complete address")
        member["status"] = status
        member["merge_fields"] |= body.get("merge_fields", {})
        member["full_name"] = _full_name(member["merge_fields"])
        member["language"] = body.get("language", member["language"])
        email = body.get("email_address", member["email_address"])
        if _hash(email) != member["id"]:
            members = self.state["members"][member["list_id"]]
            members[_hash(email)] = members.pop(member["id"])
            member["id"] = _hash(email)
        member["email_address"] = email
        member["last_changed"] = self._stamp(self._clock.now())
        return reply(_shown(member))

    def _archive(self, ask: Ask) -> Answer:
        member = self._found(ask)
        if member is None:
            return not_found()
        if member["status"] == "archived":
            return problem(405, "Method Not Allowed", "This list member cannot be removed. Please contact support.")
        member["status"] = "archived"
        member["last_changed"] = self._stamp(self._clock.now())
        return Answer(204)

    def _delete(self, ask: Ask) -> Answer:
        member = self._found(ask)
        if member is None:
            return not_found()
        ident = ask.params["list"]
        del self.state["members"][ident][member["id"]]
        self.state["forgotten"][ident].append(member["id"])
        return Answer(204)

    # What is kept about a member

    def _part(self, part: str) -> Any:
        def handle(ask: Ask) -> Answer:
            member = self._found(ask)
            if member is None:
                return not_found()
            rows = member[part]
            body = {"email_id": member["id"], "list_id": member["list_id"], part: page(ask, rows)}
            return reply({**body, "total_items": len(rows), "_links": []})

        return handle

    def _tag(self, ask: Ask) -> Answer:
        member, body = self._found(ask), _read(ask)
        if member is None:
            return not_found()
        if body is None or not isinstance(body.get("tags"), list):
            return invalid()
        for tag in body["tags"]:
            member["tags"] = [held for held in member["tags"] if held["name"] != tag["name"]]
            if tag["status"] == "active":
                member["tags"].append({"id": number_of(tag["name"]) % 10**6, "name": tag["name"]})
        return Answer(204)

    def _made(self, ident: str, email: str, status: str, merge: Mapping[str, Any]) -> dict[str, Any]:
        now = self._stamp(self._clock.now())
        return {
            "id": _hash(email),
            "email_address": email,
            "unique_email_id": token("unique", email.lower(), 10),
            "contact_id": token("contact", email.lower(), 32),
            "full_name": _full_name(merge),
            "web_id": number_of(email.lower()),
            "email_type": "html",
            "status": status,
            "merge_fields": {"FNAME": "", "LNAME": "", "ADDRESS": "", "PHONE": "", "BIRTHDAY": "", **merge},
            "stats": {"avg_open_rate": 0.25, "avg_click_rate": 0.1},
            "ip_signup": "192.0.2.7",
            "timestamp_signup": now,
            "ip_opt": "192.0.2.7",
            "timestamp_opt": now,
            "member_rating": 3,
            "last_changed": now,
            "language": "de",
            "vip": False,
            "email_client": "",
            "location": {"latitude": 52.5, "longitude": 13.4, "country_code": "DE", "timezone": "Europe/Berlin"},
            "source": "Import",
            "list_id": ident,
            "tags": [],
            "notes": [],
            "activity": [],
            "events": [],
            "goals": [],
        }

    def _note(self, ident: str, member: str, text: str) -> dict[str, Any]:
        now = self._stamp(self._clock.now())
        number = number_of(ident + member) % 10**6
        known = {"id": number, "created_at": now, "updated_at": now, "created_by": "Support", "note": text}
        return known | {"list_id": ident, "email_id": member}

    def _activity_of(self, count: int) -> list[dict[str, Any]]:
        now = self._clock.now()
        kinds = ("sent", "open", "click")
        return [
            {
                "action": kinds[number % 3],
                "timestamp": self._stamp(now - timedelta(days=7 * number)),
                "title": f"News of week {number + 1}",
                "campaign_id": token("campaign", number, 10),
                "type": "regular",
            }
            for number in range(count)
        ]

    def _stamp(self, moment: datetime) -> str:
        return zulu(moment).replace("Z", "+00:00")


def _hash(email: str) -> str:
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()


def _is_partial(address: object) -> bool:
    """Whether it is an address without what one has to have, whatever else of merge fields is not checked."""
    if not isinstance(address, Mapping):
        return bool(address)
    return not all(address.get(part) for part in ("addr1", "city", "zip"))


def _full_name(merge: Mapping[str, Any]) -> str:
    return f"{merge.get('FNAME', '')} {merge.get('LNAME', '')}".strip()


def _shown(member: Mapping[str, Any]) -> dict[str, Any]:
    hidden = ("notes", "activity", "events", "goals")
    return {name: value for name, value in member.items() if name not in hidden} | {
        "tags_count": len(member["tags"]),
        "_links": [],
    }


def _read(ask: Ask) -> dict[str, Any] | None:
    try:
        return ask.json()
    except ValueError:
        return None
