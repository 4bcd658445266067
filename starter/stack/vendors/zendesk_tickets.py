"""Tickets of Zendesk Support: asked for, changed, deleted in two steps, and their comments redacted.

The one rule: what the person wrote stays until a comment is redacted or the ticket deleted for good.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from starter.stack.vendors.clock import Clock, zulu
from starter.stack.vendors.exchange import Answer, Ask, reply
from starter.stack.vendors.zendesk_pages import Pages, invalid, not_found

AGENT_ID: Final = 900_000_000_000
Path = tuple[str, str, str, Callable[[Ask], Answer]]
"""An operation's name, method, path and handler."""


class Tickets:
    """The tickets of one account."""

    def __init__(self, clock: Clock, base: str, pages: Pages) -> None:
        self._clock, self._base, self._pages = clock, base, pages
        self._state: dict[str, Any] = {}

    def load(self, state: dict[str, Any]) -> None:
        """Take over the account's state: `tickets` by number, and `next_ticket`."""
        self._state = state

    def paths(self) -> Sequence[Path]:
        return (
            ("ticket", "GET", "/api/v2/tickets/{id:int}", self._ticket),
            ("ticket.update", "PUT", "/api/v2/tickets/{id:int}", self._update),
            ("ticket.delete", "DELETE", "/api/v2/tickets/{id:int}", self._delete),
            ("ticket.comments", "GET", "/api/v2/tickets/{id:int}/comments", self._comments),
            ("deleted_ticket.list", "GET", "/api/v2/deleted_tickets", self._deleted),
            ("deleted_ticket.delete", "DELETE", "/api/v2/deleted_tickets/{id:int}", self._delete_for_good),
            ("comment.redact", "PUT", "/api/v2/comment_redactions/{id:int}", self._redact),
        )

    def forget_of(self, users: Collection[int]) -> None:
        """Be as if these users had never asked anything."""
        tickets = self._state["tickets"]
        for number in [number for number, one in tickets.items() if one["requester_id"] in users]:
            del tickets[number]

    def open(self, person: Mapping[str, Any], status: str) -> None:
        number = self._state["next_ticket"]
        self._state["next_ticket"] += 1
        now = zulu(self._clock.now())
        texts = (
            (person["zendesk_id"], f"Hello, this is {person['name']}. Please call me on {person['phone']}."),
            (AGENT_ID, f"Dear {person['name']}, we have sent the parcel again."),
        )
        self._state["tickets"][str(number)] = {
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

    def asked_by(self, user: int) -> list[dict[str, Any]]:
        tickets: dict[str, dict[str, Any]] = self._state["tickets"]
        return [one for one in tickets.values() if one["requester_id"] == user and not one["deleted"]]

    def shown_of(self, user: int, field: str) -> list[dict[str, Any]]:
        """The tickets that name a user in a field."""
        return [
            self._shown(one)
            for one in self._state["tickets"].values()
            if not one["deleted"] and (user in one[field] if field == "collaborator_ids" else one[field] == user)
        ]

    def _held(self, ask: Ask) -> dict[str, Any] | None:
        ticket: dict[str, Any] | None = self._state["tickets"].get(ask.params["id"])
        return None if ticket is None or ticket["deleted"] else ticket

    def _shown(self, ticket: Mapping[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in ticket.items() if name not in ("comments", "deleted")}
        return shown | {"url": f"{self._base}/api/v2/tickets/{ticket['id']}.json"}

    def _ticket(self, ask: Ask) -> Answer:
        ticket = self._held(ask)
        return reply({"ticket": self._shown(ticket)}) if ticket else not_found()

    def _update(self, ask: Ask) -> Answer:
        ticket = self._held(ask)
        if ticket is None:
            return not_found()
        if ticket["status"] == "closed":
            return invalid("status", "closed prevents ticket update")
        try:
            changes = ask.json()["ticket"]
        except (ValueError, KeyError):
            return invalid("ticket", "ticket is missing")
        ticket |= {name: changes[name] for name in ("status", "subject", "requester_id") if name in changes}
        ticket["updated_at"] = zulu(self._clock.now())
        return reply({"ticket": self._shown(ticket), "audit": {"ticket_id": ticket["id"]}})

    def _delete(self, ask: Ask) -> Answer:
        ticket = self._held(ask)
        if ticket is None:
            return not_found()
        ticket["deleted"] = True
        return Answer(204)

    def _deleted(self, ask: Ask) -> Answer:
        rows = [
            {"id": one["id"], "subject": one["subject"], "description": one["description"], "actor": {"id": AGENT_ID}}
            | {"deleted_at": one["updated_at"], "previous_state": one["status"]}
            for one in self._state["tickets"].values()
            if one["deleted"]
        ]
        return self._pages.paged(ask, "deleted_tickets", rows)

    def _delete_for_good(self, ask: Ask) -> Answer:
        ticket = self._state["tickets"].get(ask.params["id"])
        if ticket is None or not ticket["deleted"]:
            return not_found()
        del self._state["tickets"][ask.params["id"]]
        job = {"id": f"job-{ask.params['id']}", "status": "completed", "total": 1, "progress": 1, "results": []}
        return reply({"job_status": job})

    def _comments(self, ask: Ask) -> Answer:
        ticket = self._held(ask)
        return self._pages.paged(ask, "comments", ticket["comments"]) if ticket else not_found()

    def _redact(self, ask: Ask) -> Answer:
        try:
            number = str(ask.json()["ticket_id"])
        except (ValueError, KeyError):
            return invalid("ticket_id", "ticket_id is missing")
        ticket = self._state["tickets"].get(number)
        for comment in ticket["comments"] if ticket else ():
            if str(comment["id"]) == ask.params["id"]:
                comment["body"] = comment["plain_body"] = "▇▇▇▇"
                return reply({"comment": comment})
        return not_found()
