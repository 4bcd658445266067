"""`habeas map discover` and `habeas map diff`: from a database to a map, and from one map to the next.

The one rule: they change nothing. A draft goes to standard output alone, what it is doing meanwhile to standard error.
"""

import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from starter.commands.options import Json
from starter.commands.setup import maps, read_texts
from starter.exits import Exit, Failure

PATIENCE: Final = 1.0
"""Seconds after which it is said what is going on; what is faster needs no words."""


@maps.command()
def discover(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The system's name in the map.", show_default=False)],
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="SECRET",
            help="Where the database's address is: env:NAME or file:/path.",
            show_default=False,
        ),
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Look at some values of each table too; none leaves the process.")
    ] = False,
    from_fides: Annotated[
        Path | None,
        typer.Option("--from-fides", metavar="FILE", help="Draft from a Fides dataset instead.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draft the map of a database.

    Reads tables, keys, references, comments and types, and writes a map in YAML with its guesses marked.

    Example: habeas map discover shop --url env:SHOP_READER_URL > maps/shop.yaml
    """
    from connectors.errors import ConnectorError, Retryable
    from connectors.registry import SetupError, resolve
    from connectors.sql.discovery import Draft, draft_from, page
    from rights.codes import ADVICE
    from starter.desk import load_env
    from starter.show import out_json

    if (url is None) == (from_fides is None):
        raise Failure(Exit.USAGE, "give either --url env:NAME or --from-fides FILE")
    if url is not None and not url.startswith(("env:", "file:")):
        raise Failure(Exit.USAGE, "--url names where the address is, env:NAME or file:/path, and never is the address")
    load_env()
    draft: Draft
    if from_fides is not None:
        from connectors.sql.discovery.fides import from_fides as imported

        (text,) = read_texts([from_fides]).values()
        draft = imported(str(from_fides), text, system=name, reader=f"env:{name.upper().replace('-', '_')}_READER_URL")
    else:
        try:
            draft = draft_from(resolve(str(url)), system=name, reader=str(url), sampling=sample, progress=_Aloud())
        except ConnectorError as error:
            code = Exit.AWAY if isinstance(error, Retryable) else Exit.BAD
            raise Failure(code, f"the database cannot be read ({error.code}): {ADVICE[error.code]}") from None
        except SetupError:
            raise
        except ValueError as error:
            raise Failure(Exit.USAGE, str(error)) from None
    if as_json:
        out_json({"map": draft.body(), "unreached": list(draft.unreached), "left_out": list(draft.notes)})
    else:
        sys.stdout.write(page(draft))


class _Aloud:
    """Says on standard error what is being done, once it takes longer than somebody would wait in silence."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def __call__(self, said: str) -> None:
        if time.monotonic() - self._since > PATIENCE:
            sys.stderr.write(f"habeas: {said}\n")
            sys.stderr.flush()


@maps.command("diff")
def diff_maps(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A map file, or a directory of them.", show_default=False)],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The same, as it would be.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Say what a change of maps would change.

    What would newly be found, erased, kept and given out, per collection and field. Exit 1 if anything would.

    Example: habeas map diff maps new-maps
    """
    from rights.mapdiff import diff
    from rights.mapfile import read_map
    from starter.show import Cell, Page, answer

    changes = diff(read_map(read_texts([old])), read_map(read_texts([new])))
    page, place = Page(), ""
    for change in changes:
        here = f"{change.system}.{change.collection}" if change.collection else change.system
        if here != place:
            page.heading(here)
            place = here
        field = f"{change.field}: " if change.field else ""
        page.line(Cell(f"{'+' if change.newly else '-'} {change.effect}  {field}{change.text}"), indent=2)
    if not changes:
        page.line(Cell("nothing would change", "good"))
    document = {"same": not changes, "changes": [change.model_dump(mode="json") for change in changes]}
    answer(document, page, as_json=as_json)
    if changes:
        raise typer.Exit(Exit.BAD)
