"""Reading data-map files: YAML text in, a `DataMap` out, or every error with its file, line and path.

The one rule: an error says what to write instead.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from rights.backups import EXAMPLE, HONESTLY, Backups
from rights.datamap import Collection, DataMap, Field, Link, OptOut, Retention, System
from rights.yamlfile import FileError, FileErrors, Lines, Path, dotted, load

MapError = FileError
MapErrors = FileErrors

WITHOUT_BACKUPS: Final = frozenset({"memory"})
"""Connectors to places that are gone with their process."""


def read_map(files: Mapping[str, str]) -> DataMap:
    """Parse a set of map files, by file name to YAML text.

    Raises:
        MapErrors: everything that is wrong, with file, line, path and advice.
    """
    if not files:
        raise MapErrors([MapError("data map", 1, "", "no file is given: habeas init writes a first one")])
    errors: list[MapError] = []
    systems: dict[str, System] = {}
    placed: dict[str, tuple[str, Lines]] = {}
    for file, text in files.items():
        lines = Lines()
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
        errors += _backups_errors(file, system, lines)
    if not errors:
        errors = [
            *_feeding_errors(systems, placed),
            *_directory_errors(systems, placed),
            *_source_errors(systems, placed),
        ]
    if errors:
        raise MapErrors(errors)
    return DataMap.of(systems)


def _backups_errors(file: str, system: System, lines: Lines) -> list[MapError]:
    """An answer has to say how long what was erased lives on, so a file has to. What the ledger keeps is not asked: a
    request goes on with the map it was pinned to."""
    if system.connector in WITHOUT_BACKUPS or not system.erases:
        return []
    backups, line = system.backups, lines.at(("backups",))
    if backups is None:
        advice = f"it is missing, and this map erases: write {EXAMPLE}; {HONESTLY}"
        return [MapError(file, line, "backups", advice)]
    if backups.exist and not backups.beyond_use.strip():
        advice = "'beyond_use' is missing: say what is done so that erased rows in a backup are not used"
        return [MapError(file, line, "backups", advice)]
    return []


def _directory_errors(systems: Mapping[str, System], placed: Mapping[str, tuple[str, Lines]]) -> list[MapError]:
    """Before anybody is proven one system is asked, and no more."""
    first, *more = [name for name, system in systems.items() if system.directory] or [""]
    return [
        MapError(
            placed[name][0],
            placed[name][1].at(("directory",)),
            "directory",
            f"'{first}' is the directory already: there is one, so take this out",
        )
        for name in more
    ]


def _feeding_errors(systems: Mapping[str, System], placed: Mapping[str, tuple[str, Lines]]) -> list[MapError]:
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


def _source_errors(systems: Mapping[str, System], placed: Mapping[str, tuple[str, Lines]]) -> list[MapError]:
    """What is worked out from a collection that nobody describes would never be made anew."""
    known = {f"{name}.{collection}" for name, system in systems.items() for collection in system.collections}
    errors = []
    for name, system in systems.items():
        file, lines = placed[name]
        for collection in system.collections:
            for place in system.makes_from(collection):
                if place not in known:
                    path: tuple[str | int, ...] = ("collections", collection, "worked_out_from")
                    advice = f"no file describes '{place}': write COLLECTION of this file, or SYSTEM.COLLECTION"
                    errors.append(MapError(file, lines.at(path), dotted(path), advice))
    return errors


def _read_system(file: str, text: str, lines: Lines) -> System:
    body = load(file, text, lines, "a map file is a list of key: value, from system: NAME on")
    try:
        return System.model_validate(body)
    except ValidationError as error:
        explained = [_explain(file, lines, detail) for detail in error.errors()]
    # Of a field that takes several types there is an error for each of them: one place has one.
    raise MapErrors(list({(error.line, error.path): error for error in reversed(explained)}.values())[::-1])


_ADVICE = {
    "plain": "write a text, a number, true or false (or, as an option, a list of texts)",
    "string_type": "write a text; put it in quotes if YAML reads it as something else",
    "model_type": "write settings below it, or {} if there are none",
    "dict_type": "write key: value below it",
    "tuple_type": "write a list, such as [a, b]",
}
_PARTS: dict[str | int, type[BaseModel]] = {"fields": Field, "links": Link, "retention": Retention, "opt_out": OptOut}


def _explain(file: str, lines: Lines, detail: Any) -> MapError:
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
    return MapError(file, lines.at(path), dotted(path), advice)


def _known_keys(parent: Path) -> list[str]:
    """The keys that may stand under a path: a system, collections.NAME, or collections.NAME.PART.NAME."""
    if parent[:1] == ("backups",):
        return list(Backups.model_fields)
    model = System if not parent else Collection if len(parent) == 2 else _PARTS[parent[2]]
    return [info.alias or name for name, info in model.model_fields.items()]
