"""The command line as a tree, for the tests that are about all of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from starter.cli import app


def commands(group: Any = None, path: str = "habeas") -> Iterator[tuple[str, Any]]:
    """Every command of the CLI, by the words that call it."""
    group = group or typer.main.get_command(app)
    for name, found in group.commands.items():
        if getattr(found, "invoke_without_command", False):
            yield f"{path} {name}", found
        if hasattr(found, "commands"):
            yield from commands(found, f"{path} {name}")
        else:
            yield f"{path} {name}", found


COMMANDS: Mapping[str, Any] = dict(commands())


def options(command: Any) -> Iterator[tuple[str, Any]]:
    """The options of a command by their long names."""
    for one in command.params:
        if one.param_type_name == "option":
            yield max(one.opts, key=len), one
