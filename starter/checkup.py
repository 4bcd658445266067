"""`habeas config check`: what a deployment still lacks, one line each, with what to do.

The one rule: it changes nothing, and each check is carried out for real: a file is opened, a server asked.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from rights.value import Value
from settings import Settings, SettingsError
from starter.show import plural

if TYPE_CHECKING:
    from connectors.protocol import Connector
    from connectors.traits import Checks
    from rights.datamap import DataMap
    from rights.mapcheck import Found
    from rights.yamlfile import FileErrors

REACH: Final = 5.0
"""Seconds that Temporal gets to answer; a healthy one takes milliseconds."""


_OPENS: Final = frozenset({"keys", "checkpoint_key", "ledger"})
"""What has to be well before the ledger can be asked anything."""


class Check(Value):
    """One thing that was looked at."""

    name: str
    ok: bool
    about: str
    """What is the case."""
    advice: str = ""
    """What to do about it; empty when all is well."""
    severity: str = ""
    """error, warning or note; empty when all is well. Only an error is not `ok`."""
    code: str = ""
    """A name for the finding that stays when its words change; not every check has one."""


def check_all() -> list[Check]:
    """Look at everything, in the order in which things build on each other."""
    from starter.desk import load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        return list(_settings_missing(error))
    found = [Check(name="settings", ok=True, about=f"tenant {settings.tenant}, environment {settings.environment}")]
    for check in (_keys, _checkpoint_key, _checkpoints, _parcels, _ledger, _temporal):
        found.append(check(settings))
    opens = all(check.ok for check in found if check.name in _OPENS)
    law = list(_law(settings))
    found += law
    if all(check.ok for check in law):
        # Neither a letter nor a map can be read without the law.
        found.append(_letters(settings))
        found += _records(settings, ask=opens)
        found += _map(settings)
        if opens:
            found += _places(settings)
    return found


def _places(settings: Settings) -> Iterator[Check]:
    """Whether every system that a hold in force names is in the data map of the settings."""
    from rights.mapfile import MapErrors
    from starter.desk import load_map

    try:
        data_map = load_map(settings)
    except (MapErrors, OSError):
        return  # it has lines of its own
    yield from held_places(settings, data_map)


def held_places(settings: Settings, data_map: "DataMap") -> Iterator[Check]:
    """Whether every system that a hold in force names is in a data map: a line where one is not. Where the ledger
    cannot be asked, `habeas config check` says so, and no worker starts."""
    from starter.desk import open_ledger
    from starter.holdplaces import places_lost

    lost: list[str] = []

    def look() -> str:
        ledger = open_ledger(settings)
        try:
            lost.append(places_lost(ledger, data_map))
        finally:
            ledger.close_connections()
        return "the holds in force were read"

    _checked("holds", look, _advice(""))
    for said in filter(None, lost):
        about, _, todo = said.partition(". ")
        yield Check(name="holds", ok=False, about=about, advice=todo, severity="error", code="held")


def _wrong(name: str, errors: "FileErrors") -> Iterator[Check]:
    """A line for everything that is wrong in files that people write."""
    for error in errors.errors:
        where = f"{error.file}:{error.line}: {error.path or 'the file'}"
        yield Check(name=name, ok=False, about=where, advice=error.advice)


def _law(settings: Settings) -> Iterator[Check]:
    """Whether every file of law can be read: those that ship with the engine, and the operator's own."""
    from connectors.registry import SetupError
    from rights.lawbook import READERS
    from rights.regimes import SHIPPED
    from rights.yamlfile import FileErrors
    from starter.desk import load_law, now, own_law
    from starter.ownlaw import findings

    try:
        load_law(settings)
        own = own_law(settings)
    except FileErrors as errors:
        yield from _wrong("law", errors)
        return
    except SetupError as error:
        about, _, advice = str(error).partition(": ")
        yield Check(name="law", ok=False, about=about, advice=advice)
        return
    yield Check(name="law", ok=True, about=f"{len(SHIPPED)} laws and {plural(len(READERS), 'table')} can be read")
    if own is not None:
        yield from findings(own, now().date(), settings.office.language)


def _letters(settings: Settings) -> Check:
    """Whether every letter can be written under the regime of the settings; a letter that cannot is a person's task."""
    from starter.letterpress import check_letters

    office = settings.office
    written, lacks = check_letters(office, [settings.regime], (office.language,))
    if not lacks:
        return Check(name="letters", ok=True, about=f"{written} can be written under {settings.regime}")
    names = ", ".join(lack.setting or lack.need for lack in lacks)
    return Check(
        name="letters",
        ok=True,
        about=f"not every letter can be written: {names} missing",
        advice="habeas letter check shows what to write into habeas.toml",
        severity="warning",
    )


def _records(settings: Settings, *, ask: bool) -> Iterator[Check]:
    """Whether a request's file is kept for as long as the laws want it that requests are asked under; `ask`: the ledger
    can be asked which these are. If not, it has a line of its own, and the law of the settings alone is looked at."""
    from rights.metrics import too_short

    regimes = {settings.regime}

    def look() -> str:
        from starter.desk import open_ledger

        ledger = open_ledger(settings)
        try:
            regimes.update(ledger.regimes_asked())
        finally:
            ledger.close_connections()
        return "the laws that requests are asked under were read"

    if ask and not (asked := _checked("records", look, _advice("see that the ledger can be read"))).ok:
        yield asked
    for name, kept in too_short(settings.file_days, regimes).items():
        yield Check(
            name="file_days",
            ok=True,
            about=f"{settings.file_days} days are less than the {kept.months} months that {name} asks for "
            f"({kept.source})",
            advice=f"write file_days = {kept.days} or more into habeas.toml",
            severity="warning",
            code="file_days",
        )


def _settings_missing(error: SettingsError) -> Iterator[Check]:
    """A line for each setting that is missing or wrong, with its example."""
    blocks: list[list[str]] = []
    for line in str(error).splitlines():
        if line.startswith(" ") and blocks:
            blocks[-1].append(" ".join(line.split()))
        else:
            blocks.append([line])
    for said, *examples in blocks:
        name, _, rest = said.partition(" ")
        yield Check(name=name, ok=False, about=rest, advice=" ".join(examples))


def _checked(name: str, look: Callable[[], str], advice: Callable[[Exception], str]) -> Check:
    try:
        return Check(name=name, ok=True, about=look())
    except Exception as error:  # noqa: BLE001 - whatever stops a check is what it reports; the text is never shown
        return Check(name=name, ok=False, about=_why(error), advice=advice(error))


class _NotSo(Exception):
    """A check's own finding; what is the case, and what to do."""

    def __init__(self, about: str, advice: str) -> None:
        super().__init__(about)
        self.about, self.advice = about, advice


def _why(error: Exception) -> str:
    from connectors.registry import SetupError

    if isinstance(error, _NotSo):
        return error.about
    if isinstance(error, SetupError):
        return str(error).partition(": ")[0]
    return "it does not work"


def _advice(otherwise: str) -> Callable[[Exception], str]:
    from connectors.registry import SetupError

    def advice(error: Exception) -> str:
        if isinstance(error, _NotSo):
            return error.advice
        if isinstance(error, SetupError):
            return str(error).partition(": ")[2] or str(error)
        return otherwise

    return advice


def _keys(settings: Settings) -> Check:
    def look() -> str:
        from connectors.registry import SetupError
        from ledger.keys import open_keys

        kind, _, where = settings.keys.partition(":")
        if kind == "file":
            _private(Path(where), "mkdir -m 700", directory=True)
            return f"{where}, a private directory"
        try:
            keys = open_keys(settings.keys)
        except ValueError as error:
            raise SetupError(f"{settings.keys} cannot be used: {error}") from None
        if not keys.destroys:
            return f"{settings.keys}; single keys cannot be destroyed there, so a shred waits for the last backup"
        return settings.keys

    return _checked("keys", look, _advice(f"see that {settings.keys} can be used from here"))


def _private(path: Path, make: str, *, directory: bool) -> None:
    """See that only we can read a file or directory."""
    if not (path.is_dir() if directory else path.is_file()):
        raise _NotSo(f"{path} is not there", f"{make} {path}, or habeas init")
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        wanted = "700" if directory else "600"
        raise _NotSo(f"{path} can be read by others (mode {mode:o})", f"chmod {wanted} {path}")
    if not os.access(path, os.R_OK | (os.W_OK | os.X_OK if directory else 0)):
        raise _NotSo(f"{path} belongs to another user", f"chown it to the user who runs habeas ({os.geteuid()})")


def _checkpoint_key(settings: Settings) -> Check:
    def look() -> str:
        from connectors.registry import SetupError, resolve
        from ledger.checkpoints import Checkpoints

        kind, _, where = settings.checkpoint_key.partition(":")
        if kind == "file":
            _private(Path(where), "openssl genpkey -algorithm ed25519 -out", directory=False)
        try:
            Checkpoints.open(settings.checkpoints, resolve(settings.checkpoint_key))
        except SetupError:
            raise
        except ValueError as error:
            raise SetupError(str(error)) from None
        return f"{settings.checkpoint_key}, an Ed25519 key"

    return _checked("checkpoint_key", look, _advice("habeas init makes one"))


def _checkpoints(settings: Settings) -> Check:
    def look() -> str:
        path = settings.checkpoints
        place = path if path.exists() else path.parent
        if not place.exists() or not os.access(place, os.W_OK):
            raise _NotSo(f"{place} cannot be written", f"make {path.parent} a directory of the user who runs habeas")
        return f"{path}{'' if path.exists() else ', made with the first request'}"

    return _checked("checkpoints", look, _advice(""))


def _parcels(settings: Settings) -> Check:
    def look() -> str:
        _private(settings.parcels, "mkdir -m 700", directory=True)
        return f"{settings.parcels}, a private directory"

    return _checked("parcels", look, _advice(""))


def _ledger(settings: Settings) -> Check:
    def look() -> str:
        from connectors.registry import resolve
        from ledger import schema
        from ledger.errors import AddressError

        try:
            stands, needed = schema.current(resolve(settings.ledger)), schema.head()
        except AddressError:
            raise _NotSo("its address cannot be read", advice) from None
        if stands != needed:
            about = f"its schema is version {stands}, not {needed}" if stands else "it has no tables yet"
            raise _NotSo(about, "habeas migrate")
        return f"reached, schema {stands}"

    where = settings.ledger
    advice = f"see that PostgreSQL runs and that {where} holds postgresql://user:password@host:5432/database"
    check = _checked("ledger", look, _advice(advice))
    return check.model_copy(update={"about": "no answer"}) if check.about == "it does not work" else check


def _temporal(settings: Settings) -> Check:
    def look() -> str:
        from starter.namespace import missing_attributes
        from starter.temporal import bare_client

        async def ask() -> list[str]:
            async with asyncio.timeout(REACH):
                return await missing_attributes(await bare_client(settings))

        if missing := asyncio.run(ask()):
            raise _NotSo(f"reached, but it lacks the search attributes {', '.join(missing)}", "habeas temporal setup")
        return f"reached at {settings.temporal_address}, namespace {settings.temporal_namespace}"

    advice = f"see that Temporal runs at {settings.temporal_address} with the namespace {settings.temporal_namespace}"
    check = _checked("temporal", look, _advice(advice))
    return check.model_copy(update={"about": "no answer"}) if check.about == "it does not work" else check


def _map(settings: Settings) -> Iterator[Check]:
    from rights.mapfile import MapErrors
    from starter.desk import load_map

    try:
        data_map = load_map(settings)
    except MapErrors as errors:
        yield from _wrong("maps", errors)
        return
    except OSError:
        yield Check(
            name="maps", ok=False, about="a file cannot be read", advice="name files or directories that are there"
        )
        return
    yield Check(name="maps", ok=True, about=f"{plural(len(data_map.systems), 'system')}, digest {data_map.digest[:12]}")
    yield from check_systems(data_map)
    yield from _recipients(settings, data_map)


def _recipients(settings: Settings, data_map: "DataMap") -> Iterator[Check]:
    """Whether the register of recipients and the map know each other, and what may be sent to nobody today."""
    from connectors.registry import SetupError
    from rights.yamlfile import FileErrors
    from starter.desk import load_register

    if settings.recipients is None:
        return
    try:
        register = load_register(settings, data_map)
    except FileErrors as errors:
        yield from _wrong("recipients", errors)
        return
    except SetupError as error:
        about, _, advice = str(error).partition(": ")
        yield Check(name="recipients", ok=False, about=about, advice=advice)
        return
    yield Check(name="recipients", ok=True, about=plural(len(register.recipients), "recipient"))


def advised(data_map: "DataMap") -> Iterator[Check]:
    """What a valid map should be looked at for; nothing is asked of any system."""
    from rights.advice import advice

    for a in advice(data_map):
        name = f"system {a.system}"
        yield Check(name=name, ok=True, about=a.what, advice=a.todo, severity="warning", code=a.code)


def check_systems(data_map: "DataMap", *, live: bool = False) -> Iterator[Check]:
    """Each system's connector and secrets; with `live`, the system itself is asked too."""
    from connectors.registry import SetupError, build
    from connectors.traits import Checks

    for name, system in data_map.systems.items():
        yield from (check for check in advised(data_map) if check.name == f"system {name}")
        about = f"system {name}"
        said = f"{system.connector}, mode {system.mode}"
        try:
            connector = build(system)
        except SetupError as error:
            what, _, todo = str(error).removeprefix(f"system '{name}': ").partition(": ")
            todo = todo or "correct the data map"
            yield Check(name=about, ok=False, about=what, advice=todo, severity="error", code="setup")
            continue
        with closed(connector):
            if live and isinstance(connector, Checks):
                findings = list(ask(connector, about))
                if all(check.ok for check in findings):
                    yield Check(name=about, ok=True, about=f"{said}, reached")
                yield from findings
            else:
                yield Check(name=about, ok=True, about=said)


@contextmanager
def closed(connector: "Connector") -> Iterator[None]:
    """Let go of what a connector holds, if it holds anything."""
    try:
        yield
    finally:
        if isinstance(connector, _Closes):
            connector.close()


@runtime_checkable
class _Closes(Protocol):
    def close(self) -> None: ...


def ask(connector: "Checks", about: str) -> Iterator[Check]:
    """What does not fit between a map and its system; nothing if all does."""
    from connectors.finding import found_in

    for found in found_in("", connector):
        yield check_of(found, about)


def check_of(found: "Found", about: str) -> Check:
    """A finding as a line of the report."""
    return Check(
        name=about,
        ok=found.severity != "error",
        about=found.what,
        advice=found.todo,
        severity=found.severity,
        code=found.code,
    )
