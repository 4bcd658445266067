"""`habeas report`: what goes to the board, to an authority, to the public or into the file, read at a stated entry.

The one rule: the same entry of the journal, and the same of what its stamp names beside it, give the same report, byte
for byte; nothing in it is of a person who asked.
"""

from pathlib import Path
from typing import Annotated

import typer

from starter.commands.options import Csv, Json, Replace
from starter.exits import Exit, Failure

reports = typer.Typer(no_args_is_help=True, help="Reports, each reproducible at a stated entry of the journal.")

Of = Annotated[
    str,
    typer.Option("--period", metavar="PERIOD", help="A year, quarter or month: 2026, 2026-Q4, 2026-11.",
                 show_default=False),
]  # fmt: skip
AtHead = Annotated[
    int | None,
    typer.Option(
        "--head",
        metavar="N",
        min=1,
        help="As of entry N of the journal; its present head unless given.",
        show_default=False,
    ),
]
Svg = Annotated[
    Path | None,
    typer.Option("--svg", metavar="FILE", help="Draw what waits, by age and deadline, into it.", show_default=False),
]
ForCounsel = Annotated[bool, typer.Option("--for-counsel", help="Count secret holds, too: for nobody but counsel.")]


@reports.command()
def board(
    period: Of,
    head: AtHead = None,
    for_counsel: ForCounsel = False,
    svg: Svg = None,
    replace: Replace = False,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """Report to the board: volume, pace, what is overdue and why, and what is not known.

    Share answered on time, median and 90th percentile of days (of those answered), extensions and refusals by ground,
    holds by age, recipients that have not confirmed, what is in systems and not in the map. Past its day a request is
    late until its answer has gone out. Secret holds are counted only with --for-counsel; all else is the same with and
    without them.

    Example: habeas report board --period 2026-Q4 --svg waiting.svg
    """
    _show("board", period, head, as_csv, as_json, for_counsel=for_counsel, svg=svg, replace=replace)


@reports.command()
def register(period: Of, head: AtHead = None, as_csv: Csv = False, as_json: Json = False) -> None:
    """List the requests of a period: law, right, dates, what became of each and on which ground.

    By id alone; whoever may see whose a request is asks habeas request show.

    Example: habeas report register --period 2026-11 --csv
    """
    _show("register", period, head, as_csv, as_json)


@reports.command("annual-ccpa")
def annual_ccpa(period: Of, head: AtHead = None, as_csv: Csv = False, as_json: Json = False) -> None:
    """Count California's requests as 11 CCR 7102(a) has them published.

    Requests to delete, to correct, to know, and to opt out or limit: received, complied with, denied, and the mean and
    median days until a response. Each request counts once.

    Example: habeas report annual-ccpa --period 2026
    """
    _show("annual-ccpa", period, head, as_csv, as_json)


@reports.command()
def ropa(period: Of, head: AtHead = None, as_csv: Csv = False, as_json: Json = False) -> None:
    """Draft the record of processing activities from the data map and the register of recipients (GDPR Art. 30).

    A collection of the map is an activity. What Article 30 asks for and the map does not say is named. The map is
    today's; the digests of those that requests were bound to in the period are listed.

    Example: habeas report ropa --period 2026 --json
    """
    _show("ropa", period, head, as_csv, as_json)


@reports.command()
def population(period: Of, head: AtHead = None, as_csv: Csv = False, as_json: Json = False) -> None:
    """Count the requests of a period by right, law, channel and month, to be published.

    Numbers under 5 are withheld, since they may point at somebody, and so is one more where such a number could be
    subtracted. Do not publish periods that overlap.

    Example: habeas report population --period 2026
    """
    _show("population", period, head, as_csv, as_json)


def _show(
    name: str,
    period: str,
    head: int | None,
    as_csv: bool,
    as_json: bool,
    *,
    for_counsel: bool = False,
    svg: Path | None = None,
    replace: bool = False,
) -> None:
    from rights.board import Board
    from rights.reports import Period, PeriodError
    from starter.chart import chart
    from starter.commands.evidence import write
    from starter.desk import desk
    from starter.printing import made, printed, show
    from starter.reporting import sources
    from starter.show import out_pieces

    if as_json and as_csv:
        raise Failure(Exit.USAGE, "--json and --csv print the same: give one of them")
    try:
        of = Period.read(period)
    except PeriodError as error:
        raise Failure(Exit.USAGE, f"--period: {error}") from None
    with desk() as at:
        report = made(sources(at), name, of, head, for_counsel=for_counsel)
        if svg is not None and isinstance(report, Board):
            write(svg, chart(report).encode(), replace=replace, option="--svg")
        if as_json or as_csv:
            out_pieces(printed(report, "json" if as_json else "csv"))
        else:
            show(report, at.zone)
