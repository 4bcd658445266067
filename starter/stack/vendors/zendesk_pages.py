"""How Zendesk Support answers: lists by page or by cursor, what is not there, what cannot stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starter.stack.vendors.exchange import Answer, Ask, reply


class Pages:
    """Lists of one account, which name the address of the page that follows."""

    def __init__(self, base: str) -> None:
        self._base = base

    def paged(self, ask: Ask, name: str, rows: Sequence[Any]) -> Answer:
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


def not_found() -> Answer:
    return reply({"error": "RecordNotFound", "description": "Not found"}, 404)


def invalid(field: str, text: str) -> Answer:
    details = {field: [{"description": text}]}
    return reply({"error": "RecordInvalid", "description": "Record validation errors", "details": details}, 422)
