"""What is looked at of the data map and its systems, for `habeas config check`, `map check` and `doctor`.

The one rule: a system is only asked where somebody wants it asked (`live`), and nothing of a person is asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, Protocol, runtime_checkable

from settings import Settings
from starter.checks import Check, checked
from starter.show import plural

if TYPE_CHECKING:
    from connectors.protocol import Call, Connector
    from connectors.traits import Checks
    from rights.datamap import DataMap, System
    from rights.mapcheck import Found
    from rights.receipt import Tally
    from rights.yamlfile import FileErrors


def wrong(name: str, errors: "FileErrors") -> Iterator[Check]:
    """A line for everything that is wrong in files that people write."""
    for error in errors.errors:
        where = f"{error.file}:{error.line}: {error.path or 'the file'}"
        yield Check(name=name, ok=False, about=where, advice=error.advice)


def map_checks(settings: Settings, *, live: bool = False) -> Iterator[Check]:
    """The map files, each system's set-up, and the register of recipients; with `live`, what the systems say."""
    from rights.mapfile import MapErrors
    from starter.desk import load_map

    try:
        data_map = load_map(settings)
    except MapErrors as errors:
        yield from wrong("maps", errors)
        return
    except OSError:
        yield Check(
            name="maps", ok=False, about="a file cannot be read", advice="name files or directories that are there"
        )
        return
    yield Check(name="maps", ok=True, about=f"{plural(len(data_map.systems), 'system')}, digest {data_map.digest[:12]}")
    yield from check_systems(data_map, live=live, environment=settings.environment)
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
        yield from wrong("recipients", errors)
        return
    except SetupError as error:
        about, _, advice = str(error).partition(": ")
        yield Check(name="recipients", ok=False, about=about, advice=advice)
        return
    yield Check(name="recipients", ok=True, about=plural(len(register.recipients), "recipient"))


def places(settings: Settings) -> Iterator[Check]:
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

    checked("holds", look, "")
    for said in filter(None, lost):
        about, _, todo = said.partition(". ")
        yield Check(name="holds", ok=False, about=about, advice=todo, severity="error", code="held")


def advised(data_map: "DataMap") -> Iterator[Check]:
    """What a valid map should be looked at for; nothing is asked of any system."""
    from rights.advice import advice

    for a in advice(data_map):
        name = f"system {a.system}"
        yield Check(name=name, ok=True, about=a.what, advice=a.todo, severity="warning", code=a.code)


def check_systems(data_map: "DataMap", *, live: bool = False, environment: str = "") -> Iterator[Check]:
    """Each system's connector and secrets; with `live`, the system itself is asked too, and with `environment` whether
    it bears the mark of that one."""
    from connectors.registry import SetupError, build
    from connectors.traits import Checks, Probes

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
            findings = list(_asked(connector, system, environment)) if live else []
            reached = ", reached" if live and isinstance(connector, Checks | Probes) else ""
            if all(check.ok for check in findings):
                yield Check(name=about, ok=True, about=f"{said}{reached}")
            yield from findings


def _asked(connector: "Connector", system: "System", environment: str) -> Iterator[Check]:
    """What a system says when it is asked; nothing if all is well."""
    from connectors.errors import ConnectorError
    from connectors.traits import Checks, Marked, Probes
    from rights.codes import ADVICE, Code

    name = f"system {system.system}"
    if isinstance(connector, Checks):
        findings = list(ask(connector, name))
        yield from findings
        if any(check.code == "no_mark" or not check.ok for check in findings):
            return
    try:
        if isinstance(connector, Probes):
            connector.probe(looking(system))
        if environment and isinstance(connector, Marked) and (mark := connector.mark(looking(system))) != environment:
            about = f"it is marked '{mark}', and this is '{environment}'" if mark else "it bears no environment mark"
            yield Check(
                name=name,
                ok=False,
                about=f"{about}: nothing is erased in it",
                advice=ADVICE[Code.ENVIRONMENT],
                severity="error",
                code=Code.ENVIRONMENT,
            )
    except ConnectorError as error:
        why = f"{error.code}: {error.about}" if error.about else str(error.code)
        advice = ADVICE[error.code]
        yield Check(name=name, ok=False, about=why, advice=advice, severity="error", code=error.code)


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


def looking(system: "System", identities: Sequence[str] = ()) -> "Call":
    """A call that may look and nothing else: its fence lets nobody through."""
    from datetime import UTC, datetime

    from connectors.errors import Held
    from connectors.protocol import Call
    from rights.codes import Code
    from rights.datamap import DataMap
    from rights.plan import make_plan
    from rights.request import Right
    from rights.subject import parse_identities

    def fence(planned: "Mapping[str, int]", look: "Tally") -> NoReturn:
        raise Held(Code.OBSERVE, system.system)

    pairs = [(kind, value) for kind, _, value in (pair.partition("=") for pair in identities)]
    now = datetime.now(UTC)
    plan = make_plan(Right.ACCESS, DataMap.of({system.system: system}), now)
    return Call(
        key="connector-test",
        as_of=now,
        system=system,
        work=plan.of(system.system).works,
        identities=parse_identities(pairs) if pairs else (),
        beat=lambda: None,
        fence=fence,
    )
