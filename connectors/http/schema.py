"""What a vendor file may say: its keys, as types. The JSON Schema that editors use is made from these.

The one rule: a file that says something else is refused, key by key; a file holds no code, and no way to bring any.
"""

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from connectors.http.steps import Call, Duration, Expression, Name, Rule, Step, Steps, Strict, Text
from rights.suppression import Scope

Host = Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$")]


def _text_or_parts(value: object) -> str:
    """Which of the two something is meant to be, so that an error speaks of that one alone."""
    return "is:text" if isinstance(value, str) else "is:parts"


class Option(Strict):
    """Something that the data map says under `options`."""

    about: str
    pattern: str = ""
    """What a value has to look like, whole."""
    choices: tuple[str, ...] = ()
    many: bool = False
    """A list of texts."""
    default: str | None = None
    """Without one the map must say it."""

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        try:
            re.compile(self.pattern)
        except re.error:
            raise ValueError("pattern is not a regular expression") from None
        return self


class Secret(Strict):
    """Something that only the operator knows."""

    about: str
    optional: bool = False
    """Some calls need it, and ask a person for it if it is not there."""


class NameValue(Strict):
    """A header, or a parameter of the query, with what stands in it."""

    name: str
    value: Text


class Basic(Strict):
    """User and password."""

    user: Text
    password: Text


class ClientCredentials(Strict):
    """OAuth 2 client credentials (RFC 6749 4.4)."""

    token_url: Text
    id: Text
    secret: Text
    scope: str = ""


class Google(Strict):
    """A Google service account; the account is the JSON text of its key."""

    account: Text
    scopes: tuple[str, ...]


class Auth(Strict):
    """How calls say who they are. Exactly one."""

    bearer: Text | None = None
    basic: Basic | None = None
    header: NameValue | None = None
    query: NameValue | None = None
    client_credentials: ClientCredentials | None = None
    google: Google | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"write exactly one of: {', '.join(type(self).model_fields)}; or auth: none")
        return self


class Limit(Strict):
    """What the vendor allows all of us together."""

    most: Annotated[int, Field(ge=1)]
    within: Duration


class Find(Strict):
    """How rows are found by what stands in a field: an identity, a link, or an anchor."""

    by: str
    """The field. Its value is {by.value}."""
    form: Literal["plain", "lower", "md5", "sha256", "google"] = "plain"
    """How the vendor wants the value written: md5 and sha256 are of the lower-case text, in hex; google is the form of
    Google's user-provided data."""
    steps: tuple[Step, ...] = ()


class Erase(Strict):
    """How rows are erased, and when it counts as done."""

    steps: Steps
    batch: Annotated[int, Field(ge=1)] = 1
    """How many rows, of one person or of several, a call takes."""
    leaves: Literal["nothing", "redacted"] = "nothing"
    redacted: str = ""
    """leaves: redacted. What the vendor writes in place of the values."""
    term: Duration | None = None
    """The vendor offers no way to ask, and names this as the time within which it is done."""


class Act(Strict):
    """Steps for each row."""

    steps: Steps


class Restrict(Act):
    """Lock a row away, if it is not yet."""

    already: Expression
    """True of an entry that is locked away."""
    keeps: tuple[str, ...] = ()
    """Fields whose values lifting puts back, as {row.NAME}."""


class Suppress(Act):
    """Stop the vendor from using a row for something."""

    stops: Annotated[tuple[Scope, ...], Field(min_length=1)]
    """What it ends: marketing, analytics, sale ..."""
    already: Expression = ""
    """True of an entry for which it has been stopped. With it the vendor is asked again afterwards; without, its yes is
    all there is."""


class Write(Call):
    """A request of a correction."""

    writes: tuple[str, ...] = ()
    """It is made only where one of these fields is to be written; left out: always."""


class Rectify(Strict):
    """Write what fields of a row are to say."""

    fields: Annotated[tuple[str, ...], Field(min_length=1)]
    """What can be written, as {new.FIELD}; of several, those that a correction is not about are to be left out of the
    request: {new.FIELD?}. {whole.FIELD} is what a field says afterwards, for what can only be written together."""
    empty: str | None = None
    """What is written where nothing is to stand. Left out: nothing can be emptied."""
    steps: Annotated[tuple[Write, ...], Field(min_length=1)]


class Export(Strict):
    """Files beyond the rows themselves."""

    steps: Steps


class Collection(Strict):
    """One kind of row that the vendor holds."""

    about: str
    key: tuple[str, ...]
    fields: dict[str, Expression]
    """Where in an entry each field stands."""
    links: dict[str, str] = Field(default={})
    """Fields that point to another collection's: requester_id: users.id."""
    blind: bool = False
    """The vendor cannot be asked who is there: a row is each identity that would be submitted."""
    several: bool = False
    """One person has several rows here, all found by the same identity."""
    find: tuple[Find, ...] = ()
    clean: Expression = ""
    """True of an entry that tells nothing of anybody any more."""
    verified: bool = True
    """False: what `find` shows after an erasure says nothing, so the vendor's own status is all there is."""
    erase: Erase | None = None
    export: Export | None = None
    restrict: Restrict | None = None
    lift: Act | None = None
    suppress: Suppress | None = None
    rectify: Rectify | None = None


class Vendor(Strict):
    """One vendor file."""

    habeas: Literal["connector/v1"]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    about: str
    base: Annotated[
        Annotated[Text, Tag("is:text")] | Annotated[dict[str, Text], Tag("is:parts")], Discriminator(_text_or_parts)
    ]
    """Where its API is; by region, where there are several, the first being the default."""
    hosts: tuple[Host, ...] = ()
    """Further hosts that may be called: for tokens, and for downloads; no credentials go there."""
    options: dict[Name, Option] = Field(default={})
    secrets: dict[Name, Secret] = Field(default={})
    """The map says under `connection` where each is found."""
    auth: Annotated[
        Annotated[Literal["none"], Tag("is:text")] | Annotated[Auth, Tag("is:parts")], Discriminator(_text_or_parts)
    ]
    other_auth: dict[Name, Auth] = Field(default={})
    """For calls that need other credentials."""
    headers: dict[str, Text] = Field(default={})
    timeout: Duration = timedelta(seconds=60)
    """For one request, from the first byte to the last."""
    grace: Duration = timedelta(minutes=1)
    """How long the vendor may still be doing what it was asked after we have given up on the answer."""
    largest: Annotated[int, Field(ge=1024)] = 16 << 20
    """Bytes of an answer, downloads apart."""
    limits: dict[Name, Limit] = Field(default={})
    dates: dict[Name, Annotated[str, Field(pattern=r"^[+-][0-9]{1,4}d$")]] = Field(default={})
    """Days counted from today, as {dates.NAME} in ISO form."""
    errors: tuple[Rule, ...] = ()
    probe: Call | None = None
    """A call that changes nothing and shows that the credentials work."""
    collections: Annotated[dict[Name, Collection], Field(min_length=1)]
    unsupported: dict[Literal["export", "erase", "restrict", "suppress", "rectify"], str] = Field(default={})
    """What the vendor does not offer, and what it says instead."""
