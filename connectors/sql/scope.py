"""What a statement is made from: a system's part of the map, what is to be done, and what the database says of it.

The one rule: it holds no value of a person, so whatever is made from it serves every call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from connectors.anchors import key_name
from connectors.sharing import anchor_name
from connectors.sql.catalogue import Catalogue, Column
from connectors.sql.dialects import DIALECTS, Dialect
from connectors.sql.families import Family
from rights import sharing
from rights.datamap import System
from rights.plan import Work


@dataclass(frozen=True)
class Scope:
    """A system, its works by collection, and its tables."""

    system: System
    works: Mapping[str, Work]
    catalogue: Catalogue
    restricts: bool = False
    """Whether rows may be listed as restricted (`connectors.sql.restriction`)."""

    @property
    def dialect(self) -> Dialect:
        return DIALECTS[self.catalogue.engine]

    def column(self, name: str, field: str) -> Column:
        """A field's column; for what is derived from one, a column of the values that are read there."""
        derived = self.system.collections[name].derived.get(field)
        if derived is None:
            return self.catalogue.tables[name].columns[field]
        base = self.catalogue.tables[name].columns[derived.of[0]]
        if derived.path or len(derived.of) > 1:
            return replace(
                base,
                name=field,
                cast=self.dialect.text,
                internal="text",
                family=Family.TEXT,
                limit=None,
                nullable=True,
            )
        return base

    def served(self, name: str, field: str, *, casefold: bool = False) -> bool:
        """Whether an index finds rows by a field. What stands inside a document is not looked for in one."""
        derived = self.system.collections[name].derived.get(field)
        if derived and derived.path:
            return False
        return self.catalogue.tables[name].serves(derived.of[0] if derived else field, casefold=casefold)

    @cached_property
    def circles(self) -> Mapping[str, tuple[str, ...]]:
        """The circle that each collection stands in, where links lead back to it."""
        groups = self.system.groups
        return {name: group for group in groups for name in group if self.system.circular(name)}

    def subject(self, name: str) -> bool:
        """Whether a collection has a field by which somebody is found; a hint finds nobody."""
        identities = self.system.collections[name].identities.values()
        return any(about.sharing != "hint" for about in identities)

    def asks(self, name: str) -> bool:
        """Whether a person is asked of each row that is somebody else's too."""
        return sharing.treatment(self.system.collections[name]) == "ask"

    def doubts(self, name: str) -> bool:
        """Whether it may be open whose a row of a collection is."""
        return self.subject(name) or self.asks(name)

    @cached_property
    def told_apart(self) -> frozenset[str]:
        """The collections of which it matters elsewhere which rows are the person's alone."""
        return frozenset(
            link.target[0] for c in self.system.collections.values() if c.shares for link in sharing.owners(c)
        )

    @cached_property
    def targets(self) -> Mapping[str, tuple[str, ...]]:
        """By collection, the fields that followed links point to."""
        collections = self.system.collections
        pointed = {link.target for c in collections.values() for link in c.links if link.followed}
        return {
            name: tuple(field for field in (*collection.fields, *collection.derived) if (name, field) in pointed)
            for name, collection in collections.items()
        }

    @cached_property
    def telling(self) -> Mapping[str, tuple[str, ...]]:
        """By collection, the fields that other systems may know a person by."""
        collections = self.system.collections.items()
        return {name: tuple(field for field, about in c.fields.items() if about.told) for name, c in collections}

    @cached_property
    def anchored(self) -> Mapping[str, Mapping[str, str]]:
        """By collection, the names under which its rows' keys stand among the anchors, each with what a look calls
        them: of all, and of shared ones by a link that may be cut."""
        return {
            name: {key_name(c): "keys", **{anchor_name(link): anchor_name(link) for link in c.shares}}
            for name, c in self.system.collections.items()
        }

    @cached_property
    def grounds(self) -> tuple[str, ...]:
        """Every ground on which a row may be kept, in a fixed order."""
        named: list[str] = []
        for name, work in self.works.items():
            fields = self.system.collections[name].fields.values()
            named += [work.ground, *(keep.ground for keep in work.keeps), *(f.ground for f in fields)]
        if any(collection.shares for collection in self.system.collections.values()):
            named.append(sharing.GROUND)
        return tuple(dict.fromkeys(filter(None, named)))


def pointed(system: System, name: str) -> Sequence[str]:
    """Fields, and what is derived from fields, that any link points to, unique or not."""
    others = [link.target for c in system.collections.values() for link in c.links]
    return list(dict.fromkeys(field for target, field in others if target == name))


def told_of(system: System, name: str) -> list[str]:
    """What links need to know of a row that they point to: the value as a whole, and each column of it."""
    collection = system.collections[name]
    fields: list[str] = []
    for field in pointed(system, name):
        bases = collection.bases(field)
        fields += [field, *(bases if len(bases) > 1 else ())]
    return list(dict.fromkeys(fields))
