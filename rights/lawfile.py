"""Law as data that is about one topic (`law/*.yaml`), read strictly.

The one rule: a slip is refused with file, line and path; a rule of law stands with its source, and with how sure we are
of it.
"""

import re
from importlib import resources
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from rights.yamlfile import FileError, FileErrors, Lines, Path, dotted, load

Model = TypeVar("Model", bound=BaseModel)
Confidence = Literal["high", "medium", "low"]
"""How sure we are of a reading."""


class Strict(BaseModel):
    """What stands in such a file, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_law(model: type[Model], file: str, text: str) -> Model:
    """Read one file.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    lines = Lines()
    body = load(file, text, lines, "a file of law is a list of key: value")
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise FileErrors([_explain(file, lines, detail) for detail in error.errors()]) from None


def shipped(file: str) -> str:
    """The text of a file that ships with the engine."""
    return (resources.files("rights") / "law" / file).read_text()


def _explain(file: str, lines: Lines, detail: Any) -> FileError:
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    kind = detail["type"]
    if kind == "missing":
        advice, path = f"'{path[-1]}' is missing: add {path[-1]}: ...", path[:-1]
    elif kind == "extra_forbidden":
        advice = f"'{path[-1]}' is not a key here"
    elif kind == "value_error":
        advice = str(detail["ctx"]["error"])
    else:
        advice = re.sub(r"\s+", " ", str(detail["msg"]))
    path = lines.known(path)
    return FileError(file, lines.at(path), dotted(path), advice)
