"""What every command that works on the ledger needs: settings, the ledger, the data map.

The one rule: nothing here loads Temporal's client; a command that only talks to the ledger answers while Temporal is
down, and fast.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from connectors.registry import SetupError, resolve
from ledger.checkpoints import Checkpoints
from ledger.errors import AddressError
from ledger.keys import open_keys
from ledger.ledger import Ledger, connect
from rights.datamap import DataMap
from rights.mapfile import read_map
from settings import Settings, SettingsError
from starter.submit import Rules

ENV_FILE: Final = ".env"


def load_env() -> None:
    """Put what `.env` names, secrets above all, where references find it; what is set already wins.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        named = dotenv_values(ENV_FILE)
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{ENV_FILE} cannot be read: it is a text in UTF-8, with lines of NAME=VALUE") from None
    for name, value in named.items():
        if value is not None:
            os.environ.setdefault(name, value)


def load_settings() -> Settings:
    """Read the settings of the working directory.

    Raises:
        SettingsError: something is missing or wrong.
    """
    load_env()
    return Settings.load()


def load_map(settings: Settings) -> DataMap:
    """Read the data map.

    Raises:
        MapErrors: of everything that is wrong in it.
    """
    return read_map(settings.map_files)


def rules(settings: Settings) -> Rules:
    """What every new request is opened under."""
    return Rules(regime=settings.regime, zone=settings.zone, holidays=settings.holidays)


def open_ledger(settings: Settings, *, pool: int = 2) -> Ledger:
    """The ledger, without connecting yet.

    Raises:
        SetupError: a secret it needs is missing.
    """
    address, pem = resolve(settings.ledger), resolve(settings.checkpoint_key)
    try:
        ledger = Ledger(
            connect(address, pool_size=pool),
            settings.tenant,
            open_keys(settings.keys),
            backup_max_age=timedelta(days=settings.backup_max_age_days),
            checkpoints=Checkpoints.open(settings.checkpoints, pem),
        )
        ledger.calling_code = settings.calling_code
        return ledger
    except AddressError as error:
        raise SetupError(f"{settings.ledger}: {error}") from None
    except ValueError as error:
        raise SetupError(str(error)) from None


@dataclass
class Desk:
    """One command's settings, ledger and map; each is read when first needed."""

    settings: Settings

    @cached_property
    def ledger(self) -> Ledger:
        return open_ledger(self.settings)

    @cached_property
    def data_map(self) -> DataMap:
        return load_map(self.settings)

    @property
    def zone(self) -> str:
        """The controller's time zone, in which a person reads dates."""
        return self.settings.zone

    @property
    def parcels(self) -> Path:
        return self.settings.parcels


@contextmanager
def desk() -> Iterator[Desk]:
    """Sit down: read the settings; the ledger's connections are closed at the end.

    Raises:
        SettingsError: something is missing or wrong.
    """
    at = Desk(load_settings())
    try:
        yield at
    finally:
        if "ledger" in at.__dict__:
            at.ledger.close_connections()


def now() -> datetime:
    """The time of what a person does at this moment; verbs take time as an argument."""
    return datetime.now(UTC)
