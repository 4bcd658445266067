"""The requests of a vendor file, and the steps they are taken in: its keys, as types.

The one rule: what an answer has to look like stands beside what is asked; an answer that does not is nobody's guess.
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
    """A time as files and maps write it: 30s, 15m, 12h, 30d."""
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
    """False on the last page, where the vendor sends a cursor all the same. A page that does not say is a person's."""


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
    """True if it is; then `save` of this answer stands for that of the call. Null of an answer of another shape."""


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
    """Of one row, in a call for several: true of the answer if the vendor took the row in, false if not. Null of an
    answer of another shape."""

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


Each.model_rebuild()
UntilEmpty.model_rebuild()
