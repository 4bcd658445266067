"""Texts with `{place.name}` in them, filled in by position: a path, a query, a header, a body, an expression.

`{place.name?}`, which may only be the whole of a value, leaves its key out where there is no value.

The one rule: a value can never become anything but a value. What stands in a path is percent-encoded and never empty,
what stands in a header has no line break, and what stands in an expression is put into its parsed form, not its text.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

PLACE: Final = re.compile(r"\{([a-z][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)(\?)?\}")
Scope = Mapping[str, Mapping[str, object]]
"""The values at hand, by place and name: ``{"row": {"id": 7}}``."""
_MARK: Final = "\x00"


class MissingError(LookupError):
    """A place that has no value, or one that cannot stand there. Names the place, never a value."""


def places(text: str) -> Iterator[tuple[str, str]]:
    """The places that a text names."""
    for match in PLACE.finditer(text):
        yield match[1], match[2]


def typed(template: object, scope: Scope) -> Any:
    """A body: a text that is a place and nothing else becomes its value as it is, lists and numbers included."""
    if isinstance(template, str):
        if whole := PLACE.fullmatch(template):
            return _value(scope, whole[1], whole[2])
        return inserted(template, scope)
    if isinstance(template, Mapping):
        return {key: typed(value, scope) for key, value in template.items() if not _left_out(value, scope)}
    if isinstance(template, list | tuple):
        return [typed(value, scope) for value in template]
    return template


def _left_out(template: object, scope: Scope) -> bool:
    match = PLACE.fullmatch(template) if isinstance(template, str) else None
    return bool(match and match[3]) and match is not None and scope.get(match[1], {}).get(match[2]) is None


def inserted(template: str, scope: Scope) -> str:
    """A text with its values put in, as texts; the parts of a list stand with commas between."""
    return PLACE.sub(lambda match: _text(scope, match), template)


def path(template: str, scope: Scope) -> str:
    """A URL's path. No value adds to it or takes away from it: one that is empty, or climbs, is refused.

    Raises:
        MissingError: a value is empty, '.' or '..': the call would go to another resource than was meant.
    """

    def part(match: re.Match[str]) -> str:
        text = _text(scope, match)
        if text in {"", ".", ".."}:
            raise MissingError(f"{match[1]}.{match[2]}")
        return quote(text, safe="")

    return PLACE.sub(part, template)


def header(template: str, scope: Scope) -> str:
    """A header's value: one line of ASCII.

    Raises:
        MissingError: a value cannot stand in a header.
    """
    text = inserted(template, scope)
    if not text.isascii() or not text.isprintable():
        raise MissingError(", ".join(f"{place}.{name}" for place, name in places(template)))
    return text


@lru_cache(maxsize=1024)
def parsed(expression: str) -> Any:
    """An expression's parsed form, with marked literals where values go. Made from the file alone, so it may be kept.

    Raises:
        ValueError: it is no JMESPath; the text says what is wrong.
    """
    marked = PLACE.sub(lambda match: "`" + json.dumps(f"{_MARK}{match[1]}.{match[2]}") + "`", expression)
    problem = ""
    try:
        return jmespath.compile(marked).parsed
    except JMESPathError as error:
        problem = str(error).splitlines()[0]
    except (ValueError, RecursionError) as error:
        problem = type(error).__name__
    raise ValueError(f"this is not JMESPath: {problem}")


def searched(expression: str, data: object, scope: Scope) -> Any:
    """What a JMESPath expression finds in `data`; None if nothing, or if the data is of another shape."""
    try:
        return TreeInterpreter().visit(_filled(parsed(expression), scope), data)
    except JMESPathError:
        return None


def _filled(node: Any, scope: Scope) -> Any:
    if node["type"] == "literal" and isinstance(node["value"], str) and node["value"].startswith(_MARK):
        place, _, name = node["value"][1:].partition(".")
        return {**node, "value": _value(scope, place, name)}
    if not node.get("children"):
        return node
    children = [_filled(child, scope) if isinstance(child, dict) else child for child in node["children"]]
    return {**node, "children": children}


def _value(scope: Scope, place: str, name: str) -> object:
    values = scope.get(place, {})
    if name not in values or values[name] is None:
        raise MissingError(f"{place}.{name}")
    return values[name]


def _text(scope: Scope, match: re.Match[str]) -> str:
    return as_text(_value(scope, match[1], match[2]))


def as_text(value: object) -> str:
    """A value as it stands in a URL or a form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(as_text(part) for part in value)
    if isinstance(value, Mapping):
        return json.dumps(value)
    return "" if value is None else str(value)
