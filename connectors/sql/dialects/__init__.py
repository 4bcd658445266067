"""The servers that this connector speaks to, each with its own words."""

from collections.abc import Mapping
from typing import Final

from connectors.sql.dialects.dialect import Dialect, Engine
from connectors.sql.dialects.mariadb import MariaDB
from connectors.sql.dialects.postgresql import PostgreSQL
from connectors.sql.dialects.sqlite import SQLite

__all__ = ["DIALECTS", "Dialect", "Engine"]

DIALECTS: Final[Mapping[Engine, Dialect]] = {
    Engine.POSTGRESQL: PostgreSQL(),
    Engine.MARIADB: MariaDB(),
    Engine.SQLITE: SQLite(),
}
