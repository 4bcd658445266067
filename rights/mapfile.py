"""Reading data-map files: YAML text in, a `DataMap` out, or every error with its file, line and path.

The one rule: an error says what to write instead.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from rights.datamap import Collection, DataMap, Field, Link, Retention, System

Path = tuple[str | int, ...]
"""Where something stands in a file: keys and list positions from the top."""


class MapError(ValueError):
    """Something in a data map that cannot stand. The text names file, line and path, and says what to write instead."""

    def __init__(self, file: str, line: int, path: str, advice: str) -> None:
        super().__init__(f"{file}:{line}: {path or 'the file'}: {advice}")
        self.file, self.line, self.path, self.advice = file, line, path, advice


class MapErrors(ValueError):
    """All that is wrong with a set of map files."""

    def __init__(self, errors: list[MapError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


class _Loader(yaml.SafeLoader):
    """YAML as a map uses it: plain values, dates as texts, and everything written where it counts."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - named and shaped by the base class
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_event().start_mark  # type: ignore[no-untyped-call]  # bare in the stubs
            raise yaml.composer.ComposerError(None, None, "an alias (*) is not read here: write it out", mark)
        return super().compose_node(parent, index)


class _Lines(dict[Path, int]):
    """The line, from 1, on which each path of a file begins."""

    def known(self, path: Path) -> Path:
        """The path, or the nearest part of it that is in the file."""
        while path and path not in self:
            path = path[:-1]
        return path

    def at(self, path: Path) -> int:
        """The line of a path, or of the nearest part of it that is in the file."""
        return self.get(self.known(path), 1)


def read_map(files: Mapping[str, str]) -> DataMap:
    """Parse a set of map files, by file name to YAML text.

    Raises:
        MapErrors: everything that is wrong, with file, line, path and advice.
    """
    if not files:
        raise MapErrors([MapError("data map", 1, "", "no file is given: habeas init writes a first one")])
    errors: list[MapError] = []
    systems: dict[str, System] = {}
    placed: dict[str, tuple[str, _Lines]] = {}
    for file, text in files.items():
        lines = _Lines()
        try:
            system = _read_system(file, text, lines)
        except MapErrors as found:
            errors += found.errors
            continue
        if system.system in systems:
            errors.append(
                MapError(
                    file,
                    lines.at(("system",)),
                    "system",
                    f"'{system.system}' is already described in {placed[system.system][0]}: "
                    "one file describes one system",
                )
            )
            continue
        systems[system.system] = system
        placed[system.system] = (file, lines)
    if not errors:
        errors = list(_feeding_errors(systems, placed))
    if errors:
        raise MapErrors(errors)
    return DataMap.of(systems)


def _feeding_errors(systems: Mapping[str, System], placed: Mapping[str, tuple[str, _Lines]]) -> list[MapError]:
    errors = []
    for name, system in systems.items():
        file, lines = placed[name]
        for fed in system.feeds:
            if fed not in systems:
                advice = f"no file describes the system '{fed}': add its file or take it out"
                errors.append(MapError(file, lines.at(("feeds",)), "feeds", advice))
    if not errors:
        try:
            TopologicalSorter({name: s.feeds for name, s in systems.items()}).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            file, lines = placed[circle[0]]
            advice = f"systems feed each other in a circle, {' -> '.join(circle)}: take one out"
            errors.append(MapError(file, lines.at(("feeds",)), "feeds", advice))
    return errors


def _read_system(file: str, text: str, lines: _Lines) -> System:
    body = _load(file, text, lines)
    try:
        return System.model_validate(body)
    except ValidationError as error:
        explained = [_explain(file, lines, detail) for detail in error.errors()]
    # Of a field that takes several types there is an error for each of them: one place has one.
    raise MapErrors(list({(error.line, error.path): error for error in reversed(explained)}.values())[::-1])


def _load(file: str, text: str, lines: _Lines) -> Any:
    """The plain values of a file, its `lines` noted."""
    body: Any = None
    wrong: list[MapError] = []
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if isinstance(node, yaml.MappingNode):
            body = loader.construct_document(node)
            _walk(node, (), file, lines, wrong)
        else:
            wrong = [MapError(file, 1, "", "a map file is a list of key: value, from system: NAME on")]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read"
        wrong = [MapError(file, mark.line + 1 if mark else 1, "", f"not valid YAML: {problem}")]
    except (RecursionError, ValueError):
        wrong = [MapError(file, 1, "", "it is nested deeper, or holds a longer number, than any map does")]
    if wrong:
        raise MapErrors(wrong)
    return body


def _walk(node: yaml.Node, path: Path, file: str, lines: _Lines, errors: list[MapError]) -> None:
    """Note where everything stands; a key given twice is an error, since YAML would keep the last one silently."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            if key.tag != "tag:yaml.org,2002:str":
                advice = "this key is not read as a text: put it in quotes"
                errors.append(MapError(file, key.start_mark.line + 1, _dotted(path), advice))
                continue
            if below in lines:
                advice = f"this key stands here twice (first on line {lines[below]}): take one out"
                errors.append(MapError(file, key.start_mark.line + 1, _dotted(below), advice))
            lines[below] = key.start_mark.line + 1
            _walk(value, below, file, lines, errors)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _walk(value, (*path, number), file, lines, errors)


_ADVICE = {
    "plain": "write a text, a number, true or false (or, as an option, a list of texts)",
    "string_type": "write a text; put it in quotes if YAML reads it as something else",
    "model_type": "write settings below it, or {} if there are none",
    "dict_type": "write key: value below it",
    "tuple_type": "write a list, such as [a, b]",
}
_PARTS: dict[str | int, type[BaseModel]] = {"fields": Field, "links": Link, "retention": Retention}


def _explain(file: str, lines: _Lines, detail: Any) -> MapError:
    """One pydantic error as one sentence that says what to write."""
    path: Path = tuple(detail["loc"])
    kind, name = detail["type"], str(path[-1]) if path else ""
    if kind != "missing":
        place = lines.known(path)
        if place != path:
            path, kind = place, "plain"
    if kind == "extra_forbidden":
        known = _known_keys(path[:-1])
        near = get_close_matches(name, known, 1)
        advice = f"'{name}' is not a key here; " + (
            f"did you mean '{near[0]}'?" if near else f"write one of: {', '.join(known)}"
        )
    elif kind == "missing":
        path, advice = path[:-1], f"'{name}' is missing: add {name}: ..."
    elif kind in {"enum", "literal_error"}:
        advice = f"write one of: {detail['ctx']['expected']}"
    elif kind == "value_error":
        advice = str(detail["ctx"]["error"])
        if not path and (found := re.match(r"collections\.([^:]+): ", advice)):
            path, advice = ("collections", found[1]), advice[found.end() :]
    elif kind == "string_pattern_mismatch" and path[:1] == ("connection",):
        advice = "a secret is named, never written here: env:NAME or file:/path"
    else:
        advice = _ADVICE.get(kind, detail["msg"])
    return MapError(file, lines.at(path), _dotted(path), advice)


def _known_keys(parent: Path) -> list[str]:
    """The keys that may stand under a path: a system, collections.NAME, or collections.NAME.PART.NAME."""
    model = System if not parent else Collection if len(parent) == 2 else _PARTS[parent[2]]
    return [info.alias or name for name, info in model.model_fields.items()]


def _dotted(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return re.sub(r"^\.", "", text)
