"""Rectification (GDPR Art. 16): what is to be corrected, and what was found when its accuracy was checked.

The one rule: nothing is refused without a coded ground, a reason on record and somebody else's approval; and the person
may have a statement put beside what they still dispute.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from rights.datamap import DataMap
from rights.detail import Details
from rights.value import Value

LONGEST: Final = 20_000
"""Characters of a value or of a statement."""
Text = Annotated[str, StringConstraints(max_length=LONGEST)]
"""A text somebody typed."""


class Wanted(Details):
    """What fields of the person's rows in one collection are to say."""

    system: str
    collection: str
    values: Annotated[dict[str, str | None], Field(min_length=1)] = Field(repr=False)
    """By field, the new value as text (ISO dates, plain digits); null: nothing is to stand there."""
    key: tuple[str, ...] | None = Field(default=None, repr=False)
    """The one row that is meant, by the values of its key fields; not said: every row of the person there."""


class Disputed(Value):
    """One field that the person disputes: names of the data map only."""

    number: int
    at: int
    """Which correction it is part of, from 0."""
    system: str
    collection: str
    field: str


class Noted(Value):
    """What stays as it is though the person disputes it (APP 13.4; 11 CCR 7023(f))."""

    request_id: str
    """The request by which they did."""
    fields: tuple[Disputed, ...]
    statement: str = Field(default="", repr=False)
    """Their own, if they have given one; for their copies and whoever is told of the data, and nowhere else."""


class Refusal(StrEnum):
    """Why a field is not corrected."""

    ACCURATE = "accurate"
    """It was checked, and is accurate."""
    UNPROVEN = "unproven"
    """It could be shown neither to be right nor to be wrong."""
    OPINION = "opinion"
    """It is somebody's assessment, and accurate as such."""
    RECORD = "record"
    """It says what was so at the time, and the record has to say that."""


class Approver(StrEnum):
    """Who may approve a refusal."""

    COUNSEL = "counsel"
    DELEGATE = "delegate"
    """Whom the controller has named to decide for it."""


class Accuracy(Value):
    """What was found when the accuracy was checked. Numbers and codes only."""

    accepted: tuple[int, ...] = ()
    refused: Mapping[int, Refusal] = {}
    approved_by: Approver | None = None

    def require(self, fields: Sequence[Disputed]) -> None:
        """See that it decides on every field, once.

        Raises:
            ValueError: it does not; one sentence that says what to do.
        """
        numbers = {one.number for one in fields}
        if set(self.accepted) & set(self.refused):
            raise ValueError("a field is accepted or refused, not both")
        if numbers != set(self.accepted) | set(self.refused):
            last = f"1 to {len(fields)}" if fields else "none"
            raise ValueError(f"decide on every field, and on no other: there are {last}")
        if self.refused and self.approved_by is None:
            raise ValueError("a refusal needs somebody who approves it: counsel or delegate")


class RectificationDetails(Details):
    """What a request about rectification says: corrections, or a statement that completes what is held, or both."""

    corrections: tuple[Wanted, ...] = Field(default=(), repr=False)
    statement: Text = Field(default="", repr=False)
    """A supplementary statement, Art. 16 second sentence; it is put with the data."""
    evidence: Text = Field(default="", repr=False)
    """What the person gives to show it."""
    restrict: bool = False
    """Whether the data is to be restricted while its accuracy is checked, Art. 18(1)(a)."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.corrections or self.statement):
            raise ValueError("nothing is to be corrected: write corrections, or a statement that completes the data")
        return self

    def require(self, data_map: DataMap) -> None:
        for number, wanted in enumerate(self.corrections):
            place = f"corrections[{number}]"
            system = data_map.systems.get(wanted.system)
            if system is None:
                names = ", ".join(sorted(data_map.systems))
                raise ValueError(f"{place}.system: the data map has no such system: write one of {names}")
            collection = system.collections.get(wanted.collection)
            if collection is None:
                names = ", ".join(sorted(system.collections))
                raise ValueError(f"{place}.collection: {wanted.system} has no such collection: write one of {names}")
            if not set(wanted.values) <= set(collection.fields):
                names = ", ".join(sorted(collection.fields))
                raise ValueError(f"{place}.values: a field here is not in the data map: write some of {names}")
            if wanted.key is not None and len(wanted.key) != len(collection.key):
                raise ValueError(f"{place}.key: write the values of {', '.join(collection.key)}")

    @property
    def fields(self) -> tuple[Disputed, ...]:
        """Every field of every correction, numbered from 1, as it is decided on."""
        places = ((n, wanted, name) for n, wanted in enumerate(self.corrections) for name in wanted.values)
        return tuple(
            Disputed(number=number, at=at, system=wanted.system, collection=wanted.collection, field=name)
            for number, (at, wanted, name) in enumerate(places, 1)
        )

    def accepted(self, decided: Accuracy) -> tuple[Wanted, ...]:
        """The corrections that are carried out."""
        kept: dict[int, dict[str, str | None]] = {}
        for one in self.fields:
            if one.number in decided.accepted:
                kept.setdefault(one.at, {})[one.field] = self.corrections[one.at].values[one.field]
        return tuple(self.corrections[at].model_copy(update={"values": values}) for at, values in kept.items())

    def refused(self, decided: Accuracy | None, *, whole: bool) -> tuple[Disputed, ...]:
        """The fields that stay as they are: those that were refused, or all if the whole was (`whole`)."""
        if whole:
            return self.fields
        return tuple(one for one in self.fields if decided and one.number in decided.refused)
