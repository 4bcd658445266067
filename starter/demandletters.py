"""Letters about demands of authorities, printed.

The one rule: while a gag is in force nothing is printed that tells of the demand.
"""

from datetime import date, datetime

from activities.demandletters import House, render_about
from activities.letters import LetterIncomplete, Rendered
from rights.authorities import Demand
from rights.demanddays import Days
from rights.demandletters import Whom
from rights.letters import Language
from starter.exits import Exit, Failure
from starter.letterpress import advice


def printed(house: House, demand: Demand, whom: Whom, at: datetime, language: Language | None) -> Rendered:
    """The letter as it reads now.

    Raises:
        Failure: a gag is in force, nobody is to be told, or it lacks what it must say.
    """
    if not demand.may_tell(at):
        raise Failure(Exit.REFUSED, "nobody may be told yet: a gag is in force (habeas authority gag)")
    if whom is Whom.EXPORTER and not demand.exporter:
        raise Failure(Exit.REFUSED, "the demand names no exporter: nobody has given us the data under the clauses")
    if whom is Whom.PERSON and not (demand.clauses or demand.gives):
        raise Failure(Exit.REFUSED, "nothing is to be told: no decision in force hands anything over")
    try:
        return render_about(house, demand, whom, at, language)
    except LetterIncomplete as error:
        raise Failure(Exit.USAGE, advice(error, demand.regime)) from None
    except ValueError as error:
        raise Failure(Exit.USAGE, str(error)) from None


def days_of(since: date | None, until: date | None) -> Days | None:
    """The days that were typed; None where none were.

    Raises:
        Failure: they end before they begin.
    """
    if since is None and until is None:
        return None
    if since and until and until < since:
        raise Failure(Exit.USAGE, "--until is before --from")
    return Days(since=since, until=until)


def cannot_cut(place: str, *, undated: bool) -> str:
    """What to do about a collection whose rows cannot be cut to the days of a decision."""
    if undated:
        return f"the day of a row of {place} is known and would stay here: leave {place} out, or give its day as well"
    return f"of {place} no row would go, since nothing that goes with it says its day: leave it out, or say --undated"
