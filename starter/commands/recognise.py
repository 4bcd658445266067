"""`habeas request recognise`: which right a text may be asking for.

The one rule: the text stays in this process: it is not kept, not logged, and not printed.
"""

from typing import Annotated

import typer

from starter.commands.options import Json
from starter.commands.request import requests
from starter.exits import Exit, Failure


@requests.command()
def recognise(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The text, from a file or - (standard input).", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Propose which rights a text may be asking for, by its words.

    It decides nothing and opens nothing, and no settings are needed. Where it finds none, or several, the person is to
    be asked; what it does not recognise is a request all the same.

    Example: habeas request recognise letter.txt
    """
    from rights.recognition import recognise as found_in
    from starter.inputs import read_text
    from starter.show import Page, answer
    from starter.submit import MAX_TEXT

    text = read_text(file, "FILE")
    if len(text) > MAX_TEXT:
        raise Failure(Exit.USAGE, f"the text is longer than {MAX_TEXT:,} characters: shorten it")
    found = found_in(text)
    page = Page()
    if found.proposed:
        page.grid(
            ("may be", "in", "how"),
            (
                (one.right, ", ".join(one.languages), "plainly" if one.plainly else "by words near a word for data")
                for one in found.proposed
            ),
        )
    else:
        page.line("no right is recognised in it; that is no reason to refuse anything")
    if found.ask_back:
        page.line("ask the person what they want before you open a request")
    document = {"proposed": [one.model_dump(mode="json") for one in found.proposed], "ask_back": found.ask_back}
    answer(document, page, as_json=as_json)
