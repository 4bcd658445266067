"""What a data map says of one field: what it holds, what becomes of it, whom it tells of.

The one rule: what a field says about itself is whole, or it is refused; `rights.collection` checks it against others.
"""

import re
from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator
from pydantic import Field as Setting

from rights.subject import KIND, ignores_case

_GENERAL: Final = re.compile(r"(year|month|decade|network|prefix:[1-9][0-9]?)\Z")
_PATH: Final = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_-]{0,62}|\[\*\])+\Z")


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Strategy(StrEnum):
    """What becomes of a field in a row that stays."""

    DELETE = "delete"
    """Goes with its row; says nothing about rows that stay."""
    NULL = "null"
    CONSTANT = "constant"
    GENERALISE = "generalise"
    ANONYMISE = "anonymise"
    """A random value that nothing leads back from."""
    PSEUDONYM = "pseudonym"
    """A keyed value; not an erasure while the key lives."""
    RETAIN = "retain"


class Origin(StrEnum):
    """Where personal data comes from, as portability asks (GDPR Art. 20(1), WP 242 rev.01 II): what the person has
    provided, by hand or by using a service, goes along; what was made of it does not."""

    PROVIDED = "provided"
    """The person gave it, knowing that they did."""
    OBSERVED = "observed"
    """It was recorded while they used a service or a device."""
    DERIVED = "derived"
    """We have worked it out from other data."""
    THIRD_PARTY = "third_party"
    """Somebody else gave it."""


class Telling(Strict):
    """What may tell whose row it is."""

    identity: str | None = None
    """The kind of identity this holds; makes the collection a subject collection."""
    match: Literal["exact", "casefold"] | None = None
    sharing: Literal["unique", "shared", "hint"] = "unique"

    @field_validator("identity", "yields", check_fields=False)
    @classmethod
    def _kind(cls, kind: str | None) -> str | None:
        if kind is not None and not KIND.match(kind):
            raise ValueError("an identity's kind is a lower-case word such as email or customer_id")
        return kind

    @property
    def casefold(self) -> bool:
        """Whether matching ignores case: e-mail addresses do unless the map says exact."""
        if self.match is not None:
            return self.match == "casefold"
        return self.identity is not None and ignores_case(self.identity)


class Field(Telling):
    """One column or attribute."""

    category: str | None = None
    """The kind of personal data (contact, payment ...); None marks a technical field."""
    yields: str | None = None
    """The kind of identity that other systems know this field's value by: the key of an object in a bucket, a
    vendor's customer number. Rows are not found by it here. A list of values yields each of them."""
    strategy: Strategy | None = None
    value: str | int | float | bool | None = None
    to: str | None = None
    ground: str = ""
    search: bool = False
    """Whether this text is searched for what the person is known by. A row of nobody's, or of somebody else's, in which
    it stands is a *mention*: a person decides whose it is."""
    channel: Literal["email", "phone", "post"] | None = None
    """In the directory: that the person is reached by what stands here. Several of `post` in a row are one address."""
    changed: str | None = None
    """In the directory, beside `channel`: the field that says when this contact was changed last."""
    export: bool = True
    """False leaves the field out of an access parcel (a password hash, another person's data)."""
    origin: Origin | None = None
    """Where it comes from, if not from where the collection says."""
    third_party: Literal["review"] | None = None
    """review: the text may be about other people as well, so a person goes through it before it is delivered."""

    @field_validator("strategy", mode="before")
    @classmethod
    def _null_is_a_strategy(cls, value: object) -> object:
        """YAML reads a bare null as nothing; whoever writes ``strategy: null`` means the strategy."""
        return Strategy.NULL if value is None else value

    @property
    def told(self) -> dict[str, bool]:
        """The kinds of identity that a person's row tells other systems of by this field, each with whether its values
        ignore case. Of what several people may have, and of hints, nothing is told."""
        if self.sharing != "unique":
            return {}
        yielded = {self.yields: ignores_case(self.yields)} if self.yields else {}
        return yielded | ({self.identity: self.casefold} if self.identity else {})

    @property
    def rewritten(self) -> bool:
        """Whether the field becomes something else in a row that stays."""
        return self.strategy not in {None, Strategy.DELETE, Strategy.RETAIN}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.strategy is Strategy.CONSTANT and self.value is None:
            raise ValueError("strategy constant needs a value: write value: '...'")
        if self.strategy is Strategy.GENERALISE and not (self.to and _GENERAL.match(self.to)):
            raise ValueError("strategy generalise needs to: year, month, decade, network or prefix:N")
        if self.strategy is Strategy.RETAIN and not self.ground:
            raise ValueError("strategy retain needs a ground: write ground: 'why it is kept'")
        if self.strategy is not Strategy.CONSTANT and self.value is not None:
            raise ValueError("value belongs to strategy: constant only")
        if self.changed and not self.channel:
            raise ValueError("changed says when a contact was changed: it belongs to a field with channel")
        if self.channel and self.sharing != "unique":
            raise ValueError(
                f"sharing: {self.sharing} is a contact that several people may have, which proves nobody: "
                "leave out channel"
            )
        if self.search and self.identity:
            raise ValueError(
                "search belongs to a text that may mention anybody; a field with identity is compared as a whole: "
                "leave out one of them"
            )
        if self.yields and self.sharing != "unique":
            raise ValueError(
                f"sharing: {self.sharing} is followed nowhere, so nothing is yielded: leave out yields, or sharing "
                "where only one person can have the value"
            )
        return self


class Derived(Telling):
    """What is read out of a row's fields and stands in no column of its own: a key of several columns, a value inside a
    JSON document, a column that means something only in some rows. It is never written and never exported."""

    of: tuple[str, ...]
    """The fields it is read from. Several are taken together, in this order; where one is empty there is nothing."""
    path: str = ""
    """One JSON field: where in its document: $.user.id, or $.members[*].id for each member's."""
    when: dict[str, str | int | bool] = Setting(default_factory=dict)
    """Only in rows in which these fields have these values: owner_type: customer."""

    @field_validator("of", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.of:
            raise ValueError("of is empty: name the field it is read from, or several")
        if self.path and not _PATH.match(self.path):
            raise ValueError("path is a place in a JSON document: write $.user.id, or $.members[*].id")
        if self.path and len(self.of) > 1:
            raise ValueError("path leads into one field: name one under of")
        if len(self.of) > 1 and self.identity:
            raise ValueError("an identity is one value: name one field under of")
        if len(self.of) == 1 and not self.path and not self.when:
            raise ValueError("of names one field and nothing more: use that field itself, or add path or when")
        return self

    @property
    def several(self) -> bool:
        """Whether one row may hold several values."""
        return "[*]" in self.path

    @property
    def steps(self) -> tuple[str, ...]:
        """The path as names, and * for each element of a list."""
        return tuple(name or "*" for name in re.findall(r"\.([^.\[]+)|\[\*\]", self.path))
