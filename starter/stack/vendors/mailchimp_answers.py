"""How Mailchimp answers: lists by offset, cut down to the fields that are asked for, and what cannot be.

The one rule: names and shapes are Mailchimp's own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from starter.stack.vendors.exchange import Answer, Ask, reply

_PROBLEM: Final = "application/problem+json; charset=utf-8"
_MOST: Final = 1000


def with_fields(handle: Callable[[Ask], Answer]) -> Callable[[Ask], Answer]:
    """Answers cut down to `fields` and without `exclude_fields`, as every endpoint allows: lists.id,total_items."""

    def handled(ask: Ask) -> Answer:
        answer = handle(ask)
        if answer.status != 200 or not {"fields", "exclude_fields"} & set(ask.query):
            return answer
        body = orjson.loads(answer.body)
        for name, keep in (("fields", True), ("exclude_fields", False)):
            if name in ask.query:
                body = _cut(body, [path.split(".") for path in ask.query[name].split(",")], keep=keep)
        return reply(body)

    return handled


def _cut(value: Any, paths: Sequence[Sequence[str]], *, keep: bool) -> Any:
    if isinstance(value, list):
        return [_cut(one, paths, keep=keep) for one in value]
    if not isinstance(value, dict):
        return value
    cut = {}
    for name, inner in value.items():
        below = [path[1:] for path in paths if path[0] == name]
        if [] in below or not below:
            if bool(below) is keep:
                cut[name] = inner
        else:
            cut[name] = _cut(inner, below, keep=keep)
    return cut


def page(ask: Ask, rows: Sequence[Any]) -> list[Any]:
    """A part of a list, by `offset` and `count`."""
    offset, count = _int(ask, "offset", 0), min(_int(ask, "count", 10), _MOST)
    return list(rows[offset : offset + count])


def _int(ask: Ask, name: str, default: int) -> int:
    value = ask.query.get(name, "")
    return int(value) if value.isdecimal() else default


def not_found() -> Answer:
    return problem(404, "Resource Not Found", "The requested resource could not be found.")


def invalid() -> Answer:
    return problem(400, "Invalid Resource", "The resource submitted could not be validated.")


def problem(status: int, title: str, text: str) -> Answer:
    """A refusal, as RFC 7807 has it."""
    known = {"type": "https://mailchimp.com/developer/marketing/docs/errors/", "title": title, "status": status}
    return reply({**known, "detail": text, "instance": str(uuid.uuid4())}, status, _PROBLEM)
