"""Expressions turned into the text that the server gets.

The one rule: a text holds names and constants of the data map and nothing of a call, so it is made once, prepared once
per connection, and may be read by anybody who watches the server.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from connectors.sql.dialects import DIALECTS, Engine


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement without parameters."""

    text: bytes
    name: str
    """Under which it is prepared."""


def compiled(expression: ClauseElement, engine: Engine = Engine.POSTGRESQL) -> Statement:
    """Turn an expression into a statement."""
    made = expression.compile(dialect=DIALECTS[engine].compiler, compile_kwargs={"literal_binds": True})
    if isinstance(made, SQLCompiler) and made.binds:
        raise RuntimeError("a statement has a parameter that its text does not hold")
    body = str(made).encode()
    return Statement(body, f"habeas_{hashlib.sha256(body).hexdigest()[:24]}")


def quoted(*names: str, engine: Engine = Engine.POSTGRESQL) -> str:
    """Names, from the outer to the inner, as a person would write them in a statement."""
    return ".".join(DIALECTS[engine].compiler.identifier_preparer.quote(name) for name in names)
