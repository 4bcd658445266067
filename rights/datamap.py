"""The data map: which systems hold personal data, where in them, and what becomes of it.

One YAML file describes one system (`rights.mapfile` reads it). The one rule: a map that could make the engine miss or
destroy something is refused at once, by file, line and path, with what to write instead; an unknown key is an error.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator
from pydantic import Field as Setting

from rights.subject import KIND, ignores_case


class Mode(StrEnum):
    """What an operator lets the engine do in a system."""

    OBSERVE = "observe"
    """Look, count and preview; destroy nothing."""
    APPROVE = "approve"
    """Destroy once a person has approved the preview."""
    AUTO = "auto"


class Erase(StrEnum):
    """What an erasure does with a row that no duty keeps."""

    DELETE = "delete"
    REDACT = "redact"
    """The row stays, its fields become what their strategies say."""
    RETAIN = "retain"
    """The row stays as it is, on the collection's ground."""


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


NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$-]{0,62}(\.[A-Za-z_][A-Za-z0-9_$-]{0,62})?\Z")
_GENERAL: Final = re.compile(r"(year|month|decade|network|prefix:[1-9][0-9]?)\Z")
LONGEST_YEARS: Final = 200
"""No law sets a longer term, and a calendar ends."""
_PERIOD: Final = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?\Z")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Field(_Strict):
    """One column or attribute."""

    category: str | None = None
    """The kind of personal data (contact, payment ...); None marks a technical field."""
    identity: str | None = None
    """The kind of identity this field holds; makes the collection a subject collection."""
    match: Literal["exact", "casefold"] | None = None
    sharing: Literal["unique", "shared", "hint"] = "unique"
    yields: str | None = None
    """The kind of identity that other systems know this field's value by: the key of an object in a bucket, a
    vendor's customer number. Rows are not found by it here. A list of values yields each of them."""
    strategy: Strategy | None = None
    value: str | int | float | bool | None = None
    to: str | None = None
    ground: str = ""
    export: bool = True
    """False leaves the field out of an access parcel (a password hash, another person's data)."""

    @field_validator("identity", "yields")
    @classmethod
    def _kind(cls, kind: str | None) -> str | None:
        if kind is not None and not KIND.match(kind):
            raise ValueError("an identity's kind is a lower-case word such as email or customer_id")
        return kind

    @field_validator("strategy", mode="before")
    @classmethod
    def _null_is_a_strategy(cls, value: object) -> object:
        """YAML reads a bare null as nothing; whoever writes ``strategy: null`` means the strategy."""
        return Strategy.NULL if value is None else value

    @property
    def rewritten(self) -> bool:
        """Whether the field becomes something else in a row that stays."""
        return self.strategy not in {None, Strategy.DELETE, Strategy.RETAIN}

    @property
    def casefold(self) -> bool:
        """Whether matching ignores case: e-mail addresses do unless the map says exact."""
        if self.match is not None:
            return self.match == "casefold"
        return self.identity is not None and ignores_case(self.identity)

    @property
    def told(self) -> dict[str, bool]:
        """The kinds of identity that a person's row tells other systems of by this field, each with whether its values
        ignore case. Of what several people may have, and of hints, nothing is told."""
        if self.sharing != "unique":
            return {}
        yielded = {self.yields: ignores_case(self.yields)} if self.yields else {}
        return yielded | ({self.identity: self.casefold} if self.identity else {})

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
        if self.yields and self.sharing != "unique":
            raise ValueError(
                f"sharing: {self.sharing} is followed nowhere, so nothing is yielded: leave out yields, or sharing "
                "where only one person can have the value"
            )
        return self


class Link(_Strict):
    """How rows of this collection belong to rows of another: our field equals their field."""

    field: str
    to: str
    """collection.field of this system."""
    kind: Literal["unique", "shared", "hint"] = "unique"

    @property
    def target(self) -> tuple[str, str]:
        collection, _, field = self.to.rpartition(".")
        return collection, field


class Retention(_Strict):
    """A duty to keep rows for a term."""

    ground: str
    regimes: tuple[str, ...] = ()
    """The regimes whose law sets the duty; empty: all."""
    after: str
    """The column whose date the term is counted from."""
    period: str
    """ISO 8601: P10Y, P6M, P90D."""
    from_: Literal["end_of_year"] | None = Setting(default=None, alias="from")
    minimise: tuple[str, ...] = ()
    """Fields that go all the same, by their strategy."""

    @field_validator("period")
    @classmethod
    def _period(cls, text: str) -> str:
        if not _PERIOD.match(text) or text == "P":
            raise ValueError("write the period as ISO 8601, such as P10Y, P6M or P90D")
        return text

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.months > LONGEST_YEARS * 12 or self.days > LONGEST_YEARS * 366:
            raise ValueError(
                f"the period is longer than {LONGEST_YEARS} years: for rows that are kept for good, "
                "write erase: retain with a ground"
            )
        return self

    @property
    def months(self) -> int:
        years, months, _, _ = self._parts
        return years * 12 + months

    @property
    def days(self) -> int:
        _, _, weeks, days = self._parts
        return weeks * 7 + days

    @property
    def _parts(self) -> tuple[int, int, int, int]:
        years, months, weeks, days = (int(part or 0) for part in _PERIOD.findall(self.period)[0])
        return years, months, weeks, days


class Collection(_Strict):
    """A table, bucket prefix or API resource."""

    name: str = ""
    """Its name in the system, where it is not the key it stands under: schema.table."""
    key: tuple[str, ...]
    """The fields that tell one row from every other (the primary key)."""
    fields: dict[str, Field]
    links: tuple[Link, ...] = ()
    erase: Erase = Erase.DELETE
    ground: str = ""
    retention: tuple[Retention, ...] = ()
    purpose: str = ""
    lawful_basis: str = ""
    recipients: tuple[str, ...] = ()
    storage: str = ""
    """How long it is stored, in words (GDPR Art. 15(1)(d))."""
    source: str = ""
    """Where it came from if not from the person (Art. 15(1)(g))."""
    transfers: str = ""
    """Third countries and safeguards (Art. 15(2))."""
    instructions: str = ""
    """manual systems: what a person has to do."""
    options: dict[str, str | int | float | bool | list[str]] = Setting(default_factory=dict)
    """What the connector's own page documents for a collection: a prefix, a folder, an endpoint."""

    @property
    def identities(self) -> dict[str, Field]:
        """Fields that hold an identity, by name."""
        return {name: f for name, f in self.fields.items() if f.identity}

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not self.key:
            raise ValueError("key is empty: name the fields that tell one row from every other")
        for name in self.key:
            if name not in self.fields:
                raise ValueError(f"key names '{name}', which is not under fields: add it there")
        for link in self.links:
            if link.field not in self.fields:
                raise ValueError(f"a link uses '{link.field}', which is not under fields: add it")
        return self

    @model_validator(mode="after")
    def _rewritable(self) -> Self:
        starts = {rule.after for rule in self.retention}
        for rule in self.retention:
            if rule.after not in self.fields:
                raise ValueError(f"retention counts from '{rule.after}', which is not under fields: add it")
            for name in rule.minimise:
                if name in starts:
                    raise ValueError(f"minimise names '{name}', which a term is counted from: take it out")
                field = self.fields.get(name)
                if field is None or not field.rewritten:
                    raise ValueError(
                        f"minimise names '{name}': give that field a strategy "
                        "(null, constant, generalise, anonymise or pseudonym)"
                    )
        if self.erase is Erase.RETAIN and not self.ground:
            raise ValueError("erase: retain needs a ground: write ground: 'why it is kept'")
        if self.erase is Erase.REDACT:
            self._every_personal_field_has_a_strategy("erase: redact")
        for name in self.key:
            if self.fields[name].rewritten:
                raise ValueError(
                    f"'{name}' is part of the key and cannot be rewritten: use erase: delete, "
                    "or strategy: retain with a ground"
                )
        return self

    def _every_personal_field_has_a_strategy(self, why: str) -> None:
        for name, field in self.fields.items():
            if field.category is None and field.identity is None:
                continue
            if field.strategy in {None, Strategy.DELETE}:
                rewriting = "" if name in self.key else "null, constant, generalise, anonymise, pseudonym, or "
                raise ValueError(
                    f"{why} leaves rows behind, so the field '{name}' needs a strategy: {rewriting}retain with a ground"
                )


Secret = Annotated[str, Setting(pattern=r"^(env|file):.+")]
"""Where a secret is found, never the secret itself: env:NAME or file:/path."""


class System(_Strict):
    """One place that holds personal data, reached by one connector."""

    system: str
    owner: str
    """The team that answers for it, by role; never a person's name."""
    connector: str
    region: str = "default"
    mode: Mode = Mode.OBSERVE
    max_people_per_hour: int = Setting(default=20, ge=1)
    connection: dict[str, Secret] = Setting(default_factory=dict)
    options: dict[str, str | int | float | bool | list[str]] = Setting(default_factory=dict)
    """What the connector's own page documents."""
    feeds: tuple[str, ...] = ()
    """Systems that are filled from this one."""
    description: str = ""
    collections: dict[str, Collection]

    @property
    def followed_kinds(self) -> frozenset[str]:
        """The kinds of identity by which people are found here."""
        fields = (field for collection in self.collections.values() for field in collection.identities.values())
        return frozenset(field.identity for field in fields if field.identity and field.sharing != "hint")

    def finds_more_by(self, kind: str) -> bool:
        """Whether a look that has told of identities of this kind may find more here by them: the kind stands in more
        fields than the one that told of it."""
        fields = (about for collection in self.collections.values() for about in collection.fields.values())
        return kind in self.followed_kinds and sum(kind in {about.identity, about.yields} for about in fields) > 1

    @field_validator("system")
    @classmethod
    def _named(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name):
            raise ValueError("name the system in lower case, up to 40 letters, digits, - and _: shop")
        return name

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, collection in self.collections.items():
            for text in (name, *filter(None, [collection.name]), *collection.fields):
                if not NAME.match(text):
                    raise ValueError(f"collections.{name}: '{text[:63]}' is not a usable name")
            for link in collection.links:
                target, field = link.target
                if target not in self.collections or field not in self.collections[target].fields:
                    raise ValueError(
                        f"collections.{name}: the link to '{link.to}' leads nowhere: "
                        "write collection.field as they stand in this file"
                    )
        self._linked()
        self._shells_are_clean()
        return self

    def _linked(self) -> None:
        """Every collection is reached from an identity, and links make no circle."""
        reached = {
            name
            for name, c in self.collections.items()
            if any(field.sharing != "hint" for field in c.identities.values())
        }
        if self.collections and not reached:
            raise ValueError(
                "no field holds an identity that is followed, so nobody can be found: write identity: email "
                "at the field of a collection that names the person"
            )
        followed = {
            name: {link.target[0] for link in c.links if link.kind == "unique"} for name, c in self.collections.items()
        }
        for name, c in self.collections.items():
            if any(link.target[0] == name for link in c.links):
                raise ValueError(
                    f"collections.{name}: a link from a collection to itself is not followed yet: "
                    "leave it out and treat the field by a strategy"
                )
        if circle := self.collections.keys() - set(self.parents_first):
            raise ValueError(f"links make a circle through {', '.join(sorted(circle))}: take one of them out")
        for name in self.parents_first:
            if followed[name] & reached:
                reached.add(name)
        for name in self.collections:
            if name not in reached:
                raise ValueError(
                    f"collections.{name}: no identity leads here: add a field with identity: "
                    "or a link to a collection that is reached"
                )

    def _shells_are_clean(self) -> None:
        """A row that kept rows point to stays as a shell, so all its fields need a strategy."""
        keeping = {n for n, c in self.collections.items() if c.retention or c.erase is not Erase.DELETE}
        for name in self.parents_first[::-1]:
            if name not in keeping:
                continue
            for link in self.collections[name].links:
                target, _ = link.target
                keeping.add(target)
                self._keeps_its_path(name, link)
                if self.collections[target].erase is Erase.DELETE:
                    try:
                        self.collections[target]._every_personal_field_has_a_strategy(
                            f"'{name}' keeps rows that point here, which"
                        )
                    except ValueError as error:
                        raise ValueError(f"collections.{target}: {error}") from error

    def _keeps_its_path(self, name: str, link: Link) -> None:
        """What rows that stay point to is not rewritten under them."""
        target, pointed = link.target
        child, field = self.collections[name], self.collections[target].fields[pointed]
        lets_go = child.erase is Erase.REDACT and not child.retention and child.fields[link.field].rewritten
        if field.rewritten and self.collections[target].erase is not Erase.RETAIN and not lets_go:
            raise ValueError(
                f"collections.{target}: '{name}' keeps rows that point to '{pointed}', so it cannot be rewritten: "
                "use strategy: retain with a ground"
            )

    @property
    def parents_first(self) -> tuple[str, ...]:
        """Collections so ordered that each stands after all it links to, by links of any kind."""
        order: list[str] = []
        waiting = dict(self.collections)
        while waiting:
            ready = [n for n, c in waiting.items() if not {li.target[0] for li in c.links} & waiting.keys()]
            if not ready:
                break
            order += ready
            for name in ready:
                del waiting[name]
        return tuple(order)


class DataMap(BaseModel):
    """All systems, and the digest that a request is pinned to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    systems: dict[str, System]
    digest: str
    """SHA-256 over the systems in a canonical form, hex: a comment or the order of keys does not change it."""

    @property
    def identity_kinds(self) -> tuple[str, ...]:
        """The kinds of identity by which somebody can be found, in order of the alphabet."""
        return tuple(
            sorted(
                {
                    f.identity
                    for s in self.systems.values()
                    for c in s.collections.values()
                    for f in c.fields.values()
                    if f.identity
                }
            )
        )

    def canonical(self) -> str:
        """The JSON text that `restore` reads and the digest is taken over."""
        return _canonical(self.systems)

    @classmethod
    def of(cls, systems: Mapping[str, System]) -> Self:
        """Put systems together and take the digest."""
        text = _canonical(systems)
        return cls(systems=dict(systems), digest=hashlib.sha256(text.encode()).hexdigest())

    @classmethod
    def restore(cls, text: str) -> Self:
        """Read back what `canonical` wrote."""
        return cls.of({n: System.model_validate(body) for n, body in json.loads(text).items()})


def _canonical(systems: Mapping[str, System]) -> str:
    return json.dumps(
        {n: systems[n].model_dump(mode="json", by_alias=True, exclude_defaults=True) for n in sorted(systems)},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
