"""Arguments and options that mean the same wherever they stand.

The one rule: one thing has one name and one placeholder in every command;
tests/starter/test_commands.py walks them all.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

_BY: Final = typer.Option(
    "--by",
    metavar="STAFF",
    help="Who says so: a role or an opaque staff id, never a name: some records have it in clear.",
    show_default=False,
)

Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, with a line of names first.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id.", show_default=False)]
OfRequest = Annotated[
    str | None, typer.Option("--request", metavar="REQUEST", help="Only of this request.", show_default=False)
]
By = Annotated[str, _BY]
MaybeBy = Annotated[str | None, _BY]
WhyShown = Annotated[
    str,
    typer.Option(
        "--reason",
        metavar="WORD",
        help="Why you look, for the record: carry_out, identify, contact, decide, asked_by_person, complaint, "
        "authority, incident, audit or repair.",
    ),
]
Proves = Annotated[
    list[str] | None,
    typer.Option(
        "--proves",
        metavar="GIVEN",
        help="Of which identities that were given it is: email, email/2 for the second, or all. May be given again; "
        "needed where several were given.",
        show_default=False,
    ),
]
Seat = Annotated[
    str,
    typer.Option(
        "--by",
        metavar="STAFF",
        help="Who says so: an opaque staff id; the settings (approvers) say for what it may speak.",
        show_default=False,
    ),
]
On = Annotated[
    str | None,
    typer.Option("--on", metavar="DATE", help="The day on which it happened; today unless given.", show_default=False),
]
NoteFile = Annotated[
    str | None,
    typer.Option("--note-file", metavar="FILE", help="A note, from a file or - ; kept sealed.", show_default=False),
]
ReasonFile = Annotated[
    str | None,
    typer.Option(
        "--reason-file",
        metavar="FILE",
        help="The reason as the person is to read it, from a file or - ; kept sealed.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write it there, not to the screen.", show_default=False)
]
Identity = Annotated[
    list[str] | None,
    typer.Option(
        "--identity",
        metavar="KIND=VALUE",
        help="An identity of the person, such as email=name@example.org. May be given again. "
        "Other users of the machine can read a command line: --identities keeps it private.",
        show_default=False,
    ),
]
Identities = Annotated[
    str | None,
    typer.Option(
        "--identities",
        metavar="FILE",
        help="Identities from a file or - (standard input): a JSON object, or lines of KIND=VALUE.",
        show_default=False,
    ),
]
ReceivedFile = Annotated[
    str | None,
    typer.Option(
        "--text-file",
        metavar="FILE",
        help="Its words as they came in, from a file or - ; kept sealed.",
        show_default=False,
    ),
]
ToldFile = Annotated[
    str,
    typer.Option("--text-file", metavar="FILE", help="What was written to the person; sealed.", show_default=False),
]
ToExporter = Annotated[
    bool, typer.Option("--exporter", help="The letter to whoever gave us the data, not the person's.")
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        metavar="KEY",
        help="Your name for it: given again, it finds the same one.",
        show_default=False,
    ),
]
AskedUnder = Annotated[
    list[str] | None,
    typer.Option(
        "--regime",
        metavar="REGIME",
        help="The law it is asked under, if not the one of the settings. Given again, the clocks of all run, and the "
        "earliest counts.",
        show_default=False,
    ),
]
WithProcessors = Annotated[bool, typer.Option("--with-processors", help="It confirms for its own processors, too.")]
Replace = Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")]
Year = Annotated[
    int | None,
    typer.Option(
        "--year",
        metavar="YEAR",
        min=2000,
        max=2999,
        help="Of what came in in this year; last year unless given.",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option("--host", metavar="HOST", help="The address to listen on.")]
Port = Annotated[
    int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Where to listen; 0: any that is free.")
]
ReadyFile = Annotated[
    Path | None,
    typer.Option("--ready-file", metavar="FILE", help="Write the port there once it listens.", show_default=False),
]
