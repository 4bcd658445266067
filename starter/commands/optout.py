"""`habeas optout` and `habeas suppression`: signals of opting out, and the list of those who have.

The one rule: identities go in and never come out; what is suppressed is told by its scope alone.
"""

from typing import Annotated

import typer

from starter.commands.options import By, Identities, Json
from starter.exits import Exit, Failure

optouts = typer.Typer(no_args_is_help=True, help="Opt-outs: browsers' signals, and a trial of our own way.")
suppressions = typer.Typer(no_args_is_help=True, help="Who may not be reached, measured or sold: asked, never listed.")

Identity = Annotated[
    list[str] | None,
    typer.Option(
        "--identity",
        metavar="KIND=VALUE",
        help="An identity. KIND=- reads the value from standard input, where nobody else sees it.",
        show_default=False,
    ),
]


@optouts.command()
def gpc(
    header: Annotated[
        str, typer.Option("--header", metavar="VALUE", help="What Sec-GPC says, to the letter.", show_default=False)
    ],
    identity: Identity = None,
    identities: Identities = None,
    as_json: Json = False,
) -> None:
    """Heed a Global Privacy Control signal.

    The header counts if it is exactly 1. The identity may be one that only a browser has, such as cookie=...; a signal
    that is repeated opens nothing new.

    Example: echo 5f2c | habeas optout gpc --header 1 --identity cookie=-
    """
    from starter.desk import desk, now, rules
    from starter.show import Cell, Page, answer
    from starter.signals import hear_gpc

    pairs = _pairs(identity, identities)
    with desk() as at:
        heard = hear_gpc(at.ledger, at.data_map, rules(at.settings), header, pairs, at=now())
    if not heard.signal:
        said = "no signal: Sec-GPC is not exactly 1"
    elif heard.new:
        said = f"opted out, by request {heard.request_id}"
    else:
        said = f"opted out already, by request {heard.request_id}"
    answer(heard.model_dump(mode="json"), Page().line(Cell(said, "good" if heard.signal else "")), as_json=as_json)


@optouts.command("gpc-json")
def gpc_json(
    on: Annotated[
        str | None,
        typer.Option(
            "--on", metavar="DATE", help="When your handling was last changed, if not today.", show_default=False
        ),
    ] = None,
) -> None:
    """Print /.well-known/gpc.json for your site.

    It tells browsers and regulators that the signal is acted on: publish it once `habeas optout probe` ends with 0.

    Example: habeas optout gpc-json > site/.well-known/gpc.json
    """
    from rights.suppression import gpc_document
    from starter.desk import now
    from starter.inputs import read_day
    from starter.show import out_json

    out_json(gpc_document(read_day(on, "--on") if on else now().date()))


@optouts.command()
def probe(
    identity: Identity = None,
    identities: Identities = None,
    scope: Annotated[str, typer.Option("--scope", metavar="SCOPE", help="What to opt out of.")] = "sale",
    within: Annotated[
        int, typer.Option("--within", min=1, max=3600, metavar="SECONDS", help="How long to wait for the answer.")
    ] = 120,
    as_json: Json = False,
) -> None:
    """Opt a made-up person out, end to end, and report.

    For monitoring: exit 1 if the request is not answered in time, our list does not have it, or no system has stopped
    it. The canary has to be known to your systems, and to be opted in again by them before each trial.

    Example: habeas optout probe --identity email=canary@example.org --within 60
    """
    from datetime import timedelta

    from rights.objections import OPT_OUTS
    from rights.suppression import Scope
    from starter.desk import desk, now, rules
    from starter.show import Page, answer
    from starter.signals import probe as tried

    if scope not in OPT_OUTS:
        raise Failure(Exit.USAGE, f"--scope takes one of {', '.join(OPT_OUTS)}")
    pairs = _pairs(identity, identities)
    with desk() as at:
        seen = tried(
            at.ledger,
            at.data_map,
            rules(at.settings),
            pairs,
            Scope(scope),
            at=now(),
            within=timedelta(seconds=within),
            every=0.2,
        )
    page = Page()
    page.mark(seen.closed, f"answered in {seen.seconds} s" if seen.closed else f"not answered within {within} s")
    page.mark(seen.suppressed, "on our own list")
    page.mark(bool(seen.reached), f"stopped in {', '.join(seen.reached) or 'no system'}")
    for name in seen.unknown:
        page.mark(True, f"{name} does not know the canary: nothing was tried there")
    for name in seen.failed:
        page.mark(False, f"not stopped in {name}")
    answer({**seen.model_dump(mode="json"), "well": seen.well}, page, as_json=as_json)
    if not seen.well:
        raise typer.Exit(Exit.BAD)


@suppressions.command()
def check(identity: Identity = None, identities: Identities = None, as_json: Json = False) -> None:
    """Say what may not be done with somebody's data.

    Ask it before a mailing, an import, a restore, or when somebody signs up. Prints scopes and days, and for opt-outs
    until when the person may not be asked for consent again.

    Example: echo name@example.org | habeas suppression check --identity email=- --json
    """
    from rights.subject import parse_identities
    from rights.weighing import asked_not_before
    from starter.desk import desk, now
    from starter.show import Cell, Page, answer, day

    people = parse_identities(_pairs(identity, identities))
    with desk() as at:
        found = at.ledger.suppressed(people, at=now())
        zone = at.zone
    rows = [
        {
            "scope": one.scope,
            "about": one.about,
            "since": one.since,
            "confirmed_at": one.confirmed_at,
            "source": one.source,
            "request_id": one.request_id,
            "not_asked_before": asked_not_before([one.scope], one.confirmed_at, zone),
        }
        for one in found
    ]
    page = Page()
    if not found:
        page.line(Cell("nothing is suppressed", "good"))
    else:
        page.grid(
            ("suppressed", "for", "since", "by", "not to be asked before"),
            (
                (
                    Cell(str(row["scope"]), "warn"),
                    str(row["about"]),
                    day(one.since, zone),
                    str(row["source"]),
                    str(row["not_asked_before"] or ""),
                )
                for row, one in zip(rows, found, strict=True)
            ),
        )
    answer({"suppressed": rows}, page, as_json=as_json)


@suppressions.command("list")
def list_(as_json: Json = False) -> None:
    """Count what is suppressed. Nobody can be listed: there is nothing to list them by.

    Example: habeas suppression list
    """
    from starter.desk import desk, now
    from starter.show import Page, answer

    with desk() as at:
        counts = at.ledger.suppression_counts(at=now())
    page = Page().grid(("scope", "identities"), ((str(s), str(n)) for s, n in counts.items()), numbers=("identities",))
    answer({"identities": {str(scope): number for scope, number in counts.items()}}, page, as_json=as_json)


@suppressions.command()
def screen(
    source: Annotated[str, typer.Argument(metavar="FILE", help="One value a line, or - .", show_default=False)],
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="What the values are.")] = "email",
    scope: Annotated[str, typer.Option("--scope", metavar="SCOPE", help="What they are to be used for.")] = "marketing",
    as_json: Json = False,
) -> None:
    """Print the numbers of the lines that may not be used.

    For a list that is about to be imported or written to: take these lines out. What cannot be read as an identity is
    among them.

    Example: habeas suppression screen addresses.txt --scope marketing
    """
    from rights.subject import IdentityError, parse_identity
    from rights.suppression import Scope, bars
    from starter.desk import desk, now
    from starter.inputs import read_text
    from starter.show import Page, answer

    if scope not in set(Scope):
        raise Failure(Exit.USAGE, f"--scope takes one of {', '.join(Scope)}")
    barred: list[int] = []
    with desk() as at:
        for number, line in enumerate(read_text(source, "FILE").splitlines(), 1):
            try:
                one = parse_identity(kind, line)
            except IdentityError:
                barred.append(number)
                continue
            if any(bars(s.scope, scope) for s in at.ledger.suppressed([one], at=now())):
                barred.append(number)
    page = Page()
    for number in barred:
        page.line(str(number))
    answer({"lines": barred}, page, as_json=as_json)


@suppressions.command()
def clear(
    by: By,
    identity: Identity = None,
    identities: Identities = None,
    as_json: Json = False,
) -> None:
    """The person has consented to marketing anew.

    Only their own word counts, such as signing up for the newsletter; it ends the block on marketing and nothing else.

    Example: habeas suppression clear --by 'sign-up form' --identities person.txt
    """
    from rights.subject import parse_identities
    from starter.desk import desk, now
    from starter.inputs import role
    from starter.show import Cell, Page, answer, plural

    people = parse_identities(_pairs(identity, identities))
    with desk() as at:
        ended = at.ledger.clear_suppression(people, at=now(), by=role(by, "--by"))
    said = f"{plural(ended, 'entry', 'entries')} ended" if ended else "nothing was suppressed for marketing"
    answer({"ended": ended}, Page().line(Cell(said, "good")), as_json=as_json)


@suppressions.command()
def consent(
    by: By,
    way: Annotated[
        str,
        typer.Option(
            "--way", metavar="WAY", help="By which way the parent consented: signed_form ...", show_default=False
        ),
    ],
    law: Annotated[str, typer.Option("--law", metavar="LAW", help="Under which law on parents.")] = "coppa",
    identity: Identity = None,
    identities: Identities = None,
    as_json: Json = False,
) -> None:
    """A parent who refused further collection of a child's data has consented anew.

    Only a parent's consent counts, by a way that the law names (16 CFR 312.5(b)(2)): signed_form, payment, phone_call,
    video_call, government_id, knowledge, face_match, email_plus, text_plus. It ends the refusal and nothing else.

    Example: habeas suppression consent --way signed_form --by 'privacy desk' --identities child.txt
    """
    from rights.parents import parent_laws
    from rights.subject import parse_identities
    from starter.desk import desk, now
    from starter.inputs import role
    from starter.show import Cell, Page, answer, plural

    laws = parent_laws().laws
    if law not in laws:
        raise Failure(Exit.USAGE, f"--law takes one of {', '.join(sorted(laws))}")
    if way not in laws[law].consent.ways:
        raise Failure(Exit.USAGE, f"--way takes one of {', '.join(laws[law].consent.ways)}")
    people = parse_identities(_pairs(identity, identities))
    with desk() as at:
        ended = at.ledger.parent_consents(people, law, way, at=now(), by=role(by, "--by"))
    said = f"{plural(ended, 'entry', 'entries')} ended" if ended else "no parent had refused anything for these"
    answer({"ended": ended}, Page().line(Cell(said, "good")), as_json=as_json)


def _pairs(options: list[str] | None, source: str | None) -> list[tuple[str, str]]:
    """Identities as they were given; KIND=- stands for what standard input has."""
    from starter.inputs import identity_pairs, read_text

    given = list(options or ())
    if sum(one.endswith("=-") for one in given) + (source == "-") > 1:
        raise Failure(Exit.USAGE, "standard input can be read once: give the other identities by file")
    pairs = identity_pairs(given, source)
    return [(kind, read_text("-", "--identity").strip() if value == "-" else value) for kind, value in pairs]
