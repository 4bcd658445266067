"""Recipients: to whom data is given, on which basis, and by what it may leave the country.

The one rule: nothing leaves for a recipient without a basis that is in force on that day and, abroad, a way that the
law knows and that was reviewed in time (GDPR Art. 6, 28, 44 to 49).
"""

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from rights.course import COURSES
from rights.lawfile import Confidence, Strict, read_law, shipped
from rights.plan import Operation
from rights.regimes import RegimeName
from rights.request import Right

TOLD: Final[Mapping[Operation, str]] = {
    Operation.ERASE: "erased",
    Operation.RECTIFY: "rectified",
    Operation.RESTRICT: "restricted",
    Operation.SUPPRESS: "opted_out",
    Operation.LIFT: "lifted",
}
"""What recipients are told of (GDPR Art. 19; of an opt-out 11 CCR 7026(f)(2)); of other operations there is nothing for
them to do."""

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Handle = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")]


class Mechanism(StrEnum):
    """By what data may go abroad."""

    NONE = "none"
    """The country is at home under the law."""
    ADEQUACY = "adequacy"
    DPF = "dpf"
    SCC = "scc"
    BCR = "bcr"
    DEROGATION = "derogation"


class Refused(StrEnum):
    """Why nothing may be sent to a recipient today."""

    NO_BASIS = "no_basis"
    """The contract, consent or law has not begun, or is over."""
    NO_TRANSFER = "no_transfer"
    """The mechanism does not reach the recipient's country."""
    REVIEW_OVERDUE = "review_overdue"
    """The day on which the transfer was to be looked at again is past."""
    UNKNOWN = "unknown"
    """The register does not name the recipient."""

    @property
    def says(self) -> str:
        return _SAYS[self]


_SAYS: Final = {
    Refused.NO_BASIS: "its contract, consent or legal basis has not begun, or is over",
    Refused.NO_TRANSFER: "what it names does not let data go to its country",
    Refused.REVIEW_OVERDUE: "the review of its transfer is overdue",
    Refused.UNKNOWN: "the register does not name it",
}


class Basis(Strict):
    """Why the recipient may have the data."""

    kind: Literal["contract", "consent", "law"]
    document: Name
    """What it stands in: the contract, its number or the article; never a person's name."""
    since: date
    until: date | None = None

    def in_force(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day <= self.until)


class Transfer(Strict):
    """By what the data may go to the recipient's country."""

    mechanism: Mechanism = Mechanism.NONE
    module: Literal[1, 2, 3, 4] | None = None
    """scc: which module of (EU) 2021/914."""
    document: Name | None = None
    ground: Literal["a", "b", "c", "d", "e", "f", "g"] | None = None
    """derogation: of Art. 49(1)."""
    review_on: date | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.mechanism in {Mechanism.SCC, Mechanism.BCR} and not (self.document and self.review_on):
            raise ValueError(f"{self.mechanism} needs document and review_on: the text, and when it is looked at again")
        if self.mechanism is Mechanism.SCC and self.module is None:
            raise ValueError("scc needs its module, 1 to 4")
        if self.mechanism is Mechanism.DEROGATION and not (self.ground and self.review_on):
            raise ValueError("derogation needs its ground, a to g of Art. 49(1), and review_on")
        return self


class ToldBy(Strict):
    """How the recipient hears of what was done (Art. 19)."""

    system: str | None = None
    """It is this system of the data map, and hears of it by its own connector."""
    email: str | None = Field(default=None, pattern=r"^[^@\s]{1,64}@[^@\s]{1,255}$")
    post: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(map(bool, (self.system, self.email, self.post))) != 1:
            raise ValueError("write one of: system, email, post")
        return self


class SubProcessor(Strict):
    """One that a processor has work for it (GDPR Art. 28(2), (4))."""

    name: Name
    country: Country


Proof = Literal["word", "certificate", "report"]
"""What a processor owes as proof that it has erased (Art. 28(3)(h)): its word, a certificate, an audit's report."""


class Recipient(Strict):
    """Somebody who is given data."""

    name: Name
    country: Country
    role: Literal["processor", "controller", "joint", "authority", "exporter"] = "processor"
    """authority: it demands data (habeas authority). What it is given in an inquiry makes it no recipient (GDPR Art.
    4(9)), so it `gets` nothing: no copy names it and no notice goes there. exporter: it has given us data under the
    standard contractual clauses and hears of demands (clause 15.1); it `gets` nothing from us either."""
    basis: Basis
    transfer: Transfer = Transfer()
    gets: tuple[str, ...] = ()
    """Systems of the data map, or collections as SYSTEM.COLLECTION, from which it has data."""
    shows: tuple[str, ...] = ()
    """Published collections, as SYSTEM.COLLECTION, that it may have links to or copies of, though nobody gave it any: a
    search engine, an archive."""
    knows_by: tuple[str, ...] = ()
    """The kinds of identity by which it finds a person; a notice names these, and no others."""
    told_by: ToldBy
    answers_within_days: int = Field(default=30, ge=1, le=365)
    processors: tuple[SubProcessor, ...] = ()
    """Its own processors: it has confirmed an erasure only once it confirms it of them, too."""
    proof: Proof = "word"
    answers_requests: bool = False
    """It answers the people whose data this is: we are its processor (role controller, Art. 28(3)(e)), or the
    arrangement of joint controllers says so (role joint, Art. 26)."""

    @model_validator(mode="after")
    def _has_something(self) -> Self:
        if self.role in {"authority", "exporter"}:
            if self.gets or self.shows:
                if self.role == "exporter":
                    raise ValueError("an exporter gives data and gets none: one that gets some too is a controller")
                raise ValueError("an authority gets nothing but by its demands: take gets and shows out")
        elif not (self.gets or self.shows):
            raise ValueError("gets is empty: name the systems or collections that it has data of")
        if self.shows and (self.role == "processor" or self.told_by.system):
            raise ValueError("shows is of another controller, who is told by email or post")
        return self

    @model_validator(mode="after")
    def _of_a_processor(self) -> Self:
        if self.role != "processor" and (self.processors or self.proof != "word"):
            raise ValueError("processors and proof are of a contract with a processor: its role is another")
        return self

    @property
    def owes(self) -> tuple[str, ...]:
        """What beside its own word its confirmation of an erasure has to bring, as codes."""
        return (*(("processors",) if self.processors else ()), *((self.proof,) if self.proof != "word" else ()))

    @model_validator(mode="after")
    def _can_be_passed_to(self) -> Self:
        if self.answers_requests and self.role in {"processor", "authority", "exporter"}:
            raise ValueError("answers_requests: only who is controller or joint answers people: give it that role")
        if self.answers_requests and (self.told_by.system or not self.knows_by):
            raise ValueError(
                "answers_requests needs knows_by, and told_by with email or post: a request goes by letter"
            )
        return self

    def has(self, system: str, collection: str) -> bool:
        """Whether it has data of a collection."""
        return system in self.gets or f"{system}.{collection}" in self.gets


class Register(Strict):
    """All recipients, by the name that the data map knows them by."""

    recipients: dict[Handle, Recipient] = Field(default_factory=dict)

    def refuses(self, handle: str, day: date, regimes: Collection[str]) -> Refused | None:
        """Why nothing may be sent to a recipient on a day, for a request under these laws; None if something may."""
        recipient = self.recipients.get(handle)
        if recipient is None:
            return Refused.UNKNOWN
        if not recipient.basis.in_force(day):
            return Refused.NO_BASIS
        if not all(_reaches(recipient, family) for family in families(regimes)):
            return Refused.NO_TRANSFER
        review = recipient.transfer.review_on
        return Refused.REVIEW_OVERDUE if review and review < day else None

    def told_of(self, changed: Mapping[str, Collection[str]]) -> dict[str, Recipient]:
        """Whom a change concerns; `changed` are collections by system."""
        return {
            handle: one
            for handle, one in self.recipients.items()
            if any(one.has(system, name) for system, names in changed.items() for name in names)
        }

    def shown_by(self, published: Mapping[str, Collection[str]]) -> dict[str, Recipient]:
        """Who may have links to published collections, or copies of them; `published` are collections by system."""
        places = {f"{system}.{name}" for system, names in published.items() for name in names}
        return {handle: one for handle, one in self.recipients.items() if not places.isdisjoint(one.shows)}


UNPUBLISHED: Final = "unpublished"
"""What other controllers are told of: what had been made public is erased, and the person asks the same of links to it
and copies of it (GDPR Art. 17(2))."""


def told_act(right: Right) -> Operation | None:
    """The operation of a right that recipients are told of; None: they are told of nothing. An objection and a
    withdrawn consent stop what we do; an opt-out also what they do, for whom it was sold or shared (11 CCR
    7026(f)(2))."""
    act = COURSES[right].act
    if act is Operation.SUPPRESS and right is not Right.OPT_OUT:
        return None
    return act if act in TOLD else None


def read_register(file: str, text: str) -> Register:
    """Read a register.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    return read_law(Register, file, text)


class Adequate(Strict):
    """A country whose protection was found adequate."""

    decision: str
    confidence: Confidence
    only: str = ""
    """For whom, where not for everybody."""


class Framework(Adequate):
    """Adequate for those who have signed up."""

    name: Literal["dpf"]


class Family(Strict):
    """Laws that look at other countries in the same way."""

    regimes: tuple[RegimeName, ...]
    source: str
    home: tuple[str, ...]
    adequate: dict[str, Adequate]
    also: str | None = None
    """Another family whose home countries are adequate as well."""
    frameworks: dict[str, Framework] = Field(default_factory=dict)
    mechanisms: tuple[Mechanism, ...]


class _Transfers(Strict):
    version: str
    families: dict[str, Family]


@cache
def transfers() -> _Transfers:
    """The law on transfers that ships with the engine."""
    return read_law(_Transfers, "transfers.yaml", shipped("transfers.yaml"))


def families(regimes: Collection[str]) -> list[Family]:
    """The families of laws among these that limit where data may go."""
    return [family for family in transfers().families.values() if not set(family.regimes).isdisjoint(regimes)]


def _reaches(recipient: Recipient, family: Family) -> bool:
    """Whether what a recipient names lets data go to its country."""
    country, mechanism = recipient.country, recipient.transfer.mechanism
    if country in family.home:
        return True
    match mechanism:
        case Mechanism.NONE:
            return False
        case Mechanism.ADEQUACY:
            other = transfers().families[family.also].home if family.also else ()
            return country in family.adequate or country in other
        case Mechanism.DPF:
            framework = family.frameworks.get(country)
            return framework is not None and framework.name == "dpf"
    return mechanism in family.mechanisms
