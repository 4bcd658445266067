"""Expressions turned into the text that the server gets.

The one rule: a text holds names and constants of the data map and nothing of a call, so it is made once, prepared once
per connection, and may be read by anybody who watches the server.
"""

import hashlib
from collections.abc import Sequence
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


def copying(expression: ClauseElement, quotes: Sequence[str], *, table: bool) -> Statement:
    """A COPY of an expression's rows: each as a line of its one column; or, for a table, as CSV, with all cells of some
    columns in quotes, so that an empty text is told from nothing."""
    options = f"FORMAT csv, FORCE_QUOTE ({', '.join(map(quoted, quotes))})" if quotes else "FORMAT csv"
    text = compiled(expression).text.decode()
    return _statement(f"COPY ({text}) TO STDOUT{f' ({options})' if table else ''}")


def compiled(expression: ClauseElement, engine: Engine = Engine.POSTGRESQL) -> Statement:
    """Turn an expression into a statement."""
    made = expression.compile(dialect=DIALECTS[engine].compiler, compile_kwargs={"literal_binds": True})
    if isinstance(made, SQLCompiler) and made.binds:
        raise RuntimeError("a statement has a parameter that its text does not hold")
    return _statement(str(made))


def _statement(text: str) -> Statement:
    body = text.encode()
    return Statement(body, f"habeas_{hashlib.sha256(body).hexdigest()[:24]}")


def quoted(*names: str, engine: Engine = Engine.POSTGRESQL) -> str:
    """Names, from the outer to the inner, as a person would write them in a statement."""
    return ".".join(DIALECTS[engine].compiler.identifier_preparer.quote(name) for name in names)
