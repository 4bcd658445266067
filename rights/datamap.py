"""The data map: which systems hold personal data, where in them, and what becomes of it.

One YAML file describes one system (`rights.mapfile` reads it). The one rule: a map that could make the engine miss or
destroy something is refused at once, by file, line and path, with what to write instead; an unknown key is an error.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator
from pydantic import Field as Setting

from rights import sharing
from rights.backups import Backups as Backups
from rights.collection import NAME as NAME
from rights.collection import PLACE as PLACE
from rights.collection import Collection as Collection
from rights.collection import Erase as Erase
from rights.collection import Link as Link
from rights.collection import OptOut as OptOut
from rights.collection import Retention as Retention
from rights.fields import Derived as Derived
from rights.fields import Field as Field
from rights.fields import Origin as Origin
from rights.fields import Strategy as Strategy
from rights.fields import Strict
from rights.fields import Telling as Telling


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
    recipient: str = ""
    """Whose system it is, where it is somebody else's: a name of the register of recipients. Nothing is sent there
    without a basis that is in force."""
    directory: bool = False
    """Whether this is the one system that may be asked how to reach a person before they have proven who they are; only
    the fields with `channel` are read for it."""
    lookups_per_minute: int = Setting(default=60, ge=1)
    """The directory: how many people may be looked up there in a minute."""
    description: str = ""
    people: tuple[str, ...] = ()
    """Whose data it holds: customers, staff (GDPR Art. 30(1)(c))."""
    measures: tuple[str, ...] = ()
    """How it is protected, in general words (GDPR Art. 30(1)(g))."""
    backups: Backups | None = None
    """How long erased rows live on in its backups. A file has to say it (`rights.mapfile`); a map that the ledger keeps
    may be older than that."""
    quarantine: tuple[str, ...] = ()
    """Who is kept out while a restored backup is set right (docs/restore.md): roles of the database, by name."""
    collections: dict[str, Collection]

    @property
    def erases(self) -> bool:
        """Whether an erasure changes anything here."""
        return any(collection.erase is not Erase.RETAIN for collection in self.collections.values())

    @property
    def marks_opt_outs(self) -> bool:
        """Whether rows have a field that says that the person has opted out."""
        return any(collection.opt_out for collection in self.collections.values())

    @property
    def followed_kinds(self) -> frozenset[str]:
        """The kinds of identity by which people are found here."""
        fields = (field for collection in self.collections.values() for field in collection.identities.values())
        return frozenset(field.identity for field in fields if field.identity and field.sharing != "hint")

    @property
    def searches(self) -> bool:
        """Whether texts are searched here, for whatever the person is known by."""
        return any(collection.searched for collection in self.collections.values())

    def finds_more_by(self, kind: str) -> bool:
        """Whether a look that has told of identities of this kind may find more here by them: the kind stands in more
        fields than the one that told of it."""
        fields = (about for collection in self.collections.values() for about in collection.fields.values())
        return kind in self.followed_kinds and sum(kind in {about.identity, about.yields} for about in fields) > 1

    def makes_from(self, collection: str) -> tuple[str, ...]:
        """What a collection is worked out from: SYSTEM.COLLECTION."""
        named = self.collections[collection].worked_out_from
        return tuple(one if "." in one else f"{self.system}.{one}" for one in named)

    @field_validator("system")
    @classmethod
    def _named(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name):
            raise ValueError("name the system in lower case, up to 40 letters, digits, - and _: shop")
        return name

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, collection in self.collections.items():
            places = (*filter(None, [collection.name]), *collection.fields, *collection.derived)
            for pattern, text in ((NAME, name), *((PLACE, place) for place in places)):
                if not pattern.match(text):
                    raise ValueError(f"collections.{name}: '{text[:63]}' is not a usable name")
            for link in collection.links:
                target, field = link.target
                there = self.collections.get(target)
                if there is None or (field not in there.fields and field not in there.derived):
                    raise ValueError(
                        f"collections.{name}: the link to '{link.to}' leads nowhere: "
                        "write collection.field as they stand in this file"
                    )
                self._of_a_kind(name, link)
                if field in {flag.field for flag in there.opt_out.values()}:
                    raise ValueError(
                        f"collections.{target}: opt_out names '{field}', which '{name}' links to: name another"
                    )
        self._linked()
        self._directory()
        sharing.check(self)
        self._shells_are_clean()
        return self

    def _of_a_kind(self, name: str, link: Link) -> None:
        """A link compares as many values as it is compared with, and one row's with one row's."""
        target, field = link.target
        ours, theirs = self.collections[name].bases(link.field), self.collections[target].bases(field)
        if len(ours) != len(theirs):
            raise ValueError(
                f"collections.{name}: the link compares {len(ours)} columns with {len(theirs)} of '{link.to}': "
                "derive a field on each side from as many columns"
            )
        derived = self.collections[target].derived.get(field)
        if derived and derived.several:
            raise ValueError(
                f"collections.{name}: the link to '{link.to}' leads to a list: link from the list to the row instead"
            )

    def _directory(self) -> None:
        """Contacts stand in the directory, and a directory has some."""
        told = [name for name, c in self.collections.items() if any(f.channel for f in c.fields.values())]
        if self.directory and not told:
            raise ValueError(
                "directory: true, and no field says how people are reached: write channel: email (phone, post) at one"
            )
        if told and not self.directory:
            raise ValueError(f"collections.{told[0]}: channel belongs to the directory: add directory: true")

    def _linked(self) -> None:
        """Every collection is reached from an identity, or its texts are searched."""
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
        reached |= {name for name, c in self.collections.items() if c.searched}
        followed = {name: {link.target[0] for link in c.links if link.followed} for name, c in self.collections.items()}
        while more := {name for name, parents in followed.items() if parents & reached} - reached:
            reached |= more
        for name in self.collections:
            if name not in reached:
                raise ValueError(
                    f"collections.{name}: no identity leads here: add a field with identity: "
                    "or a link to a collection that is reached, or search: true at a text that may mention people"
                )

    def _shells_are_clean(self) -> None:
        """A row that kept rows point to stays as a shell, so all its fields need a strategy."""
        waiting = [n for n, c in self.collections.items() if c.retention or c.erase is not Erase.DELETE or c.shares]
        keeping = set(waiting)
        while waiting:
            name = waiting.pop()
            for link in self.collections[name].links:
                target, _ = link.target
                if not sharing.needs_its_target(self.collections, name, link):
                    continue
                if target not in keeping:
                    keeping.add(target)
                    waiting.append(target)
                self._keeps_its_path(name, link)
                if self.collections[target].erase is Erase.DELETE:
                    try:
                        self.collections[target].clean_shell(f"'{name}' keeps rows that point here, which")
                    except ValueError as error:
                        raise ValueError(f"collections.{target}: {error}") from error

    def _keeps_its_path(self, name: str, link: Link) -> None:
        """What rows that stay point to is not rewritten under them."""
        target, pointed = link.target
        child, there = self.collections[name], self.collections[target]
        lets_go = child.erase is Erase.REDACT and not child.retention and child.rewritten(link.field)
        if there.rewritten(pointed) and there.erase is not Erase.RETAIN and not lets_go:
            raise ValueError(
                f"collections.{target}: '{name}' keeps rows that point to '{pointed}', so it cannot be rewritten: "
                "use strategy: retain with a ground"
            )

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Collections so ordered that each stands after all it links to, by links of any kind. Those that link to one
        another in a circle stand together, and so does one that links to itself, alone."""
        order: list[tuple[str, ...]] = []
        waiting = {name: {link.target[0] for link in c.links} for name, c in self.collections.items()}
        while waiting:
            ready = [name for name, parents in waiting.items() if not (parents - {name}) & waiting.keys()]
            for group in [(name,) for name in ready] if ready else [_circle(waiting)]:
                order.append(group)
                for name in group:
                    del waiting[name]
        return tuple(order)

    @property
    def parents_first(self) -> tuple[str, ...]:
        """The groups one after the other; within a circle, as they stand in the map."""
        return tuple(name for group in self.groups for name in group)

    def circular(self, name: str) -> bool:
        """Whether following links from a collection may lead back to it."""
        (group,) = (group for group in self.groups if name in group)
        return len(group) > 1 or any(link.target[0] == name for link in self.collections[name].links)


def _circle(links: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Of collections that all link to another of them, a circle that links to nothing outside of itself."""
    reached = {name: _closure(name, links) for name in links}
    # Whoever reaches the fewest reaches nothing beyond its own circle.
    smallest = reached[min(links, key=lambda name: len(reached[name]))]
    return tuple(name for name in links if name in smallest)


def _closure(start: str, links: Mapping[str, set[str]]) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        for name in links[waiting.pop()] & links.keys() - seen:
            seen.add(name)
            waiting.append(name)
    return seen


class DataMap(BaseModel):
    """All systems, and the digest that a request is pinned to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    systems: dict[str, System]
    digest: str
    """SHA-256 over the systems in a canonical form, hex: a comment or the order of keys does not change it."""

    def worked_out_from(self, changed: Mapping[str, Iterable[str]]) -> list[str]:
        """What is worked out, at any remove, from collections of systems: SYSTEM.COLLECTION, in order."""
        made_from = {
            f"{system}.{name}": set(whole.makes_from(name))
            for system, whole in self.systems.items()
            for name in whole.collections
        }
        known = {f"{system}.{name}" for system, names in changed.items() for name in names}
        found: set[str] = set()
        while more := {place for place, of in made_from.items() if of & (known | found)} - found:
            found |= more
        return sorted(found - known)

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

    @property
    def shared_kinds(self) -> frozenset[str]:
        """The kinds of identity that several people may have, by any field: they tell nobody from another."""
        return frozenset(
            field.identity
            for system in self.systems.values()
            for collection in system.collections.values()
            for field in collection.identities.values()
            if field.identity and field.sharing != "unique"
        )

    @property
    def directory(self) -> System | None:
        """The one system that may be asked how to reach people; None if there is none."""
        return next((system for system in self.systems.values() if system.directory), None)

    def fed_by(self, sources: Iterable[str]) -> frozenset[str]:
        """The systems that any of these fill, by themselves or by others."""
        feeds = {name: set(system.feeds) for name, system in self.systems.items()}
        return frozenset().union(*(_closure(source, feeds) - {source} for source in sources if source in feeds))

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


_STRICT: Final = (Mode.OBSERVE, Mode.APPROVE, Mode.AUTO)


def stricter(system: System, mode: Mode) -> System:
    """A system in its own mode or another, whichever lets the engine do less."""
    return system.model_copy(update={"mode": min(system.mode, mode, key=_STRICT.index)})


def _canonical(systems: Mapping[str, System]) -> str:
    return json.dumps(
        {n: systems[n].model_dump(mode="json", by_alias=True, exclude_defaults=True) for n in sorted(systems)},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
