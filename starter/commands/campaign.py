"""`habeas campaign`: everybody concerned is told once of a change.

The one rule: nobody is written to before `start`, and nothing personal is printed.
"""

from pathlib import Path
from typing import Annotated

import typer

from starter.commands.options import Json, MaybeBy
from starter.exits import Exit, Failure

campaigns = typer.Typer(no_args_is_help=True, help="Notices to everybody: service mail, once per person.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The campaign's name.", show_default=False)]


@campaigns.command()
def prepare(
    name: Name,
    notice: Annotated[
        str, typer.Option("--notice", metavar="FILE", help="What is told, and whom; - is standard input.")
    ],
    by: MaybeBy = None,
    as_json: Json = False,
) -> None:
    """Write a campaign down, and see that its audience is in the data map.

    Nobody is written to before habeas campaign start.

    Example: habeas campaign prepare privacy-policy-3 --notice notice.yaml --by s-17
    """
    from connectors.registry import build
    from connectors.rolls import Rolls
    from rights.campaign import NAME, read_notice
    from starter.campaign import campaign_document, campaign_page
    from starter.desk import desk, now
    from starter.inputs import maybe_role, read_text
    from starter.show import answer

    if not NAME.match(name):
        raise Failure(Exit.USAGE, "a campaign's name is a lower-case word such as privacy-policy-3")
    text, who = read_text(notice, "--notice"), maybe_role(by, "--by")
    with desk() as at:
        read = read_notice("--notice", text, at.data_map)
        if not read.regime:
            read = read.model_copy(update={"regime": at.settings.regime})
        if not isinstance(build(at.data_map.systems[read.audience.system]), Rolls):
            raise Failure(Exit.REFUSED, f"{read.audience.system} cannot list its people: name a database")
        made = at.ledger.prepare_campaign(name, read.model_dump_json(), at=now(), by=who)
        answer(campaign_document(made, {}), campaign_page(made, {}, at.zone), as_json=as_json)


@campaigns.command()
def start(name: Name, by: MaybeBy = None, as_json: Json = False) -> None:
    """Write to everybody on the list, once; or go on where a campaign was stopped.

    Example: habeas campaign start privacy-policy-3 --by s-17
    """
    from starter.desk import desk, now
    from starter.inputs import maybe_role
    from starter.show import Page, answer

    with desk() as at:
        if at.settings.mail is None:
            raise Failure(Exit.REFUSED, "no mail server is set up, so nobody can be written to: set [mail]")
        fresh = at.ledger.start_campaign(name, at=now(), by=maybe_role(by, "--by"))
    answer({"started": fresh}, Page().line("started" if fresh else "it runs already"), as_json=as_json)


@campaigns.command()
def status(name: Name, as_json: Json = False) -> None:
    """Show how far a campaign is: people listed, letters sent, returned and in doubt.

    Example: habeas campaign status privacy-policy-3
    """
    from ledger.letters import LetterState
    from starter.campaign import campaign_document, campaign_page
    from starter.desk import desk
    from starter.show import answer

    with desk() as at:
        found = at.ledger.campaign(name)
        counts = at.ledger.campaign_letters(found.id)
        unsure = [letter.id for letter in at.ledger.letters(found.id, states=[LetterState.UNSURE])]
        document = campaign_document(found, counts) | {"unsure": unsure}
        answer(document, campaign_page(found, counts, at.zone, unsure), as_json=as_json)


@campaigns.command()
def stop(name: Name, by: MaybeBy = None, as_json: Json = False) -> None:
    """Write to nobody else. A letter that the mail server is just being given still goes out.

    Example: habeas campaign stop privacy-policy-3 --by s-17
    """
    from starter.desk import desk, now
    from starter.inputs import maybe_role
    from starter.show import Page, answer, plural

    with desk() as at:
        left = at.ledger.stop_campaign(name, at=now(), by=maybe_role(by, "--by"))
    answer({"left": left}, Page().line(f"stopped; {plural(left, 'letter')} not sent"), as_json=as_json)


@campaigns.command("list")
def list_(as_json: Json = False) -> None:
    """List campaigns, the oldest first.

    Example: habeas campaign list
    """
    from starter.campaign import campaign_document, campaigns_page
    from starter.desk import desk
    from starter.show import answer

    with desk() as at:
        found = at.ledger.campaigns()
        document = {"campaigns": [campaign_document(one, {}) for one in found]}
        answer(document, campaigns_page(found, at.zone), as_json=as_json)


@campaigns.command()
def feed(
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where it goes: FILE.xml is Atom, FILE.json JSON Feed.")
    ],
    as_json: Json = False,
) -> None:
    """Write the notices of all campaigns that were started as a static feed, for the banner of a site.

    It also says how many people a notice could not be delivered to, whom the banner is for.

    Example: habeas campaign feed --out site/notices.xml
    """
    from starter.campaign import atom, json_feed
    from starter.desk import desk
    from starter.show import Page, answer, plural

    with desk() as at:
        started = [one for one in at.ledger.campaigns() if one.started_at]
        counted = [(one, at.ledger.campaign_letters(one.id)) for one in started]
        text = atom(counted, at.settings.office) if out.suffix == ".xml" else json_feed(counted, at.settings.office)
    try:
        out.write_text(text)
    except OSError:
        raise Failure(Exit.USAGE, "the file of --out cannot be written: name one in a directory of yours") from None
    page = Page().line(f"written: {out}, {plural(len(started), 'notice')}")
    answer({"file": str(out), "notices": len(started)}, page, as_json=as_json)
