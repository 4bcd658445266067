"""`habeas connector lint` and `habeas connector test`: vendor files, and whether a system can be reached.

The one rule: neither changes anything in a system, and neither prints what was typed or found, only counts.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starter.commands.options import Json
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from connectors.protocol import Connector

connectors = typer.Typer(no_args_is_help=True, help="Vendor files, and systems tried out.")


@connectors.command("lint")
def lint(
    files: Annotated[list[str], typer.Argument(metavar="VENDOR...", help="Paths, or names of shipped vendors.")],
    as_json: Json = False,
) -> None:
    """Check vendor files.

    Errors name file, line and path, and say what to write instead. Exit 1 if there is one.

    Example: habeas connector lint stripe vendors/crm.yaml
    """
    from connectors.http.vendorfile import find_vendor, read_vendor
    from rights.yamlfile import FileErrors
    from starter.checks import Check
    from starter.commands.setup import report

    found: list[Check] = []
    for file in files:
        try:
            path = find_vendor(file)
            vendor = read_vendor(str(path), path.read_text())
        except FileErrors as errors:
            found += [
                Check(name=f"{e.file}:{e.line}", ok=False, about=e.path or "the file", advice=e.advice)
                for e in errors.errors
            ]
        except (ValueError, OSError) as error:
            if (package := _installed(file)) is None:
                raise Failure(Exit.USAGE, str(error)) from None
            about = f"a connector in Python, of {package}: it has no file to check"
            found.append(Check(name=file, ok=True, about=about))
        else:
            lacks = f"; not offered: {', '.join(vendor.unsupported)}" if vendor.unsupported else ""
            about = f"{vendor.about}; collections: {', '.join(vendor.collections)}{lacks}"
            found.append(Check(name=vendor.name, ok=True, about=about))
    report(found, as_json)


@connectors.command("test")
def try_account(
    file: Annotated[Path, typer.Argument(metavar="MAP", help="The map file of a system.")],
    identities: Annotated[
        list[str] | None,
        typer.Option("--identity", metavar="KIND=VALUE", help="Look for somebody too.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Try a system.

    Logs in, and counts what is held of somebody if an identity is given. Changes nothing. Exit 1 if it does not work.

    Example: habeas connector test maps/shop.yaml --identity customer_id=17
    """
    from connectors.errors import ConnectorError
    from connectors.registry import build
    from connectors.traits import Checks, Probes
    from rights.codes import ADVICE
    from rights.mapfile import read_map
    from starter.checks import Check
    from starter.commands.setup import report
    from starter.desk import load_env
    from starter.systemchecks import ask, closed, looking

    load_env()
    if not file.is_file():
        raise Failure(Exit.USAGE, f"{file} cannot be read: name the map file of one system")
    (system,) = read_map({str(file): file.read_text()}).systems.values()
    connector = build(system)
    found = [Check(name=system.system, ok=True, about=f"offers {', '.join(_offered(connector))}")]
    call = looking(system, identities or [])
    with closed(connector):
        try:
            if isinstance(connector, Probes):
                connector.probe(call)
                found.append(Check(name="credentials", ok=True, about="the system takes them"))
            if isinstance(connector, Checks):
                wrong = list(ask(connector, "map"))
                found += wrong or [Check(name="map", ok=True, about="it fits the system")]
            if identities:
                tally = connector.locate(call).tally
                counts = ", ".join(f"{count.collection} {count.found}" for count in tally.counts)
                found.append(Check(name="located", ok=True, about=counts))
        except ConnectorError as error:
            found.append(Check(name=str(error.code), ok=False, about=error.about, advice=ADVICE[error.code]))
    report(found, as_json)


def _installed(kind: str) -> str | None:
    """The package that a kind of connector was installed with; None if there is none of this name."""
    from importlib.metadata import entry_points

    from connectors.registry import GROUP

    for point in entry_points(group=GROUP, name=kind):
        return f"{point.dist.name} {point.dist.version}" if point.dist else kind
    return None


def _offered(connector: "Connector") -> list[str]:
    from connectors.protocol import capabilities

    return sorted(capabilities(connector))
