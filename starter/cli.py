"""The command line: `habeas`.

The one rule: every error ends in one sentence on standard error and a documented exit code; no traceback, and nothing
that was typed, is printed.
"""

import inspect
import os
import re
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from starter.commands import (
    api,
    appeal,
    authority,
    campaign,
    clock,
    connector,
    cooling,
    deadline,
    decision,
    due,
    evidence,
    hold,
    identity,
    incident,
    ledger,
    letter,
    local,
    metrics,
    minor,
    optout,
    recipient,
    rectification,
    replay,
    report,
    request,
    rest,
    restriction,
    restriction_use,
    review,
    session,
    setup,
    suppress,
    task,
    temporal,
    token,
    transfer,
    webhook,
    weigh,
)
from starter.commands import contract as _contract  # noqa: F401 - adds its commands to recipient.recipients
from starter.commands import demandletters as _demandletters  # noqa: F401 - adds its commands to authority
from starter.commands import fee as _fee  # noqa: F401 - adds its commands to decision.decisions
from starter.commands import lettering as _lettering  # noqa: F401 - adds its commands to letter.letters
from starter.commands import mandate as _mandate  # noqa: F401 - adds its commands to identity.identities
from starter.commands import map as _map_commands  # noqa: F401 - adds its commands to setup.maps
from starter.commands import ownlaw as _ownlaw  # noqa: F401 - adds its command to decision.decisions
from starter.commands import passing as _passing  # noqa: F401 - adds its commands to request.requests
from starter.commands import recognise as _recognise  # noqa: F401 - adds its commands to request.requests
from starter.commands import ruling as _ruling  # noqa: F401 - adds its commands to request.requests
from starter.commands import telling as _telling  # noqa: F401 - adds its commands to request.requests
from starter.exits import ENDINGS, EPILOG, Exit, Failure, complain, explain

_WIDTH: Final = 74
"""Characters of a line of an example, so that it fits a terminal of 80."""


class Doors(TyperGroup):
    """The root command, which turns every error into its sentence and exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except Exception as error:  # noqa: BLE001 - the last door: whatever comes here gets its sentence
            code, sentence = explain(error)
            if sentence:
                complain(sentence)
        sys.exit(int(code) if isinstance(code, int) else Exit.DONE)


app = typer.Typer(
    cls=Doors,
    name="habeas",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich's help takes 0.2 s to load and says no more
    epilog=EPILOG,
    help="Carry out what people may ask about their data, in every system that a data map names, with evidence.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"habeas {version('habeas')}\n")
        raise typer.Exit


@app.callback()
def habeas(
    directory: Annotated[
        Path | None,
        typer.Option("--directory", "-C", metavar="DIR", help="Run as if started in DIR.", show_default=False),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Chooses where the settings are looked for."""
    if directory is not None:
        try:
            os.chdir(directory)
        except OSError:
            raise Failure(Exit.USAGE, "the directory of --directory is not there") from None


app.command("demo")(local.demo)
app.command("dev")(local.dev)
app.command("init")(setup.init)
app.add_typer(setup.config, name="config")
app.add_typer(setup.maps, name="map")
app.add_typer(connector.connectors, name="connector")
app.command("migrate")(setup.migrate)
app.command("doctor")(setup.doctor)
app.command("worker")(setup.worker)
app.command("promote")(setup.promote)
app.command("api")(api.api)
app.add_typer(request.requests, name="request")
app.add_typer(decision.decisions, name="decision")
app.add_typer(identity.identities, name="identity")
app.add_typer(task.tasks, name="task")
app.add_typer(review.reviews, name="review")
app.add_typer(transfer.transfers, name="transfer")
app.command("receive")(transfer.receive)
app.command("stop-page")(cooling.stop_page)
app.add_typer(letter.letters, name="letter")
app.add_typer(campaign.campaigns, name="campaign")
restriction.restrictions.add_typer(restriction_use.commands)
app.add_typer(restriction.restrictions, name="restriction")
app.add_typer(rectification.rectifications, name="rectification")
app.add_typer(minor.minors, name="minor")
app.add_typer(hold.holds, name="hold")
app.add_typer(rest.rests, name="rest")
app.add_typer(ledger.parcels, name="parcel")
app.add_typer(weigh.objections, name="objection")
app.add_typer(weigh.automated, name="automated")
app.add_typer(optout.optouts, name="optout")
app.add_typer(optout.suppressions, name="suppression")
app.add_typer(suppress.suppress, name="suppress")
app.add_typer(replay.replays, name="replay")
app.add_typer(authority.authorities, name="authority")
app.add_typer(incident.incidents, name="incident")
app.command("deadline")(deadline.deadline)
app.add_typer(due.dues, name="due")
app.add_typer(appeal.appeals, name="appeal")
app.add_typer(recipient.recipients, name="recipient")
app.add_typer(clock.clocks, name="clock")
app.command("explain")(ledger.explain)
app.add_typer(ledger.ledger, name="ledger")
app.add_typer(evidence.evidences, name="evidence")
app.command("audit-pack")(evidence.audit_pack)
app.add_typer(metrics.metrics, name="metrics")
app.add_typer(token.tokens, name="token")
app.add_typer(temporal.temporals, name="temporal")
app.add_typer(session.sessions, name="session")
app.add_typer(report.reports, name="report")
app.add_typer(webhook.webhooks, name="webhook")


def _shape(group: typer.Typer) -> None:
    """Put the example of every command on lines that can be copied, and the exit codes below."""
    for command in group.registered_commands:
        command.help = _help(inspect.getdoc(command.callback) or "")
        command.epilog = ENDINGS
    if (alone := group.registered_callback) and group.info.invoke_without_command is True:
        # A group that is a command as well.
        alone.help = _help(inspect.getdoc(alone.callback) or "")
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            _shape(inner.typer_instance)


def _help(text: str) -> str:
    """A command's docstring, its example in lines that the shell takes as one and the help does not wrap (``\\b``)."""
    said, mark, example = text.partition("Example: ")
    lines = [""]
    for word in re.findall(r"(?:'[^']*'|\S)+", example):
        if lines[-1] and len(lines[-1]) + len(word) > _WIDTH:
            lines.append("  ")
        lines[-1] += f"{word} "
    return f"{said}\b\nExample:\n  " + "\\\n  ".join(lines).rstrip() if mark else text


_shape(app)


def main() -> None:
    """The entry point of the `habeas` command.

    Where Temporal's SDK was loaded the exit is hard: its threads can abort the interpreter while it finalises (seen on
    Python 3.11), and a command that did its work would end like one that crashed. Whatever aborts it, what it held of
    keys and of people is in no core file.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    try:
        app()
    except SystemExit as end:
        if "temporalio" in sys.modules:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code if isinstance(end.code, int) else Exit.BUG)
        raise


if __name__ == "__main__":
    main()
