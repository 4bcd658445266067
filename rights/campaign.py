"""A campaign: everybody concerned is told once of a change, by service mail and not by marketing.

The one rule: whom it goes to and on which lawful basis is written down before anybody is written to, and does not
change while it runs.
"""

import re
from datetime import date
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from rights.datamap import DataMap
from rights.letters import LANGUAGES
from rights.yamlfile import FileError, FileErrors, Lines, load, read

Line = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2_000)]
NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,60}\Z")
"""A campaign's name."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Audience(_Strict):
    """Who is told: the rows of one collection."""

    system: str
    collection: str
    address: str
    """The field that holds the e-mail address."""
    language: str = ""
    """The field that holds the language, as de or de-AT; without one, the notice's first."""
    lawful_basis: tuple[str, ...] = Field(min_length=1)
    """On which the data of these people is processed; the collection's own has to be among them."""


class Words(_Strict):
    """What is said in one language."""

    title: Line
    changes: tuple[Sentence, ...] = Field(min_length=1)
    """What is different, each in a sentence."""


class Notice(_Strict):
    """What a campaign tells, and whom."""

    version: Line
    effective_on: date
    link: Url
    """Where the whole text stands."""
    regime: str = ""
    """Under which law the notice goes out; the settings' unless it is said."""
    audience: Audience
    texts: dict[str, Words] = Field(min_length=1)
    """By language; the first is for whoever has another, or none."""

    @field_validator("effective_on", mode="before")
    @classmethod
    def _day(cls, value: object) -> object:
        if isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                raise ValueError("write a day such as 2027-01-15") from None
        return value

    @field_validator("texts")
    @classmethod
    def _languages(cls, texts: dict[str, Words]) -> dict[str, Words]:
        if unknown := [name for name in texts if name not in LANGUAGES]:
            raise ValueError(f"letters are written in {', '.join(LANGUAGES)}: there is no '{unknown[0]}'")
        return texts

    def language(self, wanted: str) -> str:
        """The language for somebody who has this one in their row."""
        tag = wanted.strip().casefold().replace("_", "-").partition("-")[0]
        return tag if tag in self.texts else next(iter(self.texts))


def read_notice(file: str, text: str, data_map: DataMap) -> Notice:
    """Read a notice, and see that its audience is in the data map.

    Raises:
        FileErrors: what is wrong, each with file, line and path.
    """
    top = "a notice is a list of key: value, such as version, effective_on and texts"
    notice = read(Notice, file, text, top)
    if wrong := _unmapped(notice.audience, data_map):
        lines = Lines()
        load(file, text, lines, top)
        path, advice = wrong
        raise FileErrors([FileError(file, lines.at(("audience", path)), f"audience.{path}", advice)])
    return notice


def _unmapped(audience: Audience, data_map: DataMap) -> tuple[str, str] | None:
    """What of an audience does not fit the map."""
    system = data_map.systems.get(audience.system)
    if system is None:
        return "system", f"the data map has no such system: write one of {', '.join(data_map.systems)}"
    collection = system.collections.get(audience.collection)
    if collection is None:
        return "collection", f"{audience.system} has no such collection: write one of {', '.join(system.collections)}"
    for name in ("address", "language"):
        field = getattr(audience, name)
        if field and field not in collection.fields:
            return name, f"{audience.collection} has no such field: write one of {', '.join(collection.fields)}"
    if collection.lawful_basis not in audience.lawful_basis:
        has = f"'{collection.lawful_basis}'" if collection.lawful_basis else "none"
        return "lawful_basis", f"the data map says {has} of {audience.collection}: add it there, or name it here"
    return None
