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

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from dotenv import dotenv_values

from connectors.registry import SetupError, resolve
from ledger.checkpoints import Checkpoints
from ledger.errors import AddressError
from ledger.keys import open_keys
from ledger.ledger import Ledger, connect
from ledger.signing import KeyFileError, read_public_keys
from rights.datamap import DataMap
from rights.lawbook import check_law
from rights.mapfile import read_map
from rights.ownlaw import OwnLaw, adopt, read_own_law
from rights.recipients import Register, read_register
from settings import Settings, SettingsError
from starter.submit import Rules

ENV_FILE: Final = ".env"
ABROAD: Final = frozenset({"http"})
"""Connectors to systems that are always somebody else's."""


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
        SettingsError: one of its files cannot be read.
        MapErrors: of everything that is wrong in it.
    """
    texts: dict[str, str] = {}
    for path in settings.maps:
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            try:
                texts[str(file)] = file.read_text()
            except (OSError, UnicodeDecodeError):
                # Its name comes from the settings.
                raise SettingsError(
                    f"maps: {file} cannot be read: name data-map files in UTF-8, or a directory of them"
                ) from None
    return read_map(texts)


def load_law(settings: Settings) -> None:
    """Read the law that ships, and let this process decide by the operator's own grounds as well, if there are any.

    Raises:
        SetupError: their file cannot be read.
        FileErrors: of everything that is wrong in a file of law.
    """
    check_law()
    adopt(own_law(settings))


def own_law(settings: Settings) -> OwnLaw | None:
    """The operator's own grounds, if there are any.

    Raises:
        SetupError: the file cannot be read.
        FileErrors: of everything that is wrong in it.
    """
    if settings.law is None:
        return None
    try:
        text = settings.law.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SetupError("law: the file cannot be read: name one that is there, in UTF-8") from None
    return read_own_law(settings.law.name, text)


def load_register(settings: Settings, data_map: DataMap) -> Register:
    """Read the register of recipients, and see that it and the map know each other; empty where none is named.

    Raises:
        SetupError: it cannot be read, names what the map does not have, or the map what it does not.
        FileErrors: of everything that is wrong in it.
    """
    register = Register()
    if settings.recipients is not None:
        try:
            text = settings.recipients.read_text()
        except (OSError, UnicodeDecodeError):
            raise SetupError("recipients: the file cannot be read: name one that is there, in UTF-8") from None
        register = read_register(settings.recipients.name, text)
    if wrong := strangers(register, data_map, required=settings.recipients is not None):
        raise SetupError(wrong[0])
    return register


def strangers(register: Register, data_map: DataMap, *, required: bool) -> list[str]:
    """What register and map say of each other that cannot stand, a sentence each. `required`: a system that is
    somebody else's has to name whose."""
    found = []
    for name, system in data_map.systems.items():
        if system.recipient and system.recipient not in register.recipients:
            found.append(
                f"the data map says that {name} is {system.recipient}'s: the register of recipients names nobody so"
            )
        elif required and system.connector in ABROAD and not system.recipient:
            found.append(
                f"{name} is somebody else's system: write recipient: NAME into its map, a name of the register"
            )
    for handle, one in register.recipients.items():
        for place in one.shows:
            system_name, _, collection = place.partition(".")
            known = data_map.systems.get(system_name)
            shown = known.collections.get(collection) if known else None
            if shown is None or not shown.published:
                found.append(f"the register says that {handle} shows {place}: the data map has no such published place")
        named = [*one.gets, *([one.told_by.system] if one.told_by.system else [])]
        for place in named:
            system_name, _, collection = place.partition(".")
            known = data_map.systems.get(system_name)
            if known is None or (collection and collection not in known.collections):
                found.append(f"the register says that {handle} has data of {place}: the data map has no such place")
    return found


def rules(settings: Settings) -> Rules:
    """What every new request is opened under."""
    return Rules(
        regime=settings.regime, zone=settings.zone, holidays=settings.holidays, letters=settings.mail is not None
    )


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
            checkpoints=Checkpoints.open(settings.checkpoints, pem, retired_keys(settings)),
        )
        ledger.calling_code = settings.calling_code
        return ledger
    except AddressError as error:
        raise SetupError(f"{settings.ledger}: {error}") from None
    except ValueError as error:
        raise SetupError(str(error)) from None


def check_schema(settings: Settings) -> None:
    """Whether the ledger's tables are this version's.

    Raises:
        SetupError: they are an earlier one's, or not there; the text says what to run.
        NewerLedger: they are of a later release.
    """
    from ledger import schema  # loads Alembic, which no other command needs

    there, needed = schema.current(resolve(settings.ledger)), schema.head()
    if there != needed:
        schema.refuse_newer(there)
        raise SetupError(
            f"the ledger's tables are at version '{there or 'none'}' and this is '{needed}': run habeas migrate"
        )


def retired_keys(settings: Settings) -> list[Ed25519PublicKey]:
    """The public keys that signed before the present one.

    Raises:
        SetupError: a file cannot be read, or has none.
    """
    found: list[Ed25519PublicKey] = []
    for path in settings.evidence.retired_keys if settings.evidence else ():
        try:
            found += read_public_keys(path.read_bytes()).values()
        except OSError:
            raise SetupError("evidence.retired_keys: a file cannot be read: name ones that are there") from None
        except KeyFileError as error:
            raise SetupError(f"evidence.retired_keys: {error}") from None
    return found


@dataclass
class Desk:
    """One command's settings, ledger and map, or a door's; each is read when first needed."""

    settings: Settings
    pool: int = 2
    """Connections to the ledger, at most; set before it is first needed."""

    @cached_property
    def ledger(self) -> Ledger:
        return open_ledger(self.settings, pool=self.pool)

    @cached_property
    def data_map(self) -> DataMap:
        return load_map(self.settings)

    @cached_property
    def register(self) -> Register:
        return load_register(self.settings, self.data_map)

    @property
    def zone(self) -> str:
        """The controller's time zone, in which a person reads dates."""
        return self.settings.zone

    @property
    def parcels(self) -> Path:
        return self.settings.parcels


@contextmanager
def desk() -> Iterator[Desk]:
    """Sit down: read the settings and the law; the ledger's connections are closed at the end.

    Raises:
        SettingsError: something is missing or wrong.
        SetupError: the operator's own law cannot be read.
        FileErrors: a file of law is broken: nobody answers by it.
    """
    at = Desk(load_settings())
    load_law(at.settings)
    try:
        yield at
    finally:
        if "ledger" in at.__dict__:
            at.ledger.close_connections()


def now() -> datetime:
    """The time of what a person does at this moment; verbs take time as an argument."""
    return datetime.now(UTC)
