"""Law as data that is about one topic (`law/*.yaml`), read strictly.

The one rule: a slip is refused with file, line and path; a rule of law stands with its source, and with how sure we are
of it.
"""

from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict

from rights.yamlfile import Model, read

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
    return read(model, file, text, "a file of law is a list of key: value")


def shipped(file: str) -> str:
    """The text of a file that ships with the engine."""
    return (resources.files("rights") / "law" / file).read_text(encoding="utf-8")
