"""Letters: what each of them says.

The one rule: a letter says what it was given, and what it must say and was not given keeps it from being written.
"""

from datetime import date
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rights.audience import Answered
from rights.demanddays import Days
from rights.letterkinds import LetterKind, Result
from rights.request import Right

Language = Literal["en", "de", "fr", "es"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
"""Every letter is complete in each of them."""


class Strict(BaseModel):
    """Never printed: what a letter says is sealed in the vault and read when it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__


TreatedAs = Literal["categories", "privacy_notice", "opt_out"]
"""What an unproven person gets instead of what they asked for: the categories of what is held in a letter of its own,
where these are told to everybody, an opt-out."""
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
"""A code that the catalogues have words for in every language."""
Name = Annotated[str, StringConstraints(max_length=20_000)]
"""A name of the data map, of a recipient, of a person. Long ones are hostile or a slip, and still no reason to stop."""
Text = Annotated[str, StringConstraints(max_length=20_000)]
"""What a person has written, in the language of the letter."""
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2_000)]
"""An address without spaces or characters beyond ASCII, so that it stands in a text as it is."""


class Party(Strict):
    """Somebody who gets a letter, or is named in it."""

    name: Name = ""
    address: tuple[Name, ...] = ()
    """The lines under the name, for a letter by post."""
    email: Name = ""


class Links(Strict):
    """Where the reader may click."""

    stop: Url | None = None
    """Stops an erasure before it begins."""
    reply: Url | None = None
    """Where to answer what is asked."""
    parcel: Url | None = None
    status: Url | None = None
    notice: Url | None = None
    """Where a privacy notice stands."""


class Processing(Strict):
    """What GDPR Art. 15(1)(a) to (d), (g) and (2) ask of one collection; texts as the map has them."""

    system: Name
    collection: Name
    purpose: Text = ""
    lawful_basis: Text = ""
    categories: tuple[Name, ...] = ()
    recipients: tuple[Name, ...] = ()
    storage: tuple[Text, ...] = ()
    source: Text = ""
    transfers: Text = ""


class Withheld(Strict):
    """Something that is held, and that the copy does not show."""

    item: Code
    """What it is: credentials, identity_number, card_number, third_party, ..."""
    ground: Code | None = None
    system: Name = ""


class Corrected(Strict):
    """Fields that say something else now; never the value."""

    system: Name
    collection: Name
    fields: tuple[Name, ...] = ()


class Locked(Strict):
    """What of a system is restricted, where it is not everything."""

    system: Name
    collections: tuple[Name, ...]
    beyond: tuple[tuple[Name, tuple[Name, ...]], ...] = ()
    """By collection, categories that are restricted as well since records are locked whole; `other`: without one."""


class Recipient(Strict):
    """One to whom data was given."""

    name: Name
    contact: Name = ""
    country: Name = ""
    categories: tuple[Name, ...] = ()
    told_on: date | None = None
    answer: Code | None = None
    """confirmed, confirmed_alone, refused, impossible, no_answer; awaited: told, and not confirmed."""


class Particulars(Strict):
    """What a decision gives a letter that no record of the request holds by itself; sealed in the vault, as it is.

    Everything is open here: which kind needs what under which law stands in `rights/law/letters.yaml`.
    """

    result: Result | None = None
    ground: Code | None = None
    """Of a refusal, an extension, a restriction, a lapse: the code recorded with the decision."""
    provision: Text | None = None
    """The provision of law that a refusal rests on, such as ``GDPR Art. 17(3)(b)`` (Quebec s. 34 asks for it)."""
    reason: Text | None = None
    """Why, in plain words; in every refusal and in an extension notice."""
    abuse_objective: Text | None = None
    """C-526/24: the circumstances that show the purpose of the rules is not met."""
    abuse_subjective: Text | None = None
    """C-526/24: what shows the intention to gain an advantage by artificial means."""
    fee: Name | None = None
    """fee_asked: the amount, such as ``EUR 12.50``."""
    question: Text | None = None
    asked: tuple[Code, ...] = ()
    """What is asked for, as codes: code_by_email, account_login, data_points, mandate, ..."""
    code: Name | None = None
    """A one-time code. This letter goes to the address that is being proven, and nowhere else."""
    code_minutes: int | None = Field(default=None, ge=1)
    statement: Text | None = None
    """A text of the decider for this letter alone: of a decision reviewed, of what was agreed."""
    disputed_note: bool | None = None
    """rectification refused: whether the person's own statement stands beside the disputed data."""

    not_looked: tuple[Name, ...] = ()
    """answer_categories: systems that could not be looked into."""
    treated_as: TreatedAs | None = None
    """lapse: what the person gets instead."""

    respond_by: date | None = None
    extended_due: date | None = None
    stop_until: AwareDatetime | None = None
    """Until when an erasure can be stopped."""
    stop_token: Name | None = None
    """What stops it: told to us, where no page takes it (`links.stop`)."""
    review_on: date | None = None
    lift_on: date | None = None
    available_until: date | None = None
    """The last day on which a parcel can be fetched."""
    effective_on: date | None = None
    appeal_due: date | None = None
    """By when an appeal is answered."""

    links: Links = Links()
    withheld: tuple[Withheld, ...] = ()
    redacted: int | None = Field(default=None, ge=0)
    """Places in which other people's data was made unreadable."""
    corrected: tuple[Corrected, ...] = ()
    locked: tuple[Locked, ...] = ()
    """answer_restriction: what is restricted; empty: everything."""
    recipients: tuple[Recipient, ...] | None = None
    """Everybody who was given data; empty where nobody was, None where the letter does not speak of it."""
    suppressed: bool | None = None
    """Whether a keyed fingerprint stays, so that the data does not come back."""
    categories: tuple[Name, ...] = ()
    """recipient_notice: categories or fields that it is about."""
    about: tuple[tuple[Code, Name], ...] = ()
    """Of both letters to a recipient: the identities by which it finds the record; no more than it needs."""
    contract: Name | None = None
    """contract_ended: what it stands in."""
    ends_on: date | None = None
    """contract_ended: the last day of the contract."""
    choice: Literal["erase", "return"] | None = None
    """contract_ended: what is to become of everything."""
    processors: tuple[Name, ...] = ()
    """recipient_notice: the recipient's own processors, for whom it is to confirm as well."""
    disputed: tuple[Name, ...] = ()
    """recipient_notice: categories or fields of it that the person disputes and that were not corrected."""
    disputed_statement: Text | None = None
    """recipient_notice: the person's own statement on that."""
    proof: Code | None = None
    """recipient_notice: the proof that it owes: certificate, report."""
    operation: Literal["erased", "rectified", "restricted", "lifted", "opted_out", "unpublished"] | None = None
    """recipient_notice: what was done here."""
    made_public: tuple[Name, ...] = ()
    """answer_erasure: categories of what is erased and had been made public."""
    purposes: tuple[Name, ...] = ()
    """Of an objection, opt-out or consent: which purposes stop, or go on."""
    controller: Name | None = None
    """transmission_done: who received the data; passed_on: who answers."""
    requester: Name | None = None
    """demand_notice: the authority, with its country."""
    demand_kind: Code | None = None
    """Of it: court_order, warrant, production_order, subpoena, request."""
    demanded: tuple[Name, ...] = ()
    """Of it: categories or collections."""
    demanded_days: Days | None = None
    """Of it: of which days alone; None: of all."""
    demand_basis: Text | None = None
    """Of it: the provision that the authority names, as it was entered."""
    response: Literal["examined", "challenged"] | None = None
    """Of it, where nothing was answered for good: it is looked at, or fought."""
    disclosed: tuple[Name, ...] = ()
    """Of it: categories or collections of what was handed over."""
    disclosed_days: Days | None = None
    """Of it: of which days alone it was handed over."""
    disclosed_undated: bool | None = None
    """Of it: whether what names no day went as well."""
    disclosed_rows: int | None = Field(default=None, ge=0)
    disclosed_on: date | None = None
    was_forbidden: bool | None = None
    """Of it: it could not be told before, since that was forbidden."""
    title: Name | None = None
    """policy_change: the title and version of the notice."""
    changes: tuple[Text, ...] = ()
    """policy_change: what is different, each in a sentence."""


class LetterFacts(Particulars):
    """Everything one letter says. `systems` come from `rights.audience` and nowhere else."""

    kind: LetterKind
    reference: Name
    regime: Name
    further: tuple[Name, ...] = ()
    """Other laws that the request is asked under as well."""
    written_on: date
    language: Language = "en"
    child: bool = False
    """Simple words: the reader is a child, or a teenager in their own name."""
    right: Right | None = None
    received: date | None = None
    zone: Name = "UTC"
    """The time zone that moments are given in; dates are its days already."""
    due: date | None = None
    """The last day of the term that now runs."""
    to: Party = Party()
    on_behalf_of: Party | None = None
    """Whose data it is, where `to` is an agent, a guardian or a relative."""
    systems: tuple[Answered, ...] = ()
    processing: tuple[Processing, ...] = ()

    @property
    def laws(self) -> tuple[str, ...]:
        """All of them, the one that was named first before others."""
        return (self.regime, *self.further)

    @model_validator(mode="after")
    def _plain(self) -> Self:
        if self.child and not self.kind.to_person:
            raise ValueError("a recipient of data is no child: leave child out")
        return self


class Authority(Strict):
    """Where the reader may complain: a data protection authority, or an attorney general."""

    name: Name
    contact: Text


class Office(Strict):
    """The group `[letters]` of the settings: who writes, and what every letter says of that."""

    controller: Name = Field(default="", description="Who answers for the data, as it signs.", examples=["Example Ltd"])
    address: tuple[Name, ...] = Field(
        default=(), description="The lines of its postal address.", examples=[["1 Example Street", "12345 Berlin"]]
    )
    dpo: Text = Field(
        default="",
        description="How to reach the data protection officer; in every letter.",
        examples=["Jo Doe, dpo@example.com, +49 30 1234567"],
    )
    language: Language = Field(
        default="en", description="The language of letters to people of whom none is known.", examples=["en"]
    )
    automated_decisions: Text = Field(
        default="",
        description="Whether machines alone decide, by which logic and with what effect (GDPR Art. 15(1)(h)).",
        examples=["We make no decision by machine alone."],
    )
    appeals: Text = Field(
        default="", description="Where an appeal goes (laws of US states).", examples=["appeals@example.com"]
    )
    stop_page: Url | None = Field(
        default=None,
        description="Where `habeas stop-page` is reached from outside: the notice of an erasure has a link there.",
        examples=["https://privacy.example.com/stop"],
    )
    opt_out: Text = Field(
        default="",
        description="Where a person opts out of sale and sharing (California).",
        examples=["https://example.com/opt-out"],
    )
    authorities: dict[Name, Authority] = Field(
        default={},
        description="By regime, where the reader may complain: a data protection authority, or an attorney general.",
        examples=[{"eu-gdpr": {"name": "The authority of your state", "contact": "its address and web page"}}],
    )
    fonts: tuple[str, ...] = Field(
        default=(),
        description="More font files (TrueType), for writing on paper that DejaVu Sans lacks, such as Chinese.",
        examples=[["/usr/share/fonts/truetype/NotoSansSC.ttf"]],
    )
