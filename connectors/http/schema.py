"""What a vendor file may say: its keys, as types. The JSON Schema that editors use is made from these.

The one rule: a file that says something else is refused, key by key; a file holds no code, and no way to bring any.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from connectors.http.template import PLACE, parsed

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])\Z")


def duration(value: object) -> timedelta:
    """A time as a file writes it.

    Raises:
        ValueError: it is none.
    """
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("write a time as a number and s, m, h or d: 30s, 15m, 12h, 30d")
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])


def _expression(text: str) -> str:
    parsed(text)
    return text


def _filled(text: str) -> str:
    if re.search(r"[{}]", PLACE.sub("", text)):
        raise ValueError("a brace stands only in {place.name}, such as {row.id}")
    return text


def _body(value: object) -> object:
    if isinstance(value, str):
        _filled(value)
    elif isinstance(value, list):
        for part in value:
            _body(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if "{" in key:
                raise ValueError("the name of a key is written out, without braces")
            _body(part)
    return value


def _text_or_parts(value: object) -> str:
    """Which of the two something is meant to be, so that an error speaks of that one alone."""
    return "is:text" if isinstance(value, str) else "is:parts"


def _status(value: object) -> object:
    wrong = ValueError("write a status as 404, a kind as '5xx', or a list of them")
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, bool) or not re.fullmatch(r"[1-5]([0-9]{2}|xx)", str(one)):
            raise wrong
    return value


Duration = Annotated[
    timedelta, BeforeValidator(duration), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,5}[smhd]$"})
]
Expression = Annotated[str, AfterValidator(_expression)]
"""JMESPath over an answer's body; `{place.name}` stands for a literal."""
Text = Annotated[str, AfterValidator(_filled)]
"""A text with `{place.name}` in it."""
Body = Annotated[Any, AfterValidator(_body)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Host = Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$")]
Status = Annotated[
    int | str | list[int | str],
    BeforeValidator(_status),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["integer", "string"], "pattern": "^[1-5]([0-9]{2}|xx)$"},
                {"type": "array", "items": {"type": ["integer", "string"], "pattern": "^[1-5]([0-9]{2}|xx)$"}},
            ]
        }
    ),
]


class Strict(BaseModel):
    """Frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


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


class Rule(Strict):
    """What an answer means that is not plainly a good one. The first rule that matches holds."""

    status: Status | None = None
    body: Expression = ""
    """True of the body."""
    json_: Annotated[bool | None, Field(alias="json")] = None
    """Whether the body is JSON."""
    then: Literal["throttle", "retry", "absent", "blocked", "refused"]
    wait: Duration | None = None
    """throttle, retry: how long, where the answer does not say (Retry-After)."""
    secret: str = ""
    """blocked: the secret that a person has to see to."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.status is None and not self.body and self.json_ is None:
            raise ValueError("a rule needs something to match: status, body or json")
        return self


class Cursor(Strict):
    """The next page is asked for with a value of this one."""

    param: str
    from_: Annotated[Expression, Field(alias="from")]
    more: Expression = ""
    """False on the last page, where the vendor sends a cursor all the same."""


class Numbered(Strict):
    """Pages are asked for by number, or by how many entries to skip."""

    param: str
    first: int = 0
    size: Annotated[int, Field(ge=1)]
    size_param: str = ""
    items: Expression
    """The entries of a page; one with fewer than `size` is the last."""


class Link(Strict):
    """The next page has an address of its own, which must be on the same server."""

    next: Expression


class Paginate(Strict):
    """How a long answer is read on. Exactly one way."""

    cursor: Cursor | None = None
    offset: Numbered | None = None
    page: Numbered | None = None
    link: Link | None = None
    most: Annotated[int, Field(ge=1)] = 1000
    """Pages after which a person is asked: nothing is ever left out silently."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set - {"most"}) != 1:
            raise ValueError("write exactly one of: cursor, offset, page, link")
        return self


class Request(Strict):
    """One request."""

    auth: str = ""
    """Which of `other_auth`; the vendor's own if it says nothing."""
    query: dict[str, Text] = {}
    headers: dict[str, Text] = {}
    json_: Annotated[Body, Field(alias="json")] = None
    form: dict[str, Text] | None = None
    """Values that are lists repeat their key."""
    expect: Status = "2xx"
    answer: Literal["json", "none"] = "json"
    errors: tuple[Rule, ...] = ()
    """Read before those of the file."""
    spends: dict[str, int] = {}
    """What it costs, by limit."""
    save: dict[Name, Expression] = {}
    """Values for later steps, as `{saved.NAME}`; each is found, or a person is asked."""

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.json_ is not None and self.form is not None:
            raise ValueError("a request has one body: json or form")
        return self


Target = Annotated[Text, Field(pattern=r"^(GET|POST|PUT|PATCH|DELETE) /[^\s?#]*$")]
"""A method and a path: GET /api/users/{row.id}."""


class Lookup(Request):
    """Asked before a call that must not be made twice: is it under way already?"""

    call: Target
    found: Expression
    """True if it is; then `save` of this answer stands for that of the call."""


class Call(Request):
    """A request. In an erasure, one that is not a GET stands behind the fence."""

    call: Target
    rows: Expression | None = None
    """What it finds: a list of entries."""
    paginate: Paginate | None = None
    changes: bool = True
    """False: although not a GET, it changes nothing of anybody's (it makes a job that is only checked)."""
    idempotency_key: str = ""
    """The header by which the vendor knows a repeated call."""
    lookup: Lookup | None = None
    accepts: Expression | None = None
    """Of one row, in a call for several: true of the answer if the vendor took the row in."""

    @property
    def method(self) -> str:
        return self.call.partition(" ")[0]

    @property
    def destructive(self) -> bool:
        return self.method != "GET" and self.changes


class States(Strict):
    """What the vendor's words for how work stands mean."""

    running: tuple[str, ...] = ()
    done: tuple[str, ...]
    failed: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    """The work is not known any more, or its result is gone: the steps begin again."""


class Poll(Request):
    """Ask how work stands, now and then, until it is done."""

    poll: Target
    state: Expression
    """A word of `states`, or a list of them, of which all must be done."""
    states: States
    every: Duration
    deadline: Duration
    """After this a person is asked; the vendor's own term."""
    resume: bool = False
    """It is asked by a row's key alone, so that work can be waited for of which no attempt knows any more."""
    expires: Expression = ""
    """The moment (ISO 8601) from which the result is gone, and the steps begin again."""


class Each(Strict):
    """Do steps for each entry of a list, as {AS.value}, or {AS.NAME} if the entries have names."""

    each: Text
    as_: Annotated[Name, Field(alias="as")]
    steps: tuple["Step", ...]
    most: Annotated[int, Field(ge=1)] = 1000


class UntilEmpty(Strict):
    """Do steps again and again, until what they save under this name is an empty list."""

    until_empty: Name
    steps: tuple["Step", ...]
    most: Annotated[int, Field(ge=1)] = 1000


class Download(Strict):
    """export: files that the vendor has made, streamed."""

    download: Text
    """A list of addresses or paths, such as {saved.urls}."""
    name: str
    """What the files are called; {n} is their number."""
    media_type: str
    auth: str = ""
    errors: tuple[Rule, ...] = ()
    spends: dict[str, int] = {}


_KINDS: Final = ("call", "poll", "each", "until_empty", "download")


def _kind(value: object) -> str | None:
    keys = value if isinstance(value, dict) else {k for k in _KINDS if hasattr(value, k)}
    return next((f"step:{kind}" for kind in _KINDS if kind in keys), None)


Step = Annotated[
    Annotated[Call, Tag("step:call")]
    | Annotated[Poll, Tag("step:poll")]
    | Annotated[Each, Tag("step:each")]
    | Annotated[UntilEmpty, Tag("step:until_empty")]
    | Annotated[Download, Tag("step:download")],
    Discriminator(
        _kind,
        custom_error_type="step",
        custom_error_message=f"a step has one of the keys: {', '.join(_KINDS)}",
    ),
]
Steps = Annotated[tuple[Step, ...], Field(min_length=1)]


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


class Export(Strict):
    """Files beyond the rows themselves."""

    steps: Steps


class Collection(Strict):
    """One kind of row that the vendor holds."""

    about: str
    key: tuple[str, ...]
    fields: dict[str, Expression]
    """Where in an entry each field stands."""
    links: dict[str, str] = {}
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
    suppress: Act | None = None


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
    options: dict[Name, Option] = {}
    secrets: dict[Name, Secret] = {}
    """The map says under `connection` where each is found."""
    auth: Annotated[
        Annotated[Literal["none"], Tag("is:text")] | Annotated[Auth, Tag("is:parts")], Discriminator(_text_or_parts)
    ]
    other_auth: dict[Name, Auth] = {}
    """For calls that need other credentials."""
    headers: dict[str, Text] = {}
    timeout: Duration = timedelta(seconds=60)
    """For one request, from the first byte to the last."""
    largest: Annotated[int, Field(ge=1024)] = 16 << 20
    """Bytes of an answer, downloads apart."""
    limits: dict[Name, Limit] = {}
    dates: dict[Name, Annotated[str, Field(pattern=r"^[+-][0-9]{1,4}d$")]] = {}
    """Days counted from today, as {dates.NAME} in ISO form."""
    errors: tuple[Rule, ...] = ()
    probe: Call | None = None
    """A call that changes nothing and shows that the credentials work."""
    collections: Annotated[dict[Name, Collection], Field(min_length=1)]
    unsupported: dict[Literal["export", "erase", "restrict", "suppress"], str] = {}
    """What the vendor does not offer, and what it says instead."""


Each.model_rebuild()
UntilEmpty.model_rebuild()
