"""Letters about an authority's demand: to the person, and to whoever gave us the data (SCC clause 15.1).

The one rule: none is due while a gag is in force, and none tells the person before there is an answer to tell of.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from rights.authorities import Demand
from rights.authoritylaw import Word
from rights.letterkinds import LetterKind, Result


class Whom(StrEnum):
    """To whom a letter about a demand goes."""

    PERSON = "person"
    EXPORTER = "exporter"


KINDS: Final[Mapping[Whom, LetterKind]] = MappingProxyType(
    {Whom.PERSON: LetterKind.DEMAND_NOTICE, Whom.EXPORTER: LetterKind.DEMAND_TO_EXPORTER}
)
OF: Final[Mapping[str, Whom]] = MappingProxyType({kind.value: whom for whom, kind in KINDS.items()})
"""By kind of letter, to whom it goes."""


def letter_due(demand: Demand, whom: Whom, last: datetime | None, at: datetime) -> bool:
    """Whether a letter is to be written now. `last`: when the newest was queued that was not taken back.

    The person hears once there is an answer; the exporter promptly once it is known that an authority asks, and again
    of the answer.
    """
    if not demand.may_tell(at) or demand.closed_at:
        return False
    answered = demand.responded_at
    news = answered is not None and (last is None or last < answered)
    if whom is Whom.PERSON:
        return demand.owes_notice and news
    known = demand.answers.get("authenticated") is True
    return bool(demand.exporter) and known and (last is None or news)


def result(demand: Demand) -> Result:
    """What came of it for whoever asks: not_done where nothing was answered for good."""
    if demand.responded_at is None or demand.word is None:
        return Result.NOT_DONE
    return _RESULTS[demand.word]


_RESULTS: Final[Mapping[Word, Result]] = MappingProxyType(
    {
        Word.DISCLOSE: Result.DONE,
        Word.IN_PART: Result.IN_PART,
        Word.REFUSE: Result.REFUSED,
        Word.CHALLENGE: Result.NOT_DONE,
    }
)
