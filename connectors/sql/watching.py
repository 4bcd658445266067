"""Watching a transaction, whichever server it is on."""

from collections.abc import Collection
from typing import Any

from connectors.sql.dialects import Engine
from connectors.sql.effects import Counted, Watch
from connectors.sql.mariadb import effects as mariadb
from connectors.sql.scope import Scope
from connectors.sql.sqlite import effects as sqlite


def foresee(session: Any, scope: Scope, accepted: Collection[str], *, count: bool = True) -> None:
    """Before the fence: look for what no server would count afterwards.

    Args:
        count: look at all rows that go; else each batch is looked at when it is its turn.

    Raises:
        NeedsHuman: SIDE_EFFECTS: it shows already that more would change than is planned.
    """
    if scope.catalogue.engine is Engine.MARIADB:
        mariadb.foresee(session, scope, accepted, count=count)


def watch(session: Any, scope: Scope, accepted: Collection[str]) -> Watch:
    """Begin to watch a transaction that has changed nothing yet."""
    match scope.catalogue.engine:
        case Engine.MARIADB:
            return mariadb.watch(session, scope, accepted)
        case Engine.SQLITE:
            return sqlite.watch(session, scope, accepted)
    return Counted(session, scope, accepted)
