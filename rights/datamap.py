"""The data map: which systems hold personal data, where in them, and what becomes of it.

One YAML file describes one system (`rights.mapfile` reads it). The one rule: a map that could make the engine miss or
destroy something is refused at once, by file, line and path, with what to write instead; an unknown key is an error.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator
from pydantic import Field as Setting

from rights.backups import Backups as Backups
from rights.collection import NAME as NAME
from rights.collection import Collection as Collection
from rights.collection import Erase as Erase
from rights.collection import Field as Field
from rights.collection import Link as Link
from rights.collection import Retention as Retention
from rights.collection import Strategy as Strategy
from rights.collection import Strict


class Mode(StrEnum):
    """What an operator lets the engine do in a system."""

    OBSERVE = "observe"
    """Look, count and preview; destroy nothing."""
    APPROVE = "approve"
    """Destroy once a person has approved the preview."""
    AUTO = "auto"


Secret = Annotated[str, Setting(pattern=r"^(env|file):.+")]
"""Where a secret is found, never the secret itself: env:NAME or file:/path."""


class System(Strict):
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
    backups: Backups | None = None
    """How long erased rows live on in its backups."""
    collections: dict[str, Collection]

    @property
    def followed_kinds(self) -> frozenset[str]:
        """The kinds of identity by which people are found here."""
        fields = (field for collection in self.collections.values() for field in collection.identities.values())
        return frozenset(field.identity for field in fields if field.identity and field.sharing != "hint")

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
                        self.collections[target].clean_shell(f"'{name}' keeps rows that point here, which")
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
