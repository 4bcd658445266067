"""`habeas metrics`: the record of requests, and the numbers of a year.

The one rule: what is printed may go to an authority or a website as it is: codes, days and numbers.
"""

from datetime import date, timedelta
from typing import Annotated

import typer

from starter.commands.options import Csv, Json, Year
from starter.exits import Exit, Failure

metrics = typer.Typer(no_args_is_help=True, help="The record of requests, and the numbers of a year.")
Regimes = Annotated[
    list[str] | None,
    typer.Option("--regime", metavar="REGIME", help="Only under this law. May be given again.", show_default=False),
]


def _check(regimes: list[str] | None, as_json: bool, as_csv: bool) -> frozenset[str]:
    from rights.regimes import SHIPPED

    if as_json and as_csv:
        raise Failure(Exit.USAGE, "--json and --csv print the same: give one of them")
    if not set(regimes or ()) <= SHIPPED:
        raise Failure(Exit.USAGE, "--regime: there is no law of that name here: habeas deadline --list shows all")
    return frozenset(regimes or ())


@metrics.command()
def count(
    year: Year = None,
    regime: Regimes = None,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """Count a year's requests by law and right, as 11 CCR 7102 has them.

    Received, complied with, denied and on which grounds, and the mean and median days until they were answered, as the
    law in question counts days. A request under two laws counts under each.

    Example: habeas metrics count --year 2026 --regime us-ca-ccpa
    """
    from rights.metrics import counted
    from rights.reckoning import local_day
    from starter.desk import desk, now
    from starter.numbers import numbers_csv, numbers_document, numbers_page
    from starter.show import answer

    wanted = _check(regime, as_json, as_csv)
    with desk() as at:
        of = year or local_day(now(), at.zone).year - 1
        lines = [
            line
            for line in at.ledger.request_lines(date(of, 1, 1), date(of, 12, 31))
            if not wanted or line.regime in wanted
        ]
    numbers = counted(lines)
    if as_csv:
        typer.echo(numbers_csv(numbers), nl=False)
        return
    requests = len({line.request_id for line in lines})
    answer(numbers_document(of, requests, numbers), numbers_page(of, requests, numbers), as_json=as_json)


@metrics.command("list")
def list_(
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="DATE",
            help="Requests that came in on this day or later; of the last 24 months unless given.",
            show_default=False,
        ),
    ] = None,
    regime: Regimes = None,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """List requests as 11 CCR 7101 has them.

    A line for each: when it came in and how, what right it is, when it was answered, what became of it, and on which
    ground it was denied.

    Example: habeas metrics list --since 2026-01-01 --csv
    """
    from rights.reckoning import local_day
    from rights.terms import keep_until
    from starter.desk import desk, now
    from starter.inputs import maybe_day
    from starter.numbers import lines_csv, lines_document, lines_page
    from starter.show import answer

    wanted = _check(regime, as_json, as_csv)
    day = maybe_day(since, "--since")
    with desk() as at:
        today = local_day(now(), at.zone)
        first = day or keep_until(today, -24, 0, end_of_year=False)
        # To tomorrow: a request has a zone of its own.
        found = at.ledger.request_lines(first, max(first, today + timedelta(days=1)))
    lines = [line for line in found if not wanted or line.regime in wanted]
    if as_csv:
        typer.echo(lines_csv(lines), nl=False)
        return
    answer(lines_document(first, lines), lines_page(first, lines), as_json=as_json)
