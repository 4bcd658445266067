"""`habeas authority letter` and `told`: letters about demands, by hand where mail cannot carry them.

The one rule: while a gag is in force neither says anything.
"""

from typing import Annotated

import typer

from starter.commands.authority import DemandId, authorities, show_demand
from starter.commands.lettering import FormOption, LanguageOption, put
from starter.commands.options import By, Json, Out, ToExporter
from starter.exits import Exit, Failure


@authorities.command()
def told(
    demand: DemandId,
    by: By,
    text_file: Annotated[
        str | None,
        typer.Option(
            "--text-file",
            metavar="FILE",
            help="What was written to the person, where it was not the letter of authority letter; sealed.",
            show_default=False,
        ),
    ] = None,
    exporter: ToExporter = False,
    as_json: Json = False,
) -> None:
    """Note that the person was told of a demand, or that a letter that could not go by mail was posted.

    Refused while a gag is in force.

    Example: habeas authority told 01kap2v7q4m8w3x9yd5tgh6jzr --by s-17
    """
    from rights.demandletters import Whom
    from starter.desk import desk, now
    from starter.inputs import ledger_id, read_text, role

    if exporter and text_file:
        raise Failure(Exit.USAGE, "--text-file is of what the person was told: leave --exporter or it out")
    text = read_text(text_file, "--text-file").strip() if text_file else None
    if text == "":
        raise Failure(Exit.USAGE, "--text-file is empty: give what was written")
    with desk() as at:
        found, who = ledger_id(demand, "demand"), role(by, "--by")
        if text is None:
            whom = Whom.EXPORTER if exporter else Whom.PERSON
            at.ledger.posted_demand_letter(found, whom, by=who, at=now())
            show_demand(at.ledger.demand(found), as_json)
        else:
            show_demand(at.ledger.told_of_demand(found, by=who, text=text, at=now()), as_json)


@authorities.command()
def letter(
    demand: DemandId,
    exporter: ToExporter = False,
    language: LanguageOption = None,
    form: FormOption = "text",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Print the letter to the person about a demand, or to whoever gave us the data, as it reads now.

    It sends nothing. Refused while a gag is in force, so that none lies about.

    Example: habeas authority letter 01kap2v7q4m8w3x9yd5tgh6jzr --format pdf --out letter.pdf
    """
    from activities.demandletters import House
    from rights.demandletters import Whom
    from starter.demandletters import printed
    from starter.desk import desk, now
    from starter.inputs import ledger_id
    from starter.letterpress import language_of

    chosen = language_of(language) if language else None
    with desk() as at:
        house = House(at.ledger, at.register, at.data_map, at.settings.office)
        whom = Whom.EXPORTER if exporter else Whom.PERSON
        written = printed(house, at.ledger.demand(ledger_id(demand, "demand")), whom, now(), chosen)
    put(written, form, out, as_json=as_json)
