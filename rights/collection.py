"""What a data map says of one collection: its fields, what rows belong together, what is kept and for how long.

The one rule: what a collection says about itself is whole, or it is refused; `rights.datamap` checks it against others.
"""

import re
from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import Field as Setting
from pydantic import field_validator, model_validator

from rights.fields import Derived, Field, Origin, Strategy, Strict, Telling
from rights.suppression import Scope


class Erase(StrEnum):
    """What an erasure does with a row that no duty keeps."""

    DELETE = "delete"
    REDACT = "redact"
    """The row stays, its fields become what their strategies say."""
    RETAIN = "retain"
    """The row stays as it is, on the collection's ground."""


NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$-]{0,62}(\.[A-Za-z_][A-Za-z0-9_$-]{0,62})?\Z")
PLACE: Final = re.compile(r"[^\W\d][\w $-]{0,62}(\.[^\W\d][\w $-]{0,62})?\Z")
"""What a system may call its tables and columns: letters of any script, and blanks within."""
LONGEST_YEARS: Final = 200
"""No law sets a longer term, and a calendar ends."""
_CONSENT: Final = re.compile(r"consent|einwilligung|\b6 ?\(1\) ?\(a\)|\b9 ?\(2\) ?\(a\)", re.IGNORECASE)
"""How a lawful basis says that it is consent, in words or by the article of the GDPR."""
PERIOD: Final = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?\Z")


class Link(Strict):
    """How rows of this collection belong to rows of another: our field equals their field."""

    field: str
    to: str
    """collection.field of this system."""
    kind: Literal["unique", "shared", "hint"] = "unique"
    shared: Literal["keep", "redact", "ask"] | None = None
    """kind: shared, and followed all the same: what an erasure does with a row that is somebody else's too."""
    fields: tuple[str, ...] = ()
    """Followed shared links: the fields that are about the person it leads to, beside its own."""

    @property
    def followed(self) -> bool:
        """Whether rows are found along it."""
        return self.kind == "unique" or self.shared is not None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.shared and self.kind != "shared":
            raise ValueError(f"shared: {self.shared} belongs to kind: shared: add that, or take shared out")
        if self.fields and not self.shared:
            raise ValueError("fields of a link belong to one with shared: keep, redact or ask")
        return self

    @property
    def target(self) -> tuple[str, str]:
        collection, _, field = self.to.rpartition(".")
        return collection, field


class Retention(Strict):
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
        if not PERIOD.match(text) or text == "P":
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
        years, months, weeks, days = (int(part or 0) for part in PERIOD.findall(self.period)[0])
        return years, months, weeks, days


class OptOut(Strict):
    """What a row says once the person has opted out: a do-not-contact column, a consent taken back."""

    field: str
    value: str | int | bool
    """As the column has it."""

    @property
    def text(self) -> str:
        """The value in the form in which looks give values."""
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)


class Collection(Strict):
    """A table, bucket prefix or API resource."""

    name: str = ""
    """Its name in the system, where it is not the key it stands under: schema.table."""
    key: tuple[str, ...]
    """The fields that tell one row from every other (the primary key)."""
    fields: dict[str, Field]
    derived: dict[str, Derived] = Setting(default_factory=dict)
    """What links and identities may use beside fields."""
    links: tuple[Link, ...] = ()
    erase: Erase = Erase.DELETE
    ground: str = ""
    out_of_use: bool = False
    """What an erasure leaves here on a ground without an end is locked away, and somebody is asked on a day whether it
    must still be kept (GDPR Art. 5(1)(e), 17(3))."""
    retention: tuple[Retention, ...] = ()
    concerns_others: bool = False
    """Rows are about other people too: a person goes through them before they are delivered."""
    published: bool = False
    """We have made it public: others may have links to it, and copies of it (GDPR Art. 17(2))."""
    worked_out_from: tuple[str, ...] = ()
    """COLLECTION or SYSTEM.COLLECTION that its rows are worked out from: a correction there has them made anew."""
    purpose: str = ""
    lawful_basis: str = ""
    uses: tuple[Scope, ...] = ()
    """What its rows are used for that a person can have stopped: marketing, profiling, analytics, sale ..."""
    opt_out: dict[Scope, OptOut] = Setting(default_factory=dict)
    """By what is to stop, the field that the system itself heeds."""
    origin: Origin | None = None
    """Where its data comes from, its files too; a field may say otherwise. What says nothing is not ported."""
    automated_decisions: str = ""
    """Decisions about the person that machines make from it: which, by what logic, what follows (Art. 15(1)(h))."""
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
    def shares(self) -> tuple[Link, ...]:
        """The links that are followed to rows which may be somebody else's too."""
        return tuple(link for link in self.links if link.shared)

    @property
    def reviewed(self) -> tuple[str, ...]:
        """The fields that a person goes through before they are delivered, since they may be about others too."""
        given = (name for name, field in self.fields.items() if field.export)
        return tuple(name for name in given if self.concerns_others or self.fields[name].third_party)

    @property
    def identities(self) -> dict[str, Telling]:
        """Fields, and what is derived from fields, that hold an identity, by name."""
        telling: dict[str, Telling] = {**self.fields, **self.derived}
        return {name: about for name, about in telling.items() if about.identity}

    @property
    def rests_on_consent(self) -> bool:
        """Whether the person's consent is what allows it."""
        return bool(_CONSENT.search(self.lawful_basis))

    @property
    def categories(self) -> frozenset[str]:
        """The kinds of personal data its fields hold."""
        return frozenset(field.category for field in self.fields.values() if field.category)

    @property
    def searched(self) -> tuple[str, ...]:
        """The fields whose texts are searched for what the person is known by."""
        return tuple(name for name, about in self.fields.items() if about.search)

    def bases(self, name: str) -> tuple[str, ...]:
        """The fields that a name stands for: itself, or what it is derived from."""
        return self.derived[name].of if name in self.derived else (name,)

    def rewritten(self, name: str) -> bool:
        """Whether a row that stays no longer says what a name said."""
        return any(self.fields[base].rewritten for base in self.bases(name))

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not self.key:
            raise ValueError("key is empty: name the fields that tell one row from every other")
        for name in self.key:
            if name not in self.fields:
                raise ValueError(f"key names '{name}', which is not under fields: add it there")
        for name, about in self.derived.items():
            if name in self.fields:
                raise ValueError(f"derived.{name} has the name of a field: give it another")
            for base in (*about.of, *about.when):
                if base not in self.fields:
                    raise ValueError(f"derived.{name} is read from '{base}', which is not under fields: add it")
        for name, field in self.fields.items():
            if field.changed and field.changed not in self.fields:
                raise ValueError(f"fields.{name}.changed names '{field.changed}', which is not under fields: add it")
        return self

    @model_validator(mode="after")
    def _linkable(self) -> Self:
        if self.searched and self.shares:
            raise ValueError(
                f"'{self.searched[0]}' is searched, and rows are found along shared links: whose part of such a row "
                "is whose cannot be told from a text; leave out search, or shared"
            )
        for link in self.links:
            if link.field not in self.fields and link.field not in self.derived:
                raise ValueError(f"a link uses '{link.field}', which is not under fields: add it")
            for name in link.fields:
                if name not in self.fields:
                    raise ValueError(f"the link by '{link.field}' names '{name}', which is not under fields: add it")
        return self

    @model_validator(mode="after")
    def _opts_out(self) -> Self:
        said: dict[str, str] = {}
        for scope, flag in self.opt_out.items():
            field = self.fields.get(flag.field)
            if field is None:
                raise ValueError(f"opt_out.{scope} names '{flag.field}', which is not under fields: add it there")
            linked = {base for link in self.links for base in self.bases(link.field)}
            if flag.field in self.key or flag.field in linked or field.identity or field.yields:
                raise ValueError(
                    f"opt_out.{scope} names '{flag.field}', which tells rows or people apart: "
                    "name a field that says nothing else"
                )
            if said.setdefault(flag.field, flag.text) != flag.text:
                raise ValueError(f"opt_out says two things of '{flag.field}': give each its own field")
        if self.opt_out and self.shares:
            raise ValueError(
                "opt_out belongs to rows of one person, and these may be somebody else's too: leave it out"
            )
        return self

    @property
    def grounds(self) -> tuple[str, ...]:
        """On which an erasure may leave rows here, each once."""
        said = (
            self.ground if self.erase is Erase.RETAIN else "",
            *(field.ground for field in self.fields.values() if field.strategy is Strategy.RETAIN),
            *(rule.ground for rule in self.retention),
        )
        return tuple(dict.fromkeys(filter(None, said)))

    @model_validator(mode="after")
    def _kept_out_of_use(self) -> Self:
        if self.out_of_use and not self.grounds:
            raise ValueError(
                "out_of_use: true is said of what an erasure keeps, and nothing is kept here: take it out, or write "
                "erase: retain, or strategy: retain of a field, with a ground"
            )
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
            self.clean_shell("erase: redact")
        for name in self.key:
            if self.fields[name].rewritten:
                raise ValueError(
                    f"'{name}' is part of the key and cannot be rewritten: use erase: delete, "
                    "or strategy: retain with a ground"
                )
        return self

    def clean_shell(self, why: str) -> None:
        for name, field in self.fields.items():
            if field.category is None and field.identity is None:
                continue
            if field.strategy in {None, Strategy.DELETE}:
                rewriting = "" if name in self.key else "null, constant, generalise, anonymise, pseudonym, or "
                raise ValueError(
                    f"{why} leaves rows behind, so the field '{name}' needs a strategy: {rewriting}retain with a ground"
                )
        for name, about in self.derived.items():
            if about.identity and all(self.fields[base].strategy in {None, Strategy.DELETE} for base in about.of):
                raise ValueError(
                    f"{why} leaves rows behind, and '{name}' tells whose they are, so '{about.of[0]}' needs a "
                    "strategy: null, constant, generalise, anonymise, pseudonym, or retain with a ground"
                )
