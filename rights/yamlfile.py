"""YAML files that people write by hand, with the line on which everything stands.

The one rule: an error names file, line and path, and says what to write instead.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

Path = tuple[str | int, ...]
"""Where something stands in a file: keys and list positions from the top."""


_NO_ADVICE: Final[Mapping[str, str]] = MappingProxyType({})


class FileError(ValueError):
    """Something in a file that cannot stand. The text names file, line and path, and says what to write instead."""

    def __init__(self, file: str, line: int, path: str, advice: str) -> None:
        super().__init__(_in_one_line(f"{file}:{line}: {path or 'the file'}: {advice}"))
        self.file, self.line, self.path, self.advice = file, line, path, advice


def _in_one_line(text: str) -> str:
    """A text as one line of a terminal shows it: a key may hold a line's end, or what is no letter at all."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class FileErrors(ValueError):
    """All that is wrong with a set of files."""

    def __init__(self, errors: list[FileError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


class _Loader(yaml.SafeLoader):
    """YAML as these files use it: plain values, dates as texts, and everything written where it counts."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - named and shaped by the base class
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_event().start_mark  # type: ignore[no-untyped-call]  # bare in the stubs
            raise yaml.composer.ComposerError(None, None, "an alias (*) is not read here: write it out", mark)
        return super().compose_node(parent, index)


class Lines(dict[Path, int]):
    """The line, from 1, on which each path of a file begins."""

    def known(self, path: Path) -> Path:
        """The path, or the nearest part of it that is in the file."""
        while path and path not in self:
            path = path[:-1]
        return path

    def at(self, path: Path) -> int:
        """The line of a path, or of the nearest part of it that is in the file."""
        return self.get(self.known(path), 1)


def load(file: str, text: str, lines: Lines, top: str) -> Any:
    """The plain values of a file, its `lines` noted. `top` says what the file is and begins with.

    Raises:
        FileErrors: it is no YAML, or uses what these files do without.
    """
    body: Any = None
    wrong: list[FileError] = []
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if isinstance(node, yaml.MappingNode):
            body = loader.construct_document(node)
            _walk(node, (), file, lines, wrong)
        else:
            wrong = [FileError(file, 1, "", top)]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read"
        wrong = [FileError(file, mark.line + 1 if mark else 1, "", f"not valid YAML: {problem}")]
    except (RecursionError, ValueError):
        wrong = [FileError(file, 1, "", "it is nested deeper, or holds a longer number, than any such file does")]
    if wrong:
        raise FileErrors(wrong)
    return body


def read(
    model: type[Model], file: str, text: str, top: str, *, forms: Mapping[str, str] = _NO_ADVICE, personal: bool = False
) -> Model:
    """Read a file by its model.

    Args:
        top: what the file is and begins with.
        forms: by key, what to write where a text there has another form.
        personal: somebody wrote it about a person, so a key that is not known may be a slip with a value of theirs,
            and is not quoted.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    lines = Lines()
    body = load(file, text, lines, top)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise FileErrors([_explained(file, lines, one, forms, personal) for one in error.errors()]) from None


def _explained(file: str, lines: Lines, detail: Any, forms: Mapping[str, str], personal: bool) -> FileError:
    """One of pydantic's errors as one sentence that says what to write."""
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    line, name = lines.at(path), str(path[-1]) if path else ""
    match detail["type"]:
        case "missing":
            path, advice = path[:-1], f"'{name}' is missing: add {name}: ..."
        case "extra_forbidden" if personal:
            path, advice = path[:-1], "a key here is not known: take it out"
        case "extra_forbidden":
            advice = f"'{name}' is not a key here"
        case "value_error":
            advice = str(detail["ctx"]["error"])
        case "string_pattern_mismatch" if name in forms:
            advice = forms[name]
        case _:
            advice = re.sub(r"\s+", " ", str(detail["msg"]))
    return FileError(file, line, dotted(lines.known(path)), advice)


def _walk(node: yaml.Node, path: Path, file: str, lines: Lines, errors: list[FileError]) -> None:
    """Note where everything stands; a key given twice is an error, since YAML would keep the last one silently."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            if key.tag != "tag:yaml.org,2002:str":
                advice = "this key is not read as a text: put it in quotes"
                errors.append(FileError(file, key.start_mark.line + 1, dotted(path), advice))
                continue
            if below in lines:
                advice = f"this key stands here twice (first on line {lines[below]}): take one out"
                errors.append(FileError(file, key.start_mark.line + 1, dotted(below), advice))
            lines[below] = key.start_mark.line + 1
            _walk(value, below, file, lines, errors)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _walk(value, (*path, number), file, lines, errors)


def dotted(path: Path) -> str:
    """A path as people write it: collections.users.find[0]."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return re.sub(r"^\.", "", text)
