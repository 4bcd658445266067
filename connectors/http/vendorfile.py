"""Reading a vendor file: YAML text in, a `Vendor` out, or every error with its file, line and path.

The one rule: what a file would do wrong when somebody's data is at stake, it is refused for when it is read.
"""

import json
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path as File
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from connectors.http.lint import problems
from connectors.http.schema import Vendor
from connectors.http.steps import Strict
from rights.yamlfile import FileError, FileErrors, Lines, Path, dotted, load

VENDORS: Final = File(__file__).parent / "vendors"
SCHEMA: Final = File(__file__).parent / "vendor.schema.json"

_ADVICE: Final = {
    "string_type": "write a text; put it in quotes if YAML reads it as something else",
    "model_type": "write key: value below it",
    "dict_type": "write key: value below it",
    "tuple_type": "write a list, such as [a, b]",
    "too_short": "it is empty: write at least one",
    "string_pattern_mismatch": "it must match {pattern}",
}


def shipped() -> tuple[str, ...]:
    """The vendors whose files come with Habeas."""
    return tuple(sorted(file.stem for file in VENDORS.glob("*.yaml")))


def find_vendor(vendor: str) -> File:
    """The file of a vendor: one that is shipped, by name, or one of the operator's, by path.

    Raises:
        ValueError: there is none.
    """
    file = File(vendor) if "/" in vendor or vendor.endswith((".yaml", ".yml")) else VENDORS / f"{vendor}.yaml"
    if not file.is_file():
        raise ValueError(f"vendor '{vendor}' has no file: write a path, or one of: {', '.join(shipped())}")
    return file


@lru_cache(maxsize=32)
def read_vendor(file: str, text: str) -> Vendor:
    """Parse a vendor file; the same text once, however many systems are described by it.

    Raises:
        FileErrors: everything that is wrong, with file, line, path and advice.
    """
    lines = Lines()
    body = load(file, text, lines, "a vendor file begins with habeas: connector/v1")
    found: list[tuple[Path, str]] = []
    try:
        vendor = Vendor.model_validate(body)
        found = list(problems(vendor))
    except ValidationError as error:
        found = [_explain(lines, detail) for detail in error.errors()]
        vendor = None
    if found or vendor is None:
        # Of a value that may be of several types there is an error for each: one place has one.
        unique = {(path, "missing" in advice and advice): (path, advice) for path, advice in reversed(found)}
        errors = [FileError(file, lines.at(p), dotted(lines.known(p)), advice) for p, advice in unique.values()]
        raise FileErrors(sorted(errors, key=lambda error: (error.line, error.path)))
    return vendor


def _explain(lines: Lines, detail: Any) -> tuple[Path, str]:
    """One pydantic error as a path of the file and one sentence that says what to write."""
    kind = detail["type"]
    last = str(detail["loc"][-1]) if detail["loc"] else ""
    path = _placed(lines, detail["loc"])
    if kind == "missing":
        return path, f"'{last}' is missing: add {last}: ..."
    if kind == "extra_forbidden":
        near = get_close_matches(last, [key for key in _KEYS if key != last], 1)
        return path, f"'{last}' is not a key here; " + (f"did you mean '{near[0]}'?" if near else "take it out")
    if kind == "value_error":
        return path, str(detail["ctx"]["error"])
    if kind in {"enum", "literal_error"}:
        return path, f"write one of: {detail['ctx']['expected']}"
    return path, _ADVICE.get(kind, detail["msg"]).format(**detail.get("ctx", {}))


def _placed(lines: Lines, loc: tuple[str | int, ...]) -> Path:
    """The path of the file that an error is about: without the types that pydantic puts between."""
    path: Path = ()
    for part in loc:
        if (*path, part) in lines:
            path = (*path, part)
    return path


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for kind in model.__subclasses__():
        yield kind
        yield from _models(kind)


_KEYS: Final = sorted({info.alias or name for kind in _models(Strict) for name, info in kind.model_fields.items()})


def schema_text() -> str:
    """The JSON Schema of a vendor file, as it is shipped in `SCHEMA`."""
    schema = Vendor.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=1) + "\n"
