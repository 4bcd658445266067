"""Appeals: a person asks for an answer to be looked at again, by somebody else, within a term of its own.

The one rule: whoever has refused does not decide on the appeal against it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from rights.deadlines import Clock, acting, end_of_day
from rights.reckoning import Events, local_day, reckon
from rights.regimes import Regime, titles
from rights.several import due_first
from rights.terms import Calendar

WINDOW: Final = timedelta(days=60)
"""How long after the answer the identities are kept so that an appeal can be carried out. Laws say "a reasonable
period"; those that name a number of days name no more."""


class AppealOutcome(StrEnum):
    """What an appeal has come to."""

    UPHELD = "upheld"
    """The answer stands."""
    REVERSED = "reversed"
    """The request is carried out anew."""
    IN_PART = "in_part"
    """The request is carried out anew, but for what the decision names."""


class NoAppealError(ValueError):
    """No law that the request was asked under knows an appeal to the controller. One sentence."""


def appeal_clock(clocks: Sequence[Clock], laws: Sequence[Regime], appealed_at: datetime) -> Clock:
    """The clock of an appeal: under several laws the earliest date of those that know one.

    Raises:
        NoAppealError: none does.
    """
    found = [_clock(clock, law, appealed_at) for clock, law in zip(clocks, laws, strict=True) if law.appeal is not None]
    if not found:
        raise NoAppealError(
            f"{titles(laws)} knows no appeal to the controller: the person may complain to the authority, or ask again"
        )
    clock = acting(found)
    # A notice that moves nothing, since another law's day stands, is no extension.
    return clock if longer(clock, laws).legal_due > clock.legal_due else clock.model_copy(update={"notice_by": None})


def _clock(clock: Clock, law: Regime, appealed_at: datetime) -> Clock:
    received, appealed = local_day(clock.received_at, clock.zone), local_day(appealed_at, clock.zone)
    dates = reckon(law, Events(received, appealed=appealed), clock.holidays)
    if dates.appeal_due is None:
        raise NoAppealError(f"{law.title} sets no term for an appeal")
    due = end_of_day(dates.appeal_due, clock.zone)
    works = Calendar(clock.holidays).back(dates.appeal_due)
    return clock.model_copy(
        update={
            "received_at": appealed_at,
            "legal_due": due,
            "internal_due": end_of_day(works, clock.zone),
            "notice_by": due if dates.appeal_max_due else None,
            "acknowledge_by": None,
            "extended": False,
            "still_since": None,
        }
    )


def longer(clock: Clock, laws: Sequence[Regime]) -> Clock:
    """The clock of an appeal whose term was extended by a notice in time; where another law knows no such extension,
    its day stands."""
    appealed = local_day(clock.received_at, clock.zone)
    known = [law.appeal for law in laws if law.appeal]
    day = due_first(appealed + timedelta(days=one.days + one.extension_days) for one in known)
    works = Calendar(clock.holidays).back(day)
    return clock.model_copy(
        update={
            "legal_due": end_of_day(day, clock.zone),
            "internal_due": end_of_day(works, clock.zone),
            "notice_by": None,
            "extended": True,
        }
    )
