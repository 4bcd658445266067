"""Which kinds of connector are installed, and the data map turned into live connectors.

The one rule: an entry point makes a kind available; only the data map switches a system on.
"""

import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from connectors.protocol import Channels, Connector
from connectors.traits import Derives, Flags, Quarantines, Searches, Shares
from rights.datamap import DataMap, System

GROUP = "habeas.connectors"


class SetupError(ValueError):
    """A system cannot be set up; the text says what to change and never shows a secret."""


def kinds() -> tuple[str, ...]:
    """The names a map may write under ``connector:``."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def resolve(secret: str) -> str:
    """The value behind a reference: ``env:NAME`` or ``file:/path``.

    Raises:
        SetupError: it is not there, or empty.
    """
    kind, _, where = secret.partition(":")
    if kind == "env":
        value = os.environ.get(where, "")
        advice = f"set the environment variable {where}"
    else:
        path = Path(where)
        value = path.read_text().strip() if path.is_file() else ""
        advice = f"write the secret to {where}"
    if not value:
        raise SetupError(f"the secret {secret} is missing or empty: {advice}")
    return value


def build(system: System) -> Connector:
    """Build one system's connector.

    Raises:
        SetupError: the kind is unknown, a secret is missing or an option is wrong.
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    if system.connector not in points:
        raise SetupError(
            f"system '{system.system}': no connector '{system.connector}' is installed; "
            f"write one of: {', '.join(sorted(points))}"
        )
    factory: Any = points[system.connector].load()
    try:
        secrets = {name: resolve(secret) for name, secret in system.connection.items()}
        connector: Connector = factory(system, secrets)
        if not isinstance(connector, Derives):
            _refuse_derived(system)
        if not isinstance(connector, Searches):
            _refuse_search(system)
        if not isinstance(connector, Shares):
            _refuse_shared(system)
        if system.directory and not isinstance(connector, Channels):
            raise ValueError(
                f"directory: the connector {system.connector} cannot say how to reach people: leave it out"
            )
        if not isinstance(connector, Flags):
            _refuse_flags(system)
        if system.quarantine and not isinstance(connector, Quarantines):
            raise ValueError(f"quarantine: the connector {system.connector} cannot keep anybody out: leave it out")
    except ValueError as error:
        raise SetupError(f"system '{system.system}': {error}") from None
    return connector


def _refuse_derived(system: System) -> None:
    """A link that is written down and not followed would miss people.

    Raises:
        ValueError: something is derived, or links lead back to where they came from.
    """
    for name, collection in system.collections.items():
        if collection.derived:
            raise ValueError(
                f"collections.{name}.derived: the connector {system.connector} does not read it: leave it out"
            )
        if system.circular(name):
            raise ValueError(
                f"collections.{name}: links lead back to it: the connector {system.connector} cannot follow them"
            )


def _refuse_search(system: System) -> None:
    """A text that is said to be searched and is not would be believed to mention nobody.

    Raises:
        ValueError: one is marked so.
    """
    for name, collection in system.collections.items():
        for field in collection.searched:
            raise ValueError(
                f"collections.{name}.fields.{field}.search: the connector {system.connector} searches no texts: "
                "leave it out"
            )


def _refuse_shared(system: System) -> None:
    """A row that is somebody else's too would be taken as a whole, or missed.

    Raises:
        ValueError: shared links are to be followed.
    """
    for name, collection in system.collections.items():
        if collection.shares:
            raise ValueError(
                f"collections.{name}: the connector {system.connector} cannot tell whose part of a row is whose: "
                "leave out shared"
            )


def _refuse_flags(system: System) -> None:
    """An opt-out that is written nowhere would be believed to be honoured.

    Raises:
        ValueError: the map has one.
    """
    for name, collection in system.collections.items():
        if collection.opt_out:
            raise ValueError(
                f"collections.{name}.opt_out: the connector {system.connector} writes no such field: "
                "leave it out, and say under uses what the rows are used for"
            )


def build_all(data_map: DataMap) -> Mapping[str, Connector]:
    """Build every system of a map; systems by name.

    Raises:
        SetupError: of the first system that cannot be set up.
    """
    return {name: build(system) for name, system in data_map.systems.items()}
