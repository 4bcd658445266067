"""`habeas due`: who is owed an answer, told with every worker and Temporal stopped.

The one rule: it reads the ledger, and starts nothing and calls nobody: a monitor reads its exit code, Prometheus its
numbers.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from starter.commands.options import Host, Json, Port, ReadyFile
from starter.exits import Exit, Failure

if TYPE_CHECKING:
    from starter.due import Watched

dues = typer.Typer(no_args_is_help=True, help="Who is overdue or nearly so, whatever else stands still.")

UNKNOWN: Final = 3
"""What a plugin of Nagios ends with that could not look."""


@dues.command()
def check(
    days: Annotated[
        int, typer.Option("--days", metavar="DAYS", min=0, max=3650, help="Also what is due within so many days.")
    ] = 3,
    nagios: Annotated[
        bool,
        typer.Option(
            "--nagios", help="Print one line, and end as Nagios wants it: 0, 1 warning, 2 critical, 3 unknown."
        ),
    ] = False,
    metrics_file: Annotated[
        Path | None,
        typer.Option(
            "--metrics-file",
            metavar="FILE",
            help="Also write the counts for Prometheus into it, for a collector of text files.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check which requests are past their legal due date, or nearly so. For a timer or a monitor.

    Reads the ledger alone, so it tells while every worker and Temporal are stopped. Exit 1 if a request is overdue:
    open, or closed with the letter that answers not sent. What is due soon is listed, and ends with 0.

    Example: habeas due check --days 3 --metrics-file /var/lib/node_exporter/habeas.prom
    """
    from starter.due import monitor_line, watched_document, watched_page
    from starter.exits import explain
    from starter.show import answer

    if nagios and as_json:
        raise Failure(Exit.USAGE, "--nagios prints a line of its own: leave --json out")
    try:
        seen, zone = _look(days, metrics_file)
    except Exception as error:
        if not nagios:
            raise
        typer.echo(f"DEADLINES UNKNOWN - {explain(error)[1]}")
        raise typer.Exit(UNKNOWN) from None
    if nagios:
        code, line = monitor_line(seen)
        typer.echo(line)
        raise typer.Exit(code)
    answer(watched_document(seen), watched_page(seen, zone), as_json=as_json)
    if seen.overdue:
        raise typer.Exit(Exit.BAD)


@dues.command()
def serve(port: Port = 9479, host: Host = "127.0.0.1", ready_file: ReadyFile = None) -> None:
    """Serve the counts of the ledger to Prometheus, beside whatever workers there are. Runs until it is stopped.

    /metrics has what a worker's health port has of the ledger, and answers while workers and Temporal are stopped. It
    speaks in the clear and has numbers only.

    Example: habeas due serve --port 9479
    """
    from starter.desk import desk
    from starter.due import Numbers
    from starter.endpoint import serving, stand

    with desk() as at:
        try:
            door = serving(Numbers, at.ledger, host, port)
            stand(door, lambda taken: f"the counts are on http://{host}:{taken}/metrics", ready_file)
        except OSError:
            raise Failure(Exit.BAD, "the address or the port cannot be used: name others") from None


def _look(days: int, metrics_file: Path | None) -> "tuple[Watched, str]":
    from datetime import timedelta

    from starter.desk import desk, now
    from starter.due import Watched, keep_metrics

    with desk() as at:
        moment = now()
        owed = at.ledger.owed_by(moment + timedelta(days=days))
        seen = Watched(moment, days, owed, at.ledger.backlog())
        if metrics_file is not None:
            try:
                keep_metrics(metrics_file, at.ledger)
            except OSError:
                raise Failure(
                    Exit.USAGE, "the file of --metrics-file cannot be written: name one in a directory of yours"
                ) from None
        return seen, at.zone
