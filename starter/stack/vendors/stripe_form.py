"""Stripe's ways with requests and answers that all of its endpoints share.

The one rule: names and shapes are Stripe's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from starter.stack.vendors.exchange import Answer, Ask, reply


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


def listed(ask: Ask, rows: Sequence[Mapping[str, Any]], url: str) -> Answer:
    """One page of a list, by `limit` and `starting_after`."""
    size, after = min(count(ask, "limit", 10), 100), ask.query.get("starting_after")
    start = next((n + 1 for n, one in enumerate(rows) if one["id"] == after), 0)
    more = start + size < len(rows)
    return reply({"object": "list", "url": url, "has_more": more, "data": rows[start : start + size]})


def count(ask: Ask, name: str, default: int) -> int:
    """A number of the query, or what stands for it."""
    value = ask.query.get(name, "")
    return int(value) if value.isdecimal() and value != "0" else default


def missing(kind: str, ident: str) -> Answer:
    """No such object."""
    return error(404, f"No such {kind}: '{ident}'", "resource_missing", param="id")


def error(
    status: int,
    text: str,
    code: str | None = None,
    *,
    kind: str = "invalid_request_error",
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """A refusal."""
    known = {"type": kind, "message": text, "code": code, "param": param}
    return reply({"error": {name: value for name, value in known.items() if value}}, status, headers=headers)
