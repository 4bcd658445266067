"""Using restricted data while it stays restricted (GDPR Art. 18(2)): on which ground, what of it, until when, for whom.

The one rule: a use lifts nothing. A copy of the restricted rows and of no others is sealed once two people have said
so, on a ground of the law, and handed to who is named; whoever is to hear of it hears of it before.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.regimes import RegimeName
from rights.value import Value


class UseGround(StrEnum):
    """What Art. 18(2) lets restricted data be processed for, beside storing it."""

    CONSENT = "consent"
    CLAIMS = "claims"
    PROTECTION = "protection"
    """Of the rights of another natural or legal person."""
    PUBLIC_INTEREST = "public_interest"
    """Important, and of the Union or of a Member State."""


class UseEnded(StrEnum):
    """Why a use is over before its last day."""

    REFUSED = "refused"
    """The second person says no."""
    CONSENT_WITHDRAWN = "consent_withdrawn"
    DONE = "done"
    """It is not needed any more."""


class UseError(ValueError):
    """A use that cannot be; one sentence that says what to do."""


class _Ground(Strict):
    source: str
    says: str
    shows: str
    """What the evidence has to show."""
    tells: Literal["always", "new_purpose"]
    tells_source: str


class _Law(Strict):
    source: str
    confidence: Confidence


class UsesLaw(Strict):
    """The file."""

    version: str
    grounds: dict[UseGround, _Ground] = Field(min_length=len(UseGround))
    laws: dict[RegimeName, _Law]

    def article(self, regimes: Collection[str]) -> str:
        """The provisions under which a use stands."""
        named = [self.laws[name].source for name in regimes if name in self.laws]
        return ", ".join(dict.fromkeys(named)) or f"{self.laws['eu-gdpr'].source}, taken as the measure"


@cache
def uses_law() -> UsesLaw:
    """The grounds that ship with the engine."""
    return read_law(UsesLaw, "restriction_uses.yaml", shipped("restriction_uses.yaml"))


OWN: Final = "own"
"""In place of a recipient of the register: people of the controller's own."""


class Use(Value):
    """A use of restricted data as it stands: codes, names of the map and of the register, days."""

    id: str
    request_id: str
    """Of the restriction."""
    ground: UseGround
    article: str
    covers: tuple[str, ...]
    """SYSTEM.COLLECTION, as the data map has them."""
    until: date
    """The last day, in the zone of the restriction; then the copy's key is destroyed."""
    zone: str
    recipient: str = OWN
    """Its name in the register of recipients, or OWN."""
    new_purpose: bool = False
    """It is another purpose than that for which the data was collected."""
    asked_at: datetime
    asked_by: str
    approved_at: datetime | None = None
    approved_by: str = ""
    told_at: datetime | None = None
    sealed_at: datetime | None = None
    digest: str = ""
    """SHA-256 of the ZIP that was sealed, hex."""
    size: int = 0
    rows: Mapping[str, int] = Field(default_factory=dict)
    """Rows by SYSTEM.COLLECTION."""
    trouble: str = ""
    """Why it could not be sealed: a code."""
    trouble_at: str = ""
    """In which system."""
    handed_at: datetime | None = None
    ended_at: datetime | None = None
    ended: UseEnded | None = None

    @property
    def over_at(self) -> datetime:
        """The end of its last day."""
        return datetime.combine(self.until + timedelta(days=1), time(0), ZoneInfo(self.zone))

    @property
    def owes_notice(self) -> bool:
        """Whether the person is to be told, and is not yet."""
        always = uses_law().grounds[self.ground].tells == "always"
        return self.told_at is None and (always or self.new_purpose)

    @property
    def systems(self) -> tuple[str, ...]:
        """Those that are looked into, each once."""
        return tuple(dict.fromkeys(place.partition(".")[0] for place in self.covers))

    def over(self, at: datetime) -> bool:
        """Whether nothing of it may be used any more."""
        return self.ended_at is not None or at >= self.over_at

    def to_seal(self, at: datetime) -> bool:
        """Whether its copy is to be made now."""
        return self.approved_at is not None and self.sealed_at is None and not self.over(at)

    def waits_for(self, at: datetime) -> str:
        """What is to be done next; empty if nothing is."""
        if self.over(at):
            return ""
        if self.approved_at is None:
            return "approve"
        if self.owes_notice:
            return "tell"
        return "hand_over" if self.sealed_at else "seal"


def check_use(
    covers: Collection[str], restricted: Collection[str], until: date, today: date, *, ground: UseGround, evidence: str
) -> None:
    """Whether a use can be asked for.

    Raises:
        UseError: nothing is named that is restricted, its day is past, or nothing shows the ground.
    """
    if not evidence.strip():
        raise UseError(f"the evidence is empty: it has to show {uses_law().grounds[ground].shows}")
    if until < today:
        raise UseError("the last day of a use lies in the future: a use has an end")
    if not covers or not set(covers) <= set(restricted):
        raise UseError("a use covers what is restricted and nothing else: habeas restriction show says what that is")
