"""Reading a map's `options`: texts, lists, numbers and words out of a few.

The one rule: whatever is not understood is refused with what to write instead; nothing falls back in silence.
"""

from collections.abc import Mapping
from pathlib import Path

from rights.datamap import Collection, System


def accounts(secrets: Mapping[str, str]) -> tuple[str, str | None]:
    """The reader's secret, and the writer's if anything is to be changed."""
    for name in secrets:
        if name not in {"reader", "writer"}:
            raise ValueError(f"connection: '{name}' is unknown: write reader and writer")
    if "reader" not in secrets:
        raise ValueError("connection: reader is missing: add reader: env:NAME or file:/path")
    return secrets["reader"], secrets.get("writer")


def only(system: System, a_place: str, things: str, same_place: str) -> tuple[str, Collection]:
    """The one collection of a place that has no more than one."""
    if len(system.collections) != 1:
        raise ValueError(
            f"collections: {a_place} has one, such as {things}; for {same_place} with another rule, "
            "write another system"
        )
    ((name, collection),) = system.collections.items()
    return name, collection


def known(where: str, options: Mapping[str, object], names: tuple[str, ...]) -> None:
    """Refuse options of other names."""
    for name in options:
        if name not in names:
            raise ValueError(f"{where}: '{name}' is unknown: write one of: {', '.join(names)}")


def one_of(options: Mapping[str, object], name: str, words: tuple[str, ...], default: str) -> str:
    """One of a few words."""
    value = options.get(name, default)
    if value not in words:
        raise ValueError(f"options: {name} is one of: {', '.join(words)}")
    return str(value)


def words(options: Mapping[str, object], name: str) -> tuple[str, ...]:
    """A list of texts, none of them empty."""
    value = options.get(name, [])
    if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
        raise ValueError(f"options: {name} is a list of texts")
    return tuple(value)


def text(options: Mapping[str, object], name: str, default: str = "") -> str:
    """A text."""
    value = options.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"options: {name} is a text")
    return value


def file(options: Mapping[str, object], name: str) -> str:
    """The path of a file that is there; empty if none is named."""
    value = text(options, name)
    if value and not Path(value).is_file():
        raise ValueError(f"options: {name} names no file")
    return value


def flag(options: Mapping[str, object], name: str, *, default: bool = False) -> bool:
    """True or false."""
    value = options.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"options: {name} is true or false")
    return value


def number(options: Mapping[str, object], name: str, default: int, least: int, most: int) -> int:
    """A whole number between two others, both included."""
    value = options.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"options: {name} is a whole number from {least} to {most:,}")
    return value
