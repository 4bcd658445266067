"""From nothing to a running deployment: `habeas init`, `config check`, `migrate`, `worker` and what goes with them.

The one rule: nothing that is there is written over, and what is missing is named with what to do.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.options import Json
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settings import Settings
    from starter.checks import Check
    from starter.show import Page

config = typer.Typer(no_args_is_help=True, help="The settings of this deployment.")
maps = typer.Typer(no_args_is_help=True, help="The data map.")


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where; made if it is not there.")] = Path(),
    as_json: Json = False,
) -> None:
    """Write settings, a data map and keys to start from.

    Nothing that is there is written over.

    Example: habeas init shop
    """
    from starter.scaffold import scaffold
    from starter.show import Cell, Page, answer

    try:
        written = scaffold(directory)
    except OSError:
        raise Failure(Exit.USAGE, "that directory cannot be made or written: name one of yours") from None
    page = Page().grid(
        ("", "file", "what it is"),
        (
            (
                Cell("✓", "good") if w.new else Cell("·", "quiet"),
                str(w.path),
                w.about + ("" if w.new else " (kept as it was)"),
            )
            for w in written
        ),
    )
    page.heading("Next")
    page.line("copy .env.example to .env and fill it in; describe your system in maps/", indent=2)
    page.line("habeas config check", indent=2)
    answer({"files": [{"path": str(w.path), "new": w.new} for w in written]}, page, as_json=as_json)


@config.command("check")
def check_config(as_json: Json = False) -> None:
    """Look at everything that a deployment needs.

    Settings, keys, ledger, Temporal and the data map, a line each, with what to do. Exit 1 if something is missing.

    Example: habeas config check
    """
    from starter.checkup import check_all

    report(check_all(), as_json)


def doctor(as_json: Json = False) -> None:
    """Examine a live installation.

    All that config check looks at; then clocks, keys and the end of the journal, backups, Temporal's retention and
    codec, who polls, and each system's rights and mark. A line each, with what to do. Exit 1 if something is wrong.

    Example: habeas doctor
    """
    from starter.doctor import examine

    report(examine(), as_json)


@maps.command("check")
def check_map(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Map files; a directory stands for its *.yaml.", show_default=False),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask each system too: tables, columns, rights, its mark.")
    ] = False,
    last: Annotated[
        bool, typer.Option("--last", help="Print what the workers' last check with --live found, and its age.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check data-map files.

    Errors name file, line and path, and say what to write instead. With --last nothing is asked of any system: the
    setting map_check_every has workers do that.

    Example: habeas map check maps --live
    """
    if last == bool(files) or (last and live):
        raise Failure(Exit.USAGE, "give map files, with or without --live, or --last alone")
    if last:
        _last_check(as_json)
        return
    from rights.mapfile import MapErrors, read_map
    from starter.checks import Check, in_file
    from starter.desk import load_env
    from starter.show import plural
    from starter.systemchecks import advised, check_systems, held_places

    load_env()
    found: list[Check] = []
    try:
        data_map = read_map(read_texts(files or ()))
    except MapErrors as errors:
        found = in_file(errors.errors, "map")
    else:
        rows = sum(len(system.collections) for system in data_map.systems.values())
        found.append(
            Check(
                name="map",
                ok=True,
                about=f"{plural(len(data_map.systems), 'system')}, {plural(rows, 'collection')}, found by "
                f"{', '.join(data_map.identity_kinds)}; digest {data_map.digest[:12]}",
            )
        )
        found += check_systems(data_map, live=True) if live else advised(data_map)
        if settings := deployed() if live else None:
            found += held_places(settings, data_map)
    report(found, as_json)


def deployed() -> "Settings | None":
    """The settings of the working directory; None where there is no deployment."""
    from settings import SettingsError
    from starter.desk import load_settings

    try:
        return load_settings()
    except SettingsError:
        return None


def _last_check(as_json: bool) -> None:
    """What the workers found when they last compared the map of that day with the systems."""
    from starter.checks import Check
    from starter.desk import desk, now
    from starter.show import age, minute, plural
    from starter.systemchecks import check_of

    with desk() as at:
        every, check = at.settings.map_check_every, at.ledger.map_check()
        if check is None:
            raise Failure(Exit.REFUSED, 'no worker has checked the map yet: set map_check_every = "P1D" and start one')
        old = now() - check.at
        about = f"{plural(check.systems, 'system')} checked {minute(check.at, at.zone)}, {age(old)} ago"
        found = [Check(name="map", ok=True, about=f"{about}; digest {check.digest[:12]}")]
        if every is None or old > 2 * every:
            why = "no check has come for twice map_check_every" if every else "map_check_every is not set"
            todo = "see that a worker runs" if every else 'set map_check_every = "P1D" and restart the workers'
            found.append(Check(name="map", ok=True, about=why, advice=todo, severity="warning", code="stale"))
        found += [check_of(one, f"system {one.system}") for one in check.found]
    report(found, as_json, at=check.at, age_seconds=int(old.total_seconds()), digest=check.digest)


def read_texts(files: "Sequence[Path]") -> dict[str, str]:
    """Map files by name; a directory stands for its *.yaml.

    Raises:
        Failure: one cannot be read.
    """
    texts: dict[str, str] = {}
    for path in files:
        try:
            for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
                texts[str(file)] = file.read_text()
        except (OSError, UnicodeDecodeError):
            raise Failure(
                Exit.USAGE, f"{path} cannot be read: name map files, or a directory that holds them"
            ) from None
    return texts


def report(checks: "Sequence[Check]", as_json: bool, **more: object) -> None:
    """Print a line for each check, and exit 1 if one of them failed. `more` is for who reads JSON."""
    from starter.show import answer

    ok = all(check.ok for check in checks)
    answer({"ok": ok, "checks": [check.model_dump() for check in checks], **more}, _page(checks), as_json=as_json)
    if not ok:
        raise typer.Exit(Exit.BAD)


def _page(checks: "Sequence[Check]") -> "Page":
    from starter.show import MARK, Cell, Page

    page = Page()
    for check in checks:
        if check.ok and check.severity:
            page.line(Cell(f"{MARK['warn']} {check.severity}: {check.name}: {check.about}", "warn"))
        else:
            page.mark(check.ok, f"{check.name}: {check.about}")
        if check.advice:
            page.line(check.advice, indent=4)
    return page


def migrate(as_json: Json = False) -> None:
    """Bring ledger and Temporal to this version.

    Makes or changes the ledger's tables, and registers Temporal's search attributes.

    Example: habeas migrate
    """
    import asyncio

    from temporalio.service import RPCError, RPCStatusCode

    from connectors.registry import resolve
    from ledger import schema
    from starter.desk import load_settings
    from starter.namespace import CLOSED, register_attributes
    from starter.show import Page, answer
    from starter.temporal import bare_client

    settings = load_settings()
    address = resolve(settings.ledger)
    before = schema.current(address)
    schema.upgrade(address)
    after = schema.current(address)

    async def register() -> list[str]:
        return await register_attributes(await bare_client(settings))

    try:
        added = asyncio.run(register())
    except RPCError as error:
        if error.status not in {*CLOSED, RPCStatusCode.INVALID_ARGUMENT}:
            raise Failure(Exit.AWAY, f"the ledger is at {after}; but Temporal does not answer") from None
        raise Failure(
            Exit.REFUSED,
            f"the ledger is at {after}; but Temporal registers no search attributes for us: habeas temporal setup "
            "says why, and what to do",
        ) from None
    except RuntimeError:
        raise Failure(
            Exit.AWAY, f"the ledger is at {after}; but Temporal does not answer at {settings.temporal_address}"
        ) from None
    page = Page()
    page.mark(True, f"ledger at {after}" + ("" if before == after else f", before {before or 'empty'}"))
    page.mark(True, f"search attributes registered{': ' + ', '.join(added) if added else ' before'}")
    answer({"schema": after, "before": before or None, "attributes_added": added}, page, as_json=as_json)


def promote(as_json: Json = False) -> None:
    """Have Temporal serve by this version of the workers.

    The one of the setting build_id; its workers have to run already. What is under way goes on in it from its next
    step; the version before may be stopped once habeas doctor says that nobody needs it.

    Example: habeas promote
    """
    import asyncio

    from temporalio.service import RPCError

    from starter.desk import load_settings
    from starter.show import Page, answer
    from starter.temporal import bare_client
    from starter.versions import promote as have_serve

    settings = load_settings()
    version = settings.worker_version
    if version is None:
        raise Failure(Exit.USAGE, "no version is named: set HABEAS_BUILD_ID for the workers and for this command")

    async def ask() -> str:
        return await have_serve(await bare_client(settings), version)

    try:
        before = asyncio.run(ask())
    except RPCError:
        raise Failure(
            Exit.REFUSED, "no worker of this version polls: start one with the same build_id, then say it again"
        ) from None
    except RuntimeError:
        raise Failure(Exit.AWAY, f"Temporal does not answer at {settings.temporal_address}") from None
    page = Page().mark(True, f"{version.build_id} serves" + (f", before it {before}" if before else ""))
    document = {"deployment": version.deployment, "build_id": version.build_id, "before": before or None}
    answer(document, page, as_json=as_json)


def worker() -> None:
    """Run a worker until SIGTERM or Ctrl-C.

    It then lets its activities finish for drain_seconds. Logs go to standard error.

    Example: habeas worker
    """
    from starter.desk import load_settings
    from starter.logs import set_up
    from worker import main

    settings = load_settings()
    set_up(settings.log)
    try:
        main(settings)
    except RuntimeError as error:
        raise Failure(Exit.REFUSED, str(error)) from None
