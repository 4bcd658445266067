"""`habeas decision check-grounds`: a file of grounds of laws that do not ship, as an operator's counsel has read them.

The one rule: a file is looked at before a worker is started with it.
"""

from pathlib import Path
from typing import Annotated

import typer

from starter.commands.decision import decisions
from starter.commands.options import Json
from starter.commands.setup import deployed, report
from starter.exits import Exit, Failure


@decisions.command("check-grounds")
def check_grounds(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file of own grounds.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Check a file of coded grounds that are your own: laws that do not ship, as your counsel has read them.

    Errors name file, line and path, and say what to write instead; what has ended or ends soon is said too. Exit 1 if
    something is wrong. The setting law names the file that is decided by.

    Example: habeas decision check-grounds law.yaml
    """
    from rights.ownlaw import read_own_law
    from rights.yamlfile import FileErrors
    from starter.checks import in_file
    from starter.desk import now
    from starter.ownlaw import findings

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Failure(Exit.USAGE, "FILE cannot be read: name a YAML file in UTF-8") from None
    try:
        own = read_own_law(file.name, text)
    except FileErrors as errors:
        found = in_file(errors.errors, "law")
    else:
        settings = deployed()  # a file is checked without a deployment, too
        found = list(findings(own, now().date(), settings.office.language if settings else None))
    report(found, as_json)
