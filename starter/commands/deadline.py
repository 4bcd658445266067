"""`habeas deadline`: every date that a law sets for a request, and the arithmetic.

The one rule: it computes with what it is told, and with nothing else: weekends, the holidays given, and a calendar if
one is named.
"""

from datetime import date, datetime
from typing import Annotated, Any

import typer

from starter.commands.options import Json
from starter.exits import Exit, Failure


def _moment(text: str) -> date | datetime:
    """A date, or an instant; an instant without an offset would be a different one in every place."""
    try:
        if len(text) == len("2026-11-26"):
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(
            Exit.USAGE, "--received: write a date or an instant, 2026-11-26 or 2026-11-26T09:30:00+01:00"
        ) from None
    if moment.tzinfo is None:
        raise Failure(Exit.USAGE, "--received: an instant needs its offset, such as 2026-11-26T09:30:00+01:00")
    return moment


def _option(name: str, text: str) -> Any:
    return typer.Option(name, metavar="DATE", help=text, show_default=False)


def deadline(
    regime: Annotated[
        str | None,
        typer.Argument(metavar="REGIME", help="A law, such as eu-gdpr; --list shows all.", show_default=False),
    ] = None,
    received: Annotated[
        str | None,
        typer.Option(
            "--received", metavar="WHEN", help="The day of receipt, or an instant with its offset.", show_default=False
        ),
    ] = None,
    right: Annotated[
        str | None,
        typer.Option(
            "--right", metavar="RIGHT", help="Where the law gives rights terms of their own.", show_default=False
        ),
    ] = None,
    tz: Annotated[
        str, typer.Option("--tz", metavar="ZONE", help="The controller's time zone: the day of an instant is its day.")
    ] = "UTC",
    holiday: Annotated[list[str] | None, _option("--holiday", "A holiday. May be given again.")] = None,
    calendar: Annotated[
        str | None,
        typer.Option(
            "--calendar", metavar="NAME", help="A calendar of public holidays: DE, DE-BY, US-CA.", show_default=False
        ),
    ] = None,
    extended: Annotated[bool, typer.Option("--extended", help="A notice of extension was sent in time.")] = False,
    identity_asked: Annotated[str | None, _option("--identity-asked", "When proof of identity was asked for.")] = None,
    identity_received: Annotated[str | None, _option("--identity-received", "When it came.")] = None,
    clarification_asked: Annotated[
        str | None, _option("--clarification-asked", "When a clarification was asked for.")
    ] = None,
    clarification_received: Annotated[str | None, _option("--clarification-received", "When it came.")] = None,
    appealed: Annotated[str | None, _option("--appealed", "When the person appealed.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the arithmetic, step by step.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the laws that the engine knows.")] = False,
    as_json: Json = False,
) -> None:
    """Compute when an answer is due.

    The legal date is the latest that can be defended; the internal one is the last working day on or before the
    earliest, and the engine works towards that.

    Example: habeas deadline eu-gdpr --received 2025-01-31 --calendar DE --explain
    """
    from rights.reckoning import Events, Question, local_day, reckon
    from rights.regimes import SHIPPED
    from rights.regimes import regime as law_of
    from rights.request import Right
    from starter.deadlines import dates_document, dates_page, laws_document, laws_page, public_holidays, zone_of
    from starter.inputs import maybe_day
    from starter.show import answer

    if list_:
        laws = [law_of(name) for name in sorted(SHIPPED)]
        answer(laws_document(laws), laws_page(laws), as_json=as_json)
        return
    if regime is None or received is None:
        raise Failure(Exit.USAGE, "name a law and the day of receipt: habeas deadline eu-gdpr --received 2026-11-26")
    if regime not in SHIPPED:
        raise Failure(Exit.USAGE, "there is no law of that name here: habeas deadline --list shows all")
    if right is not None and right not in set(Right):
        raise Failure(Exit.USAGE, f"--right: write one of: {', '.join(Right)}")
    law = law_of(regime)

    def question(asked: str | None, came: str | None, name: str) -> Question | None:
        when = maybe_day(asked, f"--{name}-asked")
        if when is None:
            if came is not None:
                raise Failure(Exit.USAGE, f"--{name}-received: add --{name}-asked, when it was asked for")
            return None
        return Question(when, maybe_day(came, f"--{name}-received"))

    events = Events(
        received=local_day(_moment(received), zone_of(tz)),
        identity=question(identity_asked, identity_received, "identity"),
        clarification=question(clarification_asked, clarification_received, "clarification"),
        appealed=maybe_day(appealed, "--appealed"),
    )
    given = {maybe_day(text, "--holiday") for text in holiday or ()}
    free = {day for day in given if day} | public_holidays(calendar, events.received.year)
    try:
        dates = reckon(law, events, free, Right(right) if right else None)
    except ValueError as error:
        raise Failure(Exit.USAGE, str(error)) from None
    document = dates_document(law, dates, extended=extended, explained=explain)
    answer(document, dates_page(law, dates, extended=extended, explained=explain), as_json=as_json)
