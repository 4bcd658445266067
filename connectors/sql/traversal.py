"""Which rows are a person's, as common table expressions over the data map.

The one rule: sets, never rows. Every collection is one expression over its parents', so the database does the whole
traversal by itself, and two collections or twenty are one statement.

*Seen* rows are those that an identity, a unique link or an anchor leads to, each once. *Located* rows are those of the
seen that are the person's for certain; the others are *doubtful*: several rows match, or only a shared identity does,
and nobody has ruled. Nothing is followed from a doubtful row.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    CTE,
    CompoundSelect,
    FromClause,
    Integer,
    MetaData,
    Numeric,
    Select,
    Text,
    and_,
    any_,
    cast,
    false,
    func,
    not_,
    or_,
    select,
    tuple_,
    union,
    union_all,
)
from sqlalchemy import Column as SqlColumn
from sqlalchemy import Table as SqlTable
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine

from connectors.sql.catalogue import Column
from connectors.sql.dialects import Engine
from connectors.sql.dialects.dialect import flat
from connectors.sql.dialects.postgresql import NATIVE
from connectors.sql.families import TEXTS, Family
from connectors.sql.rewriting import Sql
from connectors.sql.scope import Scope
from connectors.sql.values import slot
from rights.datamap import Field, Link, System

# Labels that no column of a map can have.
MATCHED: Final = "=matched"
UNIQUE: Final = "=unique"
DECIDED: Final = "=decided"
OTHER: Final = "=other"

MANY: Final = 2**63 - 1
"""More rows than any table has."""


@dataclass(frozen=True)
class _Arm:
    """One way to a row: `left` is among the values of `right`."""

    left: Sql
    right: Select[Any] | CompoundSelect[Any]
    served: bool
    """Whether an index leads there."""
    whole: Sql | None = None
    """The condition itself, where it is more than one comparison, or the server has no arrays."""

    def condition(self, *, indexed: bool) -> Sql:
        """An array makes the database use the index for each of its values. Without an index it would be searched from
        end to end for every row of the table, so a table that is read as a whole anyway gets a hash to look into."""
        if self.whole is not None:
            return self.whole
        if not indexed:
            return self.left.in_(self.right)
        return self.left == any_(func.array(self.right.scalar_subquery(), type_=ARRAY(Text)))


class Traversal:
    """The expressions of one statement; each is made when it is first asked for.

    Args:
        scope: the system, its works and what the database says of its tables.
        carry: further columns that a collection's expression is to have, made from its table.
        lock: collections whose rows are locked until the transaction ends; they are then seen as they are at that
            moment, and not as they were when the statement began.
        focus: the one collection that a step of a look is about: what was seen of the others stands in the document.
    """

    def __init__(
        self,
        scope: Scope,
        carry: Callable[[str, FromClause], Iterable[Sql]],
        lock: Iterable[str] = (),
        focus: str | None = None,
    ) -> None:
        self.scope, self._carry, self._lock, self._focus = scope, carry, frozenset(lock), focus
        self._numbers = {name: number for number, name in enumerate(scope.system.collections)}
        self._seen: dict[str, CTE] = {}
        self._located: dict[str, CTE] = {}
        self.tables = {name: table_of(scope, name) for name in scope.system.collections}

    def key(self, name: str, rows: FromClause) -> list[Sql]:
        """The columns of a collection's key."""
        return [rows.c[field] for field in self.scope.system.collections[name].key]

    def seen(self, name: str) -> CTE:
        """The rows of a subject collection that anything leads to, with what led there."""
        if name not in self._seen:
            rows = self.rows(name)
            locked = rows.with_for_update() if name in self._lock else rows
            self._seen[name] = locked.cte(f"seen_{self._numbers[name]}")
        return self._seen[name]

    def doubtful(self, name: str) -> Select[Any]:
        """The rows of a subject collection of which it is open whose they are."""
        if self._focus is not None:
            return self._listed(name, "d")
        seen = self.seen(name)
        return select(seen).where(seen.c[MATCHED], not_(seen.c[OTHER]), not_(_certain(seen)))

    def located(self, name: str) -> CTE:
        """A collection's rows that are the person's."""
        if name not in self._located:
            if self._focus is not None and self.scope.subject(name):
                rows = self._listed(name, "h")
            elif self.scope.subject(name):
                seen = self.seen(name)
                rows = select(seen).where(not_(seen.c[OTHER]), _certain(seen))
            else:
                rows = self.rows(name)
                if name in self._lock:
                    rows = rows.with_for_update()
            self._located[name] = rows.cte(f"located_{self._numbers[name]}")
        return self._located[name]

    def parent(self, name: str) -> CTE:
        """The person's rows of a collection that others link to."""
        if self._focus is None:
            return self.located(name)
        return self.told(slot("l", name), name, pointed(self.scope.system, name))

    def told(self, place: str, name: str, fields: Sequence[str]) -> CTE:
        """Columns of rows that an earlier step has seen."""
        rows = self.scope.dialect.elements(place, width=len(fields))
        columns = self.scope.catalogue.tables[name].columns
        types = [_travelling(columns.get(field)) for field in fields]
        parts = zip(rows.selected_columns, fields, types, strict=True)
        told = rows.with_only_columns(*(cast(part, type_).label(field) for part, field, type_ in parts))
        return told.cte(f"told_{self._numbers[name]}")

    def rows(self, name: str, only: int | None = None) -> Select[Any]:
        """A collection's rows straight from its table; of all the `ways` that lead there, or of one."""
        table, collection = self.tables[name], self.scope.system.collections[name]
        identities = [
            (self._identity(name, field, about, "is"), self._identity(name, field, about, "i"))
            for field, about in collection.identities.items()
            if about.sharing != "hint"
        ]
        links = [self._link(name, link) for link in collection.links if link.kind == "unique"]
        arms = [arm for arm, _ in identities] + links
        anchored = self._keyed(name, "k")
        indexed = all(arm.served for arm in arms) and self._key_served(name)
        among = [arm.condition(indexed=indexed) for arm in arms]
        columns: dict[str, Sql] = {column.name: column for column in self._columns(name)}
        if self.scope.subject(name):
            matched = or_(*among[: len(identities)])
            ruled = and_(matched, self._keyed(name, "m")(False))
            columns[MATCHED] = _known(matched).label(MATCHED)
            columns[UNIQUE] = _known(or_(*(arm.condition(indexed=indexed) for _, arm in identities))).label(UNIQUE)
            columns[DECIDED] = _known(or_(*among[len(identities) :], anchored(indexed), ruled)).label(DECIDED)
            columns[OTHER] = _known(self._keyed(name, "x")(False)).label(OTHER)
        ways = [*among, anchored(indexed)]
        rows = select(*columns.values()).select_from(table)
        if only is not None:
            return rows.where(ways[only])
        if self.scope.catalogue.engine is not Engine.MARIADB or len(ways) == 1:
            return rows.where(or_(*ways))
        # For an "or" it would read, and lock, the whole table; so each way goes by an index of its own.
        key = self.key(name, table)
        keys = union(*(select(*key).select_from(table).where(way) for way in ways)).subquery("=keys")
        same = and_(*(mine == theirs for mine, theirs in zip(key, self.key(name, keys), strict=True)))
        rows = select(*columns.values()).select_from(keys.join(table, same))
        if not self.scope.subject(name):
            return rows
        # Several ways look to it like many rows, for which it would begin with the table; a limit keeps the order.
        return rows.prefix_with("STRAIGHT_JOIN").limit(MANY)

    def _listed(self, name: str, kind: str) -> Select[Any]:
        """A subject collection's rows of which an earlier step has found out whose they are."""
        columns = {column.name: column for column in self._columns(name)}
        return select(*columns.values()).select_from(self.tables[name]).where(self._keyed(name, kind)(True))

    def _columns(self, name: str) -> list[Sql]:
        """What others need of a collection's rows."""
        table = self.tables[name]
        return [
            *self.key(name, table),
            *(table.c[link.field] for link in self.scope.system.collections[name].links),
            *(table.c[field] for field in pointed(self.scope.system, name)),
            *self._carry(name, table),
        ]

    def ways(self, name: str) -> int:
        """How many ways lead to a collection: identities, links and its own key."""
        collection = self.scope.system.collections[name]
        identities = sum(about.sharing != "hint" for about in collection.identities.values())
        return identities + sum(link.kind == "unique" for link in collection.links) + 1

    def _identity(self, name: str, field: str, about: Field, kinds: str) -> _Arm:
        column, value = self.scope.column(name, field), self.tables[name].c[field]
        served = self.scope.catalogue.tables[name].serves(field, casefold=about.casefold)
        slots = [slot(kind, name, field) for kind in kinds]
        left, type_ = _comparable(column, value)
        convert: Callable[[Sql], Sql] = partial(cast, type_=type_)
        if (whole := self.scope.dialect.identity(column, value, about, served, slots)) is not None:
            return _Arm(left, select(left), served, whole)
        if column.family is Family.TEXT and about.casefold:
            left, convert = func.lower(cast(value, Text)), func.lower
        elif column.family is Family.CITEXT and not about.casefold:
            left, convert, served = cast(value, Text), partial(cast, type_=Text()), False
        served = served and column.family in NATIVE
        return self._arm(left, _union([self._texts(one, convert) for one in slots]), served)

    def _link(self, name: str, link: Link) -> _Arm:
        parent, target = link.target
        mine, theirs = self.scope.column(name, link.field), self.scope.column(parent, target)
        left, convert, native = _bridge(mine, self.tables[name].c[link.field], theirs)
        located = self.parent(parent)
        _, type_ = _comparable(theirs, located.c[target])
        there = select(convert(located.c[target]))
        if theirs.family in TEXTS:  # an empty text is nothing, and links to nobody
            there = there.where(cast(located.c[target], Text) != "")
        gone = self._texts(slot("a", parent, target), lambda text: convert(cast(text, type_)))
        served = native and self.scope.catalogue.tables[name].serves(link.field, casefold=False)
        if mine.engine is Engine.MARIADB and mine.cast != theirs.cast and {mine.family, theirs.family} <= TEXTS:
            # By both collations: the one that has an index, and the one that tells parents apart.
            near = _union(
                [
                    select(cast(located.c[target], mine.type)),
                    self._texts(slot("a", parent, target), lambda text: cast(text, mine.type)),
                ]
            )
            strict = _union(
                [
                    there.with_only_columns(located.c[target]),
                    self._texts(slot("a", parent, target), lambda text: cast(text, type_)),
                ]
            )
            return _Arm(left, near, served, and_(left.in_(flat(near)), left.in_(flat(strict))))
        return self._arm(left, _union([there, gone]), served)

    def _keyed(self, name: str, kind: str) -> Callable[[bool], Sql]:
        """Whether a row's key is in a list of the document; the argument says whether to go by an index."""
        fields = self.scope.system.collections[name].key
        table, place = self.tables[name], slot(kind, name)
        pairs = [_comparable(self.scope.column(name, field), table.c[field]) for field in fields]
        if len(fields) == 1:
            left, type_ = pairs[0]
            arm = self._arm(left, self._texts(place, lambda text: cast(text, type_)), True)
            return lambda indexed: arm.condition(indexed=indexed)
        rows = self.scope.dialect.elements(place, width=len(fields))
        parts = [cast(part, type_) for part, (_, type_) in zip(rows.selected_columns, pairs, strict=True)]
        whole = tuple_(*(left for left, _ in pairs)).in_(rows.with_only_columns(*parts))
        if self.scope.dialect.stepwise:
            return lambda indexed: whole
        first = _Arm(pairs[0][0], rows.with_only_columns(parts[0]), True)
        # The first column leads the index, the others tell its rows apart.
        return lambda indexed: and_(first.condition(indexed=True), whole) if indexed else whole

    def _arm(self, left: Sql, right: Select[Any] | CompoundSelect[Any], served: bool) -> _Arm:
        return _Arm(left, right, served, left.in_(flat(right)) if self.scope.dialect.stepwise else None)

    def _texts(self, place: str, convert: Callable[[Sql], Sql]) -> Select[Any]:
        """The values of a list of the document."""
        values = self.scope.dialect.elements(place)
        return values.with_only_columns(convert(values.selected_columns[0]))

    def _key_served(self, name: str) -> bool:
        first = self.scope.system.collections[name].key[0]
        table = self.scope.catalogue.tables[name]
        return table.columns[first].family in NATIVE and table.serves(first, casefold=False)


def table_of(scope: Scope, name: str) -> SqlTable:
    """A collection's table, every name of it quoted."""
    about = scope.catalogue.tables[name]
    columns = (SqlColumn(quoted_name(c.name, True), c.type) for c in about.columns.values())
    return SqlTable(quoted_name(about.name, True), MetaData(), *columns, schema=quoted_name(about.schema, True))


def same(left: Column, left_value: Sql, right: Column, right_values: Select[Any]) -> Sql:
    """Whether a value is among those of another column, whatever the types of the two."""
    (value,) = right_values.selected_columns
    own, convert, _ = _bridge(left, left_value, right)
    return _known(own.in_(right_values.with_only_columns(convert(value))))


def _travelling(column: Column | None) -> TypeEngine[Any]:
    """The type of a value that comes out of the document; what is compared by its text stays one."""
    if column is None:
        return Integer()
    return column.type if column.family in NATIVE or column.engine is Engine.SQLITE else Text()


def _certain(seen: CTE) -> Sql:
    """One match by an identity that only one person has needs no ruling."""
    matching = select(func.count()).select_from(seen).where(seen.c[MATCHED]).scalar_subquery()
    return or_(seen.c[DECIDED], and_(seen.c[UNIQUE], matching == 1))


def pointed(system: System, name: str) -> Sequence[str]:
    """Fields that any link points to, unique or not."""
    others = [link.target for c in system.collections.values() for link in c.links]
    return list(dict.fromkeys(field for target, field in others if target == name))


def _comparable(column: Column, value: Sql) -> tuple[Sql, TypeEngine[Any]]:
    """How a column is compared with given values: itself, and the type to cast them to."""
    return column.dialect.comparable(column, value)


def _bridge(column: Column, value: Sql, theirs: Column) -> tuple[Sql, Callable[[Sql], Sql], bool]:
    """How a column is compared with another's values: itself, a conversion of those, and whether an index can help.

    No conversion can fail: a link from a text to a number compares texts.
    """
    if column.engine is Engine.SQLITE:
        return value, lambda other: other, True  # by its own rules of what is the same
    if column.family is theirs.family and column.family in NATIVE:
        return value, lambda other: other, True
    if column.family in TEXTS:
        return value, lambda other: cast(cast(other, Text), column.type), True
    if {column.family, theirs.family} == {Family.INTEGER, Family.NUMERIC}:
        native = column.family is Family.NUMERIC
        return (value if native else cast(value, Numeric)), lambda other: cast(other, Numeric), native
    return cast(value, Text), lambda other: cast(other, Text), False


def _union(selects: Sequence[Select[Any]]) -> Select[Any] | CompoundSelect[Any]:
    return selects[0] if len(selects) == 1 else union_all(*selects)


def _known(condition: Sql) -> Sql:
    """A condition that is false where it cannot be told."""
    return func.coalesce(condition, false())
